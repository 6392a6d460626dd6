"""Objects with boxes in lists of other programs, whatever they call them.

A list says its objects as `[name, box]`, as objects with a name and a box, as a table of names to boxes, or as two lists side by side.
A box is four numbers or has named sides. Nothing is guessed silently: the caller gets a line for each reading that was not LMD's own.

Source:
    LayoutGPT (Feng et al. 2023), https://github.com/weixi-feng/LayoutGPT, `dataset/NSR-1K`: `object_list`, `obj1`, `obj2` in fractions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from llmgen.artifacts.foreign_prompts import SIDES_XYWH, SIDES_XYXY, holds_boxes
from llmgen.errors import InputError
from llmgen.formats.collected import four_numbers
from llmgen.vision.boxes import BoxTuple, xyxy_to_xywh

NamedBox = tuple[str, BoxTuple]

_NAMES: Final = (
    "name",
    "label",
    "phrase",
    "caption",
    "noun",
    "class",
    "class_name",
    "category",
    "category_name",
    "object",
    "text",
    "description",
)
_CORNER_WORDS: Final = ("xyxy", "corner", "locations", "gligen_boxes", "bbox_2d", "box_2d")
_UNIT_MOST: Final = 1.05
_HUNDRED: Final = 100.0
_THOUSAND: Final = 1000.0
_SPREAD: Final = 0.6
"""Share of the hundred that a layout in percent reaches at least; smaller ones could be pixels."""
_LEAST_CANVAS: Final = 200
"""Shorter side of a canvas, in pixels, from which percent and thousandths can be told from pixels."""
_TOLERANCE: Final = 1.02


@dataclass(frozen=True)
class Objects:
    """What an entry says should be where."""

    boxes: list[NamedBox]
    """Names and `x, y, w, h`, in the unit of the file."""
    fields: list[str]
    """The fields that were read."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Box:
    numbers: BoxTuple
    corners: bool


def objects_of(entry: dict[str, Any]) -> Objects | None:
    """The objects of an entry, under whatever field they are.

    Args:
        entry: For example `{prompt, object_list: [["lamp", [0.1, 0.3, 0.2, 0.4]]]}`.

    Returns:
        Its objects, none for an empty list of `objects`; None when no field holds boxes and there is no `objects`.

    Raises:
        InputError: If several fields hold boxes that do not belong together, or boxes cannot be read.
    """
    fields = [key for key, value in entry.items() if holds_boxes(value)]
    if "objects" in entry:
        others = [key for key in fields if key != "objects"]
        if others and not (entry["objects"] and _are_texts(entry["objects"])):
            raise InputError(f"boxes are in `objects` and in {_listed(others)}; leave one of them")
        if not others and (entry["objects"] == [] or not fields):
            return Objects([], ["objects"]) if entry["objects"] == [] else None
    if not fields:
        return None
    found: list[tuple[str, _Box]] = []
    for key in fields:
        found += _objects(entry, key, entry[key], several=len(fields) > 1)
    kinds = {box.corners for _, box in found}
    if len(kinds) > 1:
        raise InputError(f"{_listed(fields)}: some boxes are corners and some are sizes; use one form")
    notes = (
        [] if fields == ["objects"] and _is_plain(entry["objects"]) else [f"objects are read from {_listed(fields)}"]
    )
    if True in kinds:
        notes.append(f"boxes of {_listed(fields)} are read as corners")
    boxes = [(name, xyxy_to_xywh(box.numbers) if box.corners else box.numbers) for name, box in found]
    beside = [key for key, value in entry.items() if _are_texts(value) and value == [name for name, _ in found]]
    return Objects(boxes, [*fields, *beside], notes)


def in_pixels(boxes: Sequence[NamedBox], side: int) -> tuple[list[NamedBox], list[str]]:
    """Boxes in pixels of a square canvas, from whatever form a whole layout is in.

    Args:
        boxes: Names and `x, y, w, h`, or corners.
        side: Side of the canvas in pixels, some hundreds.

    Returns:
        The boxes as `x, y, w, h`, and a line for each thing they were read as.
    """
    if not boxes:
        return [], []
    notes = []
    unit, whole = unit_of([box for _, box in boxes], side, side)
    found = [(name, _scaled(box, side / (whole or side))) for name, box in boxes]
    if whole is not None:
        notes.append(f"boxes are in {unit} of the picture")
    if _are_corners([box for _, box in found], side):
        notes.append("boxes are corners: as sizes they leave the picture")
        found = [(name, xyxy_to_xywh(box)) for name, box in found]
    return found, notes


def unit_of(boxes: Sequence[BoxTuple], shorter: int, longer: int) -> tuple[str, float | None]:
    """The unit that all boxes of a layout are in.

    Args:
        boxes: Four numbers each, sizes or corners.
        shorter: Shorter side of the canvas in pixels.
        longer: Longer side of the canvas in pixels.

    Returns:
        Its name, and how many of it the side of a picture has; None of pixels.
    """
    reach = max((max(x, y, x + w, y + h) for x, y, w, h in boxes), default=0.0)
    most = max((abs(v) for box in boxes for v in box), default=0.0)
    if 0 < most <= _UNIT_MOST:
        return "fractions", 1.0
    if shorter < _LEAST_CANVAS:
        return "pixels", None
    if len(boxes) > 1 and _SPREAD * _HUNDRED < reach <= _HUNDRED:
        return "percent", _HUNDRED
    # A box that begins beyond the canvas is no box on it; one that only reaches beyond it leaves it.
    beyond = any(max(x, y) > _TOLERANCE * longer for x, y, _, _ in boxes)
    if beyond and most <= _THOUSAND * _TOLERANCE:
        return "thousandths", _THOUSAND
    return "pixels", None


