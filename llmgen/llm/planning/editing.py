"""Carry commands out on what was detected: from an instruction to typed edits. Deterministic in instruction and seed."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from llmgen.artifacts import Detection, EditPlan
from llmgen.errors import InputError
from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.commands import (
    Add,
    Change,
    Instruction,
    Keep,
    Location,
    Move,
    Remove,
    Replace,
    Resize,
    Shift,
    Swap,
)
from llmgen.llm.english.meaning import Ordering, Relation, RelationKind
from llmgen.llm.english.selections import Described, Selection
from llmgen.llm.english.words import with_article
from llmgen.llm.planning.board import LEAST_MOVE_PX, Board, Thing, plan_of_board
from llmgen.llm.planning.picking import pick
from llmgen.llm.planning.placement import GAP, BoxXyxy, Canvas, Demand, Rules, center, place
from llmgen.llm.planning.sizes import wished_size
from llmgen.llm.replies.bounds import Remark, log_remark

STEP: Final = 0.2
"""How far "move it up" goes, in units of the picture's side."""
_SIZES: Final = frozenset("small little tiny large big huge giant".split())
_RELATIONS: Final[dict[str, tuple[int, bool]]] = {
    "left_of": (0, True), "right_of": (0, False), "above": (1, True), "on": (1, True), "below": (1, False),
}  # fmt: skip
_SIDES: Final[dict[str, RelationKind]] = {
    "left": "on_left", "right": "on_right", "top": "on_top", "bottom": "on_bottom",
}  # fmt: skip


def plan_edits(
    instruction: Instruction,
    detections: Sequence[Detection],
    canvas: Canvas,
    rng: random.Random,
    remark: Remark = log_remark,
) -> EditPlan:
    """Turn commands into edits.

    Args:
        instruction: What is to be done, in order; later commands see what earlier ones did.
        detections: What is in the picture, boxes in pixels.
        canvas: The picture.
        rng: Source of randomness for places that the instruction leaves open.
        remark: Told of what was chosen among several things that the instruction may mean.

    Returns:
        The edits and the objects as they should be. An object that both moves and changes is deleted and drawn anew.

    Raises:
        InputError: If an object that is spoken of was not found, or there is no place for one.
    """
    board = Board(canvas, rng, [Thing(d.noun, d.attributes, d.box_xyxy, d) for d in detections], remark=remark)
    for command in instruction.commands:
        match command:
            case Remove(what):
                for thing in pick(board, what):
                    thing.gone = True
            case Change(what, attributes):
                for thing in pick(board, what):
                    thing.attributes = changed_attributes(thing.attributes, attributes)
            case Replace(what, by):
                _replace(board, pick(board, what), by)
            case Swap(first, second):
                _swap(board, first, second)
            case Shift():
                for thing in pick(board, command.what):
                    thing.box = _shifted(board, thing, command)
            case Move(what, to, amount):
                for thing in pick(board, what):
                    thing.box = _moved(board, thing, to, amount)
            case Resize(what, factor):
                for thing in pick(board, what):
                    thing.box = _resized(board, thing, factor)
            case Add(what, to):
                _add(board, what, to)
            case Keep():
                pass
    count = len(instruction.commands)
    return plan_of_board(
        board, "One command, carried out." if count == 1 else f"{count} commands, carried out in their order."
    )


