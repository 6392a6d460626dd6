"""Layout to image on a GLIGEN U-Net in one grounded pass, the baseline of LMD+.

Text is the background and the phrases of all instances, grounding is their boxes, on for the first `grounding_fraction` of the steps.

Source: GLIGEN (Li et al. 2023), with the constants of the last pass of LMD+ (Lian et al. 2023).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL import Image
from pydantic import Field

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.diffusion.failures import check_finite
from llmgen.diffusion.grounding import GroundedPhrase, grounding_slots, make_grounding
from llmgen.diffusion.latents import decode_latents, latent_factor, make_noise, sides_multiple
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.prompts import OVERALL_NEGATIVE, join_negatives, scene_prompt
from llmgen.diffusion.sampling import OWN_LOOP, GuidedUNet, make_levels, sample
from llmgen.engine.samples import SampledConfig
from llmgen.generate.canvas import draw_by_canvas, layout_of, remark_on_limits
from llmgen.vision.boxes import to_unit

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class GligenGenerateConfig(SampledConfig):
    """Settings of `generate gligen`."""

    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Denoising steps."""
    guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """Classifier-free guidance; 1 switches it off."""
    grounding_fraction: float = Field(default=0.4, ge=0, le=1)
    """Share of the steps, from the first, during which boxes steer the U-Net."""
    negative_prompt: str = OVERALL_NEGATIVE
    """What no picture should show; the layout's own negative prompt is put in front."""


class GligenGenerate:
    """Draw pictures from layouts."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str] = "gligen"
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("layout",)
    Config = GligenGenerateConfig

    def __init__(self, context: "StageContext", config: GligenGenerateConfig) -> None:
        self._context, self._config = context, config
        self._pipe = context.models.stable_diffusion("layout_to_image")
        self._text = context.models.text("layout_to_image")
        self._levels = make_levels(self._pipe.scheduler, config.num_inference_steps)

    @staticmethod
    def model_calls(config: GligenGenerateConfig) -> int:
        """Calls of the U-Net for one picture: one a step."""
        return config.num_inference_steps

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The model in use."""
        return (self._context.models.use("layout_to_image", OWN_LOOP),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Draw each record's layout."""
        multiple = sides_multiple(self._pipe)
        return draw_by_canvas(records, self._context, self._draw, method=self.name, multiple=multiple)

    @torch.no_grad()
    def _draw(self, records: Sequence[Record], width: int, height: int) -> list[Image.Image]:
        config, pipe = self._config, self._pipe
        layouts = [layout_of(record) for record in records]
        prompts = [scene_prompt(x.background_prompt, [i.phrase for i in x.instances]) for x in layouts]
        slots = grounding_slots(pipe.unet)
        negatives = [join_negatives(x.negative_prompt, config.negative_prompt) for x in layouts]
        for record, layout, prompt, unwanted in zip(records, layouts, prompts, negatives, strict=True):
            phrases = [instance.phrase for instance in layout.instances]
            limits = {"negative": unwanted, "phrases": phrases, "objects": len(phrases), "slots": slots}
            remark_on_limits(self._context, record, prompt, self._text, **limits)
        text, negative = self._text.hidden(prompts), self._text.hidden(negatives)
        objects = [[GroundedPhrase(i.phrase, to_unit(i.box_xyxy, width, height)) for i in x.instances] for x in layouts]
        factor = latent_factor(pipe.vae)
        shape = (1, pipe.unet.config.in_channels, height // factor, width // factor)
        noise = torch.cat([make_noise(record.seed or 0, shape) for record in records]).to(text.device)
        unet = GuidedUNet(
            pipe.unet,
            text,
            negative,
            config.guidance_scale,
            grounding=make_grounding(objects, self._text, slots=slots),
            grounding_steps=int(config.grounding_fraction * config.num_inference_steps),
            batch_size=self._context.batch_size,
        )
        told = Steps(self._context.progress, f"generate gligen: {len(records)} pictures", self._levels.steps)
        latents = sample(unet, noise, self._levels, told=told)[:, -1]
        return decode_latents(pipe.vae, check_finite(latents, "generate gligen"))
