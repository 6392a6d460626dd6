"""ReCorD's coarse candidates: the full prompt, drawn with the pose that it has without its object.

Both prompts are denoised from one noise, and the attention of the intransitive one is borrowed by the full one. All seeds of a record
are drawn together.

Source: ReCorD (Lin et al. 2024), Interaction correction with Diffusion models.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from llmgen.artifacts import HistoryEntry, Interaction, Kind, ModelUse, Record, Stage, WordAttention
from llmgen.diffusion.failures import as_model_errors, check_finite
from llmgen.diffusion.interaction.drawing import PairSampler
from llmgen.diffusion.interaction.pairs import make_pair, unit_attention
from llmgen.diffusion.interaction.passes import ROWS
from llmgen.diffusion.interaction.settings import PUBLISHED, PairFields, beyond_steps
from llmgen.diffusion.latents import decode_latents, latent_factor, sides_multiple
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.sampling import OWN_LOOP, make_levels
from llmgen.engine.samples import SampledConfig
from llmgen.engine.stage import Profile
from llmgen.errors import InputError
from llmgen.generate.canvas import group_by_canvas, layout_of, remark_on_limits, with_first_picture
from llmgen.vision.thresholds import attention_box

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

CANDIDATES = 5
"""As many candidates as the published script draws."""


class RecordGenerateConfig(PairFields, SampledConfig):
    """Settings of `generate record`."""

    profiles: ClassVar[Mapping[str, Profile]] = {"reference": Profile(PUBLISHED)}
    first_alone: ClassVar[bool] = False

    samples: int = Field(default=CANDIDATES, ge=1, le=64)
    """Candidates of each prompt, each with a seed of its own."""


class RecordGenerate:
    """Draw candidates from prompts whose layout says who does what with what."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str] = "record"
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("prompt", "layout")
    Config = RecordGenerateConfig

    def __init__(self, context: "StageContext", config: RecordGenerateConfig) -> None:
        self._context, self._config = context, config
        self._pipe = context.models.stable_diffusion("text_to_image")
        self._text = context.models.text("text_to_image")
        self._settings = config.constants(xl=hasattr(self._pipe, "text_encoder_2"))
        levels = make_levels(self._pipe.scheduler, self._settings.steps)
        self._sampler = PairSampler(self._pipe.unet, levels, self._settings)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The model in use."""
        return (self._context.models.use("text_to_image", OWN_LOOP),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Draw each record's candidate.

        Raises:
            InputError: If a record's layout does not say who does what with what.
        """
        made: dict[int, Record] = {}
        for record in records:
            interaction_of(record)
        multiple = sides_multiple(self._pipe)
        for (width, height), rows in group_by_canvas(records, self._context, multiple=multiple):
            batch = [records[i] for i in rows]
            for record in batch:
                unwanted = self._config.negative_prompt
                remark_on_limits(self._context, record, record.prompt, self._text, negative=unwanted)
                if (said := beyond_steps(self._config, self._settings)) is not None:
                    self._context.remark_on(record.id, said)
            with as_model_errors("generate record"):
                images, attention = self._draw(batch, width, height)
            for place, i in enumerate(rows):
                attended = attention[place] if attention is not None else None
                made[i] = self._grown(records[i], images[place], attended)
            self._context.progress(f"generate record: {len(made)}/{len(records)}")
        return [made[i] for i in range(len(records))]

    def _draw(self, records: Sequence[Record], width: int, height: int) -> tuple[list[Image.Image], Tensor | None]:
        factor = latent_factor(self._pipe.vae)
        shape = (self._pipe.unet.config.in_channels, height // factor, width // factor)
        pairs = [
            make_pair(
                record.prompt,
                interaction_of(record),
                record.seed or 0,
                self._text,
                self._settings,
                negative=self._config.negative_prompt,
                size=(width, height),
                latents=shape,
                cross_replace=self._config.cross_replace,
            )
            for record in records
        ]
        # The published box is read from all four rows; that of the full prompt with its text says most about its object.
        box_rows = ROWS if self._config.profile == "reference" else ("c1",)
        told = Steps(self._context.progress, f"generate record: {len(pairs)} pictures", self._settings.steps)
        drawn = self._sampler.draw(pairs, box_rows=box_rows, told=told)
        return decode_latents(self._pipe.vae, check_finite(drawn.latents, "generate record")), drawn.attention

    def _grown(self, record: Record, image: Image.Image, attention: Tensor | None) -> Record:
        grown = with_first_picture(record, self._context, image)
        if attention is None:
            self._context.remark_on(record.id, "with one step there is no attention to read the object's box from")
            return grown
        box = attention_box(attention.double().cpu().numpy(), image.width, image.height)
        if box is None:
            self._context.remark_on(record.id, "the attention of the object's word has no region; it gives no box")
        grey = Image.fromarray((unit_attention(attention) * 255).round().to(torch.uint8).cpu().numpy())
        seen = WordAttention(
            word=interaction_of(record).object_noun.text,
            image=self._context.images.save(record.id, "attention", grey),
            box_xyxy=box,
        )
        assert grown.image is not None
        return grown.grown(history=(HistoryEntry(stage="generate", round=0, image=grown.image, attention=seen),))


def interaction_of(record: Record) -> Interaction:
    """Who does what with what, by the record's layout.

    Raises:
        InputError: If it does not say.
    """
    interaction = layout_of(record).interaction
    if interaction is None:
        raise InputError(
            f"record {record.id!r}: its layout does not say who does what with what; run `llmgen layout --method interaction`"
        )
    return interaction
