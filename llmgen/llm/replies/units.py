"""The numbers of boxes: what unit they are in, whether they are corners or sizes, and what is left of them in the picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.llm.replies.bounds import Remark
from llmgen.llm.replies.raw_objects import Form, Numbers, RawBox
from llmgen.llm.schemas import WireBox

_FRACTION_MOST: Final = 1.05
_FRACTION_FAR: Final = 2.0
"""On a picture of 32 pixels and more, boxes with no number above this are fractions that leave the picture, never pixels."""
_LEAVES: Final = 1.02
"""A box up to this share of the side is taken to lie inside."""
_FAR_OUT: Final = 1.3
"""Boxes that reach beyond this share of the side are in another unit, if one fits"""
_MANY: Final = 0.25
"""and at least this share of them does: one box of many that is too wide is a slip."""
_SMALL: Final = 4.0
"""Boxes of another unit's range on a picture this many times as large are in that unit, for else they would crowd one corner;
the picture's shorter side may be half as many times as large."""
_REACH: Final = 0.4
_FILLS: Final = 0.98
_LEAST_PX: Final = 1.0
"""Boxes thinner than this after clamping are empty."""
_IN: Final = "boxes were in {}"
_PICTURE: Final = "units of the picture"
IN_UNITS: Final = _IN.format(_PICTURE)
"""What is remarked of fractions."""
_BASES: Final = ((100.0, "hundredths of the picture"), (1000.0, "thousandths of the picture"))


@dataclass(frozen=True)
class PixelBoxes:
    """Boxes in pixels, not yet cut at the border."""

    xywh: tuple[Numbers, ...]
    were_pixels: bool
    """Whether they came in pixels, as sizes."""


@dataclass(frozen=True)
class Unit:
    """What the numbers of boxes count."""

    whole: float | None
    """How many of it a side of the picture has; None of pixels."""
    name: str

    @property
    def line(self) -> str:
        """What is remarked of it."""
        return _IN.format(self.name)

    def pixels(self, width: float, height: float) -> tuple[float, float]:
        """Pixels per unit across and down a picture."""
        return (1.0, 1.0) if self.whole is None else (width / self.whole, height / self.whole)


def mend_boxes(
    boxes: Sequence[RawBox], width: int, height: int, remark: Remark, canvas: tuple[float, float] | None = None
) -> list[WireBox | None]:
    """Find the unit and form the boxes are in, swap inverted corners, cut at the border.

    Args:
        boxes: Boxes of one answer, all in one unit.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        remark: Told what was done.
        canvas: Width and height of the canvas the boxes were made for; the picture by default.

    Returns:
        Boxes in pixels inside the picture, None for those that are empty.
    """
    return [inside(box, width, height, remark) for box in pixel_boxes(boxes, width, height, remark, canvas).xywh]


def are_fractions(boxes: Sequence[Sequence[float]], width: float, height: float) -> bool:
    """Whether boxes, in any form, are in units of a picture and not in its pixels."""
    most = max((abs(v) for box in boxes for v in box), default=math.inf)
    return (most <= _FRACTION_MOST and max(width, height) > 2) or (most < _FRACTION_FAR and max(width, height) >= 32)


def pixel_boxes(
    boxes: Sequence[RawBox], width: float, height: float, remark: Remark, canvas: tuple[float, float] | None = None
) -> PixelBoxes:
    """Bring boxes of one answer into pixels.

    Args:
        boxes: As they were said.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
        remark: Told which unit and form they were in, where it was not pixels and sizes.
        canvas: Width and height of another canvas that the boxes were made for.
    """
    if not boxes:
        return PixelBoxes((), True)
    if canvas is not None and canvas != (width, height):
        own = pixel_boxes(boxes, *canvas, remark)
        remark(f"boxes were scaled from a canvas of {canvas[0]:g}x{canvas[1]:g}")
        across, down = width / canvas[0], height / canvas[1]
        return PixelBoxes(
            tuple((x * across, y * down, w * across, h * down) for x, y, w, h in own.xywh), own.were_pixels
        )
    unit = unit_of(boxes, width, height)
    across, down = unit.pixels(width, height)
    if unit.whole:
        remark(unit.line)
    numbers = [(a * across, b * down, c * across, d * down) for a, b, c, d in (box.numbers for box in boxes)]
    forms = [box.form for box in boxes]
    corners = are_corners(numbers, forms, width, height)
    if corners:
        remark("boxes were corners")
    sizes = tuple(
        (a, b, c - a, d - b) if form == "xyxy" or (corners and form == "guess") else (a, b, c, d)
        for (a, b, c, d), form in zip(numbers, forms, strict=True)
    )
    return PixelBoxes(sizes, unit.whole is None and sizes == tuple(numbers))


