"""LMD's boxes: pixels of a canvas of 512, filtered and scaled into it by its rules.

Source:
    LMD (Lian et al. 2023), utils/parse.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.errors import InputError
from llmgen.llm.replies.bounds import Remark
from llmgen.llm.replies.raw_objects import Numbers, RawBox
from llmgen.llm.replies.units import inside, pixel_boxes

NamedBox = tuple[str, list[float]]

LMD_CANVAS_PX: Final = 512
_MAX_SCALE: Final = 3.0


@dataclass(frozen=True)
class LmdBoxes:
    """Boxes in pixels of LMD's canvas."""

    xywh: tuple[Numbers | None, ...]
    """None for those that are dropped."""
    fills: tuple[bool, ...]
    """Whether a box in pixels fills the canvas, which LMD takes for the background rather than for an object."""


def place_lmd_boxes(
    named: Sequence[tuple[str, RawBox]], remark: Remark, canvas: tuple[float, float] | None = None
) -> LmdBoxes:
    """Bring boxes into LMD's canvas.

    Args:
        named: Names and boxes; in pixels of the canvas, else in fractions, hundredths or thousandths of it.
        remark: Told what was mended and dropped.
        canvas: Width and height of the canvas the boxes were made for; LMD's own by default.

    Raises:
        InputError: If they are in pixels of a canvas that is not square.
    """
    pixels = pixel_boxes([box for _, box in named], LMD_CANVAS_PX, LMD_CANVAS_PX, remark, canvas)
    if canvas is not None and canvas[0] != canvas[1] and pixels.were_pixels and named:
        raise InputError(f"its canvas is {canvas[0]:g}x{canvas[1]:g} and LMD's is square; give the boxes in fractions")
    fills = tuple(_fills(box) for box in pixels.xywh)
    if pixels.were_pixels:
        boxes = _by_its_rules(pixels.xywh, remark)
    else:
        # Its rules are made for pixels; fractions only lose what is outside, and are not rounded.
        boxes = [None if full else _inside(box, remark) for box, full in zip(pixels.xywh, fills, strict=True)]
    for (name, _), box in zip(named, boxes, strict=True):
        if box is None:
            remark(f"dropped {name[:60]!r}, whose box is empty, outside, or the whole canvas")
    return LmdBoxes(tuple(boxes), fills if pixels.were_pixels else (False,) * len(boxes))


def _by_its_rules(boxes: Sequence[Numbers], remark: Remark) -> list[Numbers | None]:
    placed: list[Numbers | None] = [None] * len(boxes)
    scaled = False
    for name, (x, y, w, h) in filter_boxes([(str(k), list(box)) for k, box in enumerate(boxes)]):
        old = boxes[int(name)]
        scaled |= [round(v) for v in old] != [x, y, w, h]
        placed[int(name)] = _inside((x, y, w, h), lambda line: None)
    if scaled:
        remark("scaled the boxes into the canvas")
    return placed


def _inside(box: Numbers, remark: Remark) -> Numbers | None:
    cut = inside(box, LMD_CANVAS_PX, LMD_CANVAS_PX, remark)
    return None if cut is None else (cut.x, cut.y, cut.width, cut.height)


def filter_boxes(
    boxes: Sequence[NamedBox],
    *,
    scale: bool = False,
    reference: bool = False,
) -> list[NamedBox]:
    """Drop degenerate boxes and bring the rest into the canvas.

    Args:
        boxes: Names and `x, y, w, h` in pixels.
        scale: Spread the boxes over the canvas even when all are inside.
        reference: Keep the original's double shift of layouts that are both too high and scaled to the full height.

    Returns:
        Kept boxes in whole pixels (rounded half to even), names without a trailing period.
    """
    kept = [
        (name, [float(v) for v in box])
        for name, box in boxes
        if box[2] > 0 and box[3] > 0 and not _fills(box) and box[0] <= LMD_CANVAS_PX and box[1] <= LMD_CANVAS_PX
    ]
    if not kept:
        return []
    left, right = min(b[0] for _, b in kept), max(b[0] + b[2] for _, b in kept)
    top, bottom = min(b[1] for _, b in kept), max(b[1] + b[3] for _, b in kept)
    if scale or left < 0 or top < 0 or right > LMD_CANVAS_PX or bottom > LMD_CANVAS_PX:
        # An extent below the precision of its place is none, and limits nothing.
        factor = min([_MAX_SCALE, *(LMD_CANVAS_PX / extent for extent in (right - left, bottom - top) if extent > 0)])
        shift = -top * factor if top < 0 else 0.0
        if bottom * factor + shift >= LMD_CANVAS_PX:
            shift -= bottom * factor - LMD_CANVAS_PX if reference else bottom * factor + shift - LMD_CANVAS_PX
        kept = [
            (name, [(x - left) * factor, y * factor + shift, w * factor, h * factor]) for name, (x, y, w, h) in kept
        ]
    return [(name.rstrip("."), [float(round(v)) for v in box]) for name, box in kept]


def _fills(box: Sequence[float]) -> bool:
    return box[2] >= LMD_CANVAS_PX and box[3] >= LMD_CANVAS_PX
