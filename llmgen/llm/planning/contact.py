"""Things that touch or lie near each other: on, in, behind, in front of, next to, between, holding, wearing.

A thing and what is on it, in it or beside it are arranged together first, and their common box is then placed as one. `holds` says of
two boxes whether such a relation can be seen in them.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from llmgen.llm.english.meaning import Ordering, Relation
from llmgen.llm.planning.placement import (
    GAP,
    LEAST,
    MARGIN,
    BoxXyxy,
    Canvas,
    Demand,
    Rules,
    center,
    clearly_ordered,
    place,
    place_on_grid,
    violations,
)

NEAR: Final = 0.3
"""So near are things next to each other, edge to edge, in units of the canvas' shorter side."""
TOUCHING: Final = 0.06
"""So near are things that touch."""
INSIDE: Final = 0.25
"""Least share of a thing that lies in the box of what it is in."""
UNSEEN: Final = ("behind", "in_front_of")
"""Relations that boxes do not show."""
_CARRIES: Final = ("holding", "wearing")
"""Relations whose object goes where their subject is; of the others the subject goes where the object is."""
_LAP: Final = 0.25
_ON_HEADS: Final = frozenset("hat cap crown helmet wig hood tiara turban beret bonnet headband".split())
_TRIES: Final = 12


def holds(kind: str, a: BoxXyxy, b: BoxXyxy, unit: float) -> bool:
    """Whether a relation can be seen in two boxes; true for those that boxes do not show.

    Args:
        kind: Kind of relation.
        a: Box of its subject.
        b: Box of its object.
        unit: Shorter side of the picture in the boxes' units.
    """
    gap = max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3], 0.0)
    match kind:
        case "on":
            beside = max(a[0] - b[2], b[0] - a[2]) > 0
            return not beside and gap <= TOUCHING * unit and a[3] <= b[3] + TOUCHING * unit
        case "in":
            width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            return min(width, height) > 0 and width * height >= INSIDE * (a[2] - a[0]) * (a[3] - a[1])
        case "next_to":
            return gap <= NEAR * unit
        case "holding" | "wearing":
            return gap <= TOUCHING * unit
        case _:
            return True


def is_between(box: BoxXyxy, others: Sequence[BoxXyxy]) -> bool:
    """Whether the centre of a box lies between the centres of others, along the width or the height."""
    return any(
        min(center(o, axis) for o in others) < center(box, axis) < max(center(o, axis) for o in others)
        for axis in (0, 1)
    )


@dataclass
class _Node:
    """One box, and what goes with it."""

    index: int
    width: float
    height: float
    noun: str
    children: list[tuple[str, "_Node"]] = field(default_factory=list)


def arrange(
    demands: Sequence[Demand],
    nouns: Sequence[str],
    relations: Sequence[Relation],
    rules: Rules,
    canvas: Canvas,
    rng: random.Random,
) -> list[BoxXyxy] | None:
    """Find a place for demands of which some go together.

    Args:
        demands: Boxes to place, with their groups.
        nouns: What they are.
        relations: All relations of the prompt; those of contact are kept here.
        rules: The orders and sides.
        canvas: The picture.
        rng: Source of randomness.

    Returns:
        Boxes in whole pixels in the order of the demands, or None when no place was found.
    """
    touching = [
        r for r in relations if r.object is not None and r.kind not in ("left_of", "right_of", "above", "below")
    ]
    best: list[BoxXyxy] | None = None
    for scale, _ in itertools.product((1.0, 0.85, 0.7, 0.55, 0.45), range(_TRIES)):
        sized = [replace(d, width=d.width * scale, height=d.height * scale) for d in demands]
        boxes = _arrange_once(sized, nouns, touching, rules, canvas, rng)
        if boxes is None:
            continue
        groups = [(d.group, box) for d, box in zip(demands, boxes, strict=True)]
        if violations(groups, rules, canvas, 1.0):
            continue
        if clearly_ordered(groups, rules) and _all_hold(groups, touching, canvas):
            return boxes
        best = best or boxes
    return best


