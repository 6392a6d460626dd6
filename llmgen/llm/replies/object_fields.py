"""Which fields of an answer, or of an entry in a file, hold its objects, and which the size of the canvas they were made for.

Source:
    LayoutGPT (Feng et al. 2023), https://github.com/weixi-feng/LayoutGPT, `dataset/NSR-1K`: `object_list`, `obj1`, `obj2` in fractions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from llmgen.artifacts.foreign_boxes import holds_boxes
from llmgen.llm.replies.bounds import MOST_OBJECTS, Remark, check_length, unusable
from llmgen.llm.replies.extract import plain_key
from llmgen.llm.replies.raw_objects import BOX_KEYS, entries_of, listed, looks_like_object, number_of, raw_box

#: Fields of a layout to the names that models and files give them.
OBJECT_KEYS: Final = (
    "objects", "object_list", "instances", "layout", "boxes", "bboxes", "bounding_boxes", "regions", "items", "elements", "annotations",
    "annos", "gligen_boxes", "locations", "boxes_xyxy", "bboxes_xyxy",
)  # fmt: skip
#: Those whose boxes are corners.
_CORNER_KEYS: Final = ("gligen_boxes", "locations", "boxes_xyxy", "bboxes_xyxy")
#: Names of objects whose boxes stand in a list of their own.
_NAME_KEYS: Final = (
    "labels", "names", "phrases", "categories", "nouns", "classes", "captions", "gligen_phrases", "class_names", "object_names", "objects",
)  # fmt: skip
_NUMBERED: Final = re.compile(r"obj(?:ect)?_?\d{1,4}")
_CANVAS_KEYS: Final = ("canvas", "canvas_size", "image_size", "size", "resolution")
_BY: Final = re.compile(r"\s*(\d{1,6})\s*[x×*]\s*(\d{1,6})\s*")
_MOST_SIDE: Final = 1e6

Size = tuple[float, float]


@dataclass(frozen=True)
class ObjectFields:
    """Where the objects of an answer are."""

    entries: Any
    """As they stand, a list where they can be read; None where no field holds any."""
    data: dict[str, Any]
    """The fields of the answer, without a wrapper around them."""
    used: frozenset[str]
    """Those that were read."""
    canvas: Size | None
    """Width and height that the boxes were made for, where they are said."""


def object_fields(data: dict[str, Any], reply: str, remark: Remark, own: str = "objects") -> ObjectFields:
    """Find the objects of an answer, under whatever known name they are.

    Args:
        data: Fields, their names plain (`plain_key`).
        reply: The reply, for messages.
        remark: Told which fields were read where it was not the one that was asked for.
        own: The one that was asked for.

    Raises:
        ModelError: If several fields hold objects, boxes have no names, or the only boxes are in a field that is not known.
    """
    data = _opened(data, remark)
    canvas, sizes = _canvas_of(data)
    numbered = [key for key in data if _NUMBERED.fullmatch(key) and looks_like_object(data[key])]
    filled = [key for key in OBJECT_KEYS if data.get(key) is not None]
    holding = [key for key in filled if holds_boxes(data[key])]
    if len(holding) > 1 or (holding and numbered):
        raise unusable(f"objects are in several fields, {listed([*holding, *numbered])}; leave one of them", reply)
    if numbered:
        remark(f"objects were read from {listed(numbered)}")
        return ObjectFields([data[key] for key in numbered], data, frozenset((*numbered, *sizes)), canvas)
    key = next(iter((*holding, *filled)), None)
    entries = None if key is None else entries_of(data[key])
    if not entries:
        others = [name for name, value in data.items() if name not in sizes and holds_boxes(value)]
        if others:
            raise unusable(f"boxes are in {listed(others)}, which is not a field of a layout; write `{own}`", reply)
    if key is None:
        return ObjectFields(None, data, frozenset(sizes), canvas)
    if key != own:
        remark(f"objects were read from {key!r}")
    used = {key, *sizes}
    if _are_bare(entries):
        beside = _names_beside(data, key, len(entries))
        if beside is None:
            raise unusable(f"the boxes in {key!r} have no names; write `{own}`, a list of [name, box]", reply)
        entries = [[name, box] for name, box in zip(data[beside], entries, strict=True)]
        used.add(beside)
    if isinstance(entries, list):
        check_length(own, len(entries), MOST_OBJECTS, reply)
        if key in _CORNER_KEYS:
            entries = [{"name": one[0], "box_xyxy": one[1]} if _is_pair(one) else one for one in entries]
    return ObjectFields(entries, data, frozenset(used), canvas)


def _opened(data: dict[str, Any], remark: Remark) -> dict[str, Any]:
    """The fields of `{"layout": {"objects": [...]}, ...}` without the wrapper."""
    for key in OBJECT_KEYS:
        if not isinstance(data.get(key), dict) or raw_box(data[key]) is not None:
            continue
        inner = {plain_key(name): value for name, value in data[key].items()}
        if any(isinstance(inner.get(name), list | dict) for name in OBJECT_KEYS):
            outer = {name: value for name, value in data.items() if name != key}
            lost = [name for name in outer if name in inner and outer[name] != inner[name]]
            if lost:
                remark(f"ignored the fields {listed(lost)} around {key!r}, which has them as well")
            return {**outer, **inner}
    return data


def _canvas_of(data: dict[str, Any]) -> tuple[Size | None, tuple[str, ...]]:
    """The size of the canvas that an answer says, and the fields that say it."""
    size = _size([data.get("width"), data.get("height")])
    if size is not None:
        return size, ("width", "height")
    for key in _CANVAS_KEYS:
        value = data.get(key)
        if isinstance(value, dict):
            value = [value.get("width"), value.get("height")]
        elif isinstance(value, str) and (said := _BY.fullmatch(value)):
            value = list(said.groups())
        if isinstance(value, list) and (size := _size(value)) is not None:
            return size, (key,)
    return None, ()


def _size(sides: Sequence[Any]) -> Size | None:
    numbers = [number for side in sides if (number := number_of(side)) is not None and 1 <= number <= _MOST_SIDE]
    return (numbers[0], numbers[1]) if len(sides) == len(numbers) == 2 else None


def _names_beside(data: dict[str, Any], key: str, count: int) -> str | None:
    """The field with the names of boxes that lie in a list of their own."""
    return next((name for name in _NAME_KEYS if name != key and _are_names(data.get(name), count)), None)


def _are_names(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(isinstance(name, str) for name in value)


def _are_bare(entries: Any) -> TypeGuard[list[Any]]:
    """Whether entries are boxes and nothing more."""
    return isinstance(entries, list) and bool(entries) and all(
        raw_box(one) is not None and not looks_like_object(one) and not (isinstance(one, dict) and one.keys() & {*BOX_KEYS})
        for one in entries
    )  # fmt: skip


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)
