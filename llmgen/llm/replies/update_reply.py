"""Replies to the spot-differences and edit calls: what to do with what was found, in JSON or in SLD's text."""

from collections.abc import Sequence
from typing import Any, Final

from llmgen.artifacts import Detection
from llmgen.errors import ModelError
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.replies.bounds import FARTHEST, MOST_OBJECTS, Remark, check_length, check_words, once, unusable
from llmgen.llm.replies.checks import clean_attributes, validated
from llmgen.llm.replies.extract import body_of, find_answer
from llmgen.llm.replies.layout_reply import is_bare_layout
from llmgen.llm.replies.mentions import named_alike, resolve_mentions
from llmgen.llm.replies.raw_objects import (
    RawBox,
    attribute_list,
    check_attributes,
    check_name,
    entries_of,
    listed,
    plain_entry,
)
from llmgen.llm.replies.text_fields import labels_in
from llmgen.llm.replies.text_reply import NamedBox, updated_list
from llmgen.llm.replies.units import IN_UNITS, mend_boxes
from llmgen.llm.replies.wire import clean_noun, wire_box
from llmgen.llm.schemas import ChangedObject, LayoutUpdate, MovedObject, PlannedObject, WireBox

_SAME_PLACE: Final = 0.9
_ACTIONS: Final = ("keep", "delete", "move", "change", "add")
_LIST_KEYS: Final = ("updated_objects", "updated_layout", "objects")


def read_update_reply(
    text: str, detections: Sequence[Detection], *, width: int, height: int, remark: Remark | None = None
) -> LayoutUpdate:
    """Read the answer to the spot-differences call.

    Args:
        text: JSON, or SLD's text with boxes in units of the picture.
        detections: What was found, boxes in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        remark: Told what was mended, cut or ignored, a line each; the log by default.

    Returns:
        An answer in which every known id is named once: those that were not mentioned are kept, and of several mentions the strongest
        counts (delete, then change, then move, then keep).

    Raises:
        ModelError: If nothing usable is in it; the message says what is wrong, fit to be sent back.
    """
    say = once(remark)
    body = body_of(text)
    marked = any(label.field == "updated" for label in labels_in(body))
    found = find_answer(body, (*_ACTIONS, *_LIST_KEYS), lambda value: False)
    if found is not None and isinstance(found.value, dict):
        check_words(found.value, text)
        if not any(action in found.value for action in _ACTIONS):
            key = next(key for key in _LIST_KEYS if key in found.value)
            return _compared(entries_of(found.value[key]), detections, width, height, text, say)
        return _of_fields(found.value, detections, width, height, text, say)
    suggested = updated_list(body, is_bare_layout)
    if suggested is None:
        if marked:
            raise unusable("there is no list of updated objects", text)
        return validated(LayoutUpdate, None, text)
    check_words(suggested, text)
    return _compared(suggested, detections, width, height, text, say)


def compare_layouts(
    suggested: Sequence[NamedBox],
    detections: Sequence[Detection],
    *,
    width: int,
    height: int,
    remark: Remark | None = None,
) -> LayoutUpdate:
    """SLD's name-and-place comparison of a suggested layout with the detections, with its slips mended.

    A name in both is kept or moved. A new name in the place of a detection of the same head noun is an attribute change, or nothing when
    only the number differs; a number that nobody has means the object of that name that is left. The rest is added and deleted.

    Args:
        suggested: Names such as "green car #1" with `x, y, w, h` in units of the picture.
        detections: What was found, boxes in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        remark: Told which numbers were mended.

    Raises:
        ModelError: If a box has not four numbers.
    """
    boxes: list[tuple[str, WireBox | None]] = []
    for name, box in suggested:
        if len(box) != 4:
            raise ModelError(f"unusable reply: the box of {name[:60]!r} has {len(box)} numbers instead of four")
        _check_numbers(name, box)
        x, y, w, h = box
        boxes.append((name, WireBox(x=x * width, y=y * height, width=w * width, height=h * height)))
    return _compare(boxes, detections, once(remark))


