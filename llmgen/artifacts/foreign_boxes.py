"""What other programs call the four numbers of a box, and whether a JSON value holds such numbers."""

from collections.abc import Collection
from typing import Any, Final, Literal

_MOST_DEPTH: Final = 4
SIDES: Final[tuple[tuple[Literal["xywh", "xyxy"], tuple[tuple[str, ...], ...]], ...]] = (
    ("xywh", (("x", "left", "x0", "x1", "x_min", "xmin"), ("y", "top", "y0", "y1", "y_min", "ymin"),
              ("width", "w"), ("height", "h"))),
    ("xyxy", (("x0", "x_min", "xmin", "left", "x1"), ("y0", "y_min", "ymin", "top", "y1"),
              ("x_max", "xmax", "right", "x2", "x1"), ("y_max", "ymax", "bottom", "y2", "y1"))),
)  # fmt: skip
"""What the numbers are, and the names of each of them, the most likely first."""
SIDE_NAMES: Final = frozenset(name for _, sides in SIDES for names in sides for name in names)


def sides_of(keys: Collection[str]) -> tuple[Literal["xywh", "xyxy"], list[str]] | None:
    """The four fields that hold the numbers of a box, and what they are.

    Args:
        keys: Names of fields, in small letters.

    Returns:
        `xywh` or `xyxy`, and the fields in this order; None where there are no four.
    """
    for form, sides in SIDES:
        found: list[str] = []
        for names in sides:
            found += [next((name for name in names if name in keys and name not in found), "")]
        if all(found):
            return form, found
    return None


def holds_boxes(value: Any, depth: int = _MOST_DEPTH) -> bool:
    """Whether a JSON value holds a list of four numbers, or such numbers under the names of sides."""
    if isinstance(value, list):
        if len(value) == 4 and all(type(v) in (int, float) for v in value):
            return True
        return depth > 0 and any(holds_boxes(item, depth - 1) for item in value)
    if isinstance(value, dict):
        if sides_of({str(key).strip().casefold() for key in value}):
            return True
        return depth > 0 and any(holds_boxes(item, depth - 1) for item in value.values())
    return False
