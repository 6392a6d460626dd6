"""Settings of `generate lmd`, with the constants of LMD+ as defaults."""

from typing import Literal

from pydantic import Field

from llmgen.diffusion.attention import ATTENTION_GRID
from llmgen.diffusion.prompts import OVERALL_NEGATIVE
from llmgen.engine.long_runs import CompileConfig
from llmgen.engine.samples import SampledConfig

OBJECT_NEGATIVE = f"{OVERALL_NEGATIVE}, two, many, group, occlusion, occluded, side, border, collate"


class LayoutGenerateConfig(SampledConfig, CompileConfig):
    """Settings of `generate lmd`."""

    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Denoising steps of each object and of the picture."""
    guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """Classifier-free guidance of the picture; 1 switches it off."""
    object_guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """Classifier-free guidance of objects drawn alone."""
    grounding_fraction: float = Field(default=0.4, ge=0, le=1)
    """Share of the steps, from the first, during which boxes steer the U-Net."""
    frozen_fraction: float = Field(default=0.5, ge=0, le=1)
    """Share of the steps, from the first, during which the objects' cells are held on the latents of the objects drawn alone."""
    fresh_noise_ratio: float = Field(default=0.1, ge=0, le=1)
    """How much of the noise inside an object's box is its own; the rest is the background's, as variance."""
    placement: Literal["in_place", "centred"] = "in_place"
    """Draw an object in its box (LMD+), or in the middle and shift it to its box by eighths of the picture (LMD)."""
    floor_padding: float = Field(default=0.2, ge=0, le=1)
    """Share of the picture under an object that is drawn in the middle."""
    object_step_rate: int = Field(default=1, ge=1, le=10)
    """Keep only every so-manieth step of an object once nothing but its mask depends on them; 2 is LMD's fast schedule."""
    cell_share: float = Field(default=0.1, ge=0, lt=1)
    """A cell belongs to an object when more than this share of its pixels does."""
    guided_fraction: float = Field(default=0.6, ge=0, le=1)
    """Share of the steps, from the first, before which the energy of the attention is lowered, 4 times at first, once at last."""
    energy_scale: float = Field(default=5.0, ge=0, le=1000)
    """Factor on the slope of the energy; 0 switches the guidance off."""
    energy_threshold: float = Field(default=5.0, ge=0)
    """A picture whose energy is not above it is not guided any more."""
    attention_grid: int = Field(default=ATTENTION_GRID, ge=1, le=256)
    """Longest side of the attention maps that are read, in cells: the finest that the U-Net has up to it; the middle block always."""
    top_inside: float = Field(default=0.2, gt=0, le=1)
    """Share of the cells inside the boxes, the strongest, whose attention should be high."""
    top_outside: float = Field(default=0.2, gt=0, le=1)
    """Share of the cells outside, the strongest, whose attention should be low."""
    inside_weight: float = Field(default=1.0, ge=0)
    """Weight of the attention inside."""
    outside_weight: float = Field(default=4.0, ge=0)
    """Weight of the attention outside."""
    reference_weight: float = Field(default=2.0, ge=0)
    """Weight of the likeness to the attention of the object drawn alone; 0 remembers nothing."""
    guidance_grounding: Literal["null", "boxes"] = "null"
    """Whether the guidance passes know the boxes; the original's do not."""
    negative_prompt: str = OVERALL_NEGATIVE
    """What no picture should show; the layout's own negative prompt is put in front."""
    object_negative_prompt: str = OBJECT_NEGATIVE
    """The same for objects drawn alone."""
