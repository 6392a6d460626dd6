"""What the training-free baselines share: text to image, with the attention of the words pulled into the layout's boxes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from PIL import Image
from pydantic import Field

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.diffusion.attention import ATTENTION_GRID
from llmgen.diffusion.failures import check_finite
from llmgen.diffusion.guidance import GuidedPhrase
from llmgen.diffusion.latents import decode_latents, latent_factor, make_noise, sides_multiple
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.prompts import OVERALL_NEGATIVE, join_negatives
from llmgen.diffusion.sampling import OWN_LOOP, GuidedUNet, make_levels, sample
from llmgen.diffusion.steering import Energy, Steering, SteeringRule
from llmgen.engine.samples import SampledConfig
from llmgen.generate.canvas import draw_by_canvas, layout_of, remark_on_limits
from llmgen.generate.wording import word

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class SteeredConfig(SampledConfig):
    """Settings that the training-free baselines share."""

    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Denoising steps."""
    guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """Classifier-free guidance; 1 switches it off."""
    attention_grid: int = Field(default=ATTENTION_GRID, ge=1, le=256)
    """Longest side of the attention maps that are read, in cells: the finest that the U-Net has up to it."""
    negative_prompt: str = OVERALL_NEGATIVE
    """What no picture should show; the layout's own negative prompt is put in front."""


class SteeredGenerate:
    """Draw a layout's text with an energy of the attention; what energy, a subclass says."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str]
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("layout",)
    Config: ClassVar[type[SteeredConfig]]

    def __init__(self, context: "StageContext", config: Any) -> None:
        self._context, self._config = context, config
        self._pipe = context.models.stable_diffusion("text_to_image")
        self._text = context.models.text("text_to_image")
        self._levels = make_levels(self._pipe.scheduler, config.num_inference_steps)

    def _watched(self) -> list[str]:
        """Names of the attention layers."""
        raise NotImplementedError

    def _energy(self, phrases: tuple[GuidedPhrase, ...], shape: tuple[int, int]) -> Energy | None:
        """The energy of one picture with latents of a shape."""
        raise NotImplementedError

    def _rule(self) -> SteeringRule:
        """When and how far."""
        raise NotImplementedError

    @staticmethod
    def model_calls(config: SteeredConfig) -> int:
        """Calls of the U-Net for one picture: one a step."""
        return config.num_inference_steps

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The model in use."""
        return (self._context.models.use("text_to_image", OWN_LOOP),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Draw each record's layout."""
        multiple = sides_multiple(self._pipe)
        return draw_by_canvas(records, self._context, self._draw, method=self.name, multiple=multiple)

    @torch.no_grad()
    def _draw(self, records: Sequence[Record], width: int, height: int) -> list[Image.Image]:
        config, pipe = self._config, self._pipe
        layouts = [layout_of(record) for record in records]
        words = [word(layout, self._text) for layout in layouts]
        negatives = [join_negatives(x.negative_prompt, config.negative_prompt) for x in layouts]
        for record, each, unwanted in zip(records, words, negatives, strict=True):
            remark_on_limits(self._context, record, each.prompt, self._text, negative=unwanted)
        text = self._text.conditions([each.prompt for each in words], (width, height))
        negative = self._text.negatives(negatives, (width, height))
        factor = latent_factor(pipe.vae)
        rows, columns = height // factor, width // factor
        shape = (1, pipe.unet.config.in_channels, rows, columns)
        noise = torch.cat([make_noise(record.seed or 0, shape) for record in records]).to(text.hidden.device)
        steering = Steering(
            pipe.unet,
            text,
            [self._energy(each.phrases, (rows, columns)) for each in words],
            self._levels,
            self._rule(),
            layers=self._watched(),
            batch_size=self._context.batch_size,
        )
        unet = GuidedUNet(pipe.unet, text, negative, config.guidance_scale, batch_size=self._context.batch_size)
        told = Steps(self._context.progress, f"generate {self.name}: {len(records)} pictures", self._levels.steps)
        latents = sample(unet, noise, self._levels, before_step=steering, told=told)[:, -1]
        return decode_latents(pipe.vae, check_finite(latents, f"generate {self.name}"))
