"""Where to put boxes: no overlap, true to the relations, inside the canvas. Deterministic in the source of randomness."""

import itertools
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.llm.english.meaning import Ordering, PromptMeaning, Relation

BoxXyxy = tuple[float, float, float, float]

MARGIN: Final = 3 / 128
"""Least distance to the border, in units of the canvas' shorter side, as the other lengths here."""
GAP: Final = 8 / 128
CLEAR: Final = 20 / 128
"""Least distance of two centres along the axis of a relation, when boxes are placed."""
CLEARLY: Final = 0.51
"""Share of the way from one box to another that lies along the axis of their order; GenEval asks for more than 0.5."""
MIDDLE: Final = 1 / 6
"""So far from the centre line the middle goes, in units of the width."""
LEAST: Final = 12 / 128
"""Objects are not made smaller than this."""
MOST: Final = 64
"""More boxes than this are not tried."""
_RESTARTS: Final = 60


@dataclass(frozen=True, slots=True)
class Canvas:
    """The picture's size in pixels."""

    width: int
    height: int

    @property
    def unit(self) -> float:
        """Shorter side in pixels."""
        return float(min(self.width, self.height))


@dataclass(frozen=True, slots=True)
class Demand:
    """A box that needs a place.

    Attributes:
        width: Wished width in pixels.
        height: Wished height in pixels.
        group: Index of the group for the relations, None when no relation speaks of it.
        prefer_xyxy: Where it would best be.
    """

    width: float
    height: float
    group: int | None = None
    prefer_xyxy: BoxXyxy | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The relations in the form that placing needs."""

    orderings: tuple[Ordering, ...] = ()
    sides: tuple[Relation, ...] = ()

    @classmethod
    def of(cls, meaning: PromptMeaning, *, compared_only: bool = False) -> "Rules":
        """The rules of a prompt.

        Args:
            meaning: What the prompt says.
            compared_only: Take "A on the left and B on the right" for an order only, as the benchmark judges it, and
                not also for halves of the picture.
        """
        orderings = meaning.orderings()
        ordered = {(rule.axis, group) for rule in orderings for group in (rule.first, rule.second)}
        sides = [r for r in meaning.relations if r.object is None]
        if compared_only:
            sides = [r for r in sides if (1 if r.kind in ("on_top", "on_bottom") else 0, r.subject) not in ordered]
        return cls(orderings, tuple(sides))

    def chain(self, group: int | None, axis: int) -> tuple[int, int] | None:
        """How many groups must come before and after one along an axis; None when the rules contradict themselves."""

        def depth(index: int, forward: bool, seen: frozenset[int]) -> int | None:
            deepest = 0
            for rule in self.orderings:
                here, there = (rule.first, rule.second) if forward else (rule.second, rule.first)
                if rule.axis != axis or here != index:
                    continue
                if there in seen:
                    return None
                below = depth(there, forward, seen | {there})
                if below is None:
                    return None
                deepest = max(deepest, below + 1)
            return deepest

        if group is None:
            return 0, 0
        before, after = depth(group, False, frozenset((group,))), depth(group, True, frozenset((group,)))
        return None if before is None or after is None else (before, after)

    def contradict(self, groups: Iterable[int]) -> bool:
        """Whether no picture at all can obey."""
        opposite = {"on_left": "on_right", "on_top": "on_bottom"}
        kinds = {(r.kind, r.subject) for r in self.sides}
        if any((other, subject) in kinds for kind, subject in kinds if (other := opposite.get(kind))):
            return True
        return any(self.chain(group, axis) is None for group in groups for axis in (0, 1))


def center(box: BoxXyxy, axis: int) -> float:
    """Centre of a box along an axis (0 = x, 1 = y)."""
    return (box[axis] + box[axis + 2]) / 2


def place(
    fixed: Sequence[tuple[int | None, BoxXyxy]],
    demands: Sequence[Demand],
    rules: Rules,
    canvas: Canvas,
    rng: random.Random,
    *,
    scales: Sequence[float] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5),
    restarts: int = _RESTARTS,
) -> list[BoxXyxy] | None:
    """Find a place for every demand.

    Args:
        fixed: Boxes that stay, with their groups.
        demands: Boxes to place.
        rules: The relations; groups index into the prompt's objects.
        canvas: The picture.
        rng: Source of randomness.
        scales: Sizes to try, largest first, in units of the wished size.
        restarts: Random beginnings for each size.

    Returns:
        Boxes in whole pixels in the order of the demands, or None when no place was found.
    """
    if not demands:
        return []
    for scale, gap in itertools.product(scales, (GAP, GAP / 2)):
        sizes = [(max(d.width * scale, 4.0), max(d.height * scale, 4.0)) for d in demands]
        if any(max(size) < LEAST * canvas.unit for size in sizes) and scale < 1:
            break
        for restart in range(restarts):
            order = list(range(len(demands)))
            if restart:
                rng.shuffle(order)
            found = _try(fixed, demands, sizes, order, rules, canvas, rng, gap * canvas.unit, prefer=restart == 0)
            if found is not None:
                return found
    return None


def place_on_grid(demands: Sequence[Demand], rules: Rules, canvas: Canvas, rng: random.Random) -> list[BoxXyxy] | None:
    """Put many boxes on an even grid, one a cell, swapping cells until the relations hold.

    Args:
        demands: Boxes to place; they shrink to their cells.
        rules: The relations.
        canvas: The picture.
        rng: Source of randomness.

    Returns:
        Boxes in whole pixels in the order of the demands, or None.
    """
    count, margin, gap = len(demands), MARGIN * canvas.unit, GAP * canvas.unit
    shapes = []
    for columns in range(1, count + 1):
        for rows in {-(-count // columns), min(count, -(-count // columns) + 1)}:
            width = (canvas.width - 2 * margin - (columns - 1) * gap) / columns
            height = (canvas.height - 2 * margin - (rows - 1) * gap) / rows
            if min(width, height) >= LEAST * canvas.unit:
                shapes.append((min(width, height), columns, rows, width, height))
    for _, columns, rows, width, height in sorted(shapes, reverse=True):
        cells = [(c, r) for r in range(rows) for c in range(columns)]
        boxes = []
        for column, row in cells:
            boxes.append((margin + column * (width + gap), margin + row * (height + gap)))
        for _ in range(12):
            rng.shuffle(boxes)
            placed = [_in_cell(d, corner, width, height, rng) for d, corner in zip(demands, boxes, strict=False)]
            spare = boxes[count:]
            if _settle(demands, placed, spare, (width, height), rules, canvas):
                return placed
    return None


def violations(
    boxes: Sequence[tuple[int | None, BoxXyxy]], rules: Rules, canvas: Canvas, slack: float
) -> list[tuple[int, int | None]]:
    """Which boxes break which relation.

    Args:
        boxes: Boxes with their groups.
        rules: The relations.
        canvas: The picture.
        slack: How clearly a relation must hold, in pixels between the centres.

    Returns:
        Pairs of indices into `boxes`; the second is None where a box is on the wrong side of the picture.
    """
    broken: list[tuple[int, int | None]] = []
    for rule in rules.orderings:
        for (i, (g, a)), (j, (h, b)) in itertools.permutations(enumerate(boxes), 2):
            if g == rule.first and h == rule.second and center(b, rule.axis) - center(a, rule.axis) < slack:
                broken.append((i, j))
    for side in rules.sides:
        for i, (g, box) in enumerate(boxes):
            if g == side.subject and _beyond(side, box, canvas) < slack / 2:
                broken.append((i, None))
    return broken


def clearly_ordered(boxes: Sequence[tuple[int | None, BoxXyxy]], rules: Rules) -> bool:
    """Whether every order can be seen at a glance: the direction from one box to the other is more that way than any other.

    Args:
        boxes: Boxes with their groups.
        rules: The relations.

    Source:
        GenEval (Ghosh et al. 2023): the offset of the centres, less a tenth of both sizes, over its length is above one half.
    """
    for rule in rules.orderings:
        for (g, a), (h, b) in itertools.permutations(boxes, 2):
            if g != rule.first or h != rule.second:
                continue
            offset = [center(b, axis) - center(a, axis) for axis in (0, 1)]
            sizes = (a[rule.axis + 2] - a[rule.axis]) + (b[rule.axis + 2] - b[rule.axis])
            if offset[rule.axis] - sizes / 10 <= CLEARLY * math.hypot(*offset):
                return False
    return True


def _beyond(side: Relation, box: BoxXyxy, canvas: Canvas) -> float:
    axis, size = (1, canvas.height) if side.kind in ("on_top", "on_bottom") else (0, canvas.width)
    offset = center(box, axis) - size / 2
    if side.kind == "in_middle":
        return size * MIDDLE - abs(offset)
    return -offset if side.kind in ("on_left", "on_top") else offset


def _range(
    demand: Demand, size: tuple[float, float], placed: Sequence[tuple[int | None, BoxXyxy]], rules: Rules,
    canvas: Canvas, axis: int,
) -> tuple[float, float]:  # fmt: skip
    # Where the centre may be along an axis.
    total, half = (canvas.width, canvas.height)[axis], size[axis] / 2
    margin, clear = MARGIN * canvas.unit, CLEAR * canvas.unit
    before, after = rules.chain(demand.group, axis) or (0, 0)
    low, high = margin + half + before * clear, total - margin - half - after * clear
    if demand.group is None:
        return low, high
    for rule in rules.orderings:
        if rule.axis != axis:
            continue
        for group, box in placed:
            if rule.first == demand.group and group == rule.second:
                high = min(high, center(box, axis) - clear)
            if rule.second == demand.group and group == rule.first:
                low = max(low, center(box, axis) + clear)
    for side in rules.sides:
        if side.subject == demand.group and (side.kind not in ("on_top", "on_bottom")) == (axis == 0):
            if side.kind == "in_middle":
                low, high = max(low, total / 2 - total * MIDDLE / 2), min(high, total / 2 + total * MIDDLE / 2)
            elif side.kind in ("on_left", "on_top"):
                high = min(high, total / 2 - clear / 2)
            else:
                low = max(low, total / 2 + clear / 2)
    return low, high


def _apart(box: BoxXyxy, others: Iterable[tuple[int | None, BoxXyxy]], gap: float) -> bool:
    x0, y0, x1, y1 = box
    return all(x0 >= b[2] + gap or b[0] >= x1 + gap or y0 >= b[3] + gap or b[1] >= y1 + gap for _, b in others)


def _try(
    fixed: Sequence[tuple[int | None, BoxXyxy]], demands: Sequence[Demand], sizes: Sequence[tuple[float, float]],
    order: Sequence[int], rules: Rules, canvas: Canvas, rng: random.Random, gap: float, *, prefer: bool,
) -> list[BoxXyxy] | None:  # fmt: skip
    placed = list(fixed)
    result: dict[int, BoxXyxy] = {}
    for index in order:
        demand, size = demands[index], sizes[index]
        ranges = [_range(demand, size, placed, rules, canvas, axis) for axis in (0, 1)]
        if any(low > high for low, high in ranges):
            return None
        box = _spot(demand, size, ranges, placed, gap, rng, prefer)
        if box is None:
            return None
        result[index] = box
        placed.append((demand.group, box))
    return [result[index] for index in range(len(demands))]


def _spot(
    demand: Demand, size: tuple[float, float], ranges: Sequence[tuple[float, float]],
    placed: Sequence[tuple[int | None, BoxXyxy]], gap: float, rng: random.Random, prefer: bool,
) -> BoxXyxy | None:  # fmt: skip
    tries: list[tuple[float, float]] = []
    if demand.prefer_xyxy is not None and prefer:
        (x_low, x_high), (y_low, y_high) = ranges
        x, y = center(demand.prefer_xyxy, 0), center(demand.prefer_xyxy, 1)
        tries.append((min(max(x, x_low), x_high), min(max(y, y_low), y_high)))
    tries += [(rng.uniform(*ranges[0]), rng.uniform(*ranges[1])) for _ in range(24)]
    if demand.prefer_xyxy is not None and prefer:
        wished = tries[0]
        tries[1:] = sorted(tries[1:], key=lambda p: (p[0] - wished[0]) ** 2 + (p[1] - wished[1]) ** 2)
    for x, y in tries:
        left, top = float(round(x - size[0] / 2)), float(round(y - size[1] / 2))
        box = (left, top, left + round(size[0]), top + round(size[1]))
        if _apart(box, placed, gap):
            return box
    return None


def _in_cell(demand: Demand, corner: tuple[float, float], width: float, height: float, rng: random.Random) -> BoxXyxy:
    scale = min(1.0, width / demand.width, height / demand.height)
    w, h = int(demand.width * scale), int(demand.height * scale)
    # The slack of a cell is used only in part, so that rows and columns stay clear of each other.
    x = corner[0] + (width - w) / 2 + rng.uniform(-0.25, 0.25) * (width - w)
    y = corner[1] + (height - h) / 2 + rng.uniform(-0.25, 0.25) * (height - h)
    left, top = float(-(-x // 1)), float(-(-y // 1))
    return (left, top, left + max(1, w - 1), top + max(1, h - 1))


def _settle(
    demands: Sequence[Demand], placed: list[BoxXyxy], spare: list[tuple[float, float]], cell: tuple[float, float],
    rules: Rules, canvas: Canvas,
) -> bool:  # fmt: skip
    # Swap the contents of cells while that heals more relations than it breaks.
    slack = CLEAR * canvas.unit / 2

    def broken() -> int:
        return len(violations([(d.group, b) for d, b in zip(demands, placed, strict=True)], rules, canvas, slack))

    def put(index: int, x: float, y: float) -> None:
        box = placed[index]
        half_w, half_h = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
        margin = -(-MARGIN * canvas.unit // 1)
        left, top = max(margin, float(round(x - half_w))), max(margin, float(round(y - half_h)))
        placed[index] = (left, top, left + box[2] - box[0], top + box[3] - box[1])

    worst = broken()
    places = [(corner[0] + cell[0] / 2, corner[1] + cell[1] / 2) for corner in spare]
    improved = True
    while worst and improved:
        improved = False
        for i in range(len(placed)):
            for j in range(i + 1, len(placed) + len(places)):
                before = list(placed)
                here = (center(placed[i], 0), center(placed[i], 1))
                if j < len(placed):
                    put(i, center(placed[j], 0), center(placed[j], 1))
                    put(j, *here)
                    now = broken()
                else:
                    put(i, *places[j - len(placed)])
                    now = broken()
                if now < worst:
                    worst, improved = now, True
                    if j >= len(placed):
                        places[j - len(placed)] = here
                else:
                    placed[:] = before
    inside = all(b[0] >= 0 and b[1] >= 0 and b[2] <= canvas.width and b[3] <= canvas.height for b in placed)
    apart = all(_apart(a, [(None, b)], 0.0) for a, b in itertools.combinations(placed, 2))
    return worst == 0 and inside and apart
