"""Labelled lines of a reply such as `Background prompt: a road`, however they are marked up.

A field ends with its line. Where nothing follows the label, the next line is the field, unless it is empty or a label itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Field to the labels that models give it. Labels of two words are found anywhere, the others where a line begins.
_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "updated": ("updated objects", "updated layout"),
    "current": ("current objects",),
    "objects": ("objects", "layout", "boxes"),
    "background": ("background prompt", "background", "bg prompt"),
    "negative": ("negative prompt", "negation", "negative", "neg prompt"),
    "ratio": ("final split ratio", "split ratio"),
    "regions": ("regional prompts", "regional prompt"),
    "next": ("caption", "input", "user prompt", "question", "instruction", "example", "user", "human"),
}
_FIELD_OF: Final = {label: field for field, labels in _LABELS.items() for label in labels}
_MARKS: Final = r"[ \t>*_`\"'#•\-]*"


def _either(labels: Iterable[str]) -> str:
    longest_first = sorted(labels, key=len, reverse=True)
    return "|".join(label.replace(" ", r"[ _]") for label in longest_first)


_LABEL = re.compile(
    rf"(?:^{_MARKS}(?:\d{{1,2}}[.)][ \t]*{_MARKS})?(?P<line>{_either(_FIELD_OF)})"
    rf"|(?<!\w)(?P<inline>{_either(label for label in _FIELD_OF if ' ' in label and label != 'user prompt')}))"
    rf"(?:[ \t]*\([^()\n]{{0,40}}\))?[ \t]*[*_`\"']*[ \t]*[:：][ \t]*(?:\*\*|__)?",
    re.IGNORECASE | re.MULTILINE,
)
#: A line that begins another field, whether we know the field or not: `Category: relation(left of)`.
_LABELLED_LINE = re.compile(rf"{_MARKS}[^\W\d_][\w /&()-]{{0,40}}[*_`\"']*[ \t]*[:：]")
_WRAPPED: Final = (("**", "**"), ("__", "__"), ("*", "*"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"))


@dataclass(frozen=True)
class Label:
    """A label in a text."""

    field: str
    start: int
    end: int
    """Where the value begins, on the same line."""


def labels_in(text: str, start: int = 0, stop: int | None = None) -> list[Label]:
    """The labels of a part of a text, in order."""
    found = _LABEL.finditer(text, start, len(text) if stop is None else stop)
    return [
        Label(
            _FIELD_OF[" ".join(re.split(r"[ _]", (match["line"] or match["inline"]).lower()))],
            match.start(),
            match.end(),
        )
        for match in found
    ]


def field_value(text: str, label: Label, stop: int) -> str:
    """What a label says.

    Args:
        text: The text.
        label: The label.
        stop: Where the next label begins, or the text ends.
    """
    line, _, rest = text[label.end : stop].partition("\n")
    value = _plain(line)
    if value:
        return value
    following = rest.partition("\n")[0]
    if not following.strip() or following.strip().startswith("```") or _LABELLED_LINE.match(following):
        return ""
    return _plain(following)


def _plain(line: str) -> str:
    """A line without the markup and quotation marks around it."""
    value = line.strip()
    if value.startswith("```"):
        return ""
    for begin, end in _WRAPPED:
        if len(value) >= len(begin) + len(end) and value.startswith(begin) and value.endswith(end):
            value = value[len(begin) : len(value) - len(end)].strip()
    return "" if set(value) <= set("*_`") else value.removesuffix("**").strip()
