"""Layouts to pictures by InstanceDiffusion: every instance at its place, each as its own phrase says.

All instances of all records of a batch are drawn together; a picture does not depend on its neighbours. The seed of a
record is its noise, so a record whose instances were changed is drawn from the same noise again.

Source: InstanceDiffusion (Wang et al., CVPR 2024), https://github.com/frank-xwang/InstanceDiffusion. Differences: README.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from llmgen.artifacts import Kind, Layout, ModelUse, Record, Stage
from llmgen.diffusion.failures import check_finite
from llmgen.diffusion.instances.fusers import enable_masked_attention
from llmgen.diffusion.instances.masked_attention import Orientation, instance_masks
from llmgen.diffusion.instances.unifusion import Format, InstanceGrounding, stack_groundings
from llmgen.diffusion.latents import decode_latents, latent_factor, make_noise, sides_multiple
from llmgen.diffusion.offloading import device_of
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.prompts import join_negatives
from llmgen.engine.long_runs import CompileConfig, CompiledMethod
from llmgen.engine.samples import SampledConfig
from llmgen.errors import InputError
from llmgen.generate.canvas import draw_by_canvas, layout_of, remark_on_limits
from llmgen.generate.instancediffusion.conditioning import Use, formats_in_use, ground_layout
from llmgen.generate.instancediffusion.sampler import (
    SCHEDULERS,
    Evaluations,
    Merge,
    Plan,
    Runs,
    Sampler,
    Solver,
    grounded_steps,
    joint_steps,
    sample_runs,
)
from llmgen.vision.boxes import BoxTuple, to_unit

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

NEGATIVE_PROMPT = (
    "longbody, lowres, bad anatomy, bad hands, missing fingers, extra digit, fewer digits, cropped, worst quality, "
    "low quality"
)


class InstanceGenerateConfig(SampledConfig, CompileConfig):
    """Settings of `generate instancediffusion`; the defaults are the published script's."""

    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Denoising steps; best a divisor of 1000."""
    guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """Classifier-free guidance; 1 switches it off."""
    alpha: float = Field(default=0.75, ge=0, le=1)
    """Share of the steps, from the first, with grounding; the demos use 0.8, the evaluation 1."""
    mis: float = Field(default=0.36, ge=0, le=1)
    """Share of the steps, from the first, that each instance takes alone before all are merged; below 0.4, 0: none."""
    merge: Merge = "mean"
    """`mean` of all runs, or `crop-paste`: the box of each instance onto the whole, which the original leaves out."""
    use: tuple[Use, ...] = ()
    """Formats that count: box, point, scribble, mask, or the original's sets test_box, test_point, test_mask, test_scribble;
    none: box, point, and what else the layout has."""
    sampler: Sampler = "plms"
    """`plms` as published, or `ddim`."""
    masked_attention: bool = False
    """Let places in the boxes see their own instance only; off in the published settings."""
    orientation: Orientation = "corrected"
    """`reference` takes x for rows when it pastes boxes and masks attention, as the original does."""
    negative_prompt: str = NEGATIVE_PROMPT
    """What no picture should show; the layout's own negative prompt is put in front."""


@dataclass(frozen=True)
class _Scene:
    """One record: the whole of it, then its instances."""

    noise: Tensor
    negative: str
    texts: list[str]
    boxes: list[BoxTuple | None]
    conditioning: dict[str, Tensor]


