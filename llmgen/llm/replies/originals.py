"""The readers of LMD, SLD and ReCorD, rule for rule: what the goldens compare with.

Of a run only replies in ReCorD's own form are read here, where they are no JSON.

Source:
    SLD (Wu et al. 2024), utils/llm.py; LMD (Lian et al. 2023), utils/parse.py; ReCorD (Lin et al. 2024), its two questions.
"""

import ast
import re
from typing import Any

from llmgen.errors import ModelError
from llmgen.llm.replies.bounds import unusable

NamedBox = tuple[str, list[float]]
Counted = tuple[tuple[str, tuple[str | None, ...]], ...]


def spot_reply(text: str) -> tuple[Counted, str, str]:
    """Objects with their attributes, background and negation of SLD's first call.

    Raises:
        ModelError: Where the original asks again without limit.
    """
    objects = []
    for entry in _pairs(_list_after(text, "Objects:"), text):
        objects.append((entry[0], tuple(None if a is None else str(a) for a in entry[1])))
    background = re.search(r"Background:([^\n]*)", text)
    parts = text.split("Negation:")
    if background is None or len(parts) < 2:
        raise unusable("'Background:' or 'Negation:' is missing", text)
    return tuple(objects), background.group(1).strip(), parts[1].strip()


def update_reply(text: str) -> list[NamedBox]:
    """Named boxes of SLD's second call.

    Raises:
        ModelError: Where the original asks again without limit.
    """
    return _named_boxes(_list_after(text, "Updated Objects:"), text)


def layout_reply(text: str) -> tuple[list[NamedBox] | None, str, str]:
    """Named boxes (None for the word `None`), background prompt and negative prompt of LMD's call.

    Raises:
        ModelError: Where the original stops with another error.
    """
    body = text.split("Objects:", 1)[1] if "Objects:" in text else text
    parts = body.split("Background prompt:")
    if len(parts) != 2:
        raise unusable(f"{len(parts) - 1} background prompts instead of one", text)
    head = parts[0].strip()
    background, _, negative = (part.strip() for part in parts[1].partition("Negative prompt:"))
    negative = "" if negative == "None" else negative
    if not head or head.lower().startswith("no objects"):
        return [], background, negative
    value = _literal(head, text)
    return (None if value is None else _named_boxes(value, text)), background, negative


def _list_after(text: str, marker: str) -> Any:
    parts = text.split(marker)
    first, last = (parts[1].find("["), parts[1].rfind("]")) if len(parts) > 1 else (-1, -1)
    if first < 0 or last < first:
        raise unusable(f"there is no list after {marker!r}", text)
    return _literal(parts[1][first : last + 1], text)


def _literal(text: str, reply: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise unusable(f"the list cannot be read ({type(error).__name__})", reply) from error


def _pairs(value: Any, text: str) -> list[Any]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(e, list | tuple) and len(e) == 2 and isinstance(e[0], str) and isinstance(e[1], list | tuple)
        for e in value
    ):
        raise unusable("it holds no list of (name, [...])", text)
    return list(value)


def _named_boxes(value: Any, text: str) -> list[NamedBox]:
    found = []
    for name, box in _pairs(value, text):
        if any(isinstance(v, bool) or not isinstance(v, int | float) for v in box):
            raise ModelError("unusable reply: a box holds something that is no number")
        found.append((name, list(box)))
    return found


_POSE_WORDS = (
    ("first", "1st", "number 1", "one"),
    ("second", "2nd", "number 2", "two"),
    ("third", "3rd", "number 3", "three"),
    ("fourth", "4th", "number 4", "four"),
    ("fifth", "5th", "number 5", "five"),
)
_POSE_NUMBER = re.compile("|".join(rf"\b{word}\b" for words in _POSE_WORDS for word in words), re.IGNORECASE)


def pose_number(text: str, *, unambiguous: bool = False) -> int | None:
    """Index of the picture that ReCorD reads from a reply about poses: the first of its number words.

    Args:
        text: The reply.
        unambiguous: None where the words name several pictures; the original takes the first.

    Source:
        ReCorD (Lin et al. 2024), pose selection.
    """
    found = [_pose_index(match) for match in _POSE_NUMBER.findall(text)]
    return None if not found or (unambiguous and len(set(found)) > 1) else found[0]


def _pose_index(word: str) -> int:
    return next(index for index, words in enumerate(_POSE_WORDS) if word.lower() in words)


_INTEGERS = r"\[(\d+),\s*(\d+),\s*(\d+),\s*(\d+)\]"
_ANY_LOCATION = re.compile(
    rf"Object Location: {_INTEGERS}|Object Location \([^)]*\): {_INTEGERS}|object_location: {_INTEGERS}"
)


def object_location(text: str, label: str) -> tuple[int, int, int, int] | None:
    """Corners that ReCorD reads from a reply about the object's place: that of the label, else the last of all.

    The label is taken literally; the original takes it for a pattern.

    Args:
        text: The reply.
        label: Name of the object.

    Source:
        ReCorD (Lin et al. 2024), interaction-aware reasoning.
    """
    own = re.search(rf"Object Location \({re.escape(label)}\): {_INTEGERS}", text)
    found = [own] if own is not None else list(_ANY_LOCATION.finditer(text))
    if not found:
        return None
    numbers = [int(number) for number in found[-1].groups() if number is not None and len(number) < 10]
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) == 4 else None
