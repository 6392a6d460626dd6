"""Settings of the self-correction loop; the defaults are SLD's."""

from typing import Literal

from pydantic import Field

from llmgen.diffusion.prompts import OVERALL_NEGATIVE
from llmgen.engine.long_runs import CompileConfig


class SelfCorrectionConfig(CompileConfig):
    """Settings of `correct --mode self_correction`. Constants that the paper gives in steps of 50 are shares of the steps here."""

    rounds: int = Field(default=1, ge=1, le=20)
    """Most rounds of look, plan, carry out; it stops earlier when nothing is left to correct."""
    profile: Literal["llmgen", "reference"] = "llmgen"
    """`reference` works as the published code: one thing after another, every attention map kept. To be compared with."""
    painter: Literal["latents", "inpaint", "web", "instruct"] = "latents"
    """Who carries edits out: SLD's composition of latents, or one edit after another by inpainting, with a pipeline or a server; how they
    paint is set by the preset's settings of `correct.context`. `instruct` tells the editor of the role `edit`, which is set by those of
    `generate.question-guided`."""
    plan_only: bool = False
    """Write the edits into the record and do not carry them out."""
    outside_vocabulary: bool = False
    """Go on with a picture although the preset's models know nothing of what it should hold."""
    num_inference_steps: int = Field(default=50, ge=2, le=1000)
    """Steps of every sampling and inversion."""
    guidance_scale: float = Field(default=2.5, ge=0, le=50)
    """Guidance of the final sampling."""
    object_guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """Guidance when one added object is drawn."""
    inversion_guidance_scale: float = Field(default=2.5, ge=0, le=50)
    """Guidance of the inversions."""
    inversion_refinements: int = Field(default=0, ge=0, le=10)
    """Fixed-point iterations per inversion step; 0 as in the paper."""
    inversion_prompt: str = "A realistic photo of a scene"
    """What the pictures are inverted with."""
    grounding_fraction: float = Field(default=0.4, ge=0, le=1)
    """Share of the steps, from the first, during which boxes steer the U-Net."""
    frozen_step_ratio: float = Field(default=0.5, ge=0, le=1)
    """Share of the final steps during which everything that is pasted stays as it is."""
    fg_noise_ratio: float = Field(default=0.1, ge=0, le=1)
    """Share of fresh noise (by variance) in the box of an added object; the rest is the picture's own."""
    clear_added_boxes: bool = False
    """Draw the whole box of an added object anew; else only the object, and the picture shows through around it."""
    energy_scale: float = Field(default=5.0, ge=0, le=1000)
    """Factor on the slope of the energy that pulls the attention of added objects into their boxes; 0 switches it off."""
    energy_threshold: float = Field(default=5.0, ge=0)
    """A picture whose energy is not above it is not guided any more."""
    guided_fraction: float = Field(default=0.6, ge=0, le=1)
    """Share of the final steps, from the first, before which the energy is lowered, 4 times at first, once at last."""
    reference_weight: float = Field(default=2.0, ge=0)
    """Weight of the likeness to the attention of an object drawn alone; 0 remembers nothing."""
    guidance_grounding: Literal["null", "boxes"] = "null"
    """Whether the guidance passes know the boxes; the original's do not."""
    change_guidance_scale: float = Field(default=10.5, ge=0, le=50)
    """Guidance when attributes are changed."""
    change_strength: float = Field(default=0.8, gt=0, le=1)
    """How far back towards noise an object goes before it is redrawn with other attributes."""
    change_noise_ratio: float = Field(default=0.0, ge=0, le=1)
    """Share of fresh noise in it; 0 is DiffEdit, 1 forgets the old object."""
    change_region: Literal["mask", "box"] = "mask"
    """What of an object is redrawn: its mask, or its whole box, which lets its outline change too."""
    change_blend: Literal["same_level", "one_late"] = "same_level"
    """Which stored level holds the surroundings while an object changes; `one_late` is the reference's."""
    negative_prompt: str = OVERALL_NEGATIVE
    """What no picture should show; the layout's own negative prompt is put in front."""
    object_negative_prompt: str = "two, many, group, occlusion, occluded, side, border, collate"
    """What is added to it when one object is drawn."""
    mask_dilation_px: int = Field(default=3, ge=1, le=99)
    """Side of the square by which the masks of objects grow, in pixels; odd."""
    feather_px: int = Field(default=4, ge=0, le=256)
    """Pixels over which the corrected region fades into the untouched picture."""
