"""Single entries of COCO's files, read without trust: ids, sizes, boxes, masks, areas.

Every function gives the plain form of what a file holds, None for what is missing, and raises `ValueError` for what cannot be used. What is
handed on is safe for pycocotools, which writes wherever a mask tells it to.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import sub
from typing import Any, Final, TypeGuard

from llmgen.artifacts.run_lengths import read_runs

Id = int | str
CheckRuns = Callable[[str, int, int], object]
"""`read_runs`, or what does the same for many masks: raises `ValueError` for a text that is no mask of that height and width."""

MOST_SIDE: Final = 16384
"""Sides of pictures in pixels; larger ones are none."""
_MOST_COORDINATE: Final = 1e7
_MOST_POLYGONS: Final = 5000
_MOST_OUTLINE_PX: Final = 5_000_000
_BEYOND: Final = 1.0
"""How far beyond its picture a shape may reach, in sides of the picture: tools do not cut shapes at the border."""


class WrongBox(ValueError):
    """A box of four numbers that is none: a side below zero, or a number that is not finite. COCO's own scorer goes on without it."""


def plain_id(value: Any) -> Id | None:
    """An id: a whole number in any writing is a number, another text stays one.

    Args:
        value: `7`, `7.0`, `"7"` and `"a7"` are ids; true, a list or an empty text is none.

    Returns:
        The id, or None.
    """
    if type(value) is int:
        return value if abs(value) < 2**63 else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        short = value.strip()[:200]
        return int(short) if len(short) < 19 and short.isdecimal() and str(int(short)) == short else short or None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else None
    return value if abs(value) < 2**63 else None


def id_order(value: Id) -> tuple[bool, int, str]:
    """Key to sort ids by: numbers first, then texts."""
    return (True, 0, value) if isinstance(value, str) else (False, value, "")


def plain_side(value: Any) -> int | None:
    """Width or height of a picture in whole pixels; None where there is none that can be used."""
    side = plain_id(value)
    return side if isinstance(side, int) and 0 < side <= MOST_SIDE else None


def plain_box(value: Any) -> list[float] | None:
    """Left, top, width, height in pixels; None for a missing or empty one.

    Raises:
        WrongBox: If a side is below zero, or a number is not finite.
        ValueError: If it is anything else.
    """
    if value is None or value == []:
        return None
    if not (isinstance(value, list) and len(value) == 4 and _are_real(value)):
        raise ValueError("`bbox` is x, y, width, height in pixels")
    if not all(map(math.isfinite, value)):
        raise WrongBox("`bbox` has a number that is not finite")
    if max(map(abs, value)) > _MOST_COORDINATE:
        raise ValueError(f"`bbox` reaches beyond {_MOST_COORDINATE:g} pixels")
    if min(value[2:]) < 0:
        raise WrongBox("`bbox` is x, y, width, height in pixels, and has a side below zero")
    return value


def plain_segmentation(value: Any, height: int | None, width: int | None, check_runs: CheckRuns = read_runs) -> Any:
    """Polygons or run lengths of either kind; None where there is no mask.

    Args:
        value: What the entry has as `segmentation`.
        height: Height of its picture in pixels, None if that is not known.
        width: Width of its picture in pixels, None if that is not known.
        check_runs: How compressed run lengths are checked.

    Raises:
        ValueError: If it is none of these, of another size, or reaches far beyond the picture.
    """
    if value is None or value in ([], {}, [[]]):
        return None
    if isinstance(value, list):
        _check_polygons(value, height, width)
        return value
    if not isinstance(value, dict) or "counts" not in value or "size" not in value:
        raise ValueError("a segmentation is a list of polygons, or an object with `size` and `counts`")
    size, counts = value["size"], value["counts"]
    if not (isinstance(size, list) and len(size) == 2) or None in (sides := [plain_side(side) for side in size]):
        raise ValueError(f"`size` of a mask is its height and its width, from 1 to {MOST_SIDE}")
    rows, columns = (int(side) for side in sides if side is not None)
    if (rows, columns) != (height or rows, width or columns):
        raise ValueError(
            f"its mask is {columns}x{rows}, the picture {width}x{height}; annotations and results must be of one size"
        )
    if isinstance(counts, str):
        check_runs(counts, rows, columns)
    elif not (isinstance(counts, list) and all(map(_is_count, counts)) and sum(counts) == rows * columns):
        raise ValueError(f"the run lengths do not fit a mask of {columns}x{rows} pixels")
    return {"size": [rows, columns], "counts": counts}


def plain_annotation(
    entry: Mapping[str, Any], height: int | None, width: int | None, check_runs: CheckRuns = read_runs
) -> dict[str, Any]:
    """An annotation with a box, an area and `iscrowd`; and a mask if it has one.

    A missing box is the box of the mask; a missing area, or one that is no number, that of the mask, else of the box.

    Args:
        entry: The annotation.
        height: Height of its picture in pixels, None if that is not known.
        width: Width of its picture in pixels, None if that is not known.
        check_runs: How compressed run lengths are checked.

    Raises:
        ValueError: If it cannot be used.
    """
    mask = plain_segmentation(entry.get("segmentation"), height, width, check_runs)
    box = plain_box(entry.get("bbox"))
    if box is not None and height and width:
        _check_reach((box[0], box[0] + box[2]), (box[1], box[1] + box[3]), height, width, "`bbox`")
    if box is None:
        if mask is None:
            raise ValueError("it has neither `bbox` nor `segmentation`")
        box = box_of(mask, height, width)
    crowd = entry.get("iscrowd", 0)
    if crowd not in (0, 1, None):
        raise ValueError("`iscrowd` is 0 or 1")
    area = entry.get("area")
    if not (_is_real(area) and math.isfinite(area) and area >= 0):
        area = box[2] * box[3] if mask is None else area_of(mask, height, width)
    plain = {**entry, "bbox": box, "area": area, "iscrowd": int(crowd or 0)}
    plain.pop("segmentation", None)
    return plain if mask is None else {**plain, "segmentation": mask}


