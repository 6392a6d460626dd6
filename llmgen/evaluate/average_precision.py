"""Detections against a plan's boxes: COCO's average precision, and an F1 for a single picture."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from llmgen.artifacts import Detection, Instance, Layout, Mask, Record
from llmgen.formats.coco_figures import Kind, coco_figures
from llmgen.llm.english.grammar import read_phrase
from llmgen.vision.boxes import BoxTuple, area, iou, xyxy_to_xywh
from llmgen.vision.masks import BoolMask, decode_mask, encode_mask


@dataclass(frozen=True)
class LabelledBox:
    """A box with its category, and its mask if it has one."""

    category: str
    box_xyxy: BoxTuple
    score: float = 1.0
    mask: Mask | None = None


@dataclass(frozen=True)
class ScoredPicture:
    """What should be and what was found in one picture, both in its pixels."""

    wanted: tuple[LabelledBox, ...]
    found: tuple[LabelledBox, ...]


def wanted_boxes(layout: Layout, size: tuple[int, int]) -> tuple[LabelledBox, ...]:
    """The plan's boxes, scaled to a picture.

    Args:
        layout: The plan.
        size: Width, height of the picture in pixels.

    Returns:
        One box an instance; its category is attributes and noun, for example `red ball`.
    """
    across, down = size[0] / layout.width, size[1] / layout.height
    boxes = []
    for instance in layout.instances:
        x0, y0, x1, y1 = instance.box_xyxy
        box = (x0 * across, y0 * down, x1 * across, y1 * down)
        boxes.append(LabelledBox(category_of(instance), box, mask=resized_mask(instance.mask, size)))
    return tuple(boxes)


def category_of(instance: Instance) -> str:
    """Attributes and noun of an instance, for example `red ball`; what a detector calls a confirmed find."""
    noun, attributes = read_phrase(instance.phrase)
    return " ".join((*(instance.attributes or attributes), instance.noun or noun))


def resized_mask(mask: Mask | None, size: tuple[int, int]) -> Mask | None:
    """A plan's mask in the pixels of its picture, nearest neighbours."""
    if mask is None or mask.size == (size[1], size[0]):
        return mask
    return encode_mask(resize_mask(decode_mask(mask), size))


def found_boxes(detections: Sequence[Detection]) -> tuple[LabelledBox, ...]:
    """Detections under their phrases; a ball whose colour nobody confirmed is no `red ball`."""
    return tuple(LabelledBox(found.phrase, found.box_xyxy, found.score, found.mask) for found in detections)


def resize_mask(mask: BoolMask, size: tuple[int, int]) -> BoolMask:
    """A mask `bool[h, w]` for a picture of another width and height, nearest neighbours."""
    resized = Image.fromarray(mask.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    return np.asarray(resized, dtype=bool)


def scored_pictures(records: Sequence[Record], *, initial: bool = False) -> list[ScoredPicture]:
    """Plan and detections of each record that has both.

    Args:
        records: Records.
        initial: Take the first picture's detections instead of the last one's.
    """
    pictures = []
    for record in records:
        detections = record.history[0].detections if initial and record.history else record.detections
        if record.layout is None or detections is None:
            continue
        canvas = (record.history[0].image if initial and record.history else record.image) or record.layout
        size = (canvas.width, canvas.height)
        pictures.append(ScoredPicture(wanted_boxes(record.layout, size), found_boxes(detections)))
    return pictures


def f1_at(picture: ScoredPicture, threshold: float = 0.5) -> tuple[float, int]:
    """F1 of one picture.

    Best-scored detections choose first, each the free wanted box of its category that it overlaps most.

    Args:
        picture: Wanted and found boxes.
        threshold: Least IoU of a match.

    Returns:
        F1 in [0, 1] (1 when nothing was wanted and nothing found), and the number of matches.
    """
    free = list(range(len(picture.wanted)))
    for found in sorted(picture.found, key=lambda found: -found.score):
        overlaps = {
            i: iou(picture.wanted[i].box_xyxy, found.box_xyxy)
            for i in free
            if picture.wanted[i].category == found.category
        }
        best = max(overlaps, key=lambda i: overlaps[i], default=None)
        if best is not None and overlaps[best] >= threshold:
            free.remove(best)
    matches = len(picture.wanted) - len(free)
    total = len(picture.wanted) + len(picture.found)
    return (2 * matches / total if total else 1.0), matches


def average_precision(pictures: Sequence[ScoredPicture], kind: Kind = "bbox") -> dict[str, float | None]:
    """COCO's figures over all pictures, phrases as categories.

    Args:
        pictures: Wanted and found boxes. Only categories that are wanted somewhere count, as COCO has it: a detection of any other
            is no false positive (`f1_at` counts it as one).
        kind: Compare boxes or masks.

    Returns:
        `ap` (mean over IoU 0.5 to 0.95), `ap50`, `ap75` and `ar` (up to 100 detections a picture), each in [0, 1]; null when nothing
        was wanted. Masks are compared in the pictures of `masked_pictures`.

    Source:
        pycocotools' `COCOeval` with its own settings.
    """
    if kind == "segm":
        pictures = masked_pictures(pictures)
    names = sorted({box.category for picture in pictures for box in picture.wanted})
    if not names:
        return {"ap": None, "ap50": None, "ap75": None, "ar": None}
    category_id = {name: number for number, name in enumerate(names, start=1)}
    dataset = {
        "images": [{"id": number, **_size(picture)} for number, picture in enumerate(pictures, start=1)],
        "categories": [{"id": number, "name": name} for name, number in category_id.items()],
        "annotations": _annotations([picture.wanted for picture in pictures], category_id),
    }
    figures = coco_figures(dataset, _annotations([picture.found for picture in pictures], category_id), kind)
    return {"ap": figures["ap"], "ap50": figures["ap50"], "ap75": figures["ap75"], "ar": figures["ar_100"]}


def masked_pictures(pictures: Sequence[ScoredPicture]) -> list[ScoredPicture]:
    """The pictures in which everything wanted and everything found has a mask; none if nothing has one where something was found."""
    found = [box for picture in pictures for box in picture.found]
    if found and all(box.mask is None for box in found):
        return []
    return [p for p in pictures if all(box.mask is not None for box in (*p.wanted, *p.found))]


def equal_scores(pictures: Sequence[ScoredPicture]) -> int:
    """Detections whose score another of their category has as well: only their order tells them apart, and moves AP."""
    wanted = {box.category for picture in pictures for box in picture.wanted}
    times = Counter((b.category, b.score) for picture in pictures for b in picture.found if b.category in wanted)
    return sum(count for count in times.values() if count > 1)


def _size(picture: ScoredPicture) -> dict[str, int]:
    """Height and width of a picture whose masks tell: pycocotools asks for them when it compares masks."""
    sizes = [box.mask.size for box in (*picture.wanted, *picture.found) if box.mask is not None]
    return {"height": sizes[0][0], "width": sizes[0][1]} if sizes else {}


def _annotations(pictures: Sequence[Sequence[LabelledBox]], category_id: dict[str, int]) -> list[dict[str, Any]]:
    rows = [
        (image, box) for image, boxes in enumerate(pictures, start=1) for box in boxes if box.category in category_id
    ]
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": category_id[box.category],
            "bbox": list(xyxy_to_xywh(box.box_xyxy)),
            "area": area(box.box_xyxy),
            "iscrowd": 0,
            "score": box.score,
            **({"segmentation": {"size": list(box.mask.size), "counts": box.mask.counts}} if box.mask else {}),
        }
        for number, (image, box) in enumerate(rows, start=1)
    ]
