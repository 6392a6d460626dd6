"""Where what an instruction places or moves goes: beside, on or between what is there, on a side of the picture."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from llmgen.errors import InputError
from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.commands import Location
from llmgen.llm.english.meaning import Ordering, Relation, RelationKind
from llmgen.llm.planning.board import Board, Thing
from llmgen.llm.planning.picking import is_there, pick
from llmgen.llm.planning.placement import CLEAR, GAP, LEAST, BoxXyxy, Canvas, Demand, Rules, center, place, violations

_RELATIONS: Final[dict[str, tuple[int, bool]]] = {
    "left_of": (0, True), "right_of": (0, False), "above": (1, True), "on": (1, True), "below": (1, False),
}  # fmt: skip
_SIDES: Final[dict[str, RelationKind]] = {
    "left": "on_left", "right": "on_right", "top": "on_top", "bottom": "on_bottom",
}  # fmt: skip
_SIDES_OF_PLACES: Final[dict[str, str]] = {
    **dict.fromkeys("sky ceiling".split(), "top"),
    **dict.fromkeys("floor ground grass lawn road street pavement sidewalk sand".split(), "bottom"),
}
"""Where in the picture a place lies that no detector finds."""
FAR: Final = 0.3
"""What is farther from where it should be is not near it, in units of the picture's shorter side."""
_STEPS: Final = 48
"""Places to try along each side of the picture, where nothing fits otherwise."""


def anchors_of(board: Board, to: Location, thing: Thing | None) -> tuple[Location, list[Thing]]:
    """What a location goes by.

    Args:
        board: The objects.
        to: The location.
        thing: What moves, which goes not by itself.

    Returns:
        The location and the objects that it speaks of. That of a place that is in no list of objects ("on the floor", "in the
        garden") is a side of the picture, or anywhere in it.

    Raises:
        InputError: If one of them was not found.
    """
    found: list[Thing] = []
    for selection in to.anchors:
        place = selection.noun.rpartition(" ")[2]
        if to.kind in ("on", "near") and place in lex.PLACES and not is_there(board, selection):
            side = _SIDES_OF_PLACES.get(place)
            where = f"the {side}" if side else "anywhere in the picture"
            board.remark(f"nothing in the picture matches {selection.phrase!r}; {where} is taken")
            return Location("side", sides=(side,) if side else ()), []
        picked = [t for t in pick(board, selection) if t is not thing]
        if not picked:
            raise InputError(f"nothing in the picture matches {selection.phrase!r} to go by")
        found += picked[: 2 if selection.every else 1]
    return to, found


def located(
    board: Board,
    demand: Demand,
    to: Location | None,
    anchors: Sequence[Thing],
    others: Sequence[Thing],
    scales: Sequence[float],
) -> BoxXyxy | None:
    """A free place that is true to a location.

    Args:
        board: The objects.
        demand: What needs it, of group 0.
        to: Where it should be; None for anywhere.
        anchors: What the location goes by.
        others: What is in the way.
        scales: Sizes to try, largest first, in units of the wished size.

    Returns:
        A box in pixels, or None where no place is free.
    """
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
            middle = at_spot(
                (0, 0, demand.width * scale, demand.height * scale), (center(wish, 0), center(wish, 1)), canvas
            )
            if not crowd(middle, others):
                return middle
            found = place(fixed, [replace(demand, prefer_xyxy=wish)], rules, canvas, board.rng, scales=(scale,))
            if found and _lies_between(found[0], ends):
                return found[0]
        return None
    found = place(fixed, [replace(demand, prefer_xyxy=wish)], rules, canvas, board.rng, scales=scales)
    if to is not None and to.kind == "on" and not (found and _lies_on(found[0], anchors[0].box, canvas)):
        perched = _perched(demand, anchors[0], others, canvas)
        if perched is not None:
            return perched
    aside = (
        wish is not None
        and to is not None
        and to.kind == "near"
        and found
        and _apart(found[0], wish) > FAR * canvas.unit
    )
    if found and not aside:
        return found[0]
    squeezed = _squeezed(demand, rules, [a.box for a in anchors], others, canvas, scales, wish)
    return squeezed or (found[0] if found else None)


def _apart(box: BoxXyxy, other: BoxXyxy) -> float:
    return max(abs(center(box, axis) - center(other, axis)) for axis in (0, 1))


