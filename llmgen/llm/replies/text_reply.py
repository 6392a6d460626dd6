"""The text dialects of LMD and SLD: a Python list of objects, then the background and what to avoid, each on its line.

`reference=True` reads as the originals did, for the comparison with them; everything else goes the way of all replies.

Source:
    SLD (Wu et al. 2024), utils/llm.py; LMD (Lian et al. 2023), utils/parse.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llmgen.llm.replies import originals
from llmgen.llm.replies.bounds import MOST_OBJECTS, MOST_TEXT_CHARS, check_length, unusable
from llmgen.llm.replies.extract import body_of, values_in, why_no_value
from llmgen.llm.replies.loose_values import Found
from llmgen.llm.replies.raw_objects import NO_WORDS, number_of
from llmgen.llm.replies.text_fields import Label, field_value, labels_in

NamedBox = tuple[str, list[float]]
IsList = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class SpotReply:
    """What SLD's first call answers.

    Attributes:
        objects: Nouns with one attribute (or None) for each wanted instance.
        background: One line.
        negative: What to avoid, as text.
    """

    objects: tuple[tuple[str, tuple[str | None, ...]], ...]
    background: str
    negative: str


@dataclass(frozen=True)
class TextAnswer:
    """The first complete answer of a text: a list, and the fields that belong to it."""

    entries: list[Any] | None
    """None where the text says `None` instead of a list."""
    background: str | None
    """None where it is not said at all."""
    negative: str


def is_named_boxes(value: Any) -> bool:
    """Whether a value is a list of `(name, [...])`, as LMD and SLD write boxes; their numbers are not looked at."""
    return _is_pairs(value) and all(not entry[1] or number_of(entry[1][0]) is not None for entry in value)


def is_counted_nouns(value: Any) -> bool:
    """Whether a value is a list of `(noun, [attribute or None, ...])`, as SLD writes what a prompt wants."""
    return _is_pairs(value) and all(item is None or isinstance(item, str) for entry in value for item in entry[1])


def _is_pairs(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(e, list) and len(e) == 2 and isinstance(e[0], str) and isinstance(e[1], list) for e in value)
    )


def read_text_answer(body: str, is_list: IsList) -> TextAnswer:
    """The first complete answer of a text with a list of objects and labelled fields.

    Args:
        body: A reply without thoughts.
        is_list: Says which lists are lists of objects. An empty one counts where it stands beside a label.

    Raises:
        ModelError: If there is no such list, nor a word that there are no objects, or two backgrounds belong to it.
    """
    first = next((label for label in labels_in(body) if label.field == "background"), None)
    lists = (found for found in values_in(body) if found.whole and _counts(body, found, is_list))
    found = next(lists, None)
    if first is not None and (found is None or first.start < found.start):
        following = found.start if found is not None else len(body)
        entries = _said_without_list(body, first.start, following if found is not None else None)
        if entries is not None:
            return _with_fields(body, entries[0], first.start, following)
        if found is not None and any(label.field == "next" for label in labels_in(body, first.start, found.start)):
            raise unusable(
                "the list before the background cannot be read, and the next one answers something else", body
            )
    if found is None:
        why = why_no_value(body)
        raise unusable(f"the list of objects cannot be read: {why}" if why else "there is no list of objects", body)
    check_length("objects", len(found.value), MOST_OBJECTS, body)
    another = next(lists, None)
    answer = _with_fields(body, found.value, found.end, another.start if another else len(body))
    if answer.background is None:
        before = _with_fields(body, found.value, _last_example(body, found.start), found.start)
        if before.background is not None:
            return before
    return answer


def parse_spot_reply(text: str, *, reference: bool = False) -> SpotReply:
    """Read a reply of SLD's "spot objects" call.

    Args:
        text: `Objects: [...]`, `Background: ...`, `Negation: ...`, each on its own line, reasoning before them.
        reference: Slice and evaluate as the original.

    Raises:
        ModelError: If the reply cannot be read (where the original asks again without limit).
    """
    if reference:
        return SpotReply(*originals.spot_reply(text))
    answer = read_text_answer(body_of(text), is_counted_nouns)
    if answer.background is None:
        raise unusable("the background is missing", text)
    objects = tuple((noun, tuple(attributes)) for noun, attributes in answer.entries or ())
    return SpotReply(objects, answer.background, answer.negative)


def parse_update_reply(text: str, *, reference: bool = False) -> list[NamedBox]:
    """Read a reply of SLD's "spot differences" or "edit" call: the first list of named boxes after the marker.

    Args:
        text: Reasoning, then `Updated Objects: [("green car #1", [x, y, w, h]), ...]` in units of the picture.
        reference: Slice and evaluate as the original.

    Returns:
        Names and boxes, not validated: boxes may leave the picture or miss a number, as in the original.

    Raises:
        ModelError: If the reply cannot be read.
    """
    if reference:
        return originals.update_reply(text)
    found = updated_list(body_of(text))
    if found is None:
        raise unusable("there is no list of updated objects", text)
    check_length("objects", len(found), MOST_OBJECTS, text)
    return _numbered(found, text)


def updated_list(body: str, is_list: IsList = is_named_boxes) -> list[Any] | None:
    """The list of an answer to SLD's second call: the first of named boxes after the marker.

    Without a marker, a list of named boxes counts where no label says that it is another one.

    Args:
        body: A reply without thoughts.
        is_list: Says which lists are lists of named boxes.
    """
    labels = labels_in(body)
    marker = next((label for label in labels if label.field == "updated"), None)
    if marker is None and any(label.field in ("current", "objects") for label in labels):
        return None
    for found in values_in(body, 0 if marker is None else marker.end):
        empty = marker is not None and found.value == [] and not body[marker.end : found.start].strip(" \t\n`*")
        if found.whole and (empty or is_list(found.value)):
            return list(found.value)
    return None


def parse_layout_reply(text: str, *, reference: bool = False) -> tuple[list[NamedBox] | None, str, str]:
    """Read a reply of LMD's layout call.

    Args:
        text: A list of named boxes in pixels of a 512 canvas, then `Background prompt: ...` and `Negative prompt: ...`.
        reference: Slice and evaluate as the original.

    Returns:
        Named boxes (None when the reply says `None` instead of a list), background prompt, negative prompt.

    Raises:
        ModelError: If there is not exactly one background prompt or the list cannot be read.
    """
    if reference:
        return originals.layout_reply(text)
    answer = read_text_answer(body_of(text), is_named_boxes)
    if answer.background is None:
        raise unusable("0 background prompts instead of one", text)
    boxes = None if answer.entries is None else _numbered(answer.entries, text)
    return boxes, answer.background, answer.negative


def _counts(body: str, found: Found, is_list: IsList) -> bool:
    if found.value != []:
        return is_list(found.value)
    before = labels_in(body, max(0, found.start - 40), found.start)
    after = labels_in(body, found.end, found.end + 60)
    return any(label.field == "objects" and label.end + 2 >= found.start for label in before) or any(
        label.field == "background" and not body[found.end : label.start].strip() for label in after
    )


def _said_without_list(body: str, stop: int, following: int | None) -> tuple[list[Any] | None] | None:
    """What stands before the background where it is no list: `([],)` for no objects, `(None,)` for `None`, None for neither.

    Nothing at all means no objects, unless a list that follows belongs to the same answer.
    """
    objects = [label for label in labels_in(body, 0, stop) if label.field == "objects"]
    head = body[objects[0].end if objects else 0 : stop].strip(" \t\n*`-#.")
    if head in ("None", "null"):
        return (None,)
    if not head and following is not None:
        another = any(label.field == "next" for label in labels_in(body, stop, following))
        return ([],) if another else None
    return ([],) if head.lower() in NO_WORDS or head.lower().startswith("no objects") else None


def _with_fields(body: str, entries: list[Any] | None, start: int, stop: int) -> TextAnswer:
    """The fields between two places, as far as they belong to one answer."""
    labels = labels_in(body, start, stop)
    end = next((label for label in labels if label.field in ("next", "objects", "updated")), None)
    mine = [label for label in labels if end is None or label.start < end.start]
    stop = stop if end is None else end.start
    said: dict[str, str] = {}
    for label, following in zip(mine, [*(label.start for label in mine[1:]), stop], strict=False):
        value = field_value(body, label, following)
        check_length("characters in a field", len(value), MOST_TEXT_CHARS, body)
        if label.field == "background" and said.get("background", value) != value:
            raise unusable("2 background prompts instead of one", body)
        said.setdefault(label.field, value)
    negative = said.get("negative", "")
    if negative.rstrip(".").lower() in NO_WORDS:
        negative = ""
    return TextAnswer(entries, said.get("background"), negative)


def _last_example(body: str, stop: int) -> int:
    """Where the answer that ends at a place began: after the last label of another one."""
    ends: list[Label] = [label for label in labels_in(body, 0, stop) if label.field == "next"]
    return ends[-1].end if ends else 0


def _numbered(entries: list[Any], text: str) -> list[NamedBox]:
    boxes = []
    for name, box in entries:
        numbers = [number_of(value) for value in box]
        if any(number is None for number in numbers):
            raise unusable("a box holds something that is no number", text)
        boxes.append((name, [number or 0.0 for number in numbers]))
    return boxes
