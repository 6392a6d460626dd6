"""Figures and boxes as questions about interactions tell them, and how boxes come back."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from llmgen.llm.planning.interactions import Figure
from llmgen.llm.replies.bounds import FARTHEST, Remark, unusable
from llmgen.vision.boxes import BoxTuple, area, iou, xywh_to_xyxy

PUBLISHED_FRAME: Final = 512
"""Side of the square in which the published prompts and replies count."""
LEAST_SHARE: Final = 0.002
"""Least area of a proposed box, as a share of the picture."""
MOST_SHARE: Final = 0.9
_OUTSIDE: Final = 0.1
"""So much of a side may lie outside; it is cut off."""
MOST_OVERLAP: Final = 0.85
"""IoU with the figure from which a box is the figure's."""
_FORMS: Final = (("x", "y", "width", "height"), ("x0", "y0", "x1", "y1"), ("x1", "y1", "x2", "y2"))


def joints_line(figure: Figure) -> str:
    """The sure joints of a figure as one line of JSON, whole pixels."""
    return json.dumps({name: [round(x), round(y)] for name, (x, y) in figure.sure.items()})


def checked_object_box(
    box: BoxTuple, canvas: tuple[int, int], human: BoxTuple | None, reply: str, remark: Remark
) -> BoxTuple:
    """A proposed box, cut to the picture.

    Args:
        box: In pixels.
        canvas: Width and height of the picture in pixels.
        human: Box of the figure, if one was found.
        reply: For the message.
        remark: Told what was cut.

    Raises:
        ModelError: If it is inverted, outside, too small or too large, or the figure's.
    """
    x0, y0, x1, y1 = box
    if not all(math.isfinite(side) and abs(side) < FARTHEST for side in box):
        raise unusable("object_box has a coordinate that is no number", reply)
    if x1 <= x0 or y1 <= y0:
        raise unusable(f"object_box is inverted or empty: x {x0:g} to {x1:g}, y {y0:g} to {y1:g}", reply)
    width, height = canvas
    out = max(-x0 / width, -y0 / height, x1 / width - 1, y1 / height - 1)
    if out > _OUTSIDE:
        raise unusable(f"object_box lies outside the {width}x{height} picture", reply)
    if out > 0:
        remark("the proposed box reached over the edge and was cut")
        box = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    share = area(box) / (width * height)
    if share < LEAST_SHARE:
        raise unusable(f"object_box covers {share:.2%} of the picture, at least {LEAST_SHARE:.1%} is needed", reply)
    if share > MOST_SHARE:
        raise unusable(f"object_box covers {share:.0%} of the picture, at most {MOST_SHARE:.0%} is allowed", reply)
    if human is not None and iou(box, human) > MOST_OVERLAP:
        raise unusable("object_box is the human's box, which must not move; give the box of the object", reply)
    return box


def read_box(value: Any, reply: str) -> BoxTuple:
    """A box of a reply: named sides, or a list of corners.

    Raises:
        ModelError: If it is neither.
    """
    if isinstance(value, Mapping):
        sides = {str(key).lower(): number for key, number in value.items()}
        for names in _FORMS:
            if all(_is_number(sides.get(name)) for name in names):
                numbers = [float(sides[name]) for name in names]
                x0, y0, x1, y1 = xywh_to_xyxy(numbers) if "width" in names else numbers
                return (x0, y0, x1, y1)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, list) and len(value) == 4 and all(map(_is_number, value)):
        x0, y0, x1, y1 = map(float, value)
        return (x0, y0, x1, y1)
    raise unusable("object_box has no x, y, width and height", reply)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