def _compared(
    entries: Any, detections: Sequence[Detection], width: int, height: int, text: str, remark: Remark
) -> LayoutUpdate:
    """The update that a suggested list means, all ids named once and all boxes in the picture."""
    if not isinstance(entries, list):
        raise unusable("there is no list of updated objects", text)
    check_length("objects", len(entries), MOST_OBJECTS, text)
    names, raw = [], []
    for entry in entries:
        plain = plain_entry(entry, remark)
        # Where an entry has an id besides its noun, the id is the name.
        said = [plain.get(key) for key in ("id", "name", "noun", "phrase")] if isinstance(plain, dict) else []
        name = next((one for one in said if isinstance(one, str)), None)
        if name is None or not check_name(name, text).strip():
            raise unusable("an updated object has no name", text)
        box = plain.get("box")
        if not isinstance(box, RawBox):
            given = len(box) if isinstance(box, list) else 0
            raise unusable(f"the box of {name[:60]!r} has {given} numbers instead of four", text)
        _check_numbers(name, box.numbers)
        names.append(name)
        raw.append(box)
    # Units of the picture are what SLD asks for.
    boxes = mend_boxes(raw, width, height, lambda line: None if line == IN_UNITS else remark(line))
    update = _compare(list(zip(names, boxes, strict=True)), detections, remark)
    return _every_id_once(update, [d.id for d in detections], text, remark)


def _check_numbers(name: str, box: Sequence[float]) -> None:
    if not all(abs(v) < FARTHEST for v in box):
        raise ModelError(f"unusable reply: the box of {name[:60]!r} holds a number beyond all bounds")


def _compare(
    suggested: Sequence[tuple[str, WireBox | None]], detections: Sequence[Detection], remark: Remark
) -> LayoutUpdate:
    boxes: dict[str, WireBox | None] = {}
    for name, box in suggested:
        boxes.setdefault(name if name not in boxes else f"{name}'", box)
    left = {d.id: d for d in detections}
    keep: list[str] = []
    move: list[MovedObject] = []
    change: list[ChangedObject] = []
    add: list[PlannedObject] = []

    def settle(name: str, known: str) -> None:
        seen, wished = left.pop(known), boxes.pop(name)
        if wished is None:
            remark(f"kept {known!r} where it is: its suggested box is empty or outside")
            keep.append(known)
        elif _overlap(wire_box(seen.box_xyxy), wished) > _SAME_PLACE:
            keep.append(known)
        else:
            move.append(MovedObject(id=known, box=wished))

    for name in [name for name in boxes if name in left]:
        settle(name, name)
    for name in list(boxes):
        wished = boxes[name]
        noun, attributes = read_phrase(_bare(name))
        here = _in_place(noun, wished, left.values())
        if here is None:
            continue
        del left[here.id], boxes[name]
        if set(attributes) <= set(here.attributes):
            keep.append(here.id)
        else:
            change.append(ChangedObject(id=here.id, attributes=list(attributes)))
    for name, known in _renumbered(boxes, left).items():
        remark(f"took {name[:60]!r} for {known!r}, the one of that name that is left")
        settle(name, known)
    for name, wished in boxes.items():
        if wished is None:
            remark(f"dropped {name[:60]!r}, which had an empty box")
            continue
        noun, attributes = read_phrase(_bare(name))
        add.append(PlannedObject(noun=noun, attributes=list(attributes), box=wished))
    return LayoutUpdate(reasoning="", keep=keep, delete=list(left), move=move, change=change, add=add)


def _renumbered(boxes: dict[str, WireBox | None], left: dict[str, Detection]) -> dict[str, str]:
    """Suggested names whose number nobody has, and the objects they mean; of several of one name, the nearest."""
    meant = resolve_mentions(boxes, list(left))
    taken = set(meant.values())
    for name, wished in boxes.items():
        alike = [d for d in left.values() if d.id not in taken and named_alike(name, d.id)]
        if name in meant or wished is None or not alike:
            continue
        nearest = min(alike, key=lambda d: _distance(wire_box(d.box_xyxy), wished))
        meant[name] = nearest.id
        taken.add(nearest.id)
    return meant


def _in_place(noun: str, wished: WireBox | None, left: Any) -> Detection | None:
    if wished is None:
        return None
    alike = (d for d in left if clean_noun(d.noun) == clean_noun(noun))
    return next((d for d in alike if _overlap(wire_box(d.box_xyxy), wished) > _SAME_PLACE), None)


def _bare(name: str) -> str:
    return name.partition(" #")[0].strip("' ")


