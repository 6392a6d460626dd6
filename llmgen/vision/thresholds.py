"""Otsu's threshold, and the box of the largest thing above it."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from llmgen.vision.boxes import BoxTuple
from llmgen.vision.masks import BoolMask, mask_bounds

_EIGHT = np.ones((3, 3), dtype=bool)


def otsu_mask(values: NDArray[np.float64]) -> BoolMask:
    """Cells above Otsu's threshold: that of 256 levels which separates the two groups best.

    Of equally good thresholds the lowest counts, and a cell at the threshold is in.

    Args:
        values: `[rows, columns]` in [0, 255].

    Returns:
        `bool[rows, columns]`.

    Source:
        Otsu 1979, as in ReCorD (Lin et al. 2024).
    """
    counts = np.bincount(np.clip(values.astype(np.int64), 0, 255).ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    total, mass = below[-1], np.cumsum(counts * np.arange(256))
    above = total - below
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    spread = np.nan_to_num(spread, nan=0.0, posinf=0.0)
    return values >= int(spread.argmax())


def largest_box(mask: BoolMask) -> tuple[int, int, int, int] | None:
    """Box of the thing whose outline encloses most, ends exclusive; None if none encloses anything, as a line does not.

    Things are joined over corners, too; an outline runs through the middles of cells.

    Args:
        mask: `bool[rows, columns]`.

    Returns:
        First column, first row, end column, end row.
    """
    labels, count = ndimage.label(mask, structure=_EIGHT)
    best, box = 0.0, None
    for number in range(1, count + 1):
        thing = ndimage.binary_fill_holes(labels == number)
        enclosed = _enclosed(thing)
        if enclosed > best:
            best, box = enclosed, mask_bounds(thing)
    return box


def attention_box(attention: NDArray[np.float64], width: int, height: int) -> BoxTuple | None:
    """Where a word is drawn, by its attention.

    Args:
        attention: `[rows, columns]`, any unit.
        width: Of the picture in pixels.
        height: Of the picture in pixels.

    Returns:
        Box in pixels; None where the attention is flat, or nothing in it has an area.
    """
    low, high = float(attention.min()), float(attention.max())
    if not high > low:
        return None
    found = largest_box(otsu_mask((attention - low) / (high - low) * 255))
    if found is None:
        return None
    rows, columns = attention.shape
    x0, y0, x1, y1 = found
    return (x0 * width / columns, y0 * height / rows, x1 * width / columns, y1 * height / rows)


def _enclosed(thing: BoolMask) -> float:
    """Area of the polygon through the middles of a filled thing's outer cells: whole squares of four, halves where one is missing."""
    corners = thing.astype(np.int64)
    quads = corners[:-1, :-1] + corners[:-1, 1:] + corners[1:, :-1] + corners[1:, 1:]
    return float((quads == 4).sum() + 0.5 * (quads == 3).sum())
