"""Replies of vision-language models that say where things are: boxes with their names, in the forms of the common models.

Read are tags (`<ref>a dog</ref><box>(1,2),(3,4)</box>` of Qwen-VL and InternVL, `<|ref|>..<|det|>` of DeepSeek-VL2, Qwen2's
`<|object_ref_start|>`), JSON (`{"bbox_2d": [...], "label": ...}` of Qwen2.5-VL and Qwen3-VL, Gemini's `box_2d`), and brackets behind a word
(`a dog [[1,2,3,4]]` of CogVLM). Tags and brackets hold thousandths of the picture; `bbox_2d` holds pixels, or thousandths where pixels
would leave the picture; numbers up to 1 are fractions in all of them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmgen.llm.replies.bounds import MOST_OBJECTS, Remark, check_length, once, unusable
from llmgen.llm.replies.extract import body_of, plain_key, values_in
from llmgen.llm.replies.raw_objects import RawBox, box_in, plain_entry, raw_box

THOUSANDTHS: Final = 1000
LONGEST_WORD: Final = 200
"""As far back as a label is looked for: a hostile reply of many groups must not be read from its beginning for each."""

_NUMBER: Final = r"\s*\d{1,5}(?:\.\d{1,12})?\s*"
_FOUR = re.compile(rf"[\[(<{{]*({_NUMBER}),({_NUMBER})[\])>}}]*,?\s*[\[(<{{]*,?({_NUMBER}),({_NUMBER})[\])>}}]*")
_TAGGED = re.compile(
    r"<\|?(?P<kind>ref|object_ref_start|p|phrase|box|box_start|det)\|?>(?P<inner>[^<]{0,4000})<\|?/?(?:(?P=kind)|object_ref_end|box_end)\|?>"
)
_NAMES_A_THING: Final = frozenset(("ref", "object_ref_start", "p", "phrase"))
_GROUP = re.compile(r"\[\[([^\[\]]*(?:\][,;\s]*\[[^\[\]]*)*)\]\]|\[([^\[\]]*)\]")
_FRACTION_MOST: Final = 1.0


@dataclass(frozen=True)
class SaidBox:
    """A box with the words it belongs to."""

    label: str
    corners: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels."""
    first: bool = True
    """False for a further box of one group."""
    words: bool = False
    """Whether the label is a phrase; else it is one word."""


def read_grounding_reply(text: str, width: int, height: int, *, remark: Remark | None = None) -> list[SaidBox]:
    """Boxes of a reply, in its order.

    Args:
        text: What the model said.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        remark: Told which groups were left out and which unit was taken for which.

    Returns:
        The boxes; none where the reply is an empty JSON list, which says that there is nothing.

    Raises:
        ModelError: If no box can be read in it: that is no answer, and not the answer that there is nothing.
    """
    say = once(remark)
    body = body_of(text)
    for read in (_tagged, _json, _bracketed):
        boxes = read(body, width, height, say)
        if boxes is not None:
            check_length("boxes", len(boxes), MOST_OBJECTS, text)
            return boxes
    raise unusable("no box can be read in it", text)


def _tagged(body: str, width: int, height: int, remark: Remark) -> list[SaidBox] | None:
    found: list[SaidBox] = []
    label, number = "", 0
    for match in _TAGGED.finditer(body):
        if match["kind"] in _NAMES_A_THING:
            label, number = " ".join(match["inner"].split()), 0
            continue
        if not label:
            words = body[max(0, match.start() - LONGEST_WORD) : match.start()].split()
            label, number = (_word(words[-1]) if words and not words[-1].endswith(">") else ""), 0
        boxes = _fours(match["inner"])
        if not label or not boxes:
            remark(f"left out a group {'without a word' if boxes else 'without four numbers'}")
            continue
        for box in boxes:
            found.append(SaidBox(label, _in_pixels(box, width, height), first=number == 0, words=True))
            number += 1
    return found or None


def _json(body: str, width: int, height: int, remark: Remark) -> list[SaidBox] | None:
    for found in values_in(body):
        entries = list(_entries(found.value))
        if found.value in ([], {}) and not body.replace("```json", "").strip(" \t\n`[]{}"):
            return []
        named = [(label, box, key) for label, box, key in entries if label]
        if not named:
            continue
        if len(named) < len(entries):
            remark(f"left out {len(entries) - len(named)} boxes without a label")
        pixels = _are_pixels([(box, key) for _, box, key in named], width, height, remark)
        return [SaidBox(label, _scaled(box, pixels, width, height), words=True) for label, box, _ in named]
    return None


