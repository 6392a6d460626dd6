"""Replies to the layout call, and the same layouts in files, of every dialect: JSON, LMD's text, lists, RPG's regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.replies.bounds import (
    FARTHEST,
    MOST_OBJECTS,
    MOST_TEXT_CHARS,
    Remark,
    check_length,
    check_words,
    once,
    unusable,
)
from llmgen.llm.replies.checks import clean_attributes, noun_list, nouns_of, validated
from llmgen.llm.replies.extract import body_of, find_answer
from llmgen.llm.replies.lmd_boxes import LMD_CANVAS_PX, LmdBoxes, place_lmd_boxes
from llmgen.llm.replies.object_fields import OBJECT_KEYS, Size, object_fields
from llmgen.llm.replies.raw_objects import (
    RawBox,
    attribute_list,
    check_attributes,
    check_name,
    listed,
    looks_like_object,
    plain_entry,
)
from llmgen.llm.replies.regional_text import is_regional, read_regions
from llmgen.llm.replies.text_fields import labels_in
from llmgen.llm.replies.text_reply import is_named_boxes, read_text_answer
from llmgen.llm.replies.units import inside, mend_boxes
from llmgen.llm.schemas import LayoutPlan, PlannedObject, WireBox

BACKGROUND_KEYS: Final = ("background", "background_prompt", "bg_prompt")
NEGATIVE_KEYS: Final = ("negative", "negative_prompt", "neg_prompt", "negation")
_UNSAID: Final = (
    "reasoning", "reason", "thought", "thoughts", "explanation", "description", "caption", "prompt",
)  # fmt: skip
"""Fields that nobody misses."""


@dataclass(frozen=True)
class RawThing:
    """One object of a layout before its box is placed."""

    name: str
    """With its article and attributes where `attributes` is None, else a bare noun."""
    attributes: tuple[str, ...] | None
    box: RawBox


@dataclass(frozen=True)
class RawLayout:
    """A layout as it was said."""

    things: tuple[RawThing, ...]
    background: str
    negative: tuple[str, ...]
    """Nouns."""
    negative_words: str
    """The negative prompt as it was said."""
    reasoning: str = ""
    lmd: bool = False
    """Whether the boxes are LMD's: pixels of its canvas, to be filtered by its rules."""
    canvas: Size | None = None
    """Width and height of the canvas the boxes were made for, where the layout says it."""


def read_layout_reply(text: str, *, width: int, height: int, remark: Remark | None = None) -> LayoutPlan:
    """Read the answer to the layout call.

    Args:
        text: JSON, LMD's text with pixels of a 512 canvas, a bare list, or RPG's regions.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
        remark: Told what was mended, cut or ignored, a line each; the log by default.

    Raises:
        ModelError: If nothing usable is in it; the message says what is wrong, fit to be sent back.
    """
    say = once(remark)
    raw = raw_layout(text, say)
    boxes = place(raw, width, height, say)
    objects = []
    for thing, box in zip(raw.things, boxes, strict=True):
        noun, attributes = (thing.name, thing.attributes) if thing.attributes is not None else read_phrase(thing.name)
        noun = " ".join(noun.split()).lower()
        if box is None or not noun:
            say(f"dropped {thing.name[:60]!r}, which had {'no noun' if box else 'an empty box'}")
            continue
        objects.append(PlannedObject(noun=noun, attributes=clean_attributes(attributes), box=box))
    if not raw.things:
        say("the reply plans no objects")
    if raw.things and not objects:
        raise unusable(f"no box is inside the {width}x{height} canvas", text)
    return LayoutPlan(reasoning=raw.reasoning, objects=objects, background=raw.background, negative=list(raw.negative))


def raw_layout(text: str, remark: Remark) -> RawLayout:
    """The first complete layout of a reply, whatever dialect it is in.

    Raises:
        ModelError: If there is none.
    """
    body = body_of(text)
    keys = (*OBJECT_KEYS, *BACKGROUND_KEYS)
    found = find_answer(body, keys, is_bare_layout)
    if found is not None and isinstance(found.value, dict):
        return layout_of_fields(found.value, text, remark)
    fields = {label.field for label in labels_in(body)}
    if found is None and is_regional(body):
        things = tuple(RawThing(check_name(words, text), None, box) for words, box in read_regions(body))
        return RawLayout(things, "", (), "")
    if "background" in fields or "negative" in fields:
        return _of_text(body, text, remark)
    if found is None:
        # Says why, where a list or an object begins and breaks off.
        validated(LayoutPlan, None, text)
    assert found is not None
    check_words(found.value, text)
    remark("the reply says no background")
    return RawLayout(_things(found.value, text, remark), "", (), "")


