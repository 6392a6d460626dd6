"""Carry commands out on what was detected: from an instruction to typed edits. Deterministic in instruction and seed."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from llmgen.artifacts import Detection, EditPlan
from llmgen.errors import InputError
from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.commands import (
    Add,
    Change,
    Count,
    Duplicate,
    Instruction,
    Keep,
    Location,
    Move,
    Prefer,
    Remove,
    Replace,
    Resize,
    Shift,
    Swap,
)
from llmgen.llm.english.descriptions import Described
from llmgen.llm.english.selections import Selection
from llmgen.llm.english.words import with_article
from llmgen.llm.planning.board import LEAST_MOVE_PX, Board, Thing, plan_of_board
from llmgen.llm.planning.locating import anchors_of, at_spot, crowd, is_free, located, whole
from llmgen.llm.planning.picking import pick, place_of
from llmgen.llm.planning.placement import BoxXyxy, Canvas, Demand, center
from llmgen.llm.planning.sizes import wished_size
from llmgen.llm.replies.bounds import Remark, log_remark

STEP: Final = 0.2
"""How far "move it up" goes, in units of the picture's side."""
_OF_MATERIALS: Final = frozenset("wooden woolen woollen metallic earthen".split())
_SHADED: Final[dict[str, str]] = {"darker": "dark", "lighter": "light", "brighter": "bright", "paler": "pale"}
_EXCLUSIVE: Final[dict[str, frozenset[str]]] = {
    "size": frozenset("small little tiny large big huge giant".split()),
    "shape": frozenset("round circular square rectangular oval triangular heart-shaped star-shaped".split()),
    "pattern": frozenset("striped dotted polka-dotted checked checkered plaid spotted plain".split()),
    "mood": frozenset("happy sad angry smiling crying laughing frowning surprised scared calm".split()),
    "age": frozenset("old young new".split()),
    "height": frozenset("tall short high low".split()),
    "fill": frozenset("full empty".split()),
    "door": frozenset("open closed shut".split()),
    "dirt": frozenset("clean dirty muddy".split()),
}
"""Attributes of which a thing has one at a time."""


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
    for said in instruction.remarks:
        remark(said)
    board = Board(canvas, rng, [Thing(d.noun, d.attributes, d.box_xyxy, d) for d in detections], remark=remark)
    for command in instruction.commands:
        match command:
            case Remove(what):
                for thing in pick(board, what):
                    thing.gone = True
            case Change(what, attributes, detail, like):
                attributes = attributes if like is None else _colors_of(pick(board, like)[0])
                for thing in pick(board, what):
                    thing.attributes = changed_attributes(thing.attributes, attributes)
                    thing.detail = detail or thing.detail
            case Replace(what, by, colored):
                _replace(board, pick(board, what), by, colored=colored)
            case Swap():
                _swap(board, command)
            case Shift():
                for thing in pick(board, command.what):
                    thing.box = _shifted(board, thing, command)
            case Move(what, to, amount) if to.kind in ("together", "apart"):
                _gather(board, pick(board, what), -amount if to.kind == "together" else amount)
            case Move(what, to, amount):
                for thing in pick(board, what):
                    thing.box = _moved(board, thing, to, amount)
            case Resize(what):
                for thing in pick(board, what):
                    thing.box = _resized(board, thing, _factor(board, command, thing))
            case Add(new, to):
                _add(board, new, to)
            case Count(new, to):
                _count(board, new, to)
            case Duplicate(what, times, to):
                for thing in list(pick(board, what)):
                    _add(board, Described(thing.noun, thing.attributes, times, detail=thing.detail), to, like=thing)
            case Prefer(new):
                _prefer(board, new)
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
        colored = attribute.rpartition(" ")[2] in lex.COLORS or attribute in lex.SHADES
        if not colored and attribute in lex.MATERIALS | _OF_MATERIALS:
            return "material"
        named = next((name for name, group in _EXCLUSIVE.items() if attribute in group), attribute)
        return "color" if colored else named

    shaded = next((_SHADED[a] for a in new if a in _SHADED), "")
    if shaded and len(new) == 1:
        color = next((a.rpartition(" ")[2] for a in old if kind(a) == "color"), "")
        new = (f"{shaded} {color}".strip(),)  # "darker" is a darker shade of its colour
    taken = {kind(a) for a in new}
    # As people say it and as detectors were trained: "small red ball", "brown leather bag".
    order = {"size": 0, "material": 2}
    kept = [a for a in old if kind(a) not in taken]
    return tuple(dict.fromkeys(sorted((*kept, *new), key=lambda a: order.get(kind(a), 1))))


def _colors_of(model: Thing) -> tuple[str, ...]:
    colors = tuple(a for a in model.attributes if a in lex.COLORS or a in lex.SHADES)
    if not colors:
        raise InputError(f"the colour of {model.phrase!r} is not known; say which colour is meant")
    return colors


