"""The text dialect of RPG: a ratio that splits the canvas into regions, and a prompt for each, with BREAK between them.

Source:
    RPG (Yang et al. 2024); the ratios are those of Regional Prompter: rows end with `;`, and where there are several, the first number
    of a row is its height and the others are the widths of its columns.
"""

import re
from typing import Final

from llmgen.llm.replies.bounds import MOST_OBJECTS, check_length, unusable
from llmgen.llm.replies.raw_objects import RawBox
from llmgen.llm.replies.text_fields import Label, labels_in

Region = tuple[str, RawBox]

_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}")
_BREAK = re.compile(r"\bBREAK\b")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_LONGEST_NAME: Final = 120


def is_regional(body: str) -> bool:
    """Whether a text has both the ratio and the prompts of regions."""
    return {"ratio", "regions"} <= {label.field for label in labels_in(body)}


def read_regions(body: str) -> list[Region]:
    """The first answer of a text: the words of each region, and its box in fractions of the canvas.

    Raises:
        ModelError: If the ratio cannot be read, or there are not as many prompts as regions.
    """
    labels = labels_in(body)
    ratio = _first(labels, "ratio")
    prompts = _first([label for label in labels if label.start > ratio.start], "regions", _first(labels, "regions"))
    boxes = _boxes(body[ratio.end :].strip().partition("\n")[0], body)
    stop = next(
        (label.start for label in labels if label.start > prompts.start and label.field != "regions"), len(body)
    )
    words = _BLANK_LINE.split(body[prompts.end : stop].strip())[0]
    said = [" ".join(part.split()) for part in _BREAK.split(words)]
    if len(said) != len(boxes):
        raise unusable(f"{len(said)} regional prompts for {len(boxes)} regions", body)
    if not all(said):
        raise unusable("a region has an empty prompt", body)
    return [(_thing(part), box) for part, box in zip(said, boxes, strict=True)]


def _first(labels: list[Label], field: str, other: Label | None = None) -> Label:
    found = next((label for label in labels if label.field == field), other)
    assert found is not None, "asked only of texts with both labels"
    return found


def _boxes(ratio: str, body: str) -> list[RawBox]:
    rows = [[float(number) for number in _NUMBER.findall(row)] for row in ratio.split(";")]
    rows = [row for row in rows if row]
    check_length("regions", sum(map(len, rows)), MOST_OBJECTS, body)
    if len(rows) == 1 and ";" not in ratio:
        rows = [[1.0, *rows[0]]]
    if not rows or any(number <= 0 for row in rows for number in row):
        raise unusable("the split ratio cannot be read", body)
    boxes, top, total = [], 0.0, sum(row[0] for row in rows)
    for row in rows:
        height, columns = row[0] / total, row[1:] or [1.0]
        left = 0.0
        for column in columns:
            width = column / sum(columns)
            boxes.append(RawBox((left, top, width, height), "xywh"))
            left += width
        top += height
    return boxes


def _thing(prompt: str) -> str:
    """What a region shows: the first clause of its prompt, without what follows it."""
    return (
        re.split(r"[,.;:!?]| with | wearing | who | that | which ", prompt.strip())[0][:_LONGEST_NAME].strip()
        or prompt[:60]
    )
