"""The detector of the published context loop, function by function, with its faults: what goldens are held against.

The network itself, matterport's Mask R-CNN in TensorFlow 1, is replaced by torchvision's, which needs none of this: its masks come at
the size of the picture.

Source: GPT4-Contextual-Diffusion (2023), https://github.com/AWC2124R/GPT4-Contextual-Diffusion, commit d997f50.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmgen.vision.masks import BoolMask

CLASSES: Final = (
    "Skirt Shirt Hat Bag Shoe Cars Buildings Alleyshops Jacket Dress BodyofWater Sky Lightsource Shelfs Residentialcomplex "
    "Brightwindow"
).split()
"""Ids from 1 in this order; 0 is the background."""
SETTINGS: Final[dict[str, Any]] = {
    "num_classes": 1 + len(CLASSES),
    "steps_per_epoch": 100,
    "detection_min_confidence": 0.9,
    "detection_nms_threshold": 0.3,
    "detection_max_instances": 100,
    "image_resize_mode": "square",
    "image_min_dim": 800,
    "image_max_dim": 1024,
    "image_min_scale": 0,
    "learning_rate": 0.001,
    "learning_momentum": 0.9,
    "weight_decay": 0.0001,
    "gradient_clip_norm": 5.0,
    "train_bn": False,
    "images_per_gpu": 1,
    "backbone": "resnet101",
    "rpn_nms_threshold": 0.7,
    "post_nms_rois_inference": 1000,
    "mask_shape": [28, 28],
}

Region = Mapping[str, Any]
"""A polygon: `label`, and the coordinates of its points as `x` and `y`."""


class Square(NamedTuple):
    """Where a picture lies in the detector's square."""

    side: int
    """Of the square in pixels."""
    window: tuple[int, int, int, int]
    """y1, x1, y2, x2 of the picture in it."""
    scale: float
    padding: tuple[int, int, int, int]
    """Pixels above, below, to the left and to the right; an odd one goes below or to the right."""


def square_of(width: int, height: int) -> Square:
    """The short side to 800 pixels, the long one to 1024 at most, then zeros around it up to a square."""
    least, most = SETTINGS["image_min_dim"], SETTINGS["image_max_dim"]
    scale = max(1.0, least / min(height, width))
    if round(max(height, width) * scale) > most:
        scale = most / max(height, width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (most - rows) // 2, (most - columns) // 2
    window = (top, left, top + rows, left + columns)
    return Square(most, window, scale, (top, most - rows - top, left, most - columns - left))


def unmold_mask(mask: NDArray[np.floating[Any]], box: Sequence[int], height: int, width: int) -> BoolMask:
    """A mask of the mask head in the picture.

    Args:
        mask: Probabilities `[28, 28]`.
        box: y1, x1, y2, x2 in pixels of the picture.
        height: Of the picture.
        width: Of the picture.

    Returns:
        `bool[height, width]`: the probabilities resized into the box, bilinearly with zeros outside, from 0.5 on.
    """
    from skimage.transform import resize

    y1, x1, y2, x2 = box
    drawn = resize(mask, (y2 - y1, x2 - x1), order=1, mode="constant", cval=0, anti_aliasing=False)
    whole = np.zeros((height, width), dtype=bool)
    whole[y1:y2, x1:x2] = drawn >= 0.5
    return whole


def unmold(
    boxes: NDArray[np.float64],
    class_ids: Sequence[int],
    masks: Sequence[NDArray[np.floating[Any]]],
    square: Square,
    height: int,
    width: int,
) -> tuple[list[list[int]], list[int], list[BoolMask]]:
    """Detections in the square as detections in the picture.

    Args:
        boxes: `[n, 4]` y1, x1, y2, x2 in fractions of the square, whose last pixel is 1.
        class_ids: Class of each.
        masks: `[28, 28]` each.
        square: Where the picture lies.
        height: Of the picture.
        width: Of the picture.

    Returns:
        Boxes in pixels, classes and masks, without those of no area.
    """

    def unit(y1: float, x1: float, y2: float, x2: float, rows: int, columns: int) -> NDArray[np.float64]:
        return (np.array([y1, x1, y2, x2]) - [0, 0, 1, 1]) / [rows - 1, columns - 1, rows - 1, columns - 1]

    wy1, wx1, wy2, wx2 = unit(*square.window, square.side, square.side)
    inside = (boxes - [wy1, wx1, wy1, wx1]) / [wy2 - wy1, wx2 - wx1, wy2 - wy1, wx2 - wx1]
    scaled = inside * [height - 1, width - 1, height - 1, width - 1] + [0, 0, 1, 1]
    pixels = np.around(scaled).astype(np.int32)
    kept = [i for i, (y1, x1, y2, x2) in enumerate(pixels.tolist()) if (y2 - y1) * (x2 - x1) > 0]
    return (
        [pixels[i].tolist() for i in kept],
        [class_ids[i] for i in kept],
        [unmold_mask(masks[i], pixels[i].tolist(), height, width) for i in kept],
    )


def union_by_class(class_ids: Sequence[int], masks: Sequence[BoolMask]) -> tuple[list[int], list[BoolMask]]:
    """One mask a class, of all its objects, in the order in which classes first appear."""
    united: dict[int, BoolMask] = {}
    for class_id, mask in zip(class_ids, masks, strict=True):
        united[class_id] = united[class_id] | mask if class_id in united else mask
    return list(united), list(united.values())


def annotated(regions: Sequence[Region], height: int, width: int) -> tuple[list[int], list[BoolMask]] | None:
    """Classes and masks of an annotated picture.

    Classes are collected apart from polygons: one of an unknown or missing label, told by its very letters, leaves its polygon without a
    class, and later polygons get wrong ones. Our own importer refuses such a picture.

    Args:
        regions: Polygons.
        height: Of the picture.
        width: Of the picture.

    Returns:
        Ids of the known labels and masks of all polygons; None for a picture without regions, which is no picture to the original.

    Raises:
        IndexError: If a polygon leaves the picture to the right or below.
    """
    from skimage.draw import polygon

    if not regions:
        return None
    masks = []
    for region in regions:
        mask = np.zeros((height, width), dtype=bool)
        mask[polygon(region["y"], region["x"])] = True
        masks.append(mask)
    return [CLASSES.index(one["label"]) + 1 for one in regions if one["label"] in CLASSES], masks