def _squeezed(
    demand: Demand, rules: Rules, anchors: Sequence[BoxXyxy], others: Sequence[Thing], canvas: Canvas,
    scales: Sequence[float], wish: BoxXyxy | None,
) -> BoxXyxy | None:  # fmt: skip
    """The free place nearest to where it should be, without the distances that one would like to keep: for crowded pictures."""
    clear = CLEAR * canvas.unit / 2
    aim = [
        center(wish, axis) if wish is not None else side / 2 for axis, side in enumerate((canvas.width, canvas.height))
    ]

    def obeys(box: BoxXyxy) -> bool:
        for rule in rules.orderings:
            ahead = center(anchors[0], rule.axis) - center(box, rule.axis)
            if (ahead if rule.first == 0 else -ahead) < clear:
                return False
        return not violations([(0, box)], Rules(sides=rules.sides), canvas, clear)

    for scale in scales:
        width, height = demand.width * scale, demand.height * scale
        if max(width, height) < LEAST * canvas.unit:
            break
        free = [
            box
            for x in range(_STEPS + 1)
            for y in range(_STEPS + 1)
            if obeys(box := _in_steps(x, y, width, height, canvas)) and not crowd(box, others)
        ]
        if free:
            return min(free, key=lambda box: (center(box, 0) - aim[0]) ** 2 + (center(box, 1) - aim[1]) ** 2)
    return None


def _in_steps(x: int, y: int, width: float, height: float, canvas: Canvas) -> BoxXyxy:
    left, top = (canvas.width - width) * x / _STEPS, (canvas.height - height) * y / _STEPS
    return whole((left, top, left + width, top + height))


def _lies_between(box: BoxXyxy, ends: Sequence[BoxXyxy]) -> bool:
    """Whether a box lies between two others: along the axis that parts them, and not aside of both."""
    axis = max((0, 1), key=lambda k: abs(center(ends[0], k) - center(ends[1], k)))
    across = 1 - axis
    low, high = sorted(center(end, axis) for end in ends)
    reaches = box[across] < max(e[across + 2] for e in ends) and box[across + 2] > min(e[across] for e in ends)
    return low < center(box, axis) < high and reaches


def _lies_on(box: BoxXyxy, anchor: BoxXyxy, canvas: Canvas) -> bool:
    """Whether a box above another is close to it, and over it."""
    return anchor[0] < center(box, 0) < anchor[2] and anchor[1] - box[3] <= 2 * GAP * canvas.unit


def _perched(demand: Demand, anchor: Thing, others: Sequence[Thing], canvas: Canvas) -> BoxXyxy | None:
    """A place on a thing that overlaps it, where there is no room above: a hat on a head."""
    width, height = min(demand.width, canvas.width), min(demand.height, canvas.height)
    top, y = anchor.box[1], 0.25 * min(height, anchor.box[3] - anchor.box[1]) - height / 2
    for share in (0.5, 0.25, 0.75, 0.1, 0.9):
        x = anchor.box[0] + share * (anchor.box[2] - anchor.box[0])
        box = at_spot((0, 0, width, height), (x, top + y), canvas)
        if crowd(box, [t for t in others if t is not anchor]) < 0.2:
            return box
    return None


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


def is_free(left: Thing) -> bool:
    """Whether something left the place that it had."""
    return left.gone or left.box != left.place


def at_spot(box: BoxXyxy, spot: tuple[float, float], canvas: Canvas) -> BoxXyxy:
    """A box of the same size with its centre on a spot, or as near as the picture allows."""
    width, height = min(box[2] - box[0], canvas.width), min(box[3] - box[1], canvas.height)
    x0 = min(max(spot[0] - width / 2, 0.0), canvas.width - width)
    y0 = min(max(spot[1] - height / 2, 0.0), canvas.height - height)
    return (round(x0, 2), round(y0, 2), round(x0 + width, 2), round(y0 + height, 2))


def whole(box: BoxXyxy) -> BoxXyxy:
    """A box with its sides rounded to hundredths of a pixel."""
    x0, y0, x1, y1 = (round(v, 2) for v in box)
    return (x0, y0, x1, y1)


def crowd(box: BoxXyxy, others: Iterable[Thing]) -> float:
    """Largest share of the box that another object covers."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    covered = 0.0
    for thing in others:
        width = min(box[2], thing.box[2]) - max(box[0], thing.box[0])
        height = min(box[3], thing.box[3]) - max(box[1], thing.box[1])
        if width > 0 and height > 0:
            covered = max(covered, width * height / area)
    return covered