def on_canvas(entry: dict[str, Any], boxes: list[NamedBox], side: int) -> tuple[list[NamedBox], list[str]]:
    """Boxes of an entry that names the size of its own canvas, on a square one of another size; as they are without such a size.

    Args:
        entry: With `width` and `height`, or not.
        boxes: Its objects.
        side: Side of the canvas they are wanted on, in pixels.

    Raises:
        InputError: If its canvas is not square.
    """
    size = (entry.get("width"), entry.get("height"))
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not 0 < v < 1e6 for v in size) or size == (
        side,
        side,
    ):
        return boxes, []
    width, height = (float(v) for v in size if v is not None)
    if width != height:
        raise InputError(
            f"its canvas is {width:g}x{height:g}; a list of layouts has square ones, so give the boxes in fractions"
        )
    found, notes = in_pixels(boxes, round(width))
    return [(name, _scaled(box, side / round(width))) for name, box in found], [
        *notes,
        f"boxes are scaled from its canvas of {width:g}x{height:g}",
    ]


def _scaled(box: BoxTuple, factor: float) -> BoxTuple:
    x, y, w, h = box
    return (x * factor, y * factor, w * factor, h * factor)


def _are_corners(boxes: Sequence[BoxTuple], side: int) -> bool:
    most = side * _TOLERANCE
    leaves = any(x + w > most or y + h > most for x, y, w, h in boxes)
    return leaves and all(0 <= a < c <= most and 0 <= b < d <= most for a, b, c, d in boxes)


def _objects(entry: dict[str, Any], key: str, value: Any, *, several: bool) -> list[tuple[str, _Box]]:
    hint = any(word in key.casefold() for word in _CORNER_WORDS)
    if _named(value, hint) is not None:  # obj1: ["lamp", [...]]
        return [_one(value, f"{key!r}", hint)]
    if isinstance(value, dict):
        return [
            (str(name), box)
            for name, boxes in value.items()
            for box in _boxes(boxes, f"{key}: {str(name)[:40]!r}", hint)
        ]
    if isinstance(value, list):
        if all(_box(item, hint) is not None for item in value):
            if several:
                raise InputError(f"boxes are in several fields, and those of {key!r} have no names; leave one")
            return list(zip(_names_beside(entry, key, len(value)), _boxes(value, key, hint), strict=True))
        return [_one(item, f"{key!r}: entry {n}", hint) for n, item in enumerate(value, start=1)]
    raise InputError(f"the boxes in {key!r} cannot be read; give [name, [x, y, w, h]] each")


def _one(value: Any, what: str, hint: bool) -> tuple[str, _Box]:
    named = _named(value, hint)
    if named is None:
        raise InputError(f"{what} is not [name, [x, y, w, h]]")
    return named


def _named(value: Any, hint: bool) -> tuple[str, _Box] | None:
    if isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str):
        box = _box(value[1], hint)
        return None if box is None else (value[0], box)
    if isinstance(value, dict):
        names = {str(key).casefold(): key for key in value}
        name = next(
            (value[names[word]] for word in _NAMES if word in names and isinstance(value[names[word]], str)), None
        )
        inside = [
            _box(item, hint or any(w in str(key).casefold() for w in _CORNER_WORDS)) for key, item in value.items()
        ]
        boxes = [box for box in (*inside, _sides(value)) if box is not None]
        if name is not None and len(boxes) == 1:
            return name, boxes[0]
    return None


def _boxes(value: Any, what: str, hint: bool) -> list[_Box]:
    """One box or a list of them."""
    one = _box(value, hint)
    if one is not None:
        return [one]
    boxes = [_box(item, hint) for item in value] if isinstance(value, list) else []
    if not boxes or None in boxes:
        raise InputError(f"{what}: the box is not four numbers")
    return [box for box in boxes if box is not None]


def _box(value: Any, hint: bool) -> _Box | None:
    numbers = four_numbers(value)
    if numbers is not None:
        return _Box(numbers, hint)
    return _sides(value) if isinstance(value, dict) and not any(isinstance(v, str) for v in value.values()) else None


def _sides(value: dict[str, Any]) -> _Box | None:
    names = {str(key).casefold(): key for key in value}
    for forms, corners in ((SIDES_XYXY, True), (SIDES_XYWH, False)):
        for sides in forms:
            if all(side in names for side in sides):
                numbers = four_numbers([value[names[side]] for side in sides])
                if numbers is not None and all(map(math.isfinite, numbers)):
                    return _Box(numbers, corners)
    return None


def _names_beside(entry: dict[str, Any], key: str, count: int) -> list[str]:
    """The names of boxes that lie in a list of their own beside them."""
    lists = [value for k, value in entry.items() if k != key and _are_texts(value) and len(value) == count]
    if len(lists) != 1:
        raise InputError(f"the boxes in {key!r} have no names; give [name, [x, y, w, h]] each")
    return list(lists[0])


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _is_plain(value: Any) -> bool:
    """Whether a list is in LMD's own form."""
    return isinstance(value, list) and all(
        isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], list)
        for item in value
    )


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(f"{key[:40]!r}" for key in keys[:5])
