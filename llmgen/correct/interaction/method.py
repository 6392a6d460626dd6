"""ReCorD's correction: the chosen candidate drawn again from its seed, with its object pulled to where the pose wants it.

The plan is a choice and one edit, both made by the critic; it can be read, changed and carried out later. Carried out, both prompts are
denoised from the candidate's noise once more, and in the first steps the latents of the full one follow the slope of an energy of the
object's attention.

Source: ReCorD (Lin et al. 2024), Interaction correction with Diffusion models.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from PIL import Image

from llmgen.artifacts import EditPlan, HistoryEntry, Kind, ModelUse, Record, Stage, WordAttention
from llmgen.correct.given_plans import waiting_plan
from llmgen.correct.interaction.check import stays
from llmgen.correct.interaction.plan import Planner, interaction_of, placed_box
from llmgen.diffusion.failures import as_model_errors, check_finite
from llmgen.diffusion.interaction.drawing import Drawn, PairSampler
from llmgen.diffusion.interaction.pairs import make_pair, unit_attention
from llmgen.diffusion.interaction.settings import PUBLISHED, PairFields, beyond_steps
from llmgen.diffusion.latents import decode_latents, latent_factor, sides_multiple
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.prompts import beyond_limits
from llmgen.diffusion.sampling import OWN_LOOP, make_levels
from llmgen.engine.stage import Profile, StageConfig
from llmgen.errors import InputError
from llmgen.vision.boxes import BoxTuple, clip, to_unit

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class InteractionCorrectionConfig(PairFields, StageConfig):
    """Settings of `correct --mode interaction`."""

    profiles: ClassVar[Mapping[str, Profile]] = {
        "reference": Profile({**PUBLISHED, "choose_by": "pose", "leave_fitting": False, "keep_better": False})
    }

    plan_only: bool = False
    """Write the choice and the edit into the record and do not carry them out."""
    choose_by: Literal["pose", "content"] = "content"
    """By what the `rules` critic chooses a candidate: its pose alone, as ReCorD asks, or how much of what was asked the detector finds in
    it (see `keep_better`), and among equals the pose. A critic that sees is asked ReCorD's question either way."""
    leave_fitting: bool = False
    """Leave a picture as it is whose object the plan leaves where it was found, which saves its drawing. ReCorD asks its critic to change a
    box only where it does not fit, and draws the picture again all the same."""
    keep_better: bool = True
    """Go back to the candidate where the detector sees less of what the prompt asks in the corrected picture (who acts and the object in
    their numbers and colours, and the object in its place), or as much and a pose that is further from the verb's. ReCorD keeps all."""
    shown_as: Literal["parts", "sheet"] = "parts"
    """How candidates are shown to a critic that sees: as parts of one message, or as one numbered contact sheet. More than eight are a
    sheet always."""


