"""Masks: run lengths, choice among a segmenter's proposals, growth, and the way down to latent cells."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llmgen.artifacts import Mask
from llmgen.vision.boxes import BoxTuple

BoolMask = NDArray[np.bool_]
_SURE = 0.85
"""Least trust in a drawn object's mask without penalty, and"""
_NEAR = 0.25
"""least IoU with its box: LMD's."""


def encode_mask(mask: BoolMask) -> Mask:
    """Run-length encode a mask.

    Args:
        mask: `bool[h, w]`.

    Returns:
        COCO's compressed run lengths.
    """
    from pycocotools import mask as coco

    encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    height, width = encoded["size"]
    return Mask(size=(int(height), int(width)), counts=encoded["counts"].decode("ascii"))


def decode_mask(mask: Mask) -> BoolMask:
    """The mask of `encode_mask` as `bool[h, w]`."""
    from pycocotools import mask as coco

    with warnings.catch_warnings():
        # pycocotools hands numpy an array type of before numpy 2; the values are right.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message="__array__ implementation")
        decoded = coco.decode({"size": list(mask.size), "counts": mask.counts.encode("ascii")})
    return np.asarray(decoded, dtype=bool)


def box_mask(box: BoxTuple, height: int, width: int) -> BoolMask:
    """White where a pixel's middle lies in the box; `bool[height, width]`."""
    x0, y0, x1, y1 = box
    xs, ys = np.arange(width) + 0.5, np.arange(height) + 0.5
    return np.asarray(((ys >= y0) & (ys < y1))[:, None] & ((xs >= x0) & (xs < x1))[None, :])


def mask_bounds(mask: BoolMask) -> tuple[int, int, int, int] | None:
    """The smallest half-open box around a mask, None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def mask_iou(a: BoolMask, b: BoolMask) -> float:
    """Intersection over union of two masks of one shape; 0 when both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def dilate(mask: BoolMask, size: int) -> BoolMask:
    """Grow a mask by a `size x size` square.

    Args:
        mask: `bool[h, w]`.
        size: Odd side of the square in pixels; 1 changes nothing.

    Returns:
        `bool[h, w]`.
    """
    from scipy import ndimage

    if size <= 1:
        return mask.copy()
    grown: BoolMask = ndimage.binary_dilation(mask, structure=np.ones((size, size), dtype=bool))
    return grown


def best_masks(masks: BoolMask, predicted_iou: NDArray[np.float32]) -> BoolMask:
    """Of a segmenter's three proposals for each box the one it trusts most.

    Args:
        masks: `bool[n, 3, h, w]`.
        predicted_iou: `float[n, 3]`; of equals the first is taken.

    Returns:
        `bool[n, h, w]`.
    """
    chosen: BoolMask = masks[np.arange(len(masks)), predicted_iou.argmax(axis=1)]
    return chosen


def union_masks(masks: BoolMask) -> BoolMask:
    """All pixels that any proposal holds: the reference's rule, which takes too much when proposals differ.

    Args:
        masks: `bool[n, 3, h, w]`.

    Returns:
        `bool[n, h, w]`.
    """
    return np.asarray(masks.any(axis=1))


def choose_drawn_mask(sizes: Sequence[float], predicted_iou: Sequence[float], box_iou: Sequence[float]) -> int:
    """Which proposal stands for an object that was just drawn in a box: the largest that is sure and near the box.

    Args:
        sizes: Area of each proposal.
        predicted_iou: The segmenter's trust in each.
        box_iou: IoU of each with the box it was asked for.

    Returns:
        Index of the first best proposal.

    Source:
        LMD (Lian et al. 2024), mask selection: size minus the largest size for each condition that fails.
    """
    size, trust, overlap = np.asarray(sizes, float), np.asarray(predicted_iou, float), np.asarray(box_iou, float)
    return int(np.argmax(size - (trust < _SURE) * size.max() - (overlap < _NEAR) * size.max()))


def sample_cells(mask: BoolMask, factor: int = 8) -> BoolMask:
    """Every `factor`-th pixel, starting at the first: the reference's way to latent cells, which loses thin masks.

    Args:
        mask: `bool[h, w]`.
        factor: Pixels per cell.

    Returns:
        `bool[ceil(h / factor), ceil(w / factor)]`.
    """
    return mask[::factor, ::factor].copy()


def cell_coverage(mask: BoolMask, rows: int, columns: int) -> NDArray[np.float32]:
    """How much of each cell a mask covers.

    Args:
        mask: `bool[h, w]`.
        rows: Cells down; need not divide `h`.
        columns: Cells across.

    Returns:
        `float32[rows, columns]` in [0, 1].
    """
    picture = Image.fromarray(mask.astype(np.float32))
    covered = np.asarray(picture.resize((columns, rows), Image.Resampling.BOX), dtype=np.float32)
    return np.clip(covered, 0.0, 1.0)