def _swap(board: Board, swap: Swap) -> None:
    first, second = swap.first, swap.second
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
    if swap.of == "color":
        colors = _colors_of(one), _colors_of(other)
        one.attributes, other.attributes = (
            changed_attributes(thing.attributes, new) for thing, new in ((one, colors[1]), (other, colors[0]))
        )
        return
    if swap.of == "size":
        factors = [_extent(a) / _extent(b) for a, b in ((other, one), (one, other))]
        for thing, factor in zip((one, other), factors, strict=True):
            thing.box = _resized(board, thing, factor)
        return
    places = center(one.box, 0), center(one.box, 1)
    one.box = at_spot(one.box, (center(other.box, 0), center(other.box, 1)), board.canvas)
    other.box = at_spot(other.box, places, board.canvas)


def _extent(thing: Thing, side: str = "both") -> float:
    """Its width or height, or the mean of both, by their product."""
    width, height = thing.box[2] - thing.box[0], thing.box[3] - thing.box[1]
    return {"width": width, "height": height}.get(side, (width * height) ** 0.5)


def _factor(board: Board, resize: Resize, thing: Thing) -> float:
    """By how much a thing grows; what is larger already than it is compared with grows as if nothing was."""
    if resize.than is None:
        return resize.factor
    others = [t for t in pick(board, resize.than) if t is not thing]
    if not others:
        raise InputError(f"nothing to compare {thing.phrase!r} with: {resize.than.phrase!r} is the same")
    ratio = resize.factor * _extent(others[0], resize.side) / _extent(thing, resize.side)
    if resize.factor == 1.0:
        return ratio
    return max(ratio, resize.factor) if resize.factor > 1 else min(ratio, resize.factor)


def _count(board: Board, what: Described, to: Location | None) -> None:
    there = pick(board, Selection(what.noun, what.attributes, every=True))
    short = what.count - len(there)
    if not short:
        raise InputError(f"nothing to do: there are {what.count} {what.noun!r} already")
    if short > 0:
        shared = tuple(a for a in there[0].attributes if all(a in t.attributes for t in there)) if there else ()
        attributes = tuple(dict.fromkeys((*what.attributes, *shared)))
        _add(board, replace(what, attributes=attributes, count=short), to)
        return
    if to is not None:
        raise InputError(f"there are {len(there)} {what.noun!r}; say which of them should go")
    for thing in there[what.count :]:
        thing.gone = True
    kept = ", ".join(repr(t.name) for t in there[: what.count])
    board.remark(f"which of {len(there)} {what.noun!r} should stay is not said; {kept} are kept")


def _prefer(board: Board, what: Described) -> None:
    there = [t for t in board.there() if t.noun == what.noun]
    if len(there) != 1 or not what.attributes:
        wanted = with_article(" ".join((*what.attributes, what.noun)))
        raise InputError(f"cannot tell what {wanted!r} should be instead of; say what is to be replaced, or add it")
    there[0].attributes = changed_attributes(there[0].attributes, what.attributes)
    there[0].detail = what.detail or there[0].detail


def _gather(board: Board, things: Sequence[Thing], amount: float) -> None:
    """Move several towards their common middle, or away from it, without one upon the other."""
    if len(things) < 2:
        raise InputError("what should be closer together or further apart must be several things")
    middle = [sum(center(t.box, axis) for t in things) / len(things) for axis in (0, 1)]
    for share in (0.4, 0.3, 0.2, 0.1):
        factor = 1 + share * amount
        spots = [[middle[k] + factor * (center(t.box, k) - middle[k]) for k in (0, 1)] for t in things]
        moved = [at_spot(t.box, (x, y), board.canvas) for t, (x, y) in zip(things, spots, strict=True)]
        others = [t for t in board.there() if not any(t is one for one in things)]
        boxes = [*others, *(Thing(t.noun, t.attributes, box) for t, box in zip(things, moved, strict=True))]
        if all(crowd(box, [b for b in boxes if b.box is not box]) < 0.1 for box in moved):
            break
    if all(
        max(abs(a - b) for a, b in zip(t.box, box, strict=True)) < LEAST_MOVE_PX
        for t, box in zip(things, moved, strict=True)
    ):
        raise InputError("they cannot be moved further that way")
    for thing, box in zip(things, moved, strict=True):
        thing.box = box


def _replace(board: Board, old: Sequence[Thing], by: Described, *, colored: bool = False) -> None:
    for thing in old:
        thing.gone = True
    if not old:
        return
    if by.count == 1 or len(old) >= by.count:
        new = [
            Thing(by.noun, (*_colors_of(t), *by.attributes) if colored else by.attributes, t.box, detail=by.detail)
            for t in old[: max(by.count, 1 if by.count > 1 else len(old))]
        ]
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
            new.append(Thing(by.noun, by.attributes, whole(box), detail=by.detail))
    board.things += new


