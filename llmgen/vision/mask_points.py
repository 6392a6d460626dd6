"""Points that stand for a mask: a scribble across it, a polygon of its outline and its inside.

Source:
    InstanceDiffusion (Wang et al. 2024): what the points are, their order and their random draws are the original's. One
    thing is its fault and kept, because its weights were trained with it: points of the outline lie on the background
    around the mask and one pixel further to the right and below, so they span `[x0, x1 + 2]`.
"""

import random

import numpy as np
from numpy.typing import NDArray

from llmgen.vision.masks import BoolMask

SCRIBBLE_POINTS = 20
POLYGON_POINTS = 256
_LEAST_VERTICES = 3
_SPLIT = 2.0**27 + 1

Points = NDArray[np.float64]


def scribble_from_mask(mask: BoolMask, rng: np.random.RandomState, count: int = SCRIBBLE_POINTS) -> Points:
    """Draw pixels of a mask, nearest to the top left corner first.

    Args:
        mask: `bool[h, w]`.
        rng: Numpy's legacy generator, whose draws the original made. It moves on by one draw.
        count: Number of points; pixels repeat only in a mask that has fewer.

    Returns:
        `float64[count, 2]`, x and y in pixels; zeros for an empty mask.
    """
    inside = _pixels(mask)
    if not len(inside):
        return np.zeros((count, 2))
    return _near_first(inside[rng.choice(len(inside), count, replace=len(inside) < count)])


def polygon_from_mask(mask: BoolMask, rng: random.Random, count: int = POLYGON_POINTS) -> Points:
    """Take points evenly from inside and outline of a mask, nearest to the top left corner first.

    Args:
        mask: `bool[h, w]`.
        rng: Python's generator; it draws only where fewer than `count // 2` pixels are inside.
        count: Number of points, half of them inside.

    Returns:
        `float64[count, 2]`, x and y in pixels; zeros for an empty mask.
    """
    from skimage.measure import find_contours

    inside = _pixels(mask)
    half = count // 2
    contours = find_contours(np.pad(mask, 1).astype(np.float64), 0.0) if len(inside) else []
    outlines = [_closed(contour) for contour in contours]
    outlines = [outline for outline in outlines if len(outline) >= _LEAST_VERTICES]
    if not outlines:
        return np.zeros((count, 2))
    outline = np.maximum(np.concatenate(outlines)[:, ::-1], 0.0)
    outline = outline[np.linspace(0, len(outline) - 1, count - half).astype(int)]
    if len(inside) < half:
        middle = inside[[rng.choice(range(len(inside))) for _ in range(half)]]
    else:
        length = len(inside) // half
        near_first = np.argsort(_distances(inside - inside.mean(axis=0)), kind="stable")
        middle = inside[near_first][length // 2 : length * half : length]
    return _near_first(np.concatenate([middle, outline]))


def unit_points(points: Points, width: int, height: int) -> Points:
    """Points in fractions of the picture, cut at its right and lower border.

    Args:
        points: `float64[n, 2]` in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        `float64[n, 2]`, at most 1.
    """
    return np.asarray(np.minimum(points / np.array([width, height], dtype=np.float64), 1.0))


def _pixels(mask: BoolMask) -> Points:
    """Pixels of a mask in the order of reading, `float64[n, 2]`."""
    return np.argwhere(mask)[:, ::-1].astype(np.float64)


def _near_first(points: Points) -> Points:
    """Points by their distance to the top left corner; equals stay in order."""
    return np.asarray(points[np.argsort(_distances(points), kind="stable")])


def _distances(points: Points) -> NDArray[np.float64]:
    """Lengths of vectors, rounded as a fused multiply-add rounds `x * x + y * y`.

    Many pixels of a regular mask are equally far from its middle but for the last bit, which so decides which of them the
    original takes: it asked BLAS for each length.
    """
    x, y = points[:, 0], points[:, 1]
    square, other = x * x, y * y
    total = square + other
    # What the product and the sum lost (Dekker, Knuth): exact, and added last.
    high = x * _SPLIT - (x * _SPLIT - x)
    low = x - high
    lost = ((high * high - square) + 2 * high * low) + low * low
    part = total - square
    lost_too = (square - (total - part)) + (other - part)
    return np.asarray(np.sqrt(total + (lost + lost_too)))


def _closed(contour: Points) -> Points:
    return contour if np.array_equal(contour[0], contour[-1]) else np.concatenate([contour, contour[:1]])
