"""From edits to masks: what goes, what must stay, what is drawn anew."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llmgen.artifacts import ChangeAttributeEdit, DeleteEdit, Detection, EditPlan, MoveEdit, RepaintEdit
from llmgen.vision.boxes import BoxTuple, clip, iou
from llmgen.vision.masks import best_masks, decode_mask
from llmgen.vision.protocols import Segmenter

BoolMask = NDArray[np.bool_]


def object_masks(image: Image.Image, detections: Sequence[Detection], segmenter: Segmenter) -> dict[str, BoolMask]:
    """The mask of every detection.

    A mask that the detector stage left in the record is taken, for the rest the segmenter's most trusted proposal; what lies outside
    the box is cut off, and the box itself stands for an empty mask. (The SLD reference takes the union of all three
    proposals, which removes too much.)

    Args:
        image: RGB picture, `h x w`.
        detections: What was found in it.
        segmenter: Turns boxes into masks.

    Returns:
        Id of the detection to `bool[h, w]`.
    """
    size = (image.height, image.width)
    found = {d.id: decode_mask(d.mask) for d in detections if d.mask is not None and d.mask.size == size}
    missing = [d for d in detections if d.id not in found]
    if missing:
        proposals, trust = segmenter.segment(image, [d.box_xyxy for d in missing])
        found |= {d.id: mask for d, mask in zip(missing, best_masks(proposals, trust), strict=True)}
    for detection in detections:
        # A mask that runs over into a neighbour would protect that neighbour from its deletion, or delete it as well.
        inside = found[detection.id] & rectangle(_widened(detection.box_xyxy), *size)
        found[detection.id] = inside if inside.any() else rectangle(detection.box_xyxy, *size)
    return found


def _widened(box_xyxy: BoxTuple, share: float = 0.05) -> BoxTuple:
    x0, y0, x1, y1 = box_xyxy
    dx, dy = share * (x1 - x0), share * (y1 - y0)
    return (x0 - dx, y0 - dy, x1 + dx, y1 + dy)


def rectangle(box_xyxy: Sequence[float], height: int, width: int) -> BoolMask:
    """The pixels of a box, at least one when the box touches the picture."""
    x0, y0, x1, y1 = clip(box_xyxy, width, height)
    mask = np.zeros((height, width), dtype=bool)
    mask[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
    return mask


def mask_of(
    target: str,
    box_xyxy: BoxTuple,
    detections: Sequence[Detection],
    masks: Mapping[str, BoolMask],
    shape: tuple[int, int],
) -> BoolMask:
    """The mask of the detection that an edit means: by id, else by the best overlap, else the box itself.

    Args:
        target: Id in the edit.
        box_xyxy: Where the edit says that the object is, in pixels.
        detections: What was found.
        masks: Their masks.
        shape: Height and width of these.
    """
    if target in masks:
        return masks[target]
    near = max(detections, key=lambda d: iou(d.box_xyxy, box_xyxy), default=None)
    if near is not None and iou(near.box_xyxy, box_xyxy) > 0.5:
        return masks[near.id]
    return rectangle(box_xyxy, *shape)


def kept_ids(plan: EditPlan, detections: Sequence[Detection]) -> list[str]:
    """Ids of the detections that no edit touches."""
    touched = {
        edit.target
        for edit in plan.edits
        if isinstance(edit, DeleteEdit | MoveEdit | ChangeAttributeEdit | RepaintEdit)
    }
    return [d.id for d in detections if d.id not in touched]


def union(masks: Sequence[BoolMask], empty: BoolMask) -> BoolMask:
    """What any of some masks covers; `empty` where there are none."""
    return np.logical_or.reduce(masks) if masks else empty.copy()
