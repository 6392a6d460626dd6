"""From what was found to what must be done: the rules planner's answer to the spot-differences call.

Least change comes first: what fits stays where it is; a right noun with a wrong attribute is changed in place; the rest
is deleted; what is missing is added, in the plan's box if that is free; and boxes move only for a relation or an
overlap.
"""

import itertools
import random
from collections.abc import Sequence
from typing import Literal

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, Detection, Edit, EditPlan, Instance, MoveEdit
from llmgen.errors import InputError
from llmgen.llm.english.saying import phrase_of
from llmgen.llm.english.words import with_article
from llmgen.llm.planning.placement import (
    BoxXyxy,
    Canvas,
    Demand,
    Rules,
    place,
    place_on_grid,
    violations,
)
from llmgen.llm.planning.sizes import wished_size
from llmgen.llm.planning.wanted import Wanted, assign, lacks, relation_slack
from llmgen.vision.boxes import iou

SAME_OBJECT = 0.6
"""Overlap (IoU) from which two detections are one object seen twice."""
CROWDED = 0.3
"""Overlap (IoU) from which two kept objects must be drawn apart."""
_RESIZED_PX = 1.5


def correct(
    wanted: Sequence[Wanted],
    detections: Sequence[Detection],
    rules: Rules,
    canvas: Canvas,
    rng: random.Random,
) -> EditPlan:
    """Plan the correction of a picture.

    Args:
        wanted: The objects that should be there.
        detections: The objects that are.
        rules: The relations.
        canvas: The picture.
        rng: Source of randomness for places.

    Returns:
        The edits and the objects as they should be.

    Raises:
        InputError: If there is no place for what is missing.
    """
    pairs = assign(wanted, detections, rules, canvas)
    ghosts = _ghosts(pairs, wanted, detections)
    kept = {i: j for i, j in pairs.items() if j not in ghosts}
    missing = [i for i in range(len(wanted)) if i not in kept]
    sizes = {i: _size(wanted[i], len(wanted), canvas, rng) for i in missing}
    moved, boxes = _places(wanted, detections, kept, missing, sizes, rules, canvas, rng)
    # A detection that is to move and to change at once is drawn anew: its pixels are of no use at the new place.
    for i in [i for i in moved if lacks(wanted[i], detections[kept[i]])]:
        del kept[i]
        missing.append(i)
    return _plan(wanted, detections, kept, sorted(missing), boxes)


def _ghosts(pairs: dict[int, int], wanted: Sequence[Wanted], detections: Sequence[Detection]) -> set[int]:
    # Two detections on one place are one object; the one that fits better is it.
    found: set[int] = set()
    by_fit = sorted(pairs, key=lambda i: (lacks(wanted[i], detections[pairs[i]]), -detections[pairs[i]].score, i))
    for one, other in itertools.combinations(by_fit, 2):
        if pairs[one] not in found and iou(detections[pairs[one]].box_xyxy, detections[pairs[other]].box_xyxy) > (
            SAME_OBJECT
        ):
            found.add(pairs[other])
    return found


def _size(wanted: Wanted, total: int, canvas: Canvas, rng: random.Random) -> Demand:
    if wanted.prefer_xyxy is not None:
        x0, y0, x1, y1 = wanted.prefer_xyxy
        return Demand(x1 - x0, y1 - y0, wanted.group, wanted.prefer_xyxy)
    wish = wished_size(wanted.noun, wanted.attributes, total, canvas, rng)
    return Demand(wish.width, wish.height, wanted.group)


def _places(
    wanted: Sequence[Wanted],
    detections: Sequence[Detection],
    kept: dict[int, int],
    missing: Sequence[int],
    sizes: dict[int, Demand],
    rules: Rules,
    canvas: Canvas,
    rng: random.Random,
) -> tuple[list[int], dict[int, BoxXyxy]]:
    """Which kept objects move, and the boxes of all moved and missing ones."""
    for movable in _movable_sets(wanted, detections, kept, rules, canvas):
        fixed = [(wanted[i].group, detections[j].box_xyxy) for i, j in sorted(kept.items()) if i not in movable]
        if _faulty(fixed, rules, canvas):
            continue
        free = [*movable, *missing]
        demands = [_of_kept(wanted[i], detections[kept[i]], canvas) for i in movable] + [sizes[i] for i in missing]
        # Small sets are tried thoroughly; with everything free the first places are as good as any.
        found = place(fixed, demands, rules, canvas, rng, restarts=20 if len(movable) < len(kept) else 60)
        if found is None and not fixed:
            found = place_on_grid(demands, rules, canvas, rng)
        if found is not None:
            return list(movable), dict(zip(free, found, strict=True))
    lost = wanted[missing[0]] if missing else wanted[min(kept)]
    raise InputError(
        f"cannot place {with_article(lost.phrase)!r}: no room for {len(wanted)} objects with these relations in "
        f"{canvas.width}x{canvas.height} pixels"
    )


