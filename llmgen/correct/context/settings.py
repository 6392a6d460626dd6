"""Settings of the context loop; `profile=reference` has the published constants, where they can be said of our parts."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from llmgen.artifacts import ArtifactModel
from llmgen.artifacts.schedulers import OWN, SchedulerName
from llmgen.engine.stage import Profile, StageConfig
from llmgen.paint.web_payload import IMG2IMG, LOOP_MASK_BLUR, PORT

Painter = Literal["inpaint", "latents", "web"]

PUBLISHED: dict[str, Any] = {
    "merge": "class",
    "order": "score",
    "fill_holes": False,
    "subtract_front": False,
    "mask_dilation_px": 0,
    "mask_blur_px": float(LOOP_MASK_BLUR),
    "crop_share": 0.0,
    "strength": float(IMG2IMG["denoising_strength"]),
    "num_inference_steps": int(IMG2IMG["steps"]),
    "guidance_scale": 7.0,
    "scheduler": "dpm++-2m-karras",
    "scene_in_prompt": False,
    "negative_prompt": "",
    "grounding_fraction": 0.0,
    "whole_cells": False,
    "candidates": 1,
    "accept": False,
    "memory": False,
}
"""Section 5 of the specification. The server's own style, seeds and checkpoint are nobody's but the author's."""