def inside(box: Numbers, width: int, height: int, remark: Remark) -> WireBox | None:
    """The part of a box that lies in the picture; None when nothing is left.

    Args:
        box: Left, top, width, height in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        remark: Told when it was cut or had its corners swapped.
    """
    x, y, w, h = box
    if w < 0 or h < 0:
        remark("a box had its corners swapped")
        x, y, w, h = min(x, x + w), min(y, y + h), abs(w), abs(h)
    x0, y0 = min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))
    x1, y1 = min(max(x + w, 0.0), float(width)), min(max(y + h, 0.0), float(height))
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x1 - x0 < _LEAST_PX or y1 - y0 < _LEAST_PX:
        return None
    if max(abs(x0 - x), abs(y0 - y), abs(x1 - x - w), abs(y1 - y - h)) > 0.5:
        remark("a box left the picture and was cut")
    return WireBox(x=x0, y=y0, width=x1 - x0, height=y1 - y0)


def unit_of(boxes: Sequence[RawBox], width: float, height: float) -> Unit:
    """The unit that all boxes of an answer are in.

    Args:
        boxes: As they were said; a point is a box of no size.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
    """
    side = max(width, height)
    if are_fractions([box.numbers for box in boxes], width, height):
        return Unit(1.0, _PICTURE)
    fits_pixels = _share_out(boxes, width, height, _FAR_OUT) < _MANY
    for base, name in _BASES:
        if _share_out(boxes, base, base, _LEAVES):
            continue
        large = side >= _SMALL * base and min(width, height) >= _SMALL / 2 * base
        crowds = large and _reach(boxes) >= _REACH * base and not _any_fills(boxes, base)
        if crowds or (side < base and not fits_pixels):
            return Unit(base, name)
    return Unit(None, "pixels")


def _share_out(boxes: Sequence[RawBox], width: float, height: float, leave: float) -> float:
    """The share of boxes that do not lie in a canvas: all as sizes or all as corners, but for those whose form is known."""
    return min(
        sum(not _lies(box, form, width, height, leave) for box in boxes) / len(boxes) for form in ("xywh", "xyxy")
    )


def _lies(box: RawBox, form: str, width: float, height: float, leave: float) -> bool:
    a, b, c, d = box.numbers
    if (form if box.form == "guess" else box.form) == "xywh":
        a, b, c, d = min(a, a + c), min(b, b + d), max(a, a + c), max(b, b + d)
    elif c <= a or d <= b:
        return False
    slack = leave - 1
    return a >= -slack * width and b >= -slack * height and c <= leave * width and d <= leave * height


def _reach(boxes: Sequence[RawBox]) -> float:
    """The largest number of all boxes: they reach at least as far, in their unit, from one of the borders."""
    return max(max(box.numbers) for box in boxes)


def _any_fills(boxes: Sequence[RawBox], base: float) -> bool:
    """Whether a box would fill the picture in a unit, as no object does."""
    return any(min(box.numbers[2:]) >= _FILLS * base for box in boxes)


def are_corners(numbers: Sequence[Numbers], forms: Sequence[Form], width: float, height: float) -> bool:
    """Whether boxes of unsaid form would leave the canvas as sizes and all fit it as corners."""
    free = [row for row, form in zip(numbers, forms, strict=True) if form == "guess"]
    leaves = any(x + w > _LEAVES * width or y + h > _LEAVES * height for x, y, w, h in free)
    return leaves and all(
        a >= 0 and b >= 0 and c > a and d > b and c <= _LEAVES * width and d <= _LEAVES * height for a, b, c, d in free
    )
