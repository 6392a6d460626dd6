"""Between wire formats and artifacts, in both directions."""

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
from llmgen.llm.english.grammar import PromptMeaning
from llmgen.llm.english.saying import phrase_of
from llmgen.llm.english.words import bare, pluralize, singularize, with_article, with_detail
from llmgen.llm.schemas import (
    ChangedObject,
    LayoutPlan,
    LayoutUpdate,
    MovedObject,
    ParsedInstance,
    ParsedObject,
    ParsedPrompt,
    PlannedObject,
    WireBox,
)

BoxXyxy = tuple[float, float, float, float]


def parsed_from_meaning(meaning: PromptMeaning) -> ParsedPrompt:
    """The grammar's reading as the parse call's answer. Groups of one noun are joined, in the order of appearance."""
    instances: dict[str, list[ParsedInstance]] = {}
    for wanted in meaning.objects:
        one = ParsedInstance(attributes=list(wanted.attributes))
        instances.setdefault(wanted.noun, []).extend([one] * wanted.count)
    said = ", ".join(f"{wanted.count} x {wanted.phrase}" for wanted in meaning.objects) or "no objects"
    return ParsedPrompt(
        reasoning=f"The prompt names {said}.",
        objects=[ParsedObject(noun=noun, instances=some) for noun, some in instances.items()],
        background=meaning.background,
        negative=list(meaning.absent),
    )


def plan_of_layout(layout: Layout) -> LayoutPlan:
    """A layout as the layout call's answer."""
    return LayoutPlan(
        reasoning=f"{len(layout.instances)} objects, placed without overlap.",
        objects=[
            PlannedObject(noun=_whole_noun(i), attributes=list(i.attributes), box=wire_box(i.box_xyxy))
            for i in layout.instances
        ],
        background=layout.background_prompt,
        negative=list(layout.absent),
    )


def layout_of_plan(plan: LayoutPlan, *, width: int, height: int) -> Layout:
    """The layout call's answer as a layout.

    Args:
        plan: The answer, its boxes repaired.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
    """
    numbers: dict[str, int] = {}
    instances = []
    for planned in plan.objects:
        named, detail = with_detail(planned.noun)
        noun, attributes = clean_noun(named), tuple(planned.attributes)
        numbers[noun] = numbers.get(noun, 0) + 1
        instances.append(
            Instance(
                id=f"{noun}-{numbers[noun]}",
                phrase=phrase_of(noun, attributes, detail),
                noun=noun,
                attributes=attributes,
                box_xyxy=xyxy(planned.box),
            )
        )
    absent = tuple(dict.fromkeys(clean_noun(noun) for noun in plan.negative if noun.strip()))
    return Layout(
        width=width,
        height=height,
        background_prompt=plan.background,
        negative_prompt=", ".join(pluralize(noun) for noun in absent),
        absent=absent,
        instances=tuple(instances),
    )


def update_of_plan(plan: EditPlan, detections: Sequence[Detection]) -> LayoutUpdate:
    """A plan as the spot-differences call's answer."""
    touched = {edit.target for edit in plan.edits}
    return LayoutUpdate(
        reasoning=plan.reasoning or f"{len(plan.edits)} corrections are needed.",
        keep=[d.id for d in detections if d.id not in touched],
        delete=[e.target for e in plan.edits if isinstance(e, DeleteEdit)],
        move=[MovedObject(id=e.target, box=wire_box(e.box_xyxy)) for e in plan.edits if isinstance(e, MoveEdit)],
        change=[
            ChangedObject(id=e.target, attributes=list(e.attributes))
            for e in plan.edits
            if isinstance(e, ChangeAttributeEdit)
        ],
        add=[
            PlannedObject(noun=e.noun, attributes=list(e.attributes), box=wire_box(e.box_xyxy))
            for e in plan.edits
            if isinstance(e, AddEdit)
        ],
    )


def plan_of_update(update: LayoutUpdate, detections: Sequence[Detection]) -> EditPlan:
    """The spot-differences call's answer as a plan.

    Args:
        update: The answer, its boxes and ids repaired: every id is known and named once.
        detections: What was found in the picture.
    """
    known = {d.id: d for d in detections}
    edits: list[Edit] = [DeleteEdit(target=name, box_xyxy=known[name].box_xyxy) for name in update.delete]
    after = {d.id: as_instance(d) for d in detections if d.id not in update.delete}
    for move in update.move:
        old, new = known[move.id].box_xyxy, xyxy(move.box)
        # A box that was cut at the border by a hair, or rounded, has only moved.
        resized = any(
            abs((new[k + 2] - new[k]) - (old[k + 2] - old[k])) > max(1.5, 0.02 * (old[k + 2] - old[k])) for k in (0, 1)
        )
        edits.append(MoveEdit(op="resize" if resized else "move", target=move.id, from_box_xyxy=old, box_xyxy=new))
        after[move.id] = after[move.id].model_copy(update={"box_xyxy": new})
    for change in update.change:
        seen, attributes = known[change.id], tuple(change.attributes)
        phrase = phrase_of(seen.noun, attributes)
        edits.append(
            ChangeAttributeEdit(
                target=seen.id, phrase=phrase, noun=seen.noun, attributes=attributes, box_xyxy=seen.box_xyxy
            )
        )
        after[seen.id] = after[seen.id].model_copy(update={"phrase": phrase, "attributes": attributes})
    taken, numbers = set(known), dict[str, int]()
    for added in update.add:
        noun, attributes = clean_noun(added.noun), tuple(added.attributes)
        plain = " ".join((*attributes, noun))
        number = numbers.get(plain, 1)
        while (name := f"{plain} #{number}") in taken:
            number += 1
        numbers[plain] = number + 1
        taken.add(name)
        phrase, box = phrase_of(noun, attributes), xyxy(added.box)
        edits.append(AddEdit(target=name, phrase=phrase, noun=noun, attributes=attributes, box_xyxy=box))
        after[name] = Instance(id=name, phrase=phrase, noun=noun, attributes=attributes, box_xyxy=box)
    return EditPlan(edits=tuple(edits), target=tuple(after.values()), reasoning=update.reasoning or None)


def clean_noun(noun: str) -> str:
    """A noun as artifacts hold it: singular, lower case, no article."""
    return singularize(bare(noun).lower()) or noun


def _whole_noun(instance: Instance) -> str:
    """A noun with its detail, "bowl of cherries", as a language model would name it."""
    if instance.noun is None:
        return bare(instance.phrase)
    return f"{instance.noun} {with_detail(instance.phrase, instance.noun)[1]}".rstrip()


def wire_box(box: BoxXyxy) -> WireBox:
    """Corners to position and size."""
    return WireBox(x=box[0], y=box[1], width=box[2] - box[0], height=box[3] - box[1])


def xyxy(box: WireBox) -> BoxXyxy:
    """Position and size to corners."""
    return (box.x, box.y, box.x + box.width, box.y + box.height)


def as_instance(detection: Detection) -> Instance:
    """What was found, as an object that a plan leaves where it is."""
    return Instance(
        id=detection.id,
        phrase=with_article(detection.phrase),
        noun=detection.noun,
        attributes=detection.attributes,
        box_xyxy=detection.box_xyxy,
    )
