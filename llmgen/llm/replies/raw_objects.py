"""Entries of any dialect in one shape: a name, what is said of it, and four numbers.

`["a red car", [1, 2, 3, 4]]`, `{"noun": "car", "attributes": ["red"], "box": {...}}`, `{"label": "a red car", "bbox_2d": [...]}` and
`{"a red car": [1, 2, 3, 4]}` are the same object.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from llmgen.artifacts.foreign_boxes import SIDE_NAMES, sides_of
from llmgen.llm.replies.bounds import MOST_ATTRIBUTES, MOST_NAME_CHARS, Remark, check_length, unusable
from llmgen.llm.replies.extract import plain_key

Form = Literal["guess", "xywh", "xyxy"]
Numbers = tuple[float, float, float, float]

NAME_KEYS: Final = ("noun", "name", "label", "object", "category", "category_name", "class", "class_name")
#: What stands in these has no attributes in it.
_BARE_NOUN_KEYS: Final = ("noun", "category_name")
PHRASE_KEYS: Final = ("phrase", "caption", "description", "text", "prompt")
ATTRIBUTE_KEYS: Final = ("attributes", "attribute", "adjectives", "modifiers")
#: Fields that hold one attribute each.
_SINGLE_ATTRIBUTES: Final = ("color", "colour", "material")
BOX_KEYS: Final = (
    "box", "bbox", "bbox_2d", "box_2d", "bounding_box", "boundingbox", "bounds", "box_xyxy", "bbox_xyxy", "xyxy", "box_xywh",
    "bbox_xywh", "xywh", "coordinates", "coords", "position", "location", "region", "rect", "rectangle",
)  # fmt: skip
#: Boxes whose key says that they are corners.
_CORNER_KEYS: Final = ("bbox_2d", "box_2d", "box_xyxy", "bbox_xyxy", "xyxy")
_SIZE_KEYS: Final = ("box_xywh", "bbox_xywh", "xywh")
_NUMBER = re.compile(r"\s*([+-]?\d{1,30}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,3})?)\s*(px|pixels|%)?\s*")
NO_WORDS: Final = frozenset({"", "none", "nothing", "n/a", "na", "no", "null", "nil", "-"})


@dataclass(frozen=True)
class RawBox:
    """Four numbers as they were said."""

    numbers: Numbers
    form: Form = "guess"
    """What they are, where their names say it."""


def number_of(value: Any) -> float | None:
    """A coordinate: a number, or a text such as `"12"`, `"12px"`, `"5%"`; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else float("inf")
    if isinstance(value, str) and (found := _NUMBER.fullmatch(value)):
        return float(found[1]) / (100 if found[2] == "%" else 1)
    return None


def raw_box(value: Any, key: str = "box") -> RawBox | None:
    """A box in any of its forms: four numbers in a list, two pairs, or four named numbers; None for anything else.

    Args:
        value: What was read.
        key: The name of the field it stands in, which may say what the numbers are.
    """
    if isinstance(value, dict):
        return _named_box({plain_key(name): item for name, item in value.items()})
    if isinstance(value, str) and value.count(",") == 3:
        value = value.strip(" []()").split(",")
    if not isinstance(value, list):
        return None
    pairs = len(value) == 2 and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
    flat = [item for pair in value for item in pair] if pairs else value
    if len(value) == 1 and isinstance(value[0], list):
        flat = value[0]
    numbers = [number_of(item) for item in flat] if len(flat) == 4 else []
    if len(numbers) != 4 or any(number is None for number in numbers):
        return None
    a, b, c, d = (number or 0.0 for number in numbers)
    if key == "box_2d":
        # Gemini's: top, left, bottom, right.
        a, b, c, d = b, a, d, c
    corners = pairs or key in _CORNER_KEYS
    return RawBox((a, b, c, d), "xyxy" if corners else "xywh" if key in _SIZE_KEYS else "guess")


def _named_box(named: dict[str, Any]) -> RawBox | None:
    if isinstance(named.get("position"), list) and isinstance(named.get("size"), list):
        return raw_box([*named["position"], *named["size"]])
    for key in BOX_KEYS:
        if isinstance(named.get(key), dict | list) and not {"width", "w"} & named.keys():
            return raw_box(named[key], key)
    sides = sides_of(named.keys())
    if sides is None:
        return None
    form, keys = sides
    numbers = [number_of(named[key]) for key in keys]
    if any(number is None for number in numbers):
        return None
    a, b, c, d = (number or 0.0 for number in numbers)
    # Named sizes are what was asked for, and often corners all the same.
    return RawBox((a, b, c, d), "guess" if form == "xywh" else form)


def box_in(entry: dict[str, Any]) -> tuple[str, Any]:
    """The field of an entry that holds its box, and what is in it; the whole entry where the numbers stand beside the name."""
    for key in BOX_KEYS:
        if key in entry:
            return key, entry[key]
    return ("", entry) if _named_box(entry) else ("", None)


def wire_box_of(value: Any, key: str = "box") -> Any:
    """A box as the wire has it; what is no box stays as it is, for the check to name it."""
    box = raw_box(value, key)
    return value if box is None else box


