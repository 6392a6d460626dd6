"""Boxes: conversions, overlap, non-maximum suppression and rounding.

A box is `(x0, y0, x1, y1)`, half-open, origin top left; its unit is the caller's (pixels, or 1 = the whole side).
"""

from collections.abc import Hashable, Sequence

import numpy as np

BoxTuple = tuple[float, float, float, float]

#: Overlap above which SLD takes two boxes for the same object.
SAME_OBJECT_IOU = 0.9


def xywh_to_xyxy(box: Sequence[float]) -> BoxTuple:
    """Left, top, width, height to corners."""
    x, y, w, h = box
    return (x, y, x + w, y + h)


def xyxy_to_xywh(box: Sequence[float]) -> BoxTuple:
    """Corners to left, top, width, height."""
    x0, y0, x1, y1 = box
    return (x0, y0, x1 - x0, y1 - y0)


def to_unit(box: Sequence[float], width: float, height: float) -> BoxTuple:
    """Pixels to fractions of a `width x height` picture."""
    x0, y0, x1, y1 = box
    return (x0 / width, y0 / height, x1 / width, y1 / height)


def to_pixels(box: Sequence[float], width: float, height: float) -> BoxTuple:
    """Fractions of a `width x height` picture to pixels."""
    x0, y0, x1, y1 = box
    return (x0 * width, y0 * height, x1 * width, y1 * height)


def area(box: Sequence[float]) -> float:
    """Area, 0 for an inverted box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def center(box: Sequence[float]) -> tuple[float, float]:
    """Centre as `(x, y)`."""
    return ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)


def clip(box: Sequence[float], width: float, height: float) -> BoxTuple:
    """The part of a box inside a `width x height` picture; may come out empty."""
    x0, y0, x1, y1 = box
    return (
        min(max(x0, 0.0), width),
        min(max(y0, 0.0), height),
        min(max(x1, 0.0), width),
        min(max(y1, 0.0), height),
    )


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes, in [0, 1]; 0 when either is empty."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    union = area(a) + area(b) - both
    return both / union if union > 0 else 0.0


def same_object(a: Sequence[float], b: Sequence[float], threshold: float = SAME_OBJECT_IOU) -> bool:
    """Whether two boxes overlap so much that they are one object: IoU strictly above the threshold."""
    return iou(a, b) > threshold


def suppress_overlaps(boxes: Sequence[Sequence[float]], scores: Sequence[float], threshold: float) -> list[int]:
    """Greedy non-maximum suppression over all boxes alike.

    Of equal scores the later box goes first. A box stays as long as its IoU with every kept one is below the threshold.

    Args:
        boxes: `n` boxes.
        scores: Their scores.
        threshold: IoU from which the lower-scored box is dropped.

    Returns:
        Indices of the kept boxes, best first.

    Source:
        SLD (Wu et al. 2024), detector post-processing.
    """
    remaining = np.argsort(np.asarray(scores, dtype=np.float64), kind="stable").tolist()
    kept: list[int] = []
    while remaining:
        best = remaining.pop()
        kept.append(best)
        remaining = [i for i in remaining if iou(boxes[best], boxes[i]) < threshold]
    return kept


def suppress_overlaps_by_label(
    boxes: Sequence[Sequence[float]], scores: Sequence[float], labels: Sequence[Hashable], threshold: float
) -> list[int]:
    """Non-maximum suppression inside each label.

    Args:
        boxes: `n` boxes.
        scores: Their scores.
        labels: Their labels; only boxes of one label suppress each other. Sortable among themselves.
        threshold: IoU from which the lower-scored box is dropped.

    Returns:
        Indices of the kept boxes: labels ascending, best first inside a label.
    """
    kept: list[int] = []
    for label in sorted(set(labels)):  # type: ignore[type-var]
        members = [i for i, other in enumerate(labels) if other == label]
        picked = suppress_overlaps([boxes[i] for i in members], [scores[i] for i in members], threshold)
        kept += [members[i] for i in picked]
    return kept


def clamp_and_round(box: Sequence[float], digits: int = 3) -> BoxTuple:
    """Each of four unit numbers brought into [0, 1], then rounded; the dialect in which SLD shows layouts to its planner."""
    a, b, c, d = (round(min(max(value, 0.0), 1.0), digits) for value in box)
    return (a, b, c, d)


def to_grid(box: Sequence[float], rows: int, columns: int) -> tuple[int, int, int, int]:
    """A unit box on a grid of cells.

    Corner and size are rounded separately, half to even, then clipped to the grid (so an out-of-range box may be empty).

    Args:
        box: Fractions of the picture.
        rows: Height of the grid.
        columns: Width of the grid.

    Returns:
        First column, first row, end column, end row (half-open).

    Source:
        LMD (Lian et al. 2024), `scale_proportion`.
    """
    x0, y0, x1, y1 = box
    left, top = round(x0 * columns), round(y0 * rows)
    right, bottom = left + round((x1 - x0) * columns), top + round((y1 - y0) * rows)
    return (max(left, 0), max(top, 0), min(right, columns), min(bottom, rows))
