"""Reading replies: JSON first, however it is wrapped, then the text dialects of LMD and SLD."""

import json
import logging
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from llmgen.artifacts import Detection
from llmgen.errors import ModelError
from llmgen.llm.english.grammar import head_noun, read_phrase
from llmgen.llm.english.tokens import tokenize
from llmgen.llm.legacy import (
    LMD_CANVAS_PX,
    NamedBox,
    filter_boxes,
    parse_layout_reply,
    parse_spot_reply,
    parse_update_reply,
)
from llmgen.llm.repair import repair_layout, repair_parsed, repair_update
from llmgen.llm.replies import clean_noun, wire_box
from llmgen.llm.schemas import (
    ChangedObject,
    LayoutPlan,
    LayoutUpdate,
    MovedObject,
    ParsedInstance,
    ParsedObject,
    ParsedPrompt,
    PlannedObject,
    WireBox,
    WireModel,
)

logger = logging.getLogger(__name__)
Wire = TypeVar("Wire", bound=WireModel)

_SAME_PLACE = 0.9
_BEYOND = 1e9
_THINKING = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_THOUGHT = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_SCANS = 50
"""How often a reply is read through, at most, in search of an object that closes: time stays linear in its length."""
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_NO_NOUNS = frozenset({"", "none", "nothing", "n/a", "no", "null"})


def read_parse_reply(text: str) -> ParsedPrompt:
    """Read the answer to the parse call.

    Raises:
        ModelError: If nothing usable is in it; the message says what is wrong, fit to be sent back.
    """
    data = find_json(text, ("objects", "background"))
    if data is None and "Objects:" in text:
        parsed = _parsed_of_spot(text)
    else:
        parsed = validated(
            ParsedPrompt, _with_defaults(data, {"reasoning": "", "background": "", "negative": []}), text
        )
    mended, notes = repair_parsed(parsed)
    return noted(mended, notes)


def read_layout_reply(text: str, *, width: int, height: int) -> LayoutPlan:
    """Read the answer to the layout call.

    Args:
        text: JSON, or LMD's text with pixels of a 512 canvas.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.

    Raises:
        ModelError: If nothing usable is in it.
    """
    data = find_json(text, ("objects", "background"))
    if data is None and "Background prompt:" in text:
        plan = _plan_of_lmd(text, width, height)
    else:
        defaults = {"reasoning": "", "objects": [], "background": "", "negative": []}
        plan = validated(LayoutPlan, _with_defaults(data, defaults), text)
    mended, notes = repair_layout(plan, width, height)
    if plan.objects and not mended.objects:
        raise ModelError(f"unusable reply: no box is inside the {width}x{height} canvas: {shown(text)}")
    return noted(mended, notes)


def read_update_reply(text: str, detections: Sequence[Detection], *, width: int, height: int) -> LayoutUpdate:
    """Read the answer to the spot-differences call.

    Args:
        text: JSON, or SLD's text with boxes in units of the picture.
        detections: What was found, boxes in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Raises:
        ModelError: If nothing usable is in it.
    """
    data = find_json(text, ("keep", "delete", "move", "change", "add"))
    if data is None and "Updated Objects:" in text:
        update = compare_layouts(parse_update_reply(text), detections, width=width, height=height)
    else:
        defaults: dict[str, Any] = {"reasoning": "", "keep": [], "delete": [], "move": [], "change": [], "add": []}
        update = validated(LayoutUpdate, _with_defaults(data, defaults), text)
    mended, notes = repair_update(update, [d.id for d in detections], width, height)
    return noted(mended, notes)


def compare_layouts(
    suggested: Sequence[NamedBox], detections: Sequence[Detection], *, width: int, height: int
) -> LayoutUpdate:
    """SLD's name-and-place comparison of a suggested layout with the detections, with its slips mended.

    A name in both is kept or moved. A new name in the place of a detection of the same head noun is an attribute
    change, or nothing when only the number differs. The rest is added and deleted.

    Args:
        suggested: Names such as "green car #1" with `x, y, w, h` in units of the picture.
        detections: What was found, boxes in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Raises:
        ModelError: If a box has not four numbers.
    """
    boxes: dict[str, WireBox] = {}
    for name, box in suggested:
        if len(box) != 4:
            raise ModelError(f"unusable reply: the box of {name[:60]!r} has {len(box)} numbers instead of four")
        if not all(abs(v) < _BEYOND for v in box):
            raise ModelError(f"unusable reply: the box of {name[:60]!r} holds a number beyond all bounds")
        scaled = WireBox(x=box[0] * width, y=box[1] * height, width=box[2] * width, height=box[3] * height)
        boxes.setdefault(name if name not in boxes else f"{name}'", scaled)
    left = {d.id: d for d in detections}
    keep, move, change, add = [], [], [], []
    for name in [n for n in boxes if n in left]:
        seen, wished = left.pop(name), boxes.pop(name)
        if _overlap(wire_box(seen.box_xyxy), wished) > _SAME_PLACE:
            keep.append(name)
        else:
            move.append(MovedObject(id=name, box=wished))
    for name, new in boxes.items():
        phrase = name.partition(" #")[0].strip("' ")
        noun, attributes = read_phrase(phrase)
        here = [
            d
            for d in left.values()
            if _overlap(wire_box(d.box_xyxy), new) > _SAME_PLACE and clean_noun(d.noun) == clean_noun(noun)
        ]
        if not here:
            add.append(PlannedObject(noun=noun, attributes=list(attributes), box=new))
            continue
        del left[here[0].id]
        if set(attributes) <= set(here[0].attributes):
            keep.append(here[0].id)
        else:
            change.append(ChangedObject(id=here[0].id, attributes=list(attributes)))
    return LayoutUpdate(reasoning="", keep=keep, delete=list(left), move=move, change=change, add=add)