def layout_of_fields(data: dict[str, Any], reply: str, remark: Remark) -> RawLayout:
    """A layout from the fields of an object, their names plain.

    Args:
        data: The fields.
        reply: The reply, for messages.
        remark: Told which fields were ignored.

    Raises:
        ModelError: If a field holds something else than it should, or boxes are in a field that is not known.
    """
    check_words(data, reply)
    found = object_fields(data, reply, remark)
    data, entries = found.data, found.entries
    used = {*found.used, *BACKGROUND_KEYS, *NEGATIVE_KEYS, *_UNSAID}
    more = [name for name in data if name not in used and data[name] not in (None, [], {}, "")]
    if more:
        remark(f"ignored the fields {listed(more)}")
    background = _text(data, BACKGROUND_KEYS)
    negative: Any = next((data[k] for k in NEGATIVE_KEYS if data.get(k) is not None), [])
    reasoning = data.get("reasoning")
    # The form is checked with the wire's own words; the boxes keep what is known of them.
    things = _things([] if entries is None else entries, reply, remark)
    plan = validated(
        LayoutPlan,
        {"reasoning": reasoning if isinstance(reasoning, str) else "", "objects": [], "background": background,
         "negative": noun_list(negative)},
        reply,
    )  # fmt: skip
    check_length("characters in the background", len(plan.background), MOST_TEXT_CHARS, reply)
    check_length("nouns to avoid", len(plan.negative), MOST_OBJECTS, reply)
    for noun in plan.negative:
        check_name(noun, reply)
    nouns = tuple(noun.strip().lower() for noun in plan.negative if noun.strip())
    words = negative if isinstance(negative, str) else ", ".join(nouns)
    return RawLayout(things, plan.background, nouns, words, plan.reasoning, canvas=found.canvas)


def place(raw: RawLayout, width: int, height: int, remark: Remark) -> list[WireBox | None]:
    """The boxes of a layout in pixels of a canvas, None for those of which nothing is left."""
    if not raw.lmd:
        return mend_boxes([thing.box for thing in raw.things], width, height, remark, raw.canvas)
    placed = lmd_boxes(raw, remark)
    across, down = width / LMD_CANVAS_PX, height / LMD_CANVAS_PX
    scaled: list[RawBox] = []
    for box in placed.xywh:
        x, y, w, h = box or (0.0, 0.0, 0.0, 0.0)
        scaled.append(RawBox((x * across, y * down, w * across, h * down), "xywh"))
    return [inside(box.numbers, width, height, remark) for box in scaled]


def lmd_boxes(raw: RawLayout, remark: Remark) -> LmdBoxes:
    """The boxes of a layout of LMD in pixels of its canvas, filtered by its rules."""
    return place_lmd_boxes([(thing.name, thing.box) for thing in raw.things], remark, raw.canvas)


def is_bare_layout(value: Any) -> bool:
    """Whether a list may stand for a whole layout."""
    # One broken entry makes no other list the answer: the check names it.
    return is_named_boxes(value) or (
        isinstance(value, list)
        and all(isinstance(entry, list | dict) for entry in value)
        and any(map(looks_like_object, value))
    )


def _of_text(body: str, reply: str, remark: Remark) -> RawLayout:
    answer = read_text_answer(body, is_bare_layout)
    if answer.background is None:
        remark("the reply says no background")
    entries = answer.entries or []
    check_words(entries, reply)
    things = _things(entries, reply, remark)
    return RawLayout(
        things,
        answer.background or "",
        tuple(nouns_of(answer.negative)),
        answer.negative,
        # Pairs of a name and a box are LMD's, and so are their pixels; entries with named fields are ours.
        lmd=is_named_boxes(entries),
    )


def _things(entries: Any, reply: str, remark: Remark) -> tuple[RawThing, ...]:
    """Entries as objects with boxes; the wire's own words say what is wrong with one."""
    if not isinstance(entries, list):
        validated(LayoutPlan, {"reasoning": "", "objects": entries, "background": "", "negative": []}, reply)
    check_length("objects", len(entries), MOST_OBJECTS, reply)
    plain = [plain_entry(entry, remark) for entry in entries]
    wire = [_wire_entry(entry, remark) for entry in plain]
    checked = validated(LayoutPlan, {"reasoning": "", "objects": wire, "background": "", "negative": []}, reply).objects
    things = []
    for entry, planned in zip(plain, checked, strict=True):
        check_name(planned.noun, reply)
        check_attributes(planned.attributes, reply)
        box = entry["box"] if isinstance(entry["box"], RawBox) else RawBox(_numbers(planned.box))
        if not all(abs(v) < FARTHEST for v in box.numbers):
            raise unusable(f"the box of {planned.noun[:60]!r} holds a number beyond all bounds", reply)
        whole = "noun" not in entry and not planned.attributes
        things.append(RawThing(planned.noun.replace("’", "'"), None if whole else tuple(planned.attributes), box))
    return tuple(things)


def _wire_entry(entry: Any, remark: Remark) -> Any:
    if not isinstance(entry, dict):
        return entry
    name = next((entry[key] for key in ("noun", "name", "phrase") if key in entry), None)
    if "phrase" in entry and "noun" in entry:
        remark("ignored the phrases of objects, which have nouns")
    attributes = attribute_list(entry.get("attributes"))
    if attributes and "noun" not in entry and isinstance(name, str):
        said, more = read_phrase(name)
        name, attributes = said, [*more, *attributes]
    wire = {"noun": name, "attributes": attributes}
    if "box" in entry:
        box = entry["box"]
        wire["box"] = (
            dict(zip(("x", "y", "width", "height"), box.numbers, strict=True)) if isinstance(box, RawBox) else box
        )
    return {key: value for key, value in wire.items() if value is not None}


def _numbers(box: WireBox) -> tuple[float, float, float, float]:
    return (box.x, box.y, box.width, box.height)


def _text(data: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((data[key] for key in keys if data.get(key) is not None), "")
