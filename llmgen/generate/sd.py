"""Text to image by Stable Diffusion or SDXL, from the prompt alone.

The picture is drawn by `StableDiffusionPipeline` or `StableDiffusionXLPipeline` with the scheduler of its own repository, unless the
preset or the settings name another. Each record has its own generator, so a picture does not depend on the others of its batch.

Source: Rombach et al. 2022, High-resolution image synthesis with latent diffusion models; Podell et al. 2023, SDXL.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.artifacts.schedulers import OWN, SchedulerName
from llmgen.diffusion.failures import as_model_errors, check_finite
from llmgen.diffusion.latents import decode_latents, sides_multiple
from llmgen.diffusion.progress import Steps, telling
from llmgen.diffusion.schedulers import quiet_steps, with_scheduler
from llmgen.engine.samples import SampledConfig
from llmgen.generate.canvas import group_by_canvas, remark_on_limits, with_first_picture

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class TextGenerateConfig(SampledConfig):
    """Settings of `generate sd`."""

    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Denoising steps."""
    guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """Classifier-free guidance; 1 switches it off."""
    negative_prompt: str = ""
    """What no picture should show, for example `blurry`."""
    scheduler: SchedulerName = OWN
    """What it steps by, for example `dpm++-2m-karras`; `own` is the preset's, else the model's."""
    width: int | None = Field(default=None, ge=16, le=4096)
    """Width in pixels; the layout's, else the preset's."""
    height: int | None = Field(default=None, ge=16, le=4096)
    """Height in pixels; the layout's, else the preset's."""


class TextGenerate:
    """Draw pictures from prompts."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str] = "sd"
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    Config = TextGenerateConfig

    def __init__(self, context: "StageContext", config: TextGenerateConfig) -> None:
        self._context, self._config = context, config
        self._pipe = with_scheduler(context.models.stable_diffusion("text_to_image"), config.scheduler)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The model in use."""
        models = self._context.models
        return (models.use("text_to_image", models.stepped_by("text_to_image", self._config.scheduler)),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Draw each record's picture."""
        config, pipe = self._config, self._pipe
        made: dict[int, Record] = {}
        multiple = sides_multiple(pipe)
        batches = group_by_canvas(records, self._context, width=config.width, height=config.height, multiple=multiple)
        for (width, height), rows in batches:
            batch = [records[i] for i in rows]
            for record in batch:
                encoder = self._context.models.text("text_to_image")
                remark_on_limits(self._context, record, record.prompt, encoder, negative=config.negative_prompt)
            steps = Steps(self._context.progress, f"generate sd: {len(batch)} pictures", config.num_inference_steps)
            with as_model_errors("generate sd"), torch.no_grad(), quiet_steps():
                latents = pipe(
                    [record.prompt for record in batch],
                    width=width,
                    height=height,
                    num_inference_steps=config.num_inference_steps,
                    guidance_scale=config.guidance_scale,
                    # None, not an empty text: for SDXL these differ, and it was trained without one.
                    negative_prompt=[config.negative_prompt] * len(batch) if config.negative_prompt else None,
                    generator=[torch.Generator("cpu").manual_seed(record.seed or 0) for record in batch],
                    output_type="latent",
                    callback_on_step_end=telling(steps),
                ).images
                images = decode_latents(pipe.vae, check_finite(latents, "generate sd"))
            made |= {
                i: with_first_picture(records[i], self._context, image) for i, image in zip(rows, images, strict=True)
            }
            self._context.progress(f"generate sd: {len(made)}/{len(records)}")
        return [made[i] for i in range(len(records))]