def find_json(text: str, keys: Sequence[str]) -> dict[str, Any] | None:
    """The JSON object of a reply: without thoughts and fences, the last one that has one of the keys.

    Args:
        text: A model's reply.
        keys: At least one of them must be a key of the object.

    Returns:
        The object, or None when there is none.
    """
    body = _without_thoughts(text)
    found: dict[str, Any] | None = None
    start, budget = body.find("{"), _SCANS * len(body)
    while start >= 0 and budget > 0:
        end = _closing(body, start)
        value = _load(body[start:end]) if end else None
        if isinstance(value, dict):
            found = value if any(key in value for key in keys) else found
        else:
            budget -= (end or len(body)) - start
            end = start + 1
        start = body.find("{", end)
    return found


def _without_thoughts(text: str) -> str:
    parts, rest = [], 0
    while (begin := _THINKING.search(text, rest)) and (end := _THOUGHT.search(text, begin.end())):
        parts.append(text[rest : begin.start()])
        rest = end.end()
    return " ".join((*parts, text[rest:]))


def _closing(text: str, start: int) -> int:
    depth, quoted, skip = 0, False, False
    for index in range(start, len(text)):
        mark = text[index]
        if skip:
            skip = False
        elif quoted:
            skip, quoted = mark == "\\", mark != '"'
        elif mark == '"':
            quoted = True
        elif mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0:
                return index + 1
    return 0


def _load(text: str) -> Any:
    for candidate in (text, _TRAILING_COMMA.sub(r"\1", text)):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def _with_defaults(data: dict[str, Any] | None, defaults: dict[str, Any]) -> dict[str, Any] | None:
    if data is None:
        return None
    known = {"objects", *defaults}
    full = {**defaults, **{key: value for key, value in data.items() if key in known}}
    if isinstance(full.get("negative"), str):
        full["negative"] = nouns_of(full["negative"])
    for key in ("objects", "move", "add"):
        if isinstance(full.get(key), list):
            full[key] = [_with_named_box(entry) for entry in full[key]]
    return full


def _with_named_box(entry: Any) -> Any:
    if isinstance(entry, dict) and isinstance(entry.get("box"), list) and len(entry["box"]) == 4:
        return {**entry, "box": dict(zip(("x", "y", "width", "height"), entry["box"], strict=True))}
    return entry


def validated(model: type[Wire], data: dict[str, Any] | None, text: str) -> Wire:
    """An answer of the wanted form.

    Args:
        model: The form.
        data: The JSON object found, if any.
        text: The reply, for the message.

    Raises:
        ModelError: If there is none, or it does not fit.
    """
    if data is None:
        raise ModelError(f"unusable reply: it holds no JSON object of the wanted form: {shown(text)}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the object"
        raise ModelError(f"unusable reply: {where}: {first['msg']}: {shown(text)}") from error


def _parsed_of_spot(text: str) -> ParsedPrompt:
    reply = parse_spot_reply(text)
    negative = nouns_of(reply.negative)
    objects = []
    for name, attributes in reply.objects:
        noun = clean_noun(name)
        wanted = [] if noun in negative else [ParsedInstance(attributes=_split(a)) for a in attributes]
        objects.append(ParsedObject(noun=noun, instances=wanted))
    return ParsedPrompt(reasoning="", objects=objects, background=reply.background, negative=negative)


def _plan_of_lmd(text: str, width: int, height: int) -> LayoutPlan:
    boxes, background, negative = parse_layout_reply(text)
    try:
        kept = filter_boxes(boxes or [])
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise ModelError(f"unusable reply: a box has not four numbers: {shown(text)}") from error
    sx, sy = width / LMD_CANVAS_PX, height / LMD_CANVAS_PX
    objects = []
    for name, (x, y, w, h) in kept:
        noun, attributes = read_phrase(name)
        box = WireBox(x=x * sx, y=y * sy, width=w * sx, height=h * sy)
        objects.append(PlannedObject(noun=noun, attributes=list(attributes), box=box))
    return LayoutPlan(reasoning="", objects=objects, background=background, negative=nouns_of(negative))


def nouns_of(text: str) -> list[str]:
    """The nouns of a negative prompt such as "cars, red birds and dogs", singular, each once; none for "None"."""
    parts = re.split(r",|;|\band\b|\bor\b", text.strip().rstrip("."))
    nouns = (head_noun(part) for part in parts if part.strip().lower() not in _NO_NOUNS and tokenize(part))
    return list(dict.fromkeys(nouns))


def _split(attribute: str | None) -> list[str]:
    if attribute is None or attribute.strip().lower() in _NO_NOUNS:
        return []
    return [part.strip() for part in re.split(r",|\band\b", attribute) if part.strip()]


def _overlap(a: WireBox, b: WireBox) -> float:
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (a.width * a.height + b.width * b.height - both)


def noted(mended: Wire, notes: Sequence[str]) -> Wire:
    """The answer, after what was mended in it is logged."""
    if notes:
        logger.info("mended a reply: %s", "; ".join(notes))
    return mended


def shown(text: str) -> str:
    """The beginning of a reply, for a message of one line."""
    return repr(" ".join(text.split())[:160])