def _arrange_once(
    demands: Sequence[Demand],
    nouns: Sequence[str],
    touching: Sequence[Relation],
    rules: Rules,
    canvas: Canvas,
    rng: random.Random,
) -> list[BoxXyxy] | None:
    roots = _trees(demands, nouns, touching)
    bundles = [_boxes(root, canvas) for root in roots]
    cluster_of = {index: k for k, bundle in enumerate(bundles) for index in bundle}
    bounds = [_bound(list(bundle.values())) for bundle in bundles]
    room = (canvas.width - 2 * MARGIN * canvas.unit, canvas.height - 2 * MARGIN * canvas.unit)
    shrink = min(1.0, *(room[k] / (b[k + 2] - b[k]) for b in bounds for k in (0, 1)))
    wishes = [Demand((b[2] - b[0]) * shrink, (b[3] - b[1]) * shrink, k) for k, b in enumerate(bounds)]
    of_clusters = _cluster_rules(demands, cluster_of, rules)
    found = place([], wishes, of_clusters, canvas, rng, scales=(1.0,), restarts=8)
    if found is None and len(wishes) > 4:
        found = place_on_grid(wishes, of_clusters, canvas, rng)
    if found is None:
        return None
    boxes: dict[int, BoxXyxy] = {}
    for bundle, bound, spot in zip(bundles, bounds, found, strict=True):
        scale = (spot[2] - spot[0]) / (bound[2] - bound[0])
        for index, box in bundle.items():
            x0, y0 = (round(spot[k] + (box[k] - bound[k]) * scale) for k in (0, 1))
            x1, y1 = (round(spot[k] + (box[k + 2] - bound[k]) * scale) for k in (0, 1))
            boxes[index] = (
                float(max(0, x0)), float(max(0, y0)),
                float(min(canvas.width, max(x1, x0 + 2))), float(min(canvas.height, max(y1, y0 + 2))),
            )  # fmt: skip
    return [boxes[index] for index in range(len(demands))]


