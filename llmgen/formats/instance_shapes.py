"""Points, scribbles and masks of InstanceDiffusion's instances: read, checked, and the boxes that stand for them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from llmgen.artifacts import Mask
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.run_lengths import read_runs
from llmgen.errors import InputError
from llmgen.vision.boxes import BoxTuple
from llmgen.vision.masks import encode_mask, mask_bounds

TOLERANCE_PX = 0.5
"""How far a coordinate may leave the canvas."""
_POINT_BOX_SHARE = 0.25
"""Side of the box that stands for a lone point, as a share of the canvas' shorter side."""

Points = tuple[tuple[float, float], ...]


def points_of(value: Any, what: str) -> Points:
    """`[[x, y], ...]`, or the same numbers in one flat list."""
    if isinstance(value, list) and value and all(is_number(v) for v in value):
        value = [value[k : k + 2] for k in range(0, len(value), 2)]
    if not isinstance(value, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in value
    ):
        raise InputError(f"{what} is no list of x and y")
    return tuple((float(x), float(y)) for x, y in value)


def scribble_inside(points: Points, size: tuple[int, int], what: str, mended: Callable[[str], None]) -> Points:
    """A scribble with what leaves the canvas moved to its border, as a box is cut there; one that lies outside is refused."""
    width, height = size
    out = [(x, y) for x, y in points if not (0 <= x <= width and 0 <= y <= height)]
    if len(out) == len(points):
        raise InputError(f"{what}: scribble lies outside the {width}x{height} canvas")
    if out:
        mended(
            f"{what}: {len(out)} of {len(points)} points of its scribble leave the {width}x{height} canvas: moved to its border"
        )
    return tuple((min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in points)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number that can be a coordinate."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def box_around(points: Points, width: int, height: int) -> BoxTuple:
    """The box that stands for a scribble (tight, but not thinner than a pixel) or for a lone point."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    least = _POINT_BOX_SHARE * min(width, height) if len(points) == 1 else 1.0
    across, down = (max(least - (max(v) - min(v)), 0.0) / 2 for v in (xs, ys))
    x0, y0 = max(min(xs) - across, 0.0), max(min(ys) - down, 0.0)
    return (x0, y0, min(max(xs) + across, float(width)), min(max(ys) + down, float(height)))


def mask_of(value: Any, width: int, height: int, what: str, mended: Callable[[str], None]) -> Mask | None:
    """COCO's run lengths, compressed or as numbers, or its polygons; None for the empty list of a missing mask.

    Run lengths without `size` are those of the canvas where they fill it, which is checked for all.
    """
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, list):
        return _polygon_mask(value, width, height, what)
    size, counts = (value.get("size"), value.get("counts")) if isinstance(value, dict) else (None, None)
    if size is None and counts is not None:
        mended(f"{what}: its mask has no size: taken for the canvas' {width}x{height}")
        size = [height, width]
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(v, int) for v in size):
        raise InputError(f"{what}: mask is no run-length encoding {{size: [height, width], counts}}")
    if size != [height, width]:
        raise InputError(
            f"{what}: the mask is {size[1]}x{size[0]} pixels, the canvas {width}x{height}; they must be equal"
        )
    if isinstance(counts, str):
        try:
            return Mask(size=(height, width), counts=counts)
        except ValidationError as error:
            raise InputError(f"{what}: mask: {describe(error)}") from None
    if not isinstance(counts, list) or not all(type(v) is int and v >= 0 for v in counts):
        raise InputError(f"{what}: mask: counts are neither text nor numbers of pixels")
    if sum(counts) != height * width:
        raise InputError(f"{what}: mask: the counts add up to {sum(counts)} of {height * width} pixels")
    return encode_mask(_filled(counts, height, width))


def _polygon_mask(polygons: list[Any], width: int, height: int, what: str) -> Mask:
    from pycocotools import mask as coco

    for polygon in polygons:
        points = points_of(polygon, f"{what}: mask: a polygon")
        if len(points) < 3:
            raise InputError(f"{what}: mask: a polygon has {len(points)} points; it needs three or more")
        for x, y in points:
            if not (-TOLERANCE_PX <= x <= width + TOLERANCE_PX and -TOLERANCE_PX <= y <= height + TOLERANCE_PX):
                raise InputError(
                    f"{what}: mask: the polygon's point [{x:g}, {y:g}] lies outside the {width}x{height} canvas"
                )
    flat = [[v for point in points_of(polygon, what) for v in point] for polygon in polygons]
    merged = coco.merge(coco.frPyObjects(flat, height, width))
    return Mask(size=(height, width), counts=merged["counts"].decode("ascii"))


def box_of(mask: Mask, what: str) -> BoxTuple:
    """The box around a mask.

    Raises:
        InputError: If it is broken, or marks no pixel.
    """
    height, width = mask.size
    try:
        runs = read_runs(mask.counts, height, width)
    except ValueError as error:
        raise InputError(f"{what}: mask: {error}") from None
    bounds = mask_bounds(_filled(runs, height, width))
    if bounds is None:
        raise InputError(f"{what}: its mask is empty; leave it out or mark at least one pixel")
    x0, y0, x1, y1 = bounds
    return (float(x0), float(y0), float(x1), float(y1))


def _filled(runs: Sequence[int], height: int, width: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    columns = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.asarray(columns.reshape(width, height).T)