def changed_attributes(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Attributes after a change: a new colour takes the place of the old one, a new size that of the old size.

    Args:
        old: What it has.
        new: What it should have.
    """

    def kind(attribute: str) -> str:
        return "color" if attribute in lex.COLORS else "size" if attribute in _SIZES else attribute

    taken = {kind(a) for a in new}
    kept = [a for a in old if kind(a) not in taken]
    sizes = [a for a in new if kind(a) == "size"]
    # "small red ball": sizes stand before colours, as people say it and as detectors were trained.
    return tuple(dict.fromkeys((*sizes, *kept, *(a for a in new if a not in sizes))))


def _swap(board: Board, first: Selection, second: Selection) -> None:
    a, b = pick(board, first), pick(board, second)
    if first is second:
        if len(a) != 2:
            raise InputError(f"nothing to swap: {first.phrase!r} matches {len(a)} objects, not two")
        one, other = a
    else:
        one = a[0] if a else None  # type: ignore[assignment]
        other = next((t for t in b if t is not one), None)  # type: ignore[assignment]
        if one is None or other is None:
            raise InputError(f"nothing to swap {first.phrase!r} with: {second.phrase!r} is the same or not there")
    places = center(one.box, 0), center(one.box, 1)
    one.box = _at(one.box, (center(other.box, 0), center(other.box, 1)), board.canvas)
    other.box = _at(other.box, places, board.canvas)


def _replace(board: Board, old: Sequence[Thing], by: Described) -> None:
    for thing in old:
        thing.gone = True
    if not old:
        return
    if by.count == 1 or len(old) >= by.count:
        new = [Thing(by.noun, by.attributes, t.box) for t in old[: max(by.count, 1 if by.count > 1 else len(old))]]
    else:
        # Several in the place of one: side by side in its box, along its longer side.
        x0, y0, x1, y1 = old[0].box
        wide, n = x1 - x0 >= y1 - y0, by.count
        new = []
        for k in range(n):
            a, b = k / n, (k + 1) / n
            box = (
                (x0 + a * (x1 - x0), y0, x0 + b * (x1 - x0), y1)
                if wide
                else (x0, y0 + a * (y1 - y0), x1, y0 + b * (y1 - y0))
            )
            new.append(Thing(by.noun, by.attributes, _whole(box)))
    board.things += new


def _shifted(board: Board, thing: Thing, shift: Shift) -> BoxXyxy:
    canvas, box = board.canvas, thing.box
    sides = (canvas.width, canvas.height)
    steps = (1.0, 0.85, 1.15, 0.7, 1.3)
    best: tuple[float, BoxXyxy] | None = None
    for share in (1.0,) if shift.pixels else steps:
        length = [shift.amount * share * (1.0 if shift.pixels else STEP * side) for side in sides]
        spot = (center(box, 0) + shift.direction[0] * length[0], center(box, 1) + shift.direction[1] * length[1])
        moved = _at(box, spot, canvas)
        crowd = _crowd(moved, board.others(thing))
        if best is None or crowd < best[0] - 0.01:
            best = crowd, moved
    assert best is not None
    if max(abs(a - b) for a, b in zip(best[1], box, strict=True)) < LEAST_MOVE_PX:
        raise InputError(f"cannot move {thing.phrase!r} further: it is at the border of the picture")
    return best[1]


def _resized(board: Board, thing: Thing, factor: float) -> BoxXyxy:
    canvas, (x0, y0, x1, y1) = board.canvas, thing.box
    factor = min(factor, canvas.width / (x1 - x0), canvas.height / (y1 - y0))
    width, height = max((x1 - x0) * factor, 4.0), max((y1 - y0) * factor, 4.0)
    middle = (center(thing.box, 0), center(thing.box, 1))
    # What has no free room where it is may go a little aside, but not back where it was just moved from.
    before = thing.seen.box_xyxy if thing.seen is not None else thing.box
    way = [middle[axis] - center(before, axis) for axis in (0, 1)]
    others = board.others(thing)
    allowed = _crowd(thing.box, others) + 0.01

    def at(dx: float, dy: float) -> BoxXyxy:
        box = (-width / 2, -height / 2, width / 2, height / 2)
        return _at(box, (middle[0] + dx * width, middle[1] + dy * height), canvas)

    steps = [k / 10 for k in range(-5, 6)]
    asides = sorted(((dx, dy) for dx in steps for dy in steps), key=lambda step: step[0] ** 2 + step[1] ** 2)
    spots = [
        box
        for box in (at(*step) for step in asides)
        if all((center(box, k) - center(before, k)) * way[k] >= 0.6 * way[k] ** 2 for k in (0, 1))
    ] or [at(0, 0)]
    free = next((box for box in spots if _crowd(box, others) <= allowed), None)
    return free or min(spots, key=lambda box: round(_crowd(box, others), 2))


def _moved(board: Board, thing: Thing, to: Location, amount: float) -> BoxXyxy:
    anchors = _anchors(board, to, thing)
    width, height = thing.box[2] - thing.box[0], thing.box[3] - thing.box[1]
    if to.kind in ("towards", "away_from"):
        return _approached(board, thing, anchors[0], amount if to.kind == "towards" else -amount)
    found = _located(board, Demand(width, height, 0), to, anchors, board.others(thing), (1.0, 0.9, 0.8))
    if found is None:
        raise InputError(
            f"cannot move {thing.phrase!r} there: no room in {board.canvas.width}x{board.canvas.height} pixels"
        )
    return found


def _approached(board: Board, thing: Thing, anchor: Thing, amount: float) -> BoxXyxy:
    way = [center(anchor.box, axis) - center(thing.box, axis) for axis in (0, 1)]
    reach = [
        ((anchor.box[axis + 2] - anchor.box[axis]) + (thing.box[axis + 2] - thing.box[axis])) / 2 for axis in (0, 1)
    ]
    # The boxes touch at this share of the way.
    touch = max((1 - r / abs(w) for r, w in zip(reach, way, strict=True) if abs(w) > r), default=0.0)
    share = min(0.5 * amount * max(touch, 0.2), touch + 0.05) if amount > 0 else 0.4 * amount
    spot = (center(thing.box, 0) + share * way[0], center(thing.box, 1) + share * way[1])
    moved = _at(thing.box, spot, board.canvas)
    if max(abs(a - b) for a, b in zip(moved, thing.box, strict=True)) < LEAST_MOVE_PX:
        raise InputError(f"cannot move {thing.phrase!r} further that way")
    return moved


def _add(board: Board, what: Described, to: Location | None) -> None:
    for _ in range(min(what.count, 20)):
        others = board.there()
        wish = wished_size(what.noun, what.attributes, len(others) + 1, board.canvas, board.rng)
        # As large as its fellows, if there are any.
        alike = [t for t in others if t.noun == what.noun]
        if alike:
            box = alike[0].box
            wish = Demand(box[2] - box[0], box[3] - box[1])
        anchors = _anchors(board, to, None) if to is not None else []
        found = _located(board, replace(wish, group=0), to, anchors, others, (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3))
        if found is None:
            raise InputError(
                f"cannot place {with_article(' '.join((*what.attributes, what.noun)))!r}: no room in "
                f"{board.canvas.width}x{board.canvas.height} pixels"
            )
        board.things.append(Thing(what.noun, what.attributes, found))


def _anchors(board: Board, to: Location, thing: Thing | None) -> list[Thing]:
    found: list[Thing] = []
    for selection in to.anchors:
        picked = [t for t in pick(board, selection) if t is not thing]
        if not picked:
            raise InputError(f"nothing in the picture matches {selection.phrase!r} to go by")
        found += picked[: 2 if selection.every else 1]
    return found


def _located(
    board: Board,
    demand: Demand,
    to: Location | None,
    anchors: Sequence[Thing],
    others: Sequence[Thing],
    scales: Sequence[float],
) -> BoxXyxy | None:
    """A free place for a demand of group 0 that is true to a location."""
    canvas = board.canvas
    fixed = [(1 if any(t is a for a in anchors) else None, t.box) for t in others]
    rules, wish = Rules(), None
    if to is not None and to.kind in _RELATIONS:
        axis, first = _RELATIONS[to.kind]
        rules = Rules(orderings=(Ordering(axis, 0, 1) if first else Ordering(axis, 1, 0),))
    elif to is not None and to.kind == "side":
        sides = tuple(Relation(_SIDES[side], 0) for side in to.sides if side in _SIDES)
        rules = Rules(sides=sides)
    if to is not None:
        wish = _wish(demand, to, [a.box for a in anchors], canvas)
    if to is not None and to.kind == "between" and len(anchors) > 1:
        # As large as fits there: a larger one would be put elsewhere.
        ends = [a.box for a in anchors[:2]]
        for scale in (*scales, 0.25, 0.2):
            assert wish is not None
            middle = _at(
                (0, 0, demand.width * scale, demand.height * scale), (center(wish, 0), center(wish, 1)), canvas
            )
            if not _crowd(middle, others):
                return middle
            found = place(fixed, [replace(demand, prefer_xyxy=wish)], rules, canvas, board.rng, scales=(scale,))
            if found and _lies_between(found[0], ends):
                return found[0]
        return None
    found = place(fixed, [replace(demand, prefer_xyxy=wish)], rules, canvas, board.rng, scales=scales)
    if found is None and to is not None and to.kind == "on":
        return _perched(demand, anchors[0], others, canvas)
    return found[0] if found else None


def _lies_between(box: BoxXyxy, ends: Sequence[BoxXyxy]) -> bool:
    """Whether a box lies between two others: along the axis that parts them, and not aside of both."""
    axis = max((0, 1), key=lambda k: abs(center(ends[0], k) - center(ends[1], k)))
    across = 1 - axis
    low, high = sorted(center(end, axis) for end in ends)
    reaches = box[across] < max(e[across + 2] for e in ends) and box[across + 2] > min(e[across] for e in ends)
    return low < center(box, axis) < high and reaches


def _perched(demand: Demand, anchor: Thing, others: Sequence[Thing], canvas: Canvas) -> BoxXyxy | None:
    """A place on a thing that overlaps it, where there is no room above: a hat on a head."""
    width, height = min(demand.width, canvas.width), min(demand.height, canvas.height)
    x, top = center(anchor.box, 0), anchor.box[1]
    box = _at((0, 0, width, height), (x, top + 0.25 * min(height, anchor.box[3] - top) - height / 2), canvas)
    return box if _crowd(box, [t for t in others if t is not anchor]) < 0.2 else None


def _wish(demand: Demand, to: Location, anchors: Sequence[BoxXyxy], canvas: Canvas) -> BoxXyxy:
    w, h, gap = demand.width, demand.height, GAP * canvas.unit
    if to.kind == "side":
        x = {"left": 0.2, "right": 0.8}.get(
            next((s for s in to.sides if s in ("left", "right")), ""), 0.5
        ) * canvas.width
        y = {"top": 0.2, "bottom": 0.8}.get(
            next((s for s in to.sides if s in ("top", "bottom")), ""), 0.5
        ) * canvas.height
    elif to.kind == "between" and len(anchors) > 1:
        x, y = (_middle_of_gap(anchors[0], anchors[1], axis) for axis in (0, 1))
    else:
        box = anchors[0]
        x, y = center(box, 0), center(box, 1)
        beside = to.kind in ("near", "towards", "away_from", "between")
        if to.kind == "left_of" or (beside and box[0] > canvas.width - box[2]):
            x = box[0] - gap - w / 2
        elif to.kind == "right_of" or beside:
            x = box[2] + gap + w / 2
        elif to.kind in ("above", "on"):
            y = box[1] - gap - h / 2
        else:
            y = box[3] + gap + h / 2
    return (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def _middle_of_gap(one: BoxXyxy, other: BoxXyxy, axis: int) -> float:
    """The middle of what lies free between two boxes along an axis; that of their centres where nothing does."""
    if one[axis] > other[axis]:
        one, other = other, one
    free = one[axis + 2] < other[axis]
    return (one[axis + 2] + other[axis]) / 2 if free else (center(one, axis) + center(other, axis)) / 2


def _at(box: BoxXyxy, spot: tuple[float, float], canvas: Canvas) -> BoxXyxy:
    """A box of the same size with its centre on a spot, or as near as the picture allows."""
    width, height = min(box[2] - box[0], canvas.width), min(box[3] - box[1], canvas.height)
    x0 = min(max(spot[0] - width / 2, 0.0), canvas.width - width)
    y0 = min(max(spot[1] - height / 2, 0.0), canvas.height - height)
    return (round(x0, 2), round(y0, 2), round(x0 + width, 2), round(y0 + height, 2))


def _whole(box: BoxXyxy) -> BoxXyxy:
    x0, y0, x1, y1 = (round(v, 2) for v in box)
    return (x0, y0, x1, y1)


def _crowd(box: BoxXyxy, others: Iterable[Thing]) -> float:
    """Largest share of the box that another object covers."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    covered = 0.0
    for thing in others:
        width = min(box[2], thing.box[2]) - max(box[0], thing.box[0])
        height = min(box[3], thing.box[3]) - max(box[1], thing.box[1])
        if width > 0 and height > 0:
            covered = max(covered, width * height / area)
    return covered
