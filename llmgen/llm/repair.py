"""Mending what language models get wrong although the format is right: units, corners, borders, ids.

Every function returns the mended answer and one line for each thing it changed.
"""

import math
from collections.abc import Sequence

from llmgen.llm.schemas import (
    ChangedObject,
    LayoutPlan,
    LayoutUpdate,
    MovedObject,
    ParsedPrompt,
    PlannedObject,
    WireBox,
)

_UNIT_MOST = 1.05
_THOUSAND = 1000.0
_LEAST_PX = 1.0
"""Boxes thinner than this after clamping are empty."""


def repair_parsed(parsed: ParsedPrompt) -> tuple[ParsedPrompt, list[str]]:
    """Drop nameless objects and empty attributes; trim words."""
    notes: list[str] = []
    objects = []
    for thing in parsed.objects:
        if not thing.noun.strip():
            notes.append("dropped an object without a noun")
            continue
        instances = [one.model_copy(update={"attributes": _attributes(one.attributes)}) for one in thing.instances]
        objects.append(thing.model_copy(update={"noun": thing.noun.strip().lower(), "instances": instances}))
    negative = [noun.strip().lower() for noun in parsed.negative if noun.strip()]
    return parsed.model_copy(update={"objects": objects, "negative": negative}), notes


def repair_layout(plan: LayoutPlan, width: int, height: int) -> tuple[LayoutPlan, list[str]]:
    """Bring all boxes into the canvas and drop empty ones.

    Args:
        plan: The answer.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
    """
    boxes, notes = mend_boxes([o.box for o in plan.objects], width, height)
    objects = _kept(plan.objects, boxes, notes)
    negative = [noun.strip().lower() for noun in plan.negative if noun.strip()]
    return plan.model_copy(update={"objects": objects, "negative": negative}), notes


def repair_update(update: LayoutUpdate, ids: Sequence[str], width: int, height: int) -> tuple[LayoutUpdate, list[str]]:
    """Make every known id appear once and every box lie in the picture.

    Args:
        update: The answer.
        ids: Ids of the detections.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        An answer in which ids that were not named are kept, unknown ones are gone, and of several mentions the
        strongest counts (delete, then change, then move, then keep).
    """
    boxes, notes = mend_boxes([m.box for m in update.move] + [a.box for a in update.add], width, height)
    free = dict.fromkeys(ids)

    def claim(name: str, what: str) -> str | None:
        known = _known_id(name, ids)
        if known is None:
            notes.append(f"ignored {what} of {name!r}, which was not detected")
        elif known not in free:
            notes.append(f"ignored a second mention of {known!r} ({what})")
        else:
            del free[known]
            return known
        return None

    delete = [known for name in update.delete if (known := claim(name, "delete"))]
    change = []
    for changed in update.change:
        attributes = _attributes(changed.attributes)
        known = claim(changed.id, "change") if attributes else None
        if known:
            change.append(ChangedObject(id=known, attributes=attributes))
    move = []
    for moved, box in zip(update.move, boxes[: len(update.move)], strict=True):
        known = claim(moved.id, "move") if box is not None else None
        if known and box is not None:
            move.append(MovedObject(id=known, box=box))
    for name in update.keep:
        claim(name, "keep")
    add = _kept(update.add, boxes[len(update.move) :], notes)
    mended = update.model_copy(
        update={
            "keep": [i for i in ids if i not in {*delete, *(c.id for c in change), *(m.id for m in move)}],
            "delete": delete,
            "change": change,
            "move": move,
            "add": add,
        }
    )
    # What was never named stays as it is; a mention under "keep" needs no note.
    return mended, [note for note in notes if "(keep)" not in note]


def mend_boxes(boxes: Sequence[WireBox], width: int, height: int) -> tuple[list[WireBox | None], list[str]]:
    """Find the unit the boxes are in, then swap inverted corners and clamp.

    Args:
        boxes: Boxes of one answer, `x, y, width, height`, said to be in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        Boxes in pixels inside the picture, None for those that are empty, and what was done.
    """
    notes: list[str] = []
    numbers = [[b.x, b.y, b.width, b.height] for b in boxes]
    if not numbers:
        return [], notes
    most = max(abs(v) for row in numbers for v in row)
    side = max(width, height)
    if most <= _UNIT_MOST and side > 2:
        notes.append("boxes were in units of the picture")
        numbers = [[x * width, y * height, w * width, h * height] for x, y, w, h in numbers]
    elif most > 1.3 * side and most <= _THOUSAND * 1.02 and side < _THOUSAND:
        notes.append("boxes were in thousandths of the picture")
        scale = (width / _THOUSAND, height / _THOUSAND)
        numbers = [[x * scale[0], y * scale[1], w * scale[0], h * scale[1]] for x, y, w, h in numbers]
    if _are_corners(numbers, width, height):
        notes.append("boxes were corners")
        numbers = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in numbers]
    mended: list[WireBox | None] = []
    for x, y, w, h in numbers:
        if w < 0 or h < 0:
            notes.append("a box had its corners swapped")
            x, y, w, h = min(x, x + w), min(y, y + h), abs(w), abs(h)
        x0, y0 = min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))
        x1, y1 = min(max(x + w, 0.0), float(width)), min(max(y + h, 0.0), float(height))
        if not all(map(math.isfinite, (x0, y0, x1, y1))) or x1 - x0 < _LEAST_PX or y1 - y0 < _LEAST_PX:
            mended.append(None)
            continue
        if max(abs(x0 - x), abs(y0 - y), abs(x1 - x - w), abs(y1 - y - h)) > 0.5:
            notes.append("a box left the picture and was cut")
        mended.append(WireBox(x=x0, y=y0, width=x1 - x0, height=y1 - y0))
    return mended, notes


def _are_corners(numbers: Sequence[Sequence[float]], width: int, height: int) -> bool:
    leaves = any(x + w > 1.02 * width or y + h > 1.02 * height for x, y, w, h in numbers)
    corners = all(
        a >= 0 and b >= 0 and c > a and d > b and c <= 1.02 * width and d <= 1.02 * height for a, b, c, d in numbers
    )
    return leaves and corners


def _kept(objects: Sequence[PlannedObject], boxes: Sequence[WireBox | None], notes: list[str]) -> list[PlannedObject]:
    found = []
    for thing, box in zip(objects, boxes, strict=True):
        noun = thing.noun.strip().lower()
        if box is None or not noun:
            notes.append(f"dropped {thing.noun!r}, which had {'no noun' if box else 'an empty box'}")
            continue
        found.append(PlannedObject(noun=noun, attributes=_attributes(thing.attributes), box=box))
    return found


def _attributes(given: Sequence[str]) -> list[str]:
    words = (a.strip().lower() for a in given)
    return list(dict.fromkeys(a for a in words if a and a not in ("none", "null")))


def _known_id(name: str, ids: Sequence[str]) -> str | None:
    if name in ids:
        return name
    wanted = " ".join(name.lower().split())
    near = [known for known in ids if known.lower() == wanted or known.lower().partition(" #")[0] == wanted]
    return near[0] if len(near) == 1 else None