def plain_entry(entry: Any, remark: Remark) -> Any:
    """An entry with `noun`, `phrase`, `attributes`, `box` and `id` under these names, as far as it has them.

    A name that no field tells to be a bare noun stays whole under `name`. What is no entry at all stays as it is.
    """
    if isinstance(entry, list):
        return _listed(entry)
    if not isinstance(entry, dict):
        return entry
    given = {plain_key(key): value for key, value in entry.items()}
    if len(given) == 1 and not given.keys() & {*BOX_KEYS} and raw_box(next(iter(entry.values()))) is not None:
        return {"name": next(iter(entry)), "box": raw_box(next(iter(entry.values())))}
    found: dict[str, Any] = {}
    for target, keys in (("noun", NAME_KEYS), ("phrase", PHRASE_KEYS), ("attributes", ATTRIBUTE_KEYS)):
        key = next((key for key in keys if given.get(key) is not None), None)
        if key is not None:
            found["name" if target == "noun" and key not in _BARE_NOUN_KEYS else target] = given[key]
    if "id" in given:
        found["id"] = given["id"]
    key, box = box_in(given)
    if box is not None:
        found["box"] = wire_box_of(box, key)
    if "instances" in given:
        found["instances"] = given["instances"]
    single = [given[k] for k in _SINGLE_ATTRIBUTES if isinstance(given.get(k), str)]
    if single:
        found["attributes"] = [*attribute_list(found.get("attributes")), *single]
    known = {
        *NAME_KEYS,
        *PHRASE_KEYS,
        *ATTRIBUTE_KEYS,
        *_SINGLE_ATTRIBUTES,
        *BOX_KEYS,
        "instances",
        *SIDE_NAMES,
        "size",
    }
    more = [name for name in given if name not in known and given[name] not in (None, [], "", {})]
    if more:
        remark(f"ignored the fields {listed(more)} of an object")
    return found


def _listed(entry: list[Any]) -> Any:
    if len(entry) >= 2 and isinstance(entry[0], str):
        rest = entry[1] if len(entry) == 2 else entry[1:]
        box = raw_box(rest)
        return {"name": entry[0], "box": rest if box is None else box}
    return entry


def entries_of(value: Any) -> Any:
    """A list of entries; an object from name to box, to boxes, or to entry, as one."""
    if isinstance(value, dict):
        if raw_box(value) is not None or any(key in value for key in ("noun", "name", "label")):
            return [value]
        return [entry for name, item in value.items() for entry in _of_table(name, item)]
    return value


def _of_table(name: str, item: Any) -> list[Any]:
    """The entries that a table has under one name."""
    several = isinstance(item, list) and bool(item) and raw_box(item) is None and all(
        isinstance(one, dict) or raw_box(one) is not None for one in item
    )  # fmt: skip
    items = item if several else [item]
    return [
        [name, one] if not isinstance(one, dict) else one if one.keys() & {*NAME_KEYS} else {"name": name, **one}
        for one in items
    ]


def looks_like_object(entry: Any) -> bool:
    """Whether an entry has a name and a box."""
    plain = plain_entry(entry, lambda line: None)
    return (
        isinstance(plain, dict)
        and isinstance(plain.get("box"), RawBox)
        and any(isinstance(plain.get(key), str) for key in ("noun", "name", "phrase"))
    )


def attribute_list(value: Any) -> list[Any]:
    """Attributes from a list, from words between commas, or from nothing."""
    if value is None:
        return []
    if isinstance(value, str):
        return split_words(value)
    if isinstance(value, list):
        return [item for item in value if item is not None]
    if isinstance(value, dict):
        return [item for item in value.values() if isinstance(item, str)]
    return [value]


def split_words(words: str | None) -> list[str]:
    """`white and small` as `["white", "small"]`; nothing for None, `none` and their like."""
    if words is None or words.strip().lower() in NO_WORDS:
        return []
    return [part.strip() for part in re.split(r",|\band\b", words) if part.strip()]


def check_name(name: str, reply: str) -> str:
    """A name that can be one thing's.

    Raises:
        ModelError: If it is too long, or holds brackets or lines, so that it is several entries run together.
    """
    check_length("characters in the name of an object", len(name), MOST_NAME_CHARS, reply)
    if re.search(r"[\[\]{}\n]", name.strip()):
        raise unusable(f"the name of an object holds brackets or lines: {name[:60]!r}", reply)
    return name


def check_attributes(attributes: Sequence[str], reply: str) -> None:
    """Refuse attributes that are no words of one thing.

    Raises:
        ModelError: If they are too many or too long.
    """
    check_length("attributes of one object", len(attributes), MOST_ATTRIBUTES, reply)
    longest = max((len(attribute) for attribute in attributes if isinstance(attribute, str)), default=0)
    check_length("characters in an attribute", longest, MOST_NAME_CHARS, reply)


def listed(names: Iterable[str]) -> str:
    """Names for a line: quoted, cut, the first five."""
    all_names = list(names)
    more = f" and {len(all_names) - 5} more" if len(all_names) > 5 else ""
    return ", ".join(repr(name[:40]) for name in all_names[:5]) + more
