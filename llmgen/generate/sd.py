"""Text to image by Stable Diffusion, SDXL or Z-Image, from the prompt alone.

The picture is drawn by diffusers' own pipeline with the scheduler of the model's repository, unless the preset or the settings name
another. Each record has its own generator, so a picture does not depend on the others of its batch. A long run compiles the U-Net and
the decoder.

Source: Rombach et al. 2022, High-resolution image synthesis with latent diffusion models; Podell et al. 2023, SDXL.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from PIL import Image
from pydantic import Field

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.artifacts.schedulers import OWN, SchedulerName
from llmgen.diffusion.drawing import cut_chats, draw_texts, has_unet
from llmgen.diffusion.latents import sides_multiple
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.schedulers import first_timestep, scheduler_of, with_scheduler
from llmgen.engine.long_runs import CompileConfig, CompiledMethod
from llmgen.engine.samples import SampledConfig
from llmgen.engine.stage import Profile
from llmgen.generate.canvas import draw_by_canvas, remark_on_limits

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


_LATE: Final = 0.6
"""Share of the timesteps below which what is taken for a picture is noise: steps that begin there leave it so."""


class TextGenerateConfig(SampledConfig, CompileConfig):
    """Settings of `generate sd`."""

    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Denoising steps."""
    guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """Classifier-free guidance; 1 switches it off, for Z-Image 0, as its pipeline counts."""
    negative_prompt: str = ""
    """What no picture should show, for example `blurry`."""
    profile: Literal["llmgen", "ddim"] = "llmgen"
    """`ddim` draws by DDIM in 20 steps, or as many as are given, whatever the preset says: as the layout methods step."""
    scheduler: SchedulerName = OWN
    """What it steps by, for example `dpm++-2m-karras`; `own` is the preset's, else the model's."""
    width: int | None = Field(default=None, ge=16, le=4096)
    """Width in pixels; the layout's, else the preset's."""
    height: int | None = Field(default=None, ge=16, le=4096)
    """Height in pixels; the layout's, else the preset's."""

    profiles: ClassVar[Mapping[str, Profile]] = {
        "ddim": Profile({"scheduler": "ddim", "num_inference_steps": 20}, free=("num_inference_steps",))
    }


class TextGenerate(CompiledMethod):
    """Draw pictures from prompts."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str] = "sd"
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    Config = TextGenerateConfig
    compiled_role: ClassVar[str] = "text_to_image"

    def __init__(self, context: "StageContext", config: TextGenerateConfig) -> None:
        self._context, self._config = context, config
        self._pipe = with_scheduler(context.models.text_to_image(), config.scheduler)
        self._encoder = context.models.text("text_to_image") if has_unet(self._pipe) else None
        self._pipe = self._compiled(self._pipe)

    @staticmethod
    def model_calls(config: TextGenerateConfig) -> int:
        """Calls of the U-Net for one picture: one a step."""
        return config.num_inference_steps

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The model in use."""
        models = self._context.models
        return (models.use("text_to_image", models.stepped_by("text_to_image", self._config.scheduler)),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Draw each record's picture."""
        config = self._config
        return draw_by_canvas(
            records,
            self._context,
            self._draw,
            method=self.name,
            multiple=sides_multiple(self._pipe),
            width=config.width,
            height=config.height,
        )

    def _draw(self, records: Sequence[Record], width: int, height: int) -> list[Image.Image]:
        config, pipe = self._config, self._pipe
        late = self._late_start()
        for record in records:
            self._remark_on_limits(record)
            if late:
                self._context.remark_on(record.id, late)
            self._remark_if_uncompiled(record.id, (width, height))
        total = config.num_inference_steps * (1 if has_unet(pipe) else len(records))
        return draw_texts(
            pipe,
            [record.prompt for record in records],
            config.negative_prompt,
            (width, height),
            steps=config.num_inference_steps,
            guidance=config.guidance_scale,
            seeds=[record.seed or 0 for record in records],
            told=Steps(self._context.progress, f"generate sd: {len(records)} pictures", total),
            what="generate sd",
            encoder=self._encoder,
        )

    def _late_start(self) -> str | None:
        """What to say of steps that begin where half of the picture should be there."""
        steps = self._config.num_inference_steps
        begin = first_timestep(self._pipe, steps)
        if begin is None or begin[0] >= _LATE * begin[1]:
            return None
        by = f"{steps} {'step' if steps == 1 else 'steps'} by {scheduler_of(self._pipe)}"
        return (
            f"{by}: the first is timestep {begin[0]} of {begin[1]}, too late to make a picture of noise; "
            "take more, or dpm++-2m-karras, which begins at the top"
        )

    def _remark_on_limits(self, record: Record) -> None:
        negative = self._config.negative_prompt
        if self._encoder is not None:
            remark_on_limits(self._context, record, record.prompt, self._encoder, negative=negative)
            return
        for text in cut_chats(self._pipe, {"prompt": record.prompt, "negative prompt": negative}):
            self._context.remark_on(record.id, text)
