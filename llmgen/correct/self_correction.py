"""SLD's loop: look at the picture, say what is wrong, correct it on latents, look again.

Each round the language model compares the prompt with what the detector sees and returns edits; `LatentPainter`
carries them out. A record whose picture has nothing left to correct leaves the loop. A round starts from the best
picture so far, and its picture is kept only if the detector sees more of what was asked: no record gets worse by the
detector's own measure. (The reference keeps the last picture.)

Source: SLD (Wu et al. 2024, Self-correcting LLM-controlled Diffusion Models).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from llmgen.artifacts import (
    AddEdit,
    Detection,
    EditPlan,
    HistoryEntry,
    ImageRef,
    Kind,
    Layout,
    ModelUse,
    Record,
    Reply,
    Stage,
)
from llmgen.correct.context.settings import ContextConfig
from llmgen.correct.given_plans import settled, waiting_plan
from llmgen.correct.goals import agreement, goal_layout, remaining
from llmgen.correct.histories import begun_history
from llmgen.correct.inpaint_painter import InpaintPainter
from llmgen.correct.instruct_painter import InstructPainter, sentences_of
from llmgen.correct.jobs import Job, Painted
from llmgen.correct.painters import cut_by_painter, load_inpainter, painter_models, texts_of
from llmgen.correct.painting import LatentPainter
from llmgen.correct.reference import ReferencePainter
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.answering.editor import EditSettings
from llmgen.diffusion.answering.sampling import ANCESTRAL
from llmgen.diffusion.failures import as_model_errors
from llmgen.diffusion.grounding import grounding_slots
from llmgen.diffusion.prompts import beyond_limits, cut_texts, join_negatives, scene_prompt
from llmgen.diffusion.sampling import OWN_LOOP
from llmgen.engine.long_runs import CompiledMethod
from llmgen.engine.seeds import derive_seed
from llmgen.errors import InputError
from llmgen.llm.english.words import singularize
from llmgen.llm.planning.vocabulary import nouns_asked_for, unknown_nouns
from llmgen.llm.providers.provider import Provider
from llmgen.llm.providers.recorded import Recorded, replies_in_wait
from llmgen.llm.questions.differences import DifferencesQuestion
from llmgen.llm.questions.parse import ParseQuestion

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class Painter(Protocol):
    """Carries plans out."""

    def paint(self, jobs: Sequence[Job]) -> list[Painted]:
        """One result per job, in order, each of the size of its picture."""
        ...


@dataclass
class Seen:
    """A picture, what was seen in it and what is left to do."""

    image: ImageRef
    detections: tuple[Detection, ...]
    plan: EditPlan
    place: int
    """Its entry in the history."""


@dataclass
class Loop:
    """A record on its way through the rounds."""

    record: Record
    best: Seen
    history: list[HistoryEntry]
    carried_out: EditPlan | None = None
    replies: list[Reply] = field(default_factory=list)
    goal: EditPlan | None = None
    """A plan that was given or came from an instruction: the rounds aim at it and do not ask the planner again."""
    before: tuple[Detection, ...] = ()
    """What was detected when the goal was made."""

    def agreement(self, plan: EditPlan) -> float:
        """How much of what is asked a picture shows that still needs a plan."""
        if self.goal is None:
            return agreement(plan)
        return 1.0 if not plan.edits else max(0.0, 1 - len(plan.edits) / max(1, len(self.goal.edits)))

    def note_best(self) -> None:
        """Say in the history what was seen in the best picture."""
        seen, plan = self.best, self.best.plan
        said = {"detections": seen.detections, "satisfied": not plan.edits, "agreement": self.agreement(plan)}
        self.history[seen.place] = self.history[seen.place].model_copy(update=said)

    def add_reply(self, reply: Reply) -> None:
        """Keep a reply, unless it came with the record."""
        if not any(known is reply for known in self.record.replies):
            self.replies.append(reply)


class SelfCorrection(CompiledMethod):
    """Correct pictures by their own prompts."""

    stage: ClassVar[Stage] = "correct"
    name: ClassVar[str] = "self_correction"
    makes: ClassVar[Kind] = "corrections"
    needs: ClassVar[tuple[str, ...]] = ("image", "prompt")
    Config = SelfCorrectionConfig
    compiled_role: ClassVar[str] = "layout_to_image"
    draws_alike: ClassVar[bool] = False

    def __init__(self, context: "StageContext", config: SelfCorrectionConfig) -> None:
        self._context, self._config = context, config
        # What is compiled is known to compile before the first picture is looked at.
        self._painter: Painter | None = self._load_painter() if config.compile == "always" else None

    @classmethod
    def call_kinds(cls, config: SelfCorrectionConfig) -> int:
        """Without boxes, with boxes, and added objects watched besides; none where nothing or somebody else paints.

        The reference keeps all attention in lists as it runs, which cannot be compiled.
        """
        if config.plan_only or config.painter != "latents" or config.profile == "reference":
            return 0
        grounded = 0 if config.grounding_fraction == 0 else 1
        watched = config.reference_weight and config.energy_scale and config.guided_fraction
        return 1 + grounded + (0 if not watched else 1 if config.grounding_fraction in (0, 1) else 2)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use; none when only plans are made."""
        if self._config.plan_only:
            return ()
        own = tuple(self._context.models.use(role) for role in ("segmenter", "detector"))
        if self._config.painter == "instruct":
            return (self._context.models.use("edit", ANCESTRAL), *own)
        if self._config.painter != "latents":
            settings: ContextConfig = self._context.config_for("correct", "context")
            return (*painter_models(self._context, self._config.painter, settings), *own)
        return (self._context.models.use("layout_to_image", OWN_LOOP), *own)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Correct each record's picture, or plan to."""
        for record in records:
            self._check_words(record)
        loops = [self._first_look(record) for record in records]
        for number in range(1, self._config.rounds + 1 if not self._config.plan_only else 1):
            active = [loop for loop in loops if loop.best.plan.edits]
            if not active:
                break
            self._context.progress(f"correct: round {number}, {len(active)} of {len(loops)} pictures")
            self._round(active, number)
        # Inside the rounds a record's layout is its goal; outside it stays what the picture was once drawn after.
        finish = _planned if self._config.plan_only else _finished
        for loop in loops:
            for text in _unseen(loop):
                self._context.remark_on(loop.record.id, text)
        return [finish(loop).grown(layout=record.layout) for loop, record in zip(loops, records, strict=True)]

    def _check_words(self, record: Record) -> None:
        """Refuse what the preset's models know less than half of: they would paint a picture over with something else."""
        preset = self._context.preset
        nouns = nouns_asked_for(record.prompt, record.layout)
        unknown = unknown_nouns(nouns, preset.words)
        if self._config.outside_vocabulary or 2 * len(unknown) <= len(nouns):
            return
        raise InputError(
            f"preset {preset.name!r} knows nothing of {', '.join(map(repr, unknown))}: it draws and sees {', '.join(preset.words)}. "
            "Choose models that do with --preset, or go on with --outside-vocabulary"
        )

    def _first_look(self, record: Record) -> Loop:
        if record.image is None:
            raise InputError(f"record {record.id!r} has no picture; run `llmgen generate` first")
        if record.detections is None:
            record = self._context.collaborator("detect")([record])[0]
        assert record.image is not None and record.detections is not None
        history, place = begun_history(record)
        loop = Loop(record, Seen(record.image, record.detections, EditPlan(), place), history)
        waiting = waiting_plan(record)
        if waiting is not None:
            waiting = self._settled(record, waiting)
            loop.goal, loop.before = waiting, record.detections
            loop.record = record.grown(layout=self._goal(loop, waiting))
        loop.best.plan = waiting if waiting is not None else self._plan(loop, record.detections)
        loop.note_best()
        return loop

    def _settled(self, record: Record, plan: EditPlan) -> EditPlan:
        assert record.image is not None
        size = (record.image.width, record.image.height)
        return settled(plan, record.detections or (), size, lambda text: self._context.remark_on(record.id, text))

    def _goal(self, loop: Loop, plan: EditPlan) -> Layout:
        """The picture that a given plan aims at, as a layout: the detector looks for what the plan names."""
        record, image = loop.record, loop.best.image
        background, absent = self._scene(loop)
        goal = goal_layout(
            plan,
            record.detections or (),
            width=image.width,
            height=image.height,
            background=background,
            negative=record.layout.absent if record.layout is not None else (absent,) if absent else (),
        )
        return goal if record.layout is None else goal.model_copy(update={"negative_prompt": absent})

    def _scene(self, loop: Loop) -> tuple[str, str]:
        """Background and negative prompt of a record: its layout's, else the parsed prompt's."""
        layout = loop.record.layout
        if layout is not None:
            return layout.background_prompt, layout.negative_prompt
        answer = self._planner(loop.record).ask(ParseQuestion(loop.record.prompt))
        self._context.heard(loop.record.id, answer)
        loop.add_reply(answer.reply)
        return answer.value.background, ", ".join(answer.value.negative)

    def _plan(self, loop: Loop, detections: Sequence[Detection]) -> EditPlan:
        if loop.goal is not None:
            return remaining(loop.goal, loop.before, detections)
        record, image = loop.record, loop.best.image
        seed = derive_seed(record.seed or 0, "differences", len(loop.history))
        question = DifferencesQuestion(record.prompt, tuple(detections), image.width, image.height, record.layout, seed)
        answer = Recorded(self._waiting(record), lambda: self._context.critic).ask(question)
        self._context.heard(record.id, answer)
        loop.add_reply(answer.reply)
        return answer.value

    def _planner(self, record: Record) -> Provider:
        """The planner, behind the replies that came with the record (SLD's tasks bring theirs along)."""
        return Recorded(self._waiting(record), lambda: self._context.planner)

    def _waiting(self, record: Record) -> tuple[Reply, ...]:
        """The replies that came with a record and still hold."""
        return replies_in_wait(record)

    def _round(self, loops: Sequence[Loop], number: int) -> None:
        if self._painter is None:
            self._painter = self._load_painter()
        images = self._context.images
        with as_model_errors("correct self_correction"):
            painted = self._painter.paint([self._job(loop, number) for loop in loops])
        pictures = [images.save(x.record.id, f"correct-{number}", p.image) for x, p in zip(loops, painted, strict=True)]
        regions = [images.save(x.record.id, f"region-{number}", p.region) for x, p in zip(loops, painted, strict=True)]
        looked = self._context.collaborator("detect")(
            [x.record.grown(image=ref, detections=None) for x, ref in zip(loops, pictures, strict=True)]
        )
        for loop, ref, region, record in zip(loops, pictures, regions, looked, strict=True):
            detections = record.detections or ()
            made_by, place = loop.best.plan, len(loop.history)
            loop.carried_out = made_by
            plan = self._plan(loop, detections)
            seen = Seen(ref, detections, plan, place)
            shown = loop.agreement(plan)
            better = self._is_better(shown, loop.agreement(loop.best.plan))
            loop.history.append(
                HistoryEntry(
                    stage="correct",
                    round=number,
                    image=ref,
                    detections=detections,
                    edits=made_by,
                    region=region,
                    satisfied=not plan.edits,
                    agreement=shown,
                    kept=better,
                )
            )
            if better:
                loop.best = seen

    def _load_painter(self) -> Painter:
        models, config = self._context.models, self._config
        if config.painter != "latents":
            if config.profile == "reference":
                raise InputError("profile 'reference' paints with latents; leave the painter away, or the profile")
            if config.painter == "instruct":
                return self._load_instruct_painter()
            settings: ContextConfig = self._context.config_for("correct", "context")
            inpainter = load_inpainter(self._context, config.painter, settings)
            return InpaintPainter(inpainter, models.segmenter(), config, settings)
        painter = ReferencePainter if config.profile == "reference" else LatentPainter
        return painter(
            self._compiled(models.stable_diffusion("layout_to_image")),
            models.text("layout_to_image"),
            models.segmenter(),
            config,
            batch_size=self._context.batch_size,
            progress=self._context.progress,
        )

    def _load_instruct_painter(self) -> Painter:
        context, preset = self._context, self._context.preset
        asked = context.config_for("generate", "question-guided")
        settings = EditSettings(
            steps=self._config.num_inference_steps,
            text_guidance=asked.guidance_scale,
            image_guidance=asked.image_guidance_scale,
            batch_size=1,
        )
        side = asked.size or max(preset.width, preset.height)
        return InstructPainter(
            context.models.picture_editor(), context.models.text("edit"), settings, side, context.progress
        )

    def _is_better(self, shown: float, before: float) -> bool:
        """Whether a picture in which the detector sees this much of what was asked takes the place of the best so far."""
        return shown > before

    def _remark_on_limits(self, record_id: str, job: Job) -> None:
        models, painter = self._context.models, self._config.painter
        negative = join_negatives(job.negative, self._config.negative_prompt)
        if painter == "instruct":
            sentences = {f"sentence {sentence[:40]!r}": sentence for sentence in sentences_of(job)}
            cut = cut_texts(models.text("edit").tokenizer, sentences)
        elif painter != "latents":
            told: ContextConfig = self._context.config_for("correct", "context")
            cut = cut_by_painter(self._context, painter, told, texts_of(job.plan, job.background, negative))
        else:
            wanted = [instance.phrase for instance in job.plan.target]
            slots = grounding_slots(models.stable_diffusion("layout_to_image").unet)
            encoder, prompt = models.text("layout_to_image"), scene_prompt(job.background, wanted)
            added = any(isinstance(edit, AddEdit) for edit in job.plan.edits)
            cut = beyond_limits(
                prompt,
                encoder,
                negative=negative,
                object_negative=join_negatives(negative, self._config.object_negative_prompt) if added else "",
                phrases=wanted,
                objects=len(wanted),
                slots=slots,
            )
        for text in cut:
            self._context.remark_on(record_id, text)

    def _job(self, loop: Loop, number: int) -> Job:
        record, best = loop.record, loop.best
        background, negative = self._scene(loop)
        job = Job(
            image=self._context.images.load(best.image),
            plan=best.plan,
            detections=best.detections,
            background=background,
            negative=negative,
            seed=derive_seed(record.seed or 0, "correct", number),
            instruction=self._instruction(record) if number == 1 else "",
        )
        if number == 1:
            self._remark_on_limits(record.id, job)
            self._remark_if_uncompiled(record.id, job.image.size)
        return job

    def _instruction(self, record: Record) -> str:
        """What somebody asked for in words; a prompt asks for nothing that could be done to a picture."""
        return ""


def _unseen(loop: Loop) -> Iterator[str]:
    """What was drawn in every round and never found: what a detector does not know looks like what was not drawn."""
    looks = [entry.detections for entry in loop.history if entry.detections is not None]
    found = {singularize(seen.noun.lower()) for look in looks for seen in look}
    drawn = [e.noun for entry in loop.history if entry.edits for e in entry.edits.edits if isinstance(e, AddEdit)]
    for noun in dict.fromkeys(drawn):
        if singularize(noun.lower()) not in found:
            yield (
                f"a {noun!r} was drawn, but the detector found none in {len(looks)} pictures; it may not know the word"
            )


def _planned(loop: Loop) -> Record:
    record = loop.record
    return record.grown(
        edits=loop.best.plan, history=tuple(loop.history), replies=(*record.replies, *loop.replies), scores=None
    )


def _finished(loop: Loop) -> Record:
    record, best = loop.record, loop.best
    return record.grown(
        image=best.image,
        detections=best.detections,
        edits=loop.carried_out if loop.carried_out is not None else best.plan,
        history=tuple(loop.history),
        replies=(*record.replies, *loop.replies),
        scores=None,
    )
