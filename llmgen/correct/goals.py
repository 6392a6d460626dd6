"""What an edited picture should show, and what of it is still missing.

A correction can ask its planner again after each round: the prompt stays true. An instruction cannot be given twice
("move the star up" would move it again), so its first plan becomes a goal, and later rounds compare pictures with it.
"""

from collections.abc import Sequence

from llmgen.artifacts import (
    AddEdit,
    ChangeAttributeEdit,
    DeleteEdit,
    Detection,
    Edit,
    EditPlan,
    Instance,
    Layout,
    MoveEdit,
)
from llmgen.llm.english.words import bare, singularize
from llmgen.llm.planning.corrections import free_id
from llmgen.vision.boxes import BoxTuple, clip, iou

IN_PLACE_IOU = 0.5
"""Overlap from which an object is where it should be. SLD asks for 0.9, which drawn objects rarely reach."""
LEFT_BEHIND_IOU = 0.3
"""Overlap from which something is a remainder of what should have gone."""


def agreement(plan: EditPlan) -> float:
    """How much of what was asked a picture shows, judged by the edits it still needs.

    Args:
        plan: The edits, and all objects that should be there after them.

    Returns:
        Wanted objects that need no edit, divided by wanted objects plus objects to delete; 1 for an empty plan.
    """
    deletions = sum(isinstance(edit, DeleteEdit) for edit in plan.edits)
    unfinished = len({edit.target for edit in plan.edits if not isinstance(edit, DeleteEdit)})
    demands = max(len(plan.target), unfinished) + deletions
    return 1.0 if not plan.edits else max(0.0, (demands - deletions - unfinished) / demands)


def goal_layout(
    plan: EditPlan,
    detections: Sequence[Detection],
    *,
    width: int,
    height: int,
    background: str,
    negative: Sequence[str],
) -> Layout:
    """The picture after a plan, as a layout: what is drawn, and what the detector looks for afterwards.

    Args:
        plan: The edits and the objects after them.
        detections: The objects before them.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        background: The scene without its objects.
        negative: Nouns that must not be there.
    """
    instances: dict[str, Instance] = {}
    for instance in plan.target:
        x0, y0, x1, y1 = clip(instance.box_xyxy, width, height)
        if x1 > x0 and y1 > y0:
            instances.setdefault(instance.id, instance.model_copy(update={"box_xyxy": (x0, y0, x1, y1)}))
    nouns = {singularize((i.noun or "").lower()) for i in instances.values()}
    noun_of = {d.id: d.noun for d in detections}
    deleted = [noun_of[e.target] for e in plan.edits if isinstance(e, DeleteEdit) and e.target in noun_of]
    gone = [noun for noun in dict.fromkeys(singularize(n.lower()) for n in (*negative, *deleted)) if noun not in nouns]
    return Layout(
        width=width,
        height=height,
        background_prompt=background,
        negative_prompt=", ".join(negative),
        absent=tuple(gone),
        instances=tuple(instances.values()),
    )


def remaining(plan: EditPlan, before: Sequence[Detection], now: Sequence[Detection]) -> EditPlan:
    """What of a plan a picture does not show yet.

    Only what the plan touched is looked at: what it left alone was there before and was not drawn again.

    Args:
        plan: The first plan.
        before: What was detected when it was made.
        now: What is detected now.

    Returns:
        Edits from the picture as it is now to the plan's objects; empty when all is as it should be.
    """
    touched = {edit.target: edit for edit in plan.edits}
    served = _serve(plan.target, now)
    free = [d for d in now if all(d is not one for one in served.values())]
    edits: list[Edit] = []
    target: list[Instance] = []
    taken = {d.id for d in now}
    for instance in plan.target:
        edit, seen = touched.get(instance.id), served.get(instance.id)
        if edit is None:
            target.append(instance)
            continue
        if seen is None and isinstance(edit, MoveEdit):
            # It may lie elsewhere still.
            seen = next((d for d in free if _same_noun(instance, d) and not _lacks(instance, d)), None)
            if seen is not None:
                free = [d for d in free if d is not seen]
                edits.append(edit.model_copy(update={"target": seen.id, "from_box_xyxy": seen.box_xyxy}))
        elif seen is not None and not isinstance(edit, MoveEdit) and _lacks(instance, seen):
            edits.append(
                ChangeAttributeEdit(
                    target=seen.id,
                    phrase=instance.phrase,
                    noun=instance.noun or seen.noun,
                    attributes=instance.attributes,
                    box_xyxy=seen.box_xyxy,
                )
            )
        if seen is None:
            name = free_id(" ".join((*instance.attributes, instance.noun or bare(instance.phrase))), taken)
            taken.add(name)
            edits.append(
                AddEdit(
                    target=name,
                    phrase=instance.phrase,
                    noun=instance.noun or bare(instance.phrase),
                    attributes=instance.attributes,
                    box_xyxy=instance.box_xyxy,
                )
            )
            target.append(instance.model_copy(update={"id": name}))
        else:
            target.append(instance.model_copy(update={"id": seen.id}))
    left = [DeleteEdit(target=d.id, box_xyxy=d.box_xyxy) for d in _left_behind(plan, before, free)]
    return EditPlan(edits=(*left, *edits), target=tuple(target), reasoning="What the first plan still lacks.")


def _serve(wanted: Sequence[Instance], now: Sequence[Detection]) -> dict[str, Detection]:
    """Instances to the detections in their places, best overlap first, right attributes before wrong ones."""
    pairs = sorted(
        (
            (not _lacks(instance, seen), iou(instance.box_xyxy, seen.box_xyxy), -i, -j)
            for i, instance in enumerate(wanted)
            for j, seen in enumerate(now)
            if _same_noun(instance, seen) and iou(instance.box_xyxy, seen.box_xyxy) >= IN_PLACE_IOU
        ),
        reverse=True,
    )
    served: dict[str, Detection] = {}
    used: set[int] = set()
    for _, _, i, j in pairs:
        if wanted[-i].id not in served and -j not in used:
            served[wanted[-i].id] = now[-j]
            used.add(-j)
    return served


def _left_behind(plan: EditPlan, before: Sequence[Detection], free: Sequence[Detection]) -> list[Detection]:
    """What lies where something was deleted or moved away, and is still of its noun."""
    noun_of = {d.id: d.noun for d in before}
    places: list[tuple[str, BoxTuple]] = []
    for edit in plan.edits:
        if isinstance(edit, DeleteEdit):
            places.append((noun_of.get(edit.target, ""), edit.box_xyxy))
        elif isinstance(edit, MoveEdit):
            places.append((noun_of.get(edit.target, ""), edit.from_box_xyxy))
    return [d for d in free if any(d.noun == noun and iou(d.box_xyxy, box) > LEFT_BEHIND_IOU for noun, box in places)]


def _same_noun(instance: Instance, seen: Detection) -> bool:
    noun = instance.noun or bare(instance.phrase)
    return singularize(noun.lower()) == singularize(seen.noun.lower())


def _lacks(instance: Instance, seen: Detection) -> bool:
    return not {a.lower() for a in instance.attributes} <= {a.lower() for a in seen.attributes}
