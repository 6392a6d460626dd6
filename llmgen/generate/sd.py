"""Text to image by Stable Diffusion, SDXL or Z-Image, from the prompt alone.

The picture is drawn by diffusers' own pipeline with the scheduler of the model's repository, unless the preset or the settings name
another. Each record has its own generator, so a picture does not depend on the others of its batch. A long run compiles the U-Net and
the decoder.

Source: Rombach et al. 2022, High-resolution image synthesis with latent diffusion models; Podell et al. 2023, SDXL.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.artifacts.schedulers import OWN, SchedulerName
from llmgen.diffusion.compiling import COMPILED, LONG_RUN, Compile, compiled, is_filled_up, trouble
from llmgen.diffusion.drawing import cut_chats, draw_texts, has_unet
from llmgen.diffusion.failures import as_model_errors
from llmgen.diffusion.latents import sides_multiple
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.schedulers import with_scheduler
from llmgen.engine.samples import SampledConfig
from llmgen.engine.stage import Profile
from llmgen.errors import InputError, MissingRequirementError
from llmgen.generate.canvas import group_by_canvas, remark_on_limits, with_first_picture

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class TextGenerateConfig(SampledConfig):
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
    compile: Compile = "auto"
    """Draw by a compiled U-Net and decoder: 1.1 to 1.2 times as fast after a minute or two, equal within one grey level. `auto`
    where a compiler is found and the run is long enough to pay for it: 40,000 steps of all pictures together."""

    profiles: ClassVar[Mapping[str, Profile]] = {
        "ddim": Profile({"scheduler": "ddim", "num_inference_steps": 20}, free=("num_inference_steps",))
    }


class TextGenerate:
    """Draw pictures from prompts."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str] = "sd"
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    Config = TextGenerateConfig

    def __init__(self, context: "StageContext", config: TextGenerateConfig) -> None:
        self._context, self._config = context, config
        self._pipe = with_scheduler(context.models.text_to_image(), config.scheduler)
        self._encoder = context.models.text("text_to_image") if has_unet(self._pipe) else None
        if config.compile == "always":
            self._pipe = self._compiled(self._pipe)

    @staticmethod
    def long_from(config: TextGenerateConfig) -> int | None:
        """From how many records on a run is long; None where that decides nothing."""
        return ceil(LONG_RUN / (config.num_inference_steps * config.samples)) if config.compile == "auto" else None

    @staticmethod
    def settled(
        context: "StageContext", config: TextGenerateConfig, is_long: bool, say: Callable[[str], None]
    ) -> TextGenerateConfig:
        """The settings with what the length of the run decides."""
        is_possible = context.preset.role("text_to_image").family in COMPILED and context.offload == "none"
        if not is_long or not is_possible:
            return config.model_copy(update={"compile": "never"})
        why_not = trouble(context.device)
        if why_not is not None:
            say(
                f"generate sd: the run is long enough to compile the U-Net, but nothing compiles here ({why_not}); it is drawn uncompiled"
            )
        return config.model_copy(update={"compile": "always" if why_not is None else "never"})

    def _compiled(self, pipe: Any) -> Any:
        context, config = self._context, self._config
        if not has_unet(pipe):
            raise InputError(f"{type(pipe).__name__} has no U-Net to compile; leave the setting `compile` away")
        if context.offload != "none":
            raise InputError(f"offload {context.offload!r} does not go with compile='always'; leave one of them away")
        why_not = trouble(context.device)
        if why_not is not None:
            raise MissingRequirementError(
                f"nothing compiles here ({why_not}); install a C++ compiler and Python's headers, or draw with --set compile=never"
            )
        guided = config.guidance_scale > 1
        size = self._compiled_size
        return compiled(pipe, rows=context.batch_size, guided=guided, size=size, told=context.progress)

    def _uncompiled(self, size: tuple[int, int], count: int) -> str | None:
        """Why a batch is not drawn by what was compiled; None if it is."""
        if size != self._compiled_size:
            return "drawn uncompiled, on {}x{}; {}x{} is compiled".format(*size, *self._compiled_size)
        full = self._context.batch_size
        return (
            None if is_filled_up(count, full) else f"drawn uncompiled, {count} at once; batches of {full} are compiled"
        )

    @property
    def _compiled_size(self) -> tuple[int, int]:
        """The canvas of the pictures that are drawn compiled: what is asked for, else the preset's."""
        preset = self._context.preset
        return self._config.width or preset.width, self._config.height or preset.height

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
            plain = self._uncompiled((width, height), len(batch)) if config.compile == "always" else None
            for record in batch:
                self._remark_on_limits(record)
                if plain is not None:
                    self._context.remark_on(record.id, plain)
            total = config.num_inference_steps * (1 if has_unet(pipe) else len(batch))
            told = Steps(self._context.progress, f"generate sd: {len(batch)} pictures", total)
            with as_model_errors("generate sd"):
                images = draw_texts(
                    pipe,
                    [record.prompt for record in batch],
                    config.negative_prompt,
                    (width, height),
                    steps=config.num_inference_steps,
                    guidance=config.guidance_scale,
                    seeds=[record.seed or 0 for record in batch],
                    told=told,
                    what="generate sd",
                    encoder=self._encoder,
                )
            made |= {
                i: with_first_picture(records[i], self._context, image) for i, image in zip(rows, images, strict=True)
            }
            self._context.progress(f"generate sd: {len(made)}/{len(records)}")
        return [made[i] for i in range(len(records))]

    def _remark_on_limits(self, record: Record) -> None:
        negative = self._config.negative_prompt
        if self._encoder is not None:
            remark_on_limits(self._context, record, record.prompt, self._encoder, negative=negative)
            return
        for text in cut_chats(self._pipe, {"prompt": record.prompt, "negative prompt": negative}):
            self._context.remark_on(record.id, text)