def _of_fields(
    data: dict[str, Any], detections: Sequence[Detection], width: int, height: int, text: str, remark: Remark
) -> LayoutUpdate:
    more = [name for name in data if name not in ("reasoning", *_ACTIONS)]
    if more:
        remark(f"ignored the fields {listed(more)}")
    reasoning = data.get("reasoning")
    wire: dict[str, Any] = {"reasoning": reasoning if isinstance(reasoning, str) else ""}
    for action in _ACTIONS:
        value = data.get(action)
        value = [] if value is None else entries_of(value) if action in ("move", "add") else value
        if isinstance(value, list):
            check_length("objects", len(value), MOST_OBJECTS, text)
            value = [_wire_entry(action, one, remark) for one in value if one is not None]
        wire[action] = value
    placed = [one for action in ("move", "add") if isinstance(wire[action], list) for one in wire[action]]
    for action in ("move", "add"):
        if isinstance(wire[action], list):
            wire[action] = [_unboxed(one) for one in wire[action]]
    update = validated(LayoutUpdate, wire, text)
    raw = [_raw_box(one["box"]) for one in placed]
    for one in raw:
        _check_numbers("an object", one.numbers)
    boxes = mend_boxes(raw, width, height, remark)
    moved, added = boxes[: len(update.move)], boxes[len(update.move) :]
    move = [m.model_copy(update={"box": box}) for m, box in zip(update.move, moved, strict=True) if box is not None]
    if len(move) < len(update.move):
        remark("ignored a move to an empty box")
    add = []
    for thing, box in zip(update.add, added, strict=True):
        check_attributes(thing.attributes, text)
        noun = " ".join(check_name(thing.noun, text).split()).lower()
        if box is None or not noun:
            remark(f"dropped {thing.noun[:60]!r}, which had {'no noun' if box else 'an empty box'}")
            continue
        add.append(PlannedObject(noun=noun, attributes=clean_attributes(thing.attributes), box=box))
    update = update.model_copy(update={"move": move, "add": add})
    return _every_id_once(update, [d.id for d in detections], text, remark)


def _wire_entry(action: str, entry: Any, remark: Remark) -> Any:
    if action in ("keep", "delete"):
        if isinstance(entry, dict):
            entry = next((entry[key] for key in ("id", "name", "noun", "object", "target") if key in entry), entry)
        return str(entry) if type(entry) is int else entry
    plain = plain_entry(entry, remark)
    if not isinstance(plain, dict):
        return plain
    if action == "add":
        return {
            "noun": next((plain[k] for k in ("noun", "name", "phrase") if k in plain), ""),
            "attributes": attribute_list(plain.get("attributes")),
            **({"box": plain["box"]} if "box" in plain else {}),
        }
    name = next((plain[key] for key in ("id", "name", "noun") if plain.get(key) is not None), None)
    named = {} if name is None else {"id": str(name) if type(name) is int else name}
    if action == "change":
        return {**named, "attributes": attribute_list(plain.get("attributes"))}
    return {**named, **({"box": plain["box"]} if "box" in plain else {})}


def _unboxed(entry: Any) -> Any:
    """An entry whose box is as the wire has it."""
    if isinstance(entry, dict) and isinstance(entry.get("box"), RawBox):
        return {**entry, "box": dict(zip(("x", "y", "width", "height"), entry["box"].numbers, strict=True))}
    return entry


def _raw_box(box: Any) -> RawBox:
    """A box that has passed the check of the wire format."""
    if isinstance(box, RawBox):
        return box
    checked = WireBox.model_validate(box)
    return RawBox((checked.x, checked.y, checked.width, checked.height))


def _every_id_once(update: LayoutUpdate, ids: Sequence[str], text: str, remark: Remark) -> LayoutUpdate:
    named = [*update.delete, *(c.id for c in update.change), *(m.id for m in update.move), *update.keep]
    meant = resolve_mentions(named, ids)
    free = dict.fromkeys(ids)

    def claim(name: str, what: str) -> str | None:
        known = meant.get(name)
        if known is None:
            remark(f"ignored {what} of {name[:60]!r}, which was not detected")
        elif known not in free:
            remark(f"ignored a second mention of {known!r} ({what})")
        else:
            del free[known]
            if known != name:
                remark(f"took {name[:60]!r} for {known!r} ({what})")
            return known
        return None

    delete = [known for name in update.delete if (known := claim(name, "delete"))]
    change = []
    for changed in update.change:
        check_attributes(changed.attributes, text)
        attributes = clean_attributes(changed.attributes)
        known = claim(changed.id, "change") if attributes else None
        if known:
            change.append(ChangedObject(id=known, attributes=attributes))
    move = [MovedObject(id=known, box=moved.box) for moved in update.move if (known := claim(moved.id, "move"))]
    changed_ids = {*delete, *(c.id for c in change), *(m.id for m in move)}
    return update.model_copy(
        update={"keep": [i for i in ids if i not in changed_ids], "delete": delete, "change": change, "move": move}
    )


def _overlap(a: WireBox, b: WireBox) -> float:
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (a.width * a.height + b.width * b.height - both)


def _distance(a: WireBox, b: WireBox) -> float:
    across = (a.x + a.width / 2) - (b.x + b.width / 2)
    down = (a.y + a.height / 2) - (b.y + b.height / 2)
    return across * across + down * down
