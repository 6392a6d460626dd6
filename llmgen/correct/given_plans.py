"""Plans that were given: made by --plan-only and perhaps changed since, or written by hand.

What a person changes in the edits is brought into the objects that the plan aims at, and what cannot be meant is said before anything is
painted over: a name that nothing in the picture has, a place outside it.
"""

from collections.abc import Callable, Sequence

from llmgen.artifacts import (
    AddEdit,
    ChangeAttributeEdit,
    DeleteEdit,
    Detection,
    Edit,
    EditPlan,
    Instance,
    MoveEdit,
    Record,
)
from llmgen.errors import InputError
from llmgen.llm.planning.corrections import free_id
from llmgen.llm.replies.wire import as_instance
from llmgen.vision.boxes import BoxTuple, area, clip, iou

MEANT_IOU = 0.5
"""Overlap above which an edit means the detection in its box, whatever it calls it."""


def waiting_plan(record: Record) -> EditPlan | None:
    """A plan that no picture of the record was made by: from --plan-only, or by hand."""
    return record.edits if all(entry.edits != record.edits for entry in record.history) else None


def settled(
    plan: EditPlan,
    detections: Sequence[Detection],
    size: tuple[int, int],
    remark: Callable[[str], None],
) -> EditPlan:
    """A given plan as it is carried out; one that nobody changed comes back as it is.

    Args:
        plan: As it was given.
        detections: What is in the picture.
        size: Width and height of the picture.
        remark: Told which names were taken for others.

    Returns:
        Its edits by the names of the detections, and its objects as they are after these edits.

    Raises:
        InputError: If an edit lies outside the picture, adds what has a name already, or names nothing to draw.
    """
    edits: list[Edit] = []
    known = {detection.id for detection in detections}
    for edit in plan.edits:
        _check_places(edit, size)
        if isinstance(edit, AddEdit | ChangeAttributeEdit) and not (edit.phrase.strip() and edit.noun.strip()):
            raise InputError(f"its plan has nothing to draw for {edit.target!r}; write its phrase and its noun")
        if isinstance(edit, AddEdit):
            if edit.target in known:
                free = free_id(edit.target.partition(" #")[0], known)
                raise InputError(
                    f"its plan adds {edit.target!r}, a name that is taken; give it another, such as {free!r}"
                )
            known.add(edit.target)
            edits.append(edit)
        else:
            edits.append(_by_its_name(edit, detections, remark))
    renamed = {old.target: new.target for old, new in zip(plan.edits, edits, strict=True)}
    objects = {renamed.get(one.id, one.id): one for one in plan.target}
    named = {name: one if one.id == name else one.model_copy(update={"id": name}) for name, one in objects.items()}
    for edit in edits:
        _aim(named, edit, detections)
    target = tuple(named.values())
    same = tuple(edits) == plan.edits and target == plan.target
    return plan if same else plan.model_copy(update={"edits": tuple(edits), "target": target})


def _check_places(edit: Edit, size: tuple[int, int]) -> None:
    boxes = (edit.from_box_xyxy, edit.box_xyxy) if isinstance(edit, MoveEdit) else (edit.box_xyxy,)
    for box in boxes:
        if area(clip(box, *size)) <= 0:
            raise InputError(
                f"its plan has {edit.target!r} at {list(box)}, outside the {size[0]}x{size[1]} picture; change that box"
            )


def _by_its_name(edit: Edit, detections: Sequence[Detection], remark: Callable[[str], None]) -> Edit:
    """An edit of something that is there, by the name that it has."""
    if any(found.id == edit.target for found in detections):
        return edit
    box: BoxTuple = edit.from_box_xyxy if isinstance(edit, MoveEdit) else edit.box_xyxy
    near = max(detections, key=lambda found: iou(found.box_xyxy, box), default=None)
    if near is not None and iou(near.box_xyxy, box) > MEANT_IOU:
        remark(f"nothing that was found is called {edit.target!r}; its plan means {near.id!r} by its box")
        return edit.model_copy(update={"target": near.id})
    there = ", ".join(repr(found.id) for found in detections) or "nothing"
    remark(f"nothing that was found is called {edit.target!r}, and its box is taken for it; found are {there}")
    return edit


def _aim(objects: dict[str, Instance], edit: Edit, detections: Sequence[Detection]) -> None:
    """Bring an edit into the objects that a plan aims at."""
    if isinstance(edit, DeleteEdit):
        objects.pop(edit.target, None)
        return
    one = objects.get(edit.target) or _found(edit.target, detections)
    if isinstance(edit, AddEdit | ChangeAttributeEdit):
        if one is None or isinstance(edit, AddEdit) and one.box_xyxy != edit.box_xyxy:
            one = Instance(
                id=edit.target,
                phrase=edit.phrase,
                noun=edit.noun,
                attributes=edit.attributes,
                box_xyxy=edit.box_xyxy,
            )
        elif {*edit.attributes} - {*one.attributes} or one.noun not in (None, edit.noun):
            one = one.model_copy(update={"phrase": edit.phrase, "noun": edit.noun, "attributes": edit.attributes})
        objects[edit.target] = one
    elif isinstance(edit, MoveEdit) and one is not None:
        moved = one.box_xyxy != edit.box_xyxy
        objects[edit.target] = one.model_copy(update={"box_xyxy": edit.box_xyxy}) if moved else one


def _found(name: str, detections: Sequence[Detection]) -> Instance | None:
    found = next((one for one in detections if one.id == name), None)
    return as_instance(found) if found is not None else None