def _bracketed(body: str, width: int, height: int, remark: Remark) -> list[SaidBox] | None:
    found: list[SaidBox] = []
    for group in _GROUP.finditer(body):
        words = body[max(0, group.start() - LONGEST_WORD) : group.start()].split()
        parts = re.split(r";|\]\s*,?\s*\[", group[1] if group[1] is not None else group[2])
        boxes = [box for part in parts for box in _fours(part, whole=True)]
        if group[1] is None and not all(value <= _FRACTION_MOST for box in boxes for value in box):
            # One pair of brackets around whole numbers may be anything; Shikra's hold fractions.
            boxes = []
        if not boxes or not words:
            if group[1] is not None:
                remark(f"left out a group {'without a word' if boxes else 'without four numbers'}")
            continue
        for number, box in enumerate(boxes):
            found.append(SaidBox(_word(words[-1]), _in_pixels(box, width, height), first=number == 0))
    return found or None


def _word(word: str) -> str:
    return word.strip(".,:;!?\"'()*") or word


def _fours(text: str, *, whole: bool = False) -> list[tuple[float, float, float, float]]:
    """All groups of four numbers; with `whole`, only if the text is one."""
    matches = [_FOUR.fullmatch(text.strip())] if whole else _FOUR.finditer(text)
    return [_four([float(part) for part in match.groups()]) for match in matches if match]


def _four(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    a, b, c, d = numbers
    return a, b, c, d


def _in_pixels(box: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    """Corners in thousandths or fractions, or in pixels where a number is above a thousand, as whole pixels."""
    pixels = max(box) > THOUSANDTHS
    return _scaled(RawBox(box, "xyxy"), pixels, width, height)


def _scaled(box: RawBox, pixels: bool, width: int, height: int) -> tuple[float, float, float, float]:
    a, b, c, d = box.numbers
    if box.form == "xywh":
        c, d = a + c, b + d
    if max(a, b, c, d) <= _FRACTION_MOST:
        across, down = float(width), float(height)
    elif pixels:
        across = down = 1.0
    else:
        return (
            int(a / THOUSANDTHS * width), int(b / THOUSANDTHS * height), int(c / THOUSANDTHS * width), int(d / THOUSANDTHS * height)
        )  # fmt: skip
    return (a * across, b * down, c * across, d * down)


def _are_pixels(boxes: Sequence[tuple[RawBox, str]], width: int, height: int, remark: Remark) -> bool:
    """Whether numbers of a JSON reply are pixels: they are where they lie in the picture, but for Gemini's, which never are."""
    if any(key == "box_2d" for _, key in boxes):
        return False
    ends = [(n[0] + n[2], n[1] + n[3]) if box.form == "xywh" else n[2:] for box, _ in boxes for n in (box.numbers,)]
    right, bottom = max(x for x, _ in ends), max(y for _, y in ends)
    if max(right, bottom) <= _FRACTION_MOST:
        return False
    inside = right <= 1.02 * width and bottom <= 1.02 * height
    if inside and max(right, bottom) <= THOUSANDTHS:
        remark("took the boxes for pixels; they could be thousandths")
    elif not inside and max(right, bottom) <= THOUSANDTHS:
        remark("took the boxes for thousandths, since as pixels they leave the picture")
    return inside or max(right, bottom) > THOUSANDTHS


def _entries(value: Any) -> Iterator[tuple[str, RawBox, str]]:
    """Labels and boxes anywhere in the first levels of a value; several boxes may share a label."""
    level = [value]
    for _ in range(4):
        following: list[Any] = []
        for one in level:
            if isinstance(one, list):
                following += one
            elif isinstance(one, dict):
                entries = list(_of_object({plain_key(key): item for key, item in one.items()}))
                yield from entries
                following += [] if entries else list(one.values())
        level = following


def _of_object(entry: dict[str, Any]) -> Iterator[tuple[str, RawBox, str]]:
    key, value = box_in(entry)
    key = key or next((name for name in ("boxes", "bboxes", "bounding_boxes") if name in entry), "")
    value = value if value is not None else entry.get(key)
    if value is None:
        # `{"dog": [1, 2, 3, 4], "cat": [[..], [..]]}`
        for name, item in entry.items():
            for box in _boxes_in(item, "bbox_2d"):
                yield name.replace("_", " "), box, "bbox_2d"
        return
    plain = plain_entry({**entry, "box": [0, 0, 1, 1]}, lambda line: None)
    label = next((plain[name] for name in ("noun", "name", "phrase") if isinstance(plain.get(name), str)), "")
    for box in _boxes_in(value, key or "bbox_2d"):
        yield label.strip(), box, key


def _boxes_in(value: Any, key: str) -> Iterator[RawBox]:
    # Grounding is in corners, whatever the field is called, unless it says that they are sizes.
    for one in (
        value if isinstance(value, list) and value and isinstance(value[0], list) and len(value[0]) == 4 else [value]
    ):
        box = raw_box(one, key)
        if box is not None:
            yield RawBox(box.numbers, "xyxy" if box.form == "guess" and not isinstance(one, dict) else box.form)