class InteractionCorrection:
    """Choose a candidate by its pose and bring its object where the pose wants it."""

    stage: ClassVar[Stage] = "correct"
    name: ClassVar[str] = "interaction"
    makes: ClassVar[Kind] = "corrections"
    needs: ClassVar[tuple[str, ...]] = ("image", "prompt", "layout")
    Config = InteractionCorrectionConfig

    def __init__(self, context: "StageContext", config: InteractionCorrectionConfig) -> None:
        self._context, self._config = context, config
        self._planner: Planner | None = None
        self._loaded: PairSampler | None = None

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use: those that look when a plan is made, and the one that draws."""
        looking = ("detector", "segmenter", "pose") if self._planner is not None else ()
        models = self._context.models
        seen = tuple(models.use(role) for role in looking if role in self._context.preset.roles)
        return seen if self._config.plan_only else (*seen, models.use("text_to_image", OWN_LOOP))

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Correct each record's picture, or plan to.

        Raises:
            InputError: If a record does not say who does what with what, has no picture, or has a plan that is none for this method.
        """
        planned = [self._planned(record) for record in records]
        if self._config.plan_only:
            return planned
        made: dict[int, Record] = {}
        if self._config.leave_fitting:
            made = {i: _left(record) for i, record in enumerate(planned) if _is_fitting(record)}
        multiple = sides_multiple(self._context.models.stable_diffusion("text_to_image"))
        places: dict[tuple[int, int], list[int]] = {}
        for i, record in enumerate(planned):
            if i in made:
                continue
            assert record.image is not None
            size = (record.image.width, record.image.height)
            if any(side % multiple for side in size):
                raise InputError(
                    f"record {record.id!r}: a picture of {size[0]}x{size[1]} needs sides that are multiples of {multiple}"
                )
            places.setdefault(size, []).append(i)
        step = self._context.batch_size
        for size, rows in places.items():
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                corrected = self._carry_out([planned[i] for i in part], size)
                if self._config.keep_better:
                    corrected = self._better([planned[i] for i in part], corrected)
                made |= dict(zip(part, corrected, strict=True))
                self._context.progress(f"correct interaction: {len(made)}/{len(records)}")
        return [made[i] for i in range(len(records))]

    def _planned(self, record: Record) -> Record:
        interaction_of(record)
        waiting = waiting_plan(record)
        if waiting is not None:
            self._check_name(record, waiting)
            return record.grown(edits=waiting)
        return self._looking.plan(record)

    def _check_name(self, record: Record, plan: EditPlan) -> None:
        found = [detection.id for detection in record.detections or ()]
        for edit in plan.edits:
            if found and edit.op in ("move", "resize") and edit.target not in found:
                self._context.remark_on(
                    record.id,
                    f"nothing that was found is called {edit.target!r}; its box is where "
                    f"{interaction_of(record).object.text!r} goes",
                )

    @property
    def _looking(self) -> Planner:
        if self._planner is None:
            self._planner = Planner(
                self._context, self._config.shown_as, by_content=self._config.choose_by == "content"
            )
        return self._planner

    def _carry_out(self, records: Sequence[Record], size: tuple[int, int]) -> list[Record]:
        pipe = self._context.models.stable_diffusion("text_to_image")
        encoder = self._context.models.text("text_to_image")
        for record in records:
            for line in beyond_limits(record.prompt, encoder, negative=self._config.negative_prompt):
                self._context.remark_on(record.id, line)
        sampler = self._sampler
        width, height = size
        factor = latent_factor(pipe.vae)
        with as_model_errors("correct interaction"):
            pairs = [
                make_pair(
                    record.prompt,
                    interaction_of(record),
                    record.chosen.seed if record.chosen is not None else record.seed or 0,
                    encoder,
                    sampler.settings,
                    negative=self._config.negative_prompt,
                    size=size,
                    latents=(pipe.unet.config.in_channels, height // factor, width // factor),
                    cross_replace=self._config.cross_replace,
                    box=to_unit(self._inside(record, size), width, height),
                )
                for record in records
            ]
            told = Steps(self._context.progress, f"correct interaction: {len(pairs)} pictures", sampler.settings.steps)
            drawn = sampler.draw(pairs, box_rows=("c1",), told=told)
            images = decode_latents(pipe.vae, check_finite(drawn.latents, "correct interaction"))
        return [self._finished(record, images[i], drawn, i) for i, record in enumerate(records)]

    @property
    def _sampler(self) -> PairSampler:
        if self._loaded is None:
            pipe = self._context.models.stable_diffusion("text_to_image")
            settings = self._config.constants(xl=hasattr(pipe, "text_encoder_2"))
            self._loaded = PairSampler(pipe.unet, make_levels(pipe.scheduler, settings.steps), settings)
        return self._loaded

    def _inside(self, record: Record, size: tuple[int, int]) -> BoxTuple:
        """The planned box, cut to the picture."""
        box = placed_box(record, record.edits or EditPlan())
        inside = clip(box, *size)
        if inside[2] <= inside[0] or inside[3] <= inside[1]:
            raise InputError(
                f"record {record.id!r}: the planned box {list(box)} lies outside its {size[0]}x{size[1]} picture"
            )
        if inside != box:
            self._context.remark_on(record.id, "the planned box reached over the edge of the picture and was cut")
        if (said := beyond_steps(self._config, self._sampler.settings)) is not None:
            self._context.remark_on(record.id, said)
        return inside

    def _better(self, before: Sequence[Record], after: Sequence[Record]) -> list[Record]:
        """The corrected pictures, or those before where more of what was asked is seen in these."""
        chosen = []
        seen = zip(before, after, self._looking.seen(before), self._looking.seen(after), strict=True)
        for old, new, (_, *before_it), (detections, share, distance) in seen:
            shown, apart = before_it
            better = (share, -distance) >= (shown, -apart)
            *known, entry = new.history
            entry = entry.model_copy(update={"detections": detections, "agreement": share, "kept": better})
            kept = new.grown(history=(*known, entry), detections=detections)
            if not better:
                kept = kept.grown(image=old.image, detections=old.detections)
                self._context.remark_on(
                    old.id,
                    "the corrected picture shows less of what was asked than its candidate, or a worse pose; the candidate is kept",
                )
            chosen.append(kept)
        return chosen

    def _finished(self, record: Record, image: Image.Image, drawn: Drawn, place: int) -> Record:
        interaction, images = interaction_of(record), self._context.images
        ref = images.save(record.id, "correct-1", image)
        attention = None
        if drawn.attention is not None:
            grey = (unit_attention(drawn.attention[place]) * 255).round().to(torch.uint8).cpu().numpy()
            seen = images.save(record.id, "attention-1", Image.fromarray(grey))
            attention = WordAttention(word=interaction.object_noun.text, image=seen)
        entry = HistoryEntry(
            stage="correct",
            round=_next_round(record),
            image=ref,
            edits=record.edits,
            attention=attention,
            energies=tuple(drawn.energies[place]),
        )
        return record.grown(image=ref, detections=None, history=(*record.history, entry), scores=None)


def _next_round(record: Record) -> int:
    return 1 + sum(known.stage == "correct" for known in record.history)


def _is_fitting(record: Record) -> bool:
    plan = record.edits or EditPlan()
    return len(plan.edits) == 1 and stays(plan.edits[0])


def _left(record: Record) -> Record:
    """A record whose picture needs no correction."""
    assert record.image is not None
    entry = HistoryEntry(
        stage="correct",
        round=_next_round(record),
        image=record.image,
        detections=record.detections,
        edits=record.edits,
        satisfied=True,
    )
    return record.grown(history=(*record.history, entry), scores=None)
