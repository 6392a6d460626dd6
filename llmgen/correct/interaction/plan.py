"""The plan: which candidate has the pose of the action, and where its object must be.

Both are asked of the critic. Where it gives no usable answer, the rules answer: the nearest pose, and the place that the verb wants.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from PIL import Image

from llmgen.artifacts import (
    AddEdit,
    Detection,
    EditPlan,
    Instance,
    Interaction,
    MoveEdit,
    Record,
    Reply,
    Sample,
)
from llmgen.correct.histories import begun_history
from llmgen.correct.interaction.check import share_seen
from llmgen.engine.seeds import derive_seed
from llmgen.errors import InputError, ModelError
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.english.words import singularize
from llmgen.llm.planning.corrections import free_id
from llmgen.llm.planning.interactions import Figure, Joint, pose_distance
from llmgen.llm.providers.provider import Answer
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.object_place import ObjectPlaceQuestion
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.questions.pose_choice import PoseChoiceQuestion
from llmgen.llm.questions.question import MOST_PICTURES, Question
from llmgen.llm.replies.wire import as_instance
from llmgen.vision.boxes import BoxTuple, area
from llmgen.vision.contact_sheets import numbered_sheet
from llmgen.vision.protocols import PoseEstimator

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

T = TypeVar("T")
PLACING = ("add", "move", "resize")
"""Edits that say where the object must be."""
_SIDES = {"l": "left", "r": "right"}


def interaction_of(record: Record) -> Interaction:
    """Who does what with what.

    Raises:
        InputError: If the record's layout does not say.
    """
    if record.layout is None or record.layout.interaction is None:
        raise InputError(
            f"record {record.id!r} does not say who does what with what; run `llmgen layout --method interaction` first"
        )
    return record.layout.interaction


def placed_box(record: Record, plan: EditPlan) -> BoxTuple:
    """Where a plan puts the object.

    Raises:
        InputError: If it does not say of one thing where to put it.
    """
    placing = [edit for edit in plan.edits if edit.op in PLACING]
    if len(placing) != 1 or len(plan.edits) != 1:
        found = ", ".join(edit.op for edit in plan.edits) or "nothing"
        raise InputError(
            f"record {record.id!r}: its plan says {found}; correct interaction carries out one move, resize or add of the object"
        )
    return placing[0].box_xyxy


@dataclass(frozen=True)
class Candidate:
    """One picture to choose from.

    Attributes:
        image: The picture.
        detections: What was found in it.
        figure: Who was found to act, or None.
    """

    image: Image.Image
    detections: tuple[Detection, ...]
    figure: Figure | None


class Planner:
    """Makes the plan of a record.

    Args:
        context: Gives detector, pose model and critic.
        shown_as: How candidates are shown to a critic that sees.
        by_content: Whether a critic that does not see is told how much of what was asked the detector finds in each candidate.
    """

    def __init__(self, context: "StageContext", shown_as: Literal["parts", "sheet"], *, by_content: bool) -> None:
        self._context, self._shown_as, self._by_content = context, shown_as, by_content
        self._poses: PoseEstimator | None = None
        if "pose" in context.preset.roles:
            self._poses = context.models.pose_estimator()

    def plan(self, record: Record) -> Record:
        """The record with its chosen candidate as the current picture, and the edit that is to be carried out.

        Raises:
            InputError: If the record has no interaction or no picture.
        """
        interaction = interaction_of(record)
        if any(entry.stage == "correct" for entry in record.history):
            # A picture that was corrected before, or left, is looked at as it is; its candidate was chosen.
            return self._planned(record.grown(samples=()), interaction).grown(samples=record.samples)
        return self._planned(record, interaction)

    def _planned(self, record: Record, interaction: Interaction) -> Record:
        looked = self._looked_at(record)
        candidates = self._candidates(looked, interaction)
        replies: list[Reply] = []
        index = 0
        if looked.samples:
            index, reason = self._choose(looked, interaction, candidates, replies)
            looked = looked.with_choice(index, reason)
        place = self._place(looked, interaction, candidates[index], replies)
        assert looked.image is not None
        history, last = begun_history(looked)
        history[last] = history[last].model_copy(update={"detections": candidates[index].detections})
        return looked.grown(
            edits=place,
            detections=candidates[index].detections,
            history=tuple(history),
            replies=(*record.replies, *replies),
        )

    def seen(self, records: Sequence[Record]) -> list[tuple[tuple[Detection, ...], float, float]]:
        """What is found in the current picture of each record, the share of its prompt that is seen in it, and the distance of its pose.

        The distance is that of who acts from the verb's pose, infinite where nobody can tell.

        Raises:
            InputError: If a plan does not say of one thing where to put it.
        """
        detect, load = self._context.collaborator("detect"), self._context.images.load
        found = detect(
            [
                record.grown(kind="images", detections=None, samples=(), edits=None, scores=None, history=())
                for record in records
            ]
        )
        said = []
        for record, view in zip(records, found, strict=True):
            assert record.image is not None
            interaction, detections = interaction_of(record), view.detections or ()
            figure = self._candidate(load(record.image), detections, interaction).figure
            thing = best_of(detections, read_phrase(interaction.object.text)[0])
            planned = placed_box(record, record.edits or EditPlan())
            near = pose_distance(figure.sure, interaction.verb_base) if figure is not None else None
            share = share_seen(record, interaction, detections, figure, thing, planned)
            said.append((detections, share, near[0] if near is not None else math.inf))
        return said

    # What is seen ---------------------------------------------------------------------------------------------------

    def _looked_at(self, record: Record) -> Record:
        """The record with detections of every candidate."""
        detect = self._context.collaborator("detect")
        if not record.samples:
            if record.image is None:
                raise InputError(f"record {record.id!r} has no picture; run `llmgen generate --method record` first")
            return record if record.detections is not None else detect([record.grown(samples=())])[0]
        blind = [sample for sample in record.samples if sample.detections is None]
        views = [_view(record, sample) for sample in blind]
        found = dict(zip((sample.index for sample in blind), detect(views), strict=True)) if views else {}
        samples = tuple(
            sample.model_copy(update={"detections": found[sample.index].detections})
            if sample.index in found
            else sample
            for sample in record.samples
        )
        return record.grown(samples=samples)

    def _candidates(self, record: Record, interaction: Interaction) -> list[Candidate]:
        load = self._context.images.load
        if not record.samples:
            assert record.image is not None
            return [self._candidate(load(record.image), record.detections or (), interaction)]
        return [self._candidate(load(s.image), s.detections or (), interaction) for s in record.samples]

    def _candidate(self, image: Image.Image, detections: tuple[Detection, ...], interaction: Interaction) -> Candidate:
        acting = best_of(detections, read_phrase(interaction.subject.text)[0])
        if acting is None:
            return Candidate(image, detections, None)
        joints: dict[str, Joint] = {}
        if self._poses is not None and area(acting.box_xyxy) > 0:
            ((pose,),) = self._poses.estimate_poses([image], [[acting.box_xyxy]])
            joints = {
                _joint_name(name): Joint(float(x), float(y), float(score))
                for name, (x, y), score in zip(self._poses.joints, pose.points_xy, pose.scores, strict=True)
            }
        return Candidate(image, detections, Figure(acting.box_xyxy, joints))

    # What the critic says -------------------------------------------------------------------------------------------

    def _choose(
        self, record: Record, interaction: Interaction, candidates: Sequence[Candidate], replies: list[Reply]
    ) -> tuple[int, str]:
        """Index of the candidate and why; one that somebody chose and gave a reason for stays."""
        chosen = record.chosen
        assert chosen is not None
        if chosen.reason is not None or len(candidates) == 1:
            return chosen.index, chosen.reason or "the only candidate"
        images = [candidate.image for candidate in candidates]
        as_sheet = self._shown_as == "sheet" or len(images) > MOST_PICTURES
        pictures = (Picture(numbered_sheet(images)),) if as_sheet else tuple(Picture(image) for image in images)
        question = PoseChoiceQuestion(
            subject=record.prompt,
            who=interaction.subject.text,
            verb=interaction.verb.text,
            verb_base=interaction.verb_base,
            figures=tuple(candidate.figure for candidate in candidates),
            shares=self._shares(record, interaction, candidates) if self._by_content else (),
            seed=derive_seed(record.seed or 0, "pose_choice", 0),
            pictures=pictures,
        )
        answer = self._ask(record, question)
        replies.append(answer.reply)
        return answer.value.index, answer.value.reason

    def _shares(self, record: Record, interaction: Interaction, candidates: Sequence[Candidate]) -> tuple[float, ...]:
        """How much of what was asked is seen in each candidate."""
        noun = read_phrase(interaction.object.text)[0]
        return tuple(
            share_seen(record, interaction, each.detections, each.figure, best_of(each.detections, noun))
            for each in candidates
        )

    def _place(self, record: Record, interaction: Interaction, candidate: Candidate, replies: list[Reply]) -> EditPlan:
        """The edit that brings the object where it belongs."""
        noun, attributes = read_phrase(interaction.object.text)
        found = best_of(candidate.detections, noun)
        attention = next((e.attention for e in reversed(record.history) if e.image == record.image), None)
        guess = attention.box_xyxy if attention is not None else None
        box = found.box_xyxy if found is not None else guess
        question = ObjectPlaceQuestion(
            subject=record.prompt,
            verb=interaction.verb.text,
            verb_base=interaction.verb_base,
            preposition=record.prompt[interaction.verb.end : interaction.object.start].strip(),
            noun=interaction.object_noun.text,
            figure=candidate.figure,
            object_box=box,
            found_by="detector" if found is not None else "attention" if box is not None else "",
            width=candidate.image.width,
            height=candidate.image.height,
            seed=derive_seed(record.seed or 0, "object_place", 0),
            pictures=(Picture(candidate.image),),
        )
        answer = self._ask(record, question)
        replies.append(answer.reply)
        place = answer.value
        if candidate.figure is None and answer.reply.provider != Rules.provider:
            self._context.remark_on(
                record.id, f"the detector finds no {interaction.subject.text!r} in the chosen picture"
            )
        edit: MoveEdit | AddEdit
        if found is not None:
            op: Literal["move", "resize"] = "move" if _same_size(found.box_xyxy, place.box) else "resize"
            edit = MoveEdit(op=op, target=found.id, from_box_xyxy=found.box_xyxy, box_xyxy=place.box)
        else:
            taken = {detection.id for detection in candidate.detections}
            edit = AddEdit(
                target=free_id(" ".join((*attributes, noun)), taken),
                phrase=interaction.object.text,
                noun=noun,
                attributes=attributes,
                box_xyxy=place.box,
            )
        target = [as_instance(detection) for detection in candidate.detections if detection is not found]
        placed = Instance(
            id=edit.target, phrase=interaction.object.text, noun=noun, attributes=attributes, box_xyxy=place.box
        )
        return EditPlan(
            edits=(edit,), target=(*target, placed), reasoning=f"{place.relation.replace('_', ' ')}: {place.reason}"
        )

    def _ask(self, record: Record, question: Question[T]) -> Answer[T]:
        """The critic's answer, else that of the rules."""
        try:
            return self._context.heard(record.id, self._context.critic.ask(question))
        except ModelError as error:
            self._context.remark_on(
                record.id, f"the critic's answer to {question.name} is of no use, the rules answer: {error}"
            )
            return self._context.heard(record.id, Rules().ask(question))


def best_of(detections: Sequence[Detection], noun: str) -> Detection | None:
    """The surest detection of a noun."""
    wanted = singularize(noun.lower())
    fitting = [found for found in detections if singularize(found.noun.lower()) == wanted]
    return max(fitting, key=lambda found: found.score, default=None)


def _joint_name(name: str) -> str:
    """`L_Wrist`, as real models call it, or `left_wrist`."""
    side, _, joint = name.strip().lower().replace(" ", "_").partition("_")
    return f"{_SIDES.get(side, side)}_{joint}" if joint else side


def _view(record: Record, sample: Sample) -> Record:
    return record.grown(image=sample.image, detections=None, samples=(), edits=None, scores=None, history=())


def _same_size(one: BoxTuple, other: BoxTuple) -> bool:
    return all(abs((one[k + 2] - one[k]) - (other[k + 2] - other[k])) <= 1.5 for k in (0, 1))