def _trees(demands: Sequence[Demand], nouns: Sequence[str], touching: Sequence[Relation]) -> list[_Node]:
    nodes = [_Node(i, d.width, d.height, nouns[i]) for i, d in enumerate(demands)]
    members: dict[int, list[int]] = {}
    for i, demand in enumerate(demands):
        if demand.group is not None:
            members.setdefault(demand.group, []).append(i)
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while i in parent:
            i = parent[i]
        return i

    for relation in touching:
        child, other = (
            (relation.object, relation.subject) if relation.kind in _CARRIES else (relation.subject, relation.object)
        )
        small, large = members.get(child or 0, []), members.get(other if other is not None else -1, [])
        if not small or not large:
            continue
        for k, i in enumerate(small):
            j = large[k * len(large) // len(small) if len(small) >= len(large) else k]
            if relation.kind == "between":
                _between(nodes, parent, i, large)
            elif i not in parent and root(j) != i:
                parent[i] = j
                nodes[j].children.append((relation.kind, nodes[i]))
    return [node for node in nodes if node.index not in parent]


def _between(nodes: list[_Node], parent: dict[int, int], i: int, large: Sequence[int]) -> None:
    """What a thing lies between goes to its left and right, by turns."""
    for j in large:
        ancestor = i
        while ancestor in parent:
            ancestor = parent[ancestor]
        if j not in parent and j != ancestor:
            left = sum(kind == "left" for kind, _ in nodes[i].children)
            right = sum(kind == "right" for kind, _ in nodes[i].children)
            parent[j] = i
            nodes[i].children.append(("left" if left <= right else "right", nodes[j]))


def _boxes(node: _Node, canvas: Canvas) -> dict[int, BoxXyxy]:
    """Boxes of a thing and all that goes with it; the thing's own begins at the origin."""
    parts: dict[str, list[tuple[_Node, dict[int, BoxXyxy]]]] = {}
    for kind, child in node.children:
        parts.setdefault(kind, []).append((child, _boxes(child, canvas)))
    width, height = _grown(node, parts)
    own = (0.0, 0.0, width, height)
    found = {node.index: own}
    gap = GAP * canvas.unit / 2
    for kind, some in parts.items():
        sizes = [_bound(list(boxes.values())) for _, boxes in some]
        row = sum(b[2] - b[0] for b in sizes) + gap * (len(sizes) - 1)
        x = (width - row) / 2
        left = right = 0.0
        for number, ((child, boxes), bound) in enumerate(zip(some, sizes, strict=True)):
            w, h = bound[2] - bound[0], bound[3] - bound[1]
            lap = _LAP * min(h, height)
            match kind:
                case "on":
                    spot = (x, lap - h)
                case "in":
                    spot = (x, height - h - 0.12 * height)
                case "wearing" if child.noun.rpartition(" ")[2] in _ON_HEADS:
                    spot = (x, lap - h)
                case "wearing":
                    spot = (x, (height - h) / 2)
                case "behind":
                    spot = (-0.6 * w - left, height - h - 0.25 * min(h, height))
                case "in_front_of":
                    spot = (width - 0.4 * w + right, height - h + 0.2 * min(h, height))
                case "holding":
                    spot = (width - _LAP * w + right, 0.55 * height - h / 2)
                case _ if kind == "left" or (kind == "next_to" and number % 2):
                    spot = (-gap - w - left, height - h)
                case _:
                    spot = (width + gap + right, height - h)
            x += w + gap
            if kind == "behind" or spot[0] < -w / 2:
                left += w + gap
            elif spot[0] > width / 2 and kind in ("in_front_of", "holding", "right", "next_to"):
                right += w + gap
            for index, box in boxes.items():
                dx, dy = spot[0] - bound[0], spot[1] - bound[1]
                found[index] = (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)
    return found


def _grown(node: _Node, parts: dict[str, list[tuple[_Node, dict[int, BoxXyxy]]]]) -> tuple[float, float]:
    """A thing's size, so that what is on it has room on it, and what is in it in it."""
    width, height = node.width, node.height
    for kind in ("on", "in"):
        bounds = [_bound(list(boxes.values())) for _, boxes in parts.get(kind, ())]
        if not bounds:
            continue
        row = sum(b[2] - b[0] for b in bounds) * 1.15
        wider = max(1.0, row / width)
        width *= wider
        height *= min(wider, 1.6)
        if kind == "in":
            height = max(height, 1.1 * max(b[3] - b[1] for b in bounds))
    return width, height


def _bound(boxes: Sequence[BoxXyxy]) -> BoxXyxy:
    return (
        min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes),
    )  # fmt: skip


def _cluster_rules(demands: Sequence[Demand], cluster_of: dict[int, int], rules: Rules) -> Rules:
    """The rules of what goes together, as rules of the common boxes."""
    clusters: dict[int, set[int]] = {}
    for index, demand in enumerate(demands):
        if demand.group is not None:
            clusters.setdefault(demand.group, set()).add(cluster_of[index])
    orderings = [
        Ordering(rule.axis, a, b)
        for rule in rules.orderings
        for a in sorted(clusters.get(rule.first, ()))
        for b in sorted(clusters.get(rule.second, ()))
        if a != b
    ]
    sides = [replace(side, subject=c) for side in rules.sides for c in sorted(clusters.get(side.subject, ()))]
    return Rules(tuple(dict.fromkeys(orderings)), tuple(dict.fromkeys(sides)))


def _all_hold(groups: Sequence[tuple[int | None, BoxXyxy]], touching: Sequence[Relation], canvas: Canvas) -> bool:
    of: dict[int | None, list[BoxXyxy]] = {}
    for group, box in groups:
        of.setdefault(group, []).append(box)
    small = any(max(b[2] - b[0], b[3] - b[1]) < LEAST * canvas.unit / 2 for _, b in groups)
    return not small and all(
        any(holds(r.kind, a, b, canvas.unit) for b in of.get(r.object, ()))
        for r in touching
        for a in of.get(r.subject, ())
    )