class DepthSettings(ArtifactModel):
    """What one depth looks for and paints."""

    goal: str = ""
    """What it is for, told to the planner, for example `parts and small things`."""
    detector: str | None = None
    """Method of `detect`; the preset's by default. The second depth takes the role `detector_parts` where the preset fills it."""
    detector_config: dict[str, Any] = Field(default_factory=dict)
    """Settings of that method, such as thresholds, that differ from the preset's."""
    classes: tuple[str, ...] = ()
    """Singular nouns that are looked for instead of what layout and prompt name; all that are found count where the detector has a
    closed list of classes."""
    min_score: float = Field(default=0.0, ge=0, le=1)
    """Least score of a detection that is painted."""
    min_area: float = Field(default=0.001, ge=0, le=1)
    """Least share of the picture that a mask covers."""
    max_area: float = Field(default=1.0, gt=0, le=1)
    """Largest share of the picture that a mask covers."""
    strength: float | None = Field(default=None, gt=0, le=1)
    """How much noise is added; the method's by default."""
    keep_role: str | None = None
    """Role of a Mask R-CNN that says whether a painted object is still there; the depth's own detector by default. For detectors that are
    asked for words, and miss a thing once it looks otherwise than the words say."""
    contrast: bool = False
    """Guide away from the picture as it was, so that the guidance pulls along what is new alone; with `grounding_fraction`. For details
    that are a change of colour in place, such as a lit window; what has to be drawn first is washed out by it. (Liu et al. 2022.)"""
    details: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Noun, or `*` for any, to details that the painter knows, such as `striped`; empty for any detail."""


class ContextConfig(StageConfig):
    """Settings of `correct --mode context`."""

    profiles: ClassVar[Mapping[str, Profile]] = {
        "reference": Profile(PUBLISHED, free=("num_inference_steps", "strength", "negative_prompt"))
    }

    profile: Literal["llmgen", "reference"] = "llmgen"
    """`reference` has the constants and the order of the published loop."""
    plan_only: bool = False
    """Write the edits of the next depth into the record and do not carry them out."""
    depths: int = Field(default=2, ge=1, le=20)
    """How often it looks and paints; depths that a record has behind it count. (Published: 1.)"""
    schedule: tuple[DepthSettings, ...] = Field(default=(), max_length=20)
    """What each depth looks for; the last one holds for those that follow."""
    painter: Painter = "inpaint"
    """Who paints: a pipeline of diffusers, SLD's latent painter, or a server with the web API of A1111."""
    memory: bool = True
    """Tell the planner what earlier depths told and painted."""
    show_picture: bool = False
    """Show the planner the picture, too; for models that see."""
    merge: Literal["instance", "class"] = "instance"
    """Paint each object alone, or all of a class as one."""
    order: Literal["area", "score"] = "area"
    """Largest first, so that what is in front is painted last; or surest first, as published."""
    fill_holes: bool = True
    """Paint holes of masks, too."""
    subtract_front: bool = True
    """Leave out of a mask what smaller objects cover."""
    mask_dilation_px: int | None = Field(default=None, ge=0, le=512)
    """By how much masks grow; 1 % of the longer side and at least 4 by default."""
    mask_blur_px: float | None = Field(default=None, ge=0, le=256)
    """How soft their edges are, as a standard deviation; half of what they grow by default."""
    crop_share: float = Field(default=0.4, ge=0, le=1)
    """Windows smaller than this share of the picture are painted alone, larger than they are; 0 paints the whole picture always."""
    crop_padding_px: int = Field(default=35, ge=0, le=1024)
    """What of its surroundings is seen around an object in such a window."""
    crop_side_px: int = Field(default=512, ge=32, le=4096)
    """Longer side at which such a window is painted; 1024 for SDXL."""
    crop_most_side_px: int = Field(default=768, ge=32, le=4096)
    """Longer side from which a large window is painted smaller than it is."""
    strength: float = Field(default=0.6, gt=0, le=1)
    """How much noise is added to what is painted."""
    num_inference_steps: int = Field(default=40, ge=1, le=1000)
    """Denoising steps of a full run; `strength` times as many are executed."""
    guidance_scale: float = Field(default=7.0, ge=0, le=50)
    """Classifier-free guidance."""
    grounding_fraction: float = Field(default=0.0, ge=0, le=1)
    """Share of the executed steps, from the first, during which the boxes of all objects steer `painter=inpaint`: it paints with the
    role `layout_to_image` then, from a text that tells all of them. 0 paints from the object's own text. (GLIGEN: Li et al. 2023.)"""
    whole_cells: bool = True
    """Let `painter=inpaint` paint each latent cell that a mask touches. Diffusers takes those whose first pixel lies in it, so that a part
    of the size of a cell may not be painted at all; what shows of it is bounded by the soft mask all the same."""
    candidates: int = Field(default=1, ge=1, le=64)
    """Paintings of each object, from seeds of their own, of which the role `clip` chooses: the one whose tags fit it best beside its
    plain name."""
    scheduler: SchedulerName = OWN
    """What `painter=inpaint` steps by, for example `dpm++-2m-karras` as published; `own` is the preset's, else the model's."""
    negative_prompt: str = ""
    """What no object should look like, put behind its own negative tags."""
    scene_in_prompt: bool = True
    """Begin the prompt of an object with the background of its layout, so that it fits in."""
    accept: bool = True
    """Keep a picture only if its object is still found and fits its tags no worse."""
    clip_tolerance: float = Field(default=0.02, ge=0, le=2)
    """By how much the fit may fall."""
    keep_iou: float = Field(default=0.5, ge=0, le=1)
    """Overlap with the old box from which an object counts as found again."""
    max_objects: int = Field(default=30, ge=1, le=1000)
    """Objects of one depth, the first in order."""
    most_edits: int | None = Field(default=None, ge=0)
    """Pictures that are painted of one record at most, all depths together."""
    most_seconds: float | None = Field(default=None, gt=0)
    """Time after which no other object of a record is begun. Whoever sets it gives up that two runs are alike."""
    api_url: str = f"http://127.0.0.1:{PORT}"
    """Where the server of `painter=web` listens."""
    api_timeout_s: float = Field(default=300.0, gt=0, le=86_400)
    """Longest time for one picture."""
    api_sampler: str = str(IMG2IMG["sampler_index"])
    """Of the server's samplers."""
    api_styles: tuple[str, ...] = ()
    """The server's own presets of words."""

    @field_validator("api_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        parsed = urlsplit(url)
        if parsed.scheme not in ("http", "https") or not parsed.hostname:
            raise ValueError(f"that is no address of a server, such as http://127.0.0.1:{PORT}")
        return url

    @model_validator(mode="after")
    def _sides_in_order(self) -> "ContextConfig":
        if self.crop_most_side_px < self.crop_side_px:
            raise ValueError(
                f"crop_most_side_px={self.crop_most_side_px} is less than crop_side_px={self.crop_side_px}; raise it"
            )
        return self

    def depth(self, number: int) -> DepthSettings:
        """Settings of a depth, from 1."""
        if not self.schedule:
            return DepthSettings(goal="whole objects, large things first" if number == 1 else "parts and small things")
        return self.schedule[min(number, len(self.schedule)) - 1]

    def strength_at(self, number: int) -> float:
        """How much noise a depth adds."""
        own = self.depth(number).strength
        return self.strength if own is None else own