def _movable_sets(
    wanted: Sequence[Wanted], detections: Sequence[Detection], kept: dict[int, int], rules: Rules, canvas: Canvas
) -> list[tuple[int, ...]]:
    # First as few as can heal the faults, worst offenders and weakest detections first; at last everything.
    order = sorted(kept)
    boxes = [(wanted[i].group, detections[kept[i]].box_xyxy) for i in order]
    blame = dict.fromkeys(order, 0)
    for one, other in _faulty(boxes, rules, canvas):
        blame[order[one]] += 1
        if other is not None:
            blame[order[other]] += 1
    guilty = sorted((i for i in order if blame[i]), key=lambda i: (-blame[i], detections[kept[i]].score, i))
    sets: list[tuple[int, ...]] = [] if guilty else [()]
    for count in range(1, min(len(guilty), 4) + 1):
        sets += list(itertools.combinations(guilty, count))[:40]
    sets.append(tuple(guilty))
    others = sorted((i for i in order if i not in guilty), key=lambda i: (detections[kept[i]].score, i))
    sets += [(*guilty, i) for i in others]
    sets.append(tuple(order))
    return list(dict.fromkeys(sets))


def _faulty(boxes: Sequence[tuple[int | None, BoxXyxy]], rules: Rules, canvas: Canvas) -> list[tuple[int, int | None]]:
    found = violations(boxes, rules, canvas, relation_slack(canvas))
    for (i, (_, a)), (j, (_, b)) in itertools.combinations(enumerate(boxes), 2):
        if iou(a, b) > CROWDED:
            found.append((i, j))
    return found


def _of_kept(wanted: Wanted, detection: Detection, canvas: Canvas) -> Demand:
    x0, y0, x1, y1 = detection.box_xyxy
    width, height = min(x1 - x0, 0.9 * canvas.width), min(y1 - y0, 0.9 * canvas.height)
    # Half of the plan's box is a place; where there is no plan, the nearest place is the best one.
    return Demand(width, height, wanted.group, wanted.prefer_xyxy or detection.box_xyxy)


def _plan(
    wanted: Sequence[Wanted],
    detections: Sequence[Detection],
    kept: dict[int, int],
    missing: Sequence[int],
    boxes: dict[int, BoxXyxy],
) -> EditPlan:
    used = set(kept.values())
    surplus = sorted((j for j in range(len(detections)) if j not in used), key=lambda j: (detections[j].score, j))
    edits: list[Edit] = [DeleteEdit(target=detections[j].id, box_xyxy=detections[j].box_xyxy) for j in surplus]
    target: dict[int, Instance] = {}
    for i, j in sorted(kept.items()):
        seen, want = detections[j], wanted[i]
        box = seen.box_xyxy
        attributes = want.attributes or seen.attributes
        phrase = phrase_of(want.noun, attributes, want.detail)
        if i in boxes:
            box = boxes[i]
            edits.append(
                MoveEdit(op=_op(seen.box_xyxy, box), target=seen.id, from_box_xyxy=seen.box_xyxy, box_xyxy=box)
            )
        elif lacks(want, seen):
            edits.append(
                ChangeAttributeEdit(
                    target=seen.id, phrase=phrase, noun=want.noun, attributes=want.attributes, box_xyxy=box
                )
            )
        target[i] = Instance(id=seen.id, phrase=phrase, noun=want.noun, attributes=attributes, box_xyxy=box)
    taken = {d.id for d in detections}
    for i in missing:
        want = wanted[i]
        name = free_id(want.phrase, taken)
        taken.add(name)
        phrase = want.drawn_phrase
        edits.append(AddEdit(target=name, phrase=phrase, noun=want.noun, attributes=want.attributes, box_xyxy=boxes[i]))
        target[i] = Instance(id=name, phrase=phrase, noun=want.noun, attributes=want.attributes, box_xyxy=boxes[i])
    return EditPlan(edits=tuple(edits), target=tuple(target[i] for i in sorted(target)))


def free_id(phrase: str, taken: set[str]) -> str:
    """The first name of the form `red ball #2` that is not taken."""
    return next(name for k in itertools.count(1) if (name := f"{phrase} #{k}") not in taken)


def _op(old: BoxXyxy, new: BoxXyxy) -> Literal["move", "resize"]:
    change = max(abs((new[k + 2] - new[k]) - (old[k + 2] - old[k])) for k in (0, 1))
    return "resize" if change > _RESIZED_PX else "move"