def _shifted(board: Board, thing: Thing, shift: Shift) -> BoxXyxy:
    canvas, box = board.canvas, thing.box
    sides = (canvas.width, canvas.height)
    steps = (1.0, 0.85, 1.15, 0.7, 1.3)
    best: tuple[float, BoxXyxy] | None = None
    for share in (1.0,) if shift.pixels else steps:
        length = [shift.amount * share * (1.0 if shift.pixels else STEP * side) for side in sides]
        spot = (center(box, 0) + shift.direction[0] * length[0], center(box, 1) + shift.direction[1] * length[1])
        moved = at_spot(box, spot, canvas)
        covered = crowd(moved, board.others(thing))
        if best is None or covered < best[0] - 0.01:
            best = covered, moved
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
    allowed = crowd(thing.box, others) + 0.01

    def at(dx: float, dy: float) -> BoxXyxy:
        box = (-width / 2, -height / 2, width / 2, height / 2)
        return at_spot(box, (middle[0] + dx * width, middle[1] + dy * height), canvas)

    steps = [k / 10 for k in range(-5, 6)]
    asides = sorted(((dx, dy) for dx in steps for dy in steps), key=lambda step: step[0] ** 2 + step[1] ** 2)
    spots = [
        box
        for box in (at(*step) for step in asides)
        if all((center(box, k) - center(before, k)) * way[k] >= 0.6 * way[k] ** 2 for k in (0, 1))
    ] or [at(0, 0)]
    free = next((box for box in spots if crowd(box, others) <= allowed), None)
    return free or min(spots, key=lambda box: round(crowd(box, others), 2))


def _moved(board: Board, thing: Thing, to: Location, amount: float) -> BoxXyxy:
    if to.kind == "at":
        left = place_of(board, to.anchors[0])
        spot = center(left.place, 0), center(left.place, 1)
        if not is_free(left):
            board.remark(f"{left.name!r} is where {thing.name!r} should be; they change places")
            left.box = at_spot(left.box, (center(thing.box, 0), center(thing.box, 1)), board.canvas)
        return at_spot(thing.box, spot, board.canvas)
    canvas = board.canvas
    to, anchors = anchors_of(board, to, thing)
    width, height = thing.box[2] - thing.box[0], thing.box[3] - thing.box[1]
    if to.kind in ("towards", "away_from"):
        return _approached(board, thing, anchors[0], amount if to.kind == "towards" else -amount)
    others = board.others(thing)
    found = located(board, Demand(width, height, 0), to, anchors, others, (1.0,))
    alike = bool(anchors) and _extent(anchors[0]) < 1.5 * _extent(thing)
    if found is None and alike and to.kind in ("left_of", "right_of", "above", "below"):
        # At the border: what is in the way goes where this was.
        spots = [(center(t.box, 0), center(t.box, 1)) for t in (anchors[0], thing)]
        board.remark(f"there is no room beside {anchors[0].name!r}; it and {thing.name!r} change places")
        found, anchors[0].box = at_spot(thing.box, spots[0], canvas), at_spot(anchors[0].box, spots[1], canvas)
    found = found or located(board, Demand(width, height, 0), to, anchors, others, (0.9, 0.8))
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
    moved = at_spot(thing.box, spot, board.canvas)
    if max(abs(a - b) for a, b in zip(moved, thing.box, strict=True)) < LEAST_MOVE_PX:
        raise InputError(f"cannot move {thing.phrase!r} further that way")
    return moved


def _fitting_on(wish: Demand, anchor: Thing, *, worn: bool) -> Demand:
    """What lies on something is no larger than that; what is worn is half as large."""
    side = max(anchor.box[2] - anchor.box[0], anchor.box[3] - anchor.box[1]) * (0.5 if worn else 1.0)
    factor = min(1.0, side / max(wish.width, wish.height))
    return Demand(wish.width * factor, wish.height * factor, 0)


def _add(board: Board, what: Described, to: Location | None, like: Thing | None = None) -> None:
    if to is not None and to.kind == "at":
        left = place_of(board, to.anchors[0])
        if is_free(left):
            board.things.append(Thing(what.noun, what.attributes, left.place, detail=what.detail))
        else:
            _replace(board, [left], what)
        return
    to, anchors = anchors_of(board, to, None) if to is not None else (None, [])
    for _ in range(min(what.count, 20)):
        others = board.there()
        wish = wished_size(what.noun, what.attributes, len(others) + 1, board.canvas, board.rng)
        # As large as its fellows, if there are any.
        alike = [like] if like is not None else [t for t in others if t.noun == what.noun]
        if alike:
            box = alike[0].box
            wish = Demand(box[2] - box[0], box[3] - box[1])
        if to is not None and to.kind == "on" and anchors:
            wish = _fitting_on(wish, anchors[0], worn=what.noun.rpartition(" ")[2] in lex.CLOTHES)
        found = located(board, replace(wish, group=0), to, anchors, others, (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3))
        if found is None:
            raise InputError(
                f"cannot place {with_article(' '.join((*what.attributes, what.noun)))!r}: no room in "
                f"{board.canvas.width}x{board.canvas.height} pixels"
            )
        board.things.append(Thing(what.noun, what.attributes, found, detail=what.detail))