def plain_result(
    entry: Mapping[str, Any], height: int | None, width: int | None, check_runs: CheckRuns = read_runs
) -> dict[str, Any]:
    """A result with its score, a box and a mask, as far as it has them.

    Args:
        entry: The result.
        height: Height of its picture in pixels, None if that is not known.
        width: Width of its picture in pixels, None if that is not known.
        check_runs: How compressed run lengths are checked.

    Raises:
        WrongBox: If only the result itself is lost.
        ValueError: If it cannot be used.
    """
    score = entry.get("score")
    if not (_is_real(score) and math.isfinite(score)):
        raise ValueError("it needs a number `score`")
    mask = plain_segmentation(entry.get("segmentation"), height, width, check_runs)
    box = plain_box(entry.get("bbox"))
    if box is None and mask is None:
        raise ValueError("it has neither `bbox` nor `segmentation`")
    plain: dict[str, Any] = {"score": score}
    if box is not None:
        plain["bbox"] = box
    elif isinstance(mask, list) and not (height and width):
        plain["bbox"] = box_of(mask, None, None)
    return plain if mask is None else {**plain, "segmentation": mask}


def packed(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Polygons or run lengths of either kind as compressed run lengths."""
    if isinstance(segmentation, dict) and isinstance(segmentation["counts"], str | bytes):
        return dict(segmentation)
    from pycocotools import mask as coco

    if isinstance(segmentation, list):
        merged: dict[str, Any] = coco.merge(coco.frPyObjects(segmentation, height, width))
        return merged
    return dict(coco.frPyObjects(segmentation, *segmentation["size"]))


def area_of(mask: Any, height: int | None, width: int | None) -> float:
    """Pixels of a mask; of polygons in a picture of unknown size what they enclose, holes and overlaps not minded."""
    from pycocotools import mask as coco

    if isinstance(mask, list) and not (height and width):
        return sum(_enclosed(polygon) for polygon in mask)
    return float(coco.area(packed(mask, height or 0, width or 0)))


def box_of(mask: Any, height: int | None, width: int | None) -> list[float]:
    """Left, top, width, height of a mask in pixels."""
    from pycocotools import mask as coco

    if isinstance(mask, list) and not (height and width):
        xs, ys = ([v for polygon in mask for v in polygon[start::2]] for start in (0, 1))
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    return [float(v) for v in coco.toBbox(packed(mask, height or 0, width or 0)).tolist()]


def _check_polygons(polygons: Sequence[Any], height: int | None, width: int | None) -> None:
    if len(polygons) > _MOST_POLYGONS:
        raise ValueError(f"a mask of {len(polygons)} polygons; at most {_MOST_POLYGONS} are read")
    rows, columns = height or MOST_SIDE, width or MOST_SIDE
    outline = 0.0
    for polygon in polygons:
        if not (isinstance(polygon, list) and len(polygon) >= 6 and not len(polygon) % 2 and _are_real(polygon)):
            raise ValueError("a polygon needs three points or more, as x, y, x, y, ...")
        if not all(map(math.isfinite, polygon)):
            raise ValueError("a polygon has a number that is not finite")
        xs, ys = polygon[0::2], polygon[1::2]
        _check_reach((min(xs), max(xs)), (min(ys), max(ys)), rows, columns, "a polygon")
        outline += _outline(xs, ys)
    # It takes memory by the length of the outline, and none that fits the picture is longer than a few times its pixels.
    most = min(4 * rows * columns + 64 * (rows + columns), _MOST_OUTLINE_PX)
    if outline > most:
        raise ValueError(
            f"the outline of its polygons is {outline:.0f} pixels long, which no shape in a {columns}x{rows} picture is"
        )


def _outline(xs: Sequence[float], ys: Sequence[float]) -> float:
    return sum(sum(map(abs, map(sub, values, (*values[1:], values[0])))) for values in (xs, ys))


def _check_reach(xs: tuple[float, float], ys: tuple[float, float], height: int, width: int, what: str) -> None:
    for (low, high), side in ((xs, width), (ys, height)):
        if low < -_BEYOND * side or high > (1 + _BEYOND) * side:
            worst = low if low < -_BEYOND * side else high
            raise ValueError(f"{what} reaches {worst:g}, far beyond the {width}x{height} picture")


def _enclosed(polygon: Sequence[float]) -> float:
    xs, ys = polygon[0::2], polygon[1::2]
    return (
        abs(sum(x0 * y1 - x1 * y0 for x0, y0, x1, y1 in zip(xs, ys, (*xs[1:], xs[0]), (*ys[1:], ys[0]), strict=True)))
        / 2
    )


def _is_real(value: Any) -> TypeGuard[int | float]:
    """A number that a float can hold, finite or not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < 10**300


def _are_real(values: Sequence[Any]) -> bool:
    """`_is_real` of all; a list of nothing but floats, which most are, is told at a glance."""
    return set(map(type, values)) == {float} or all(map(_is_real, values))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
