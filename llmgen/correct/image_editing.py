"""Editing by instruction: look at a picture, do what is said, look again.

The planner reads the instruction and says which objects it speaks of; the detector finds them; the planner turns the
instruction into edits on what was found; and the rounds of `self_correction` paint, look again and keep what is better.
A task of SLD brings the planner's replies along, and then no planner is asked.

Source: SLD (Wu et al. 2024), the mode `image_editing`.
"""

from collections.abc import Sequence
from typing import ClassVar

from llmgen.artifacts import Detection, EditPlan, HistoryEntry, Layout, Record, Reply
from llmgen.correct.given_plans import waiting_plan
from llmgen.correct.goals import goal_layout
from llmgen.correct.histories import begun_history
from llmgen.correct.self_correction import Loop, Seen, SelfCorrection
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.engine.seeds import derive_seed
from llmgen.errors import InputError
from llmgen.llm.providers.provider import Provider
from llmgen.llm.providers.recorded import replies_in_wait
from llmgen.llm.questions.edit import EditQuestion
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.llm.replies.wire import clean_noun
from llmgen.llm.schemas import ParsedInstance, ParsedObject, ParsedPrompt


class ImageEditingConfig(SelfCorrectionConfig):
    """Settings of `correct --mode image_editing`: those of `self_correction` and one more."""

    keep_unverified: bool = False
    """Also keep a picture in which the detector sees no more of what was asked than before, if no less: for edits that it cannot
    tell, such as a noun it has never heard of. SLD keeps its last picture always."""


class ImageEditing(SelfCorrection):
    """Edit pictures by instruction.

    The instruction is `record.instruction`, else the prompt; the picture `record.image`, else `record.source_image`.
    Detections that come with a record are taken as they are.
    """

    name: ClassVar[str] = "image_editing"
    needs: ClassVar[tuple[str, ...]] = ()
    settings_like: ClassVar[str] = "self_correction"
    Config = ImageEditingConfig
    _config: ImageEditingConfig

    def _is_better(self, shown: float, before: float) -> bool:
        return shown > before or (self._config.keep_unverified and shown == before)

    def _instruction(self, record: Record) -> str:
        return record.instruction or record.prompt

    def _first_look(self, record: Record) -> Loop:
        record = self._with_picture(record)
        assert record.image is not None
        image, said = record.image, record.instruction or record.prompt
        planner = self._planner(record)
        read = self._context.heard(record.id, planner.ask(ParseQuestion(said, instruction=True)))
        parsed = read.value
        detections = record.detections if record.detections is not None else self._look(record, parsed, planner)
        history, place = begun_history(record)
        plan, replies = waiting_plan(record), [read.reply]
        if plan is None:
            seed = derive_seed(record.seed or 0, "edit", len(history))
            answer = planner.ask(EditQuestion(said, detections, image.width, image.height, seed))
            self._context.heard(record.id, answer)
            plan = answer.value
            replies.append(answer.reply)
        else:
            plan = self._settled(record.grown(detections=detections), plan)
        goal = self._goal_of_instruction(record, plan, detections, parsed)
        loop = Loop(
            record.grown(layout=goal, detections=detections),
            Seen(image, detections, plan, place),
            history,
            goal=plan,
            before=detections,
        )
        loop.note_best()
        for reply in replies:
            loop.add_reply(reply)
        return loop

    def _waiting(self, record: Record) -> tuple[Reply, ...]:
        replies = replies_in_wait(record)
        if record.instruction is not None:
            # What was read from the prompt says nothing about the instruction.
            replies = tuple(reply for reply in replies if reply.call != ParseQuestion.name)
        return replies

    def _with_picture(self, record: Record) -> Record:
        if record.image is not None:
            return record
        if record.source_image is None:
            raise InputError("no picture to edit; give the record `source_image`, or run `llmgen generate` first")
        image = self._context.images.refer(record.source_image)
        return record.grown(image=image, history=(HistoryEntry(stage="generate", round=0, image=image),))

    def _look(self, record: Record, parsed: ParsedPrompt, planner: Provider) -> tuple[Detection, ...]:
        """What there is of all that instruction, prompt and layout name: what is not edited must be known to be kept."""
        wanted = [parsed]
        if record.layout is not None:
            wanted.append(_parsed_of_layout(record.layout))
        elif record.instruction is not None and record.prompt.strip():
            wanted.append(planner.ask(ParseQuestion(record.prompt)).value)
        asked = Reply(call=ParseQuestion.name, provider="joined", text=_joined(wanted).model_dump_json())
        (seen,) = self._context.collaborator("detect")([record.grown(layout=None, detections=None, replies=(asked,))])
        return seen.detections or ()

    def _goal_of_instruction(
        self, record: Record, plan: EditPlan, detections: Sequence[Detection], parsed: ParsedPrompt
    ) -> Layout:
        assert record.image is not None
        background, negative = parsed.background, list(parsed.negative)
        if record.layout is not None:
            background = record.layout.background_prompt
            negative += record.layout.absent
        elif record.instruction is not None and record.prompt.strip():
            background = self._planner(record).ask(ParseQuestion(record.prompt)).value.background
        return goal_layout(
            plan,
            detections,
            width=record.image.width,
            height=record.image.height,
            background=background,
            negative=tuple(dict.fromkeys(negative)),
        )


def _parsed_of_layout(layout: Layout) -> ParsedPrompt:
    objects: dict[str, list[ParsedInstance]] = {}
    for instance in layout.instances:
        noun = clean_noun(instance.noun or instance.phrase)
        objects.setdefault(noun, []).append(ParsedInstance(attributes=list(instance.attributes)))
    return ParsedPrompt(
        reasoning="",
        objects=[ParsedObject(noun=noun, instances=some) for noun, some in objects.items()],
        background=layout.background_prompt,
        negative=list(layout.absent),
    )


def _joined(parts: Sequence[ParsedPrompt]) -> ParsedPrompt:
    """All that several readings name, each thing once."""
    objects: dict[str, list[ParsedInstance]] = {}
    for part in parts:
        for thing in part.objects:
            known = objects.setdefault(thing.noun, [])
            spare = list(known)
            for one in thing.instances:
                if one in spare:
                    spare.remove(one)
                else:
                    known.append(one)
    # What must go is looked for like everything else.
    nouns = [noun for part in parts for noun in part.negative if not objects.get(noun)]
    return ParsedPrompt(
        reasoning="",
        objects=[ParsedObject(noun=noun, instances=some) for noun, some in objects.items() if some],
        background=parts[0].background,
        negative=list(dict.fromkeys(nouns)),
    )