class InstanceGenerate(CompiledMethod):
    """Draw pictures from layouts, every instance as its phrase says."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str] = "instancediffusion"
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("layout",)
    Config = InstanceGenerateConfig
    compiled_role: ClassVar[str] = "instances_to_image"

    def __init__(self, context: "StageContext", config: InstanceGenerateConfig) -> None:
        self._context, self._config = context, config
        made = context.models.instance_diffusion()
        self._pipe, self._unifusion = made.pipe, made.unifusion
        self._text = context.models.text("instances_to_image")
        self._plan = Plan(
            guidance_scale=config.guidance_scale,
            grounded_steps=grounded_steps(config.alpha, config.num_inference_steps),
            joint_steps=joint_steps(config.mis, config.num_inference_steps),
            merge=config.merge,
            orientation=config.orientation,
            batch_size=context.batch_size,
        )
        self._solver()  # whose complaints belong here
        if config.masked_attention:
            if not hasattr(self._pipe.unet.down_blocks[0], "attentions"):
                raise InputError("this U-Net has no attention at its first level, where masked_attention would act")
            enable_masked_attention(self._pipe.unet)
        self._pipe = self._compiled(self._pipe)
        self._cost, self._drawn = Evaluations(), 0
        self._nulls: dict[tuple[int, int], dict[str, Tensor]] = {}

    @classmethod
    def call_kinds(cls, config: InstanceGenerateConfig) -> int:
        """With tokens and without; none with masked attention, whose pairs are kept beside what could be compiled."""
        return 0 if config.masked_attention else 1 if config.alpha in (0, 1) else 2

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use."""
        role = self._context.preset.role("instances_to_image")
        own = self._context.models.use("instances_to_image", SCHEDULERS[self._config.sampler])
        return (own, ModelUse(role="instances_to_image base", source=role.base or "", revision=role.base_revision))

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Draw each record's layout."""
        multiple = sides_multiple(self._pipe)
        return draw_by_canvas(records, self._context, self._draw, method=self.name, multiple=multiple)

    @torch.no_grad()
    def _draw(self, records: Sequence[Record], width: int, height: int) -> list[Image.Image]:
        scenes = [self._prepare(record, width, height) for record in records]
        words = f"generate instancediffusion: {len(scenes)} pictures"
        told = Steps(self._context.progress, words, self._config.num_inference_steps)
        device = device_of(self._pipe.unet)
        runs = Runs(
            noise=torch.stack([scene.noise for scene in scenes]).to(device),
            negative=self._text.hidden([scene.negative for scene in scenes]),
            picture=[i for i, scene in enumerate(scenes) for _ in scene.boxes],
            boxes=[box for scene in scenes for box in scene.boxes],
            text=self._text.hidden([text for scene in scenes for text in scene.texts]),
            conditioning=_concatenated([scene.conditioning for scene in scenes]),
            null=self._null(width, height),
        )
        latents, cost = sample_runs(
            self._pipe.unet, runs, self._plan, self._solver(), after_step=lambda step, latents: told()
        )
        self._cost.add(cost)
        self._drawn += len(records)
        self._context.remark(
            f"{self._cost.calls} calls of the U-Net with {self._cost.rows} rows for {self._drawn} pictures"
        )
        return decode_latents(self._pipe.vae, check_finite(latents, "generate instancediffusion"))

    def _solver(self) -> Solver:
        return Solver(self._config.sampler, self._pipe.scheduler, self._config.num_inference_steps)

    def _prepare(self, record: Record, width: int, height: int) -> _Scene:
        layout, seed = layout_of(record), record.seed or 0
        use = formats_in_use(self._config.use, layout)
        whole = ground_layout(layout, use, self._unifusion, self._text, seed=seed)
        # With no step of their own the instances have no runs; the phrases still reach the U-Net as tokens.
        alone = layout.instances if self._plan.joint_steps else ()
        groundings = [whole, *(whole.only(slot) for slot in range(len(alone)))]
        caption = layout.description or record.prompt
        negative = join_negatives(layout.negative_prompt, self._config.negative_prompt)
        remark_on_limits(self._context, record, caption, self._text, negative=negative)
        self._remark_if_uncompiled(record.id, (width, height))
        factor = latent_factor(self._pipe.vae)
        return _Scene(
            noise=make_noise(seed, (self._pipe.unet.config.in_channels, height // factor, width // factor)),
            negative=negative,
            texts=[caption, *(instance.phrase for instance in alone)],
            boxes=[None, *(to_unit(instance.box_xyxy, width, height) for instance in alone)],
            conditioning=self._conditioning(groundings, use, height // factor, width // factor),
        )

    def _null(self, width: int, height: int) -> dict[str, Tensor]:
        """What the unconditional branch is told: a constant, computed once."""
        if (width, height) not in self._nulls:
            empty = Layout(width=width, height=height, background_prompt="")
            nothing = ground_layout(empty, (), self._unifusion, self._text, seed=0)
            factor = latent_factor(self._pipe.vae)
            self._nulls[width, height] = self._conditioning([nothing], (), height // factor, width // factor)
        return self._nulls[width, height]

    def _conditioning(
        self, groundings: Sequence[InstanceGrounding], use: Sequence[Format], rows: int, columns: int
    ) -> dict[str, Tensor]:
        """What the U-Net is told of several pictures on a grid of latents, tokens computed once for all steps."""
        told, dtype = [], self._pipe.unet.dtype
        for start in range(0, len(groundings), self._context.batch_size):
            part = stack_groundings(groundings[start : start + self._context.batch_size])
            values = {name: value.to(dtype) for name, value in self._unifusion.conditioning(part, use).items()}
            if self._config.masked_attention:
                values["att_masks"] = instance_masks(part, use, rows, columns, self._config.orientation)
            told.append(values)
        return _concatenated(told)


def _concatenated(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
