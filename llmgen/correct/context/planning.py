"""From what was found to ordered edits of kind `repaint`: the planner writes the context of each object."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llmgen.artifacts import EditOutcome, EditPlan, HistoryEntry, Record, RepaintEdit, Reply
from llmgen.correct.context.masks import Target, painted_masks
from llmgen.correct.context.settings import ContextConfig
from llmgen.engine.seeds import derive_seed
from llmgen.errors import MissingRequirementError, ModelError
from llmgen.llm.english.words import with_article
from llmgen.llm.providers.provider import Provider
from llmgen.llm.questions.context import ContextQuestion, EarlierDepth, PaintedBefore
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.replies.context_reply import Context, Contexts
from llmgen.llm.replies.wire import as_instance
from llmgen.vision.masks import encode_mask, mask_bounds

if TYPE_CHECKING:
    from PIL import Image

LEFT = "nothing was planned for it"


def depths_behind(record: Record) -> list[HistoryEntry]:
    """The depths that a record has behind it, in order."""
    return [entry for entry in record.history if entry.outcomes is not None]


def earlier_depths(record: Record) -> tuple[EarlierDepth, ...]:
    """What they told and painted, as the planner is told it."""
    told = []
    for entry in depths_behind(record):
        plan, outcomes = entry.edits or EditPlan(), entry.outcomes or ()
        painted = {outcome.target for outcome in outcomes if outcome.status == "painted"}
        objects = tuple(
            PaintedBefore(edit.phrase, edit.noun, edit.tags, edit.box_xyxy)
            for edit in plan.edits
            if isinstance(edit, RepaintEdit) and edit.target in painted
        )
        # An object that was left is there all the same: its parts lie on it.
        left = tuple(
            PaintedBefore(one.phrase, one.noun or one.phrase, (), one.box_xyxy)
            for one in plan.target
            if one.id not in painted
        )
        told.append(EarlierDepth(entry.round, plan.reasoning or "", objects + left))
    return tuple(told)


def question_of(
    record: Record, targets: Sequence[Target], config: ContextConfig, number: int, image: "Image.Image"
) -> ContextQuestion:
    """The question for the context of a depth's objects.

    Args:
        record: Its prompt and its earlier depths.
        targets: The objects, in the order in which they are painted.
        config: Settings.
        number: Of the depth, from 1.
        image: The picture.
    """
    depth = config.depth(number)
    return ContextQuestion(
        record.prompt or record.instruction or "",
        tuple(target.detection for target in targets),
        tuple(float(target.area) for target in targets),
        image.width,
        image.height,
        derive_seed(record.seed or 0, "context", number),
        depth=number,
        depths=max(config.depths, number),
        goal=depth.goal,
        offered=tuple(depth.details.items()),
        earlier=earlier_depths(record) if config.memory else (),
        pictures=(Picture(image),) if config.show_picture else (),
    )


def ask_for_contexts(
    question: ContextQuestion, planner: Provider, remark: Callable[[str], None]
) -> tuple[Contexts, tuple[Reply, ...]]:
    """Ask the planner; where it gives no usable reply, every object is painted by its name, and that is said.

    Raises:
        MissingRequirementError: If nobody is there to be asked: it would be so for every record.
    """
    try:
        answer = planner.ask(question)
    except MissingRequirementError:
        raise
    except ModelError as error:
        remark(f"no context from the planner, objects are painted by their names: {error}")
        return Contexts("", tuple(Context() for _ in question.detections)), ()
    for line in answer.remarks:
        remark(line)
    return answer.value, (answer.reply,)


def plan_of(
    targets: Sequence[Target], contexts: Contexts, config: ContextConfig, number: int, remark: Callable[[str], None]
) -> EditPlan:
    """The edits of a depth, in order.

    Args:
        targets: The objects, in the order in which they are painted.
        contexts: What was said of each.
        config: Settings.
        number: Of the depth, from 1.
        remark: Told what cannot be painted.

    Returns:
        An edit for each object that is painted; `target` lists all objects with the pixels that the detector saw, `reasoning` is the story.
    """
    edits = []
    for target, context, mask in zip(targets, contexts.objects, painted_masks(targets, config), strict=True):
        found, bounds = target.detection, mask_bounds(mask)
        if context.skip:
            continue
        if bounds is None:
            remark(f"{found.id!r} is not painted: smaller objects cover all of it")
            continue
        edits.append(
            RepaintEdit(
                target=found.id,
                phrase=with_article(found.phrase),
                noun=found.noun,
                tags=context.tags,
                negative_tags=context.negative_tags,
                box_xyxy=found.box_xyxy,
                mask=encode_mask(mask),
                strength=config.strength_at(number),
            )
        )
    objects = tuple(
        as_instance(target.detection).model_copy(update={"mask": encode_mask(target.mask)}) for target in targets
    )
    return EditPlan(edits=tuple(edits), target=objects, reasoning=contexts.story or None)


def left_out(plan: EditPlan) -> tuple[EditOutcome, ...]:
    """What became of the objects of a plan that have no edit."""
    edited = {edit.target for edit in plan.edits}
    return tuple(
        EditOutcome(target=one.id, status="skipped", reason=LEFT) for one in plan.target if one.id not in edited
    )
