"""The settings that both uses of the loop share, as a person gives them."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from llmgen.artifacts import ArtifactModel
from llmgen.diffusion.interaction.passes import PairSettings, Quirks, Suppression

Share = float | tuple[float, float]

#: What the published code does, whatever its version.
PUBLISHED: Final[Mapping[str, Any]] = {
    "crossed_phase": True,
    "half_maps": True,
    "row_softmax": True,
    "odd_steps": True,
    "second_draw": True,
    "least_cells": 0,
    "suppression": "auto",
    "top_share": 0.2,
    "corner_cells": 1,
}


class PairFields(ArtifactModel):
    """Settings of both runs. Where the published versions for Stable Diffusion and SDXL differ, null takes that of the model."""

    profile: Literal["llmgen", "reference"] = "llmgen"
    """`reference` draws as the published code does, with all that looks unintended in it; the five switches below are then on."""
    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Denoising steps."""
    guidance_scale: float = Field(default=7.5, gt=1, le=50)
    """Classifier-free guidance, above 1: the method works with the rows of a guided pass."""
    altered_steps: int | None = Field(default=None, ge=0, le=1000)
    """Steps, from the first, that are altered (M); three tenths of the steps for Stable Diffusion, half for SDXL."""
    energy_scale: float | None = Field(default=None, ge=0, le=1000)
    """Factor on the slope of the energy; 15 for Stable Diffusion, 20 for SDXL. It falls to its root of one half."""
    self_replace: Share = 0.2
    """Share of the steps in which self-attention is borrowed, or first and last share."""
    cross_replace: float | dict[str, Share] = 1.0
    """Share of the steps in which words borrow their attention; a share by word, `default_` for all others."""
    top_share: float = Field(default=0.2, gt=0, le=1)
    """Share of the cells inside and outside the box, the strongest, that the energy counts (P)."""
    least_cells: int = Field(default=1, ge=0, le=100)
    """Fewest of them; at 0 a term with no cell is left out, as published."""
    corner_cells: int = Field(default=1, ge=0, le=100)
    """Cells on both sides of the box's edges that the corner terms look at (L)."""
    attention_grid: int | None = Field(default=None, ge=1, le=256)
    """Longest side of the maps that are read and borrowed, in cells; 16 for Stable Diffusion, 32 for SDXL."""
    suppression_grid: int = Field(default=32, ge=1, le=256)
    """Longest side of the maps that the suppression is made of."""
    suppression: Literal["auto", "others", "object", "none"] = "auto"
    """What is weakened where the object is: all other words (`auto` for SDXL), the object's own (`auto` for Stable Diffusion)."""
    crossed_phase: bool = False
    """Q1, as published: in the second half of the altered steps words borrow from the empty prompt, not from the other's pose."""
    half_maps: bool = False
    """Q2, as published: half of the attention maps are left out of the energy."""
    row_softmax: bool = False
    """Q3, as published: the suppression compares the cells of one line only, and weakens the object's word once for each other word."""
    odd_steps: bool = False
    """Q4, as published: candidates borrow the pose in every other step only."""
    second_draw: bool = False
    """Q5, as published: SDXL begins with the second draw of the noise, so not where `generate sd` begins."""
    savings: bool = True
    """Leave out what nobody reads; the picture is the same. False computes and keeps everything, for comparison."""
    negative_prompt: str = ""
    """What no picture should show."""

    def constants(self, *, xl: bool) -> PairSettings:
        """The constants of a run.

        Args:
            xl: Whether the model is SDXL.
        """
        steps = self.num_inference_steps
        altered = self.altered_steps
        suppression: Suppression
        if self.suppression == "auto":
            suppression = "others" if xl or not self.row_softmax else "object"
        else:
            suppression = self.suppression
        return PairSettings(
            steps=steps,
            guidance=self.guidance_scale,
            altered_steps=round((0.5 if xl else 0.3) * steps) if altered is None else altered,
            scale=(20.0 if xl else 15.0) if self.energy_scale is None else self.energy_scale,
            self_replace=self.self_replace,
            top_share=self.top_share,
            least_cells=self.least_cells,
            corner_cells=self.corner_cells,
            attention_grid=(32 if xl else 16) if self.attention_grid is None else self.attention_grid,
            suppression_grid=self.suppression_grid,
            suppression=suppression,
            quirks=Quirks(
                crossed_phase=self.crossed_phase,
                half_maps=self.half_maps,
                row_softmax=self.row_softmax,
                odd_steps=self.odd_steps,
                second_draw=self.second_draw and xl,
            ),
            borrows=self.self_replace != 0 or self.cross_replace != 0,
            savings=self.savings,
        )


def beyond_steps(fields: PairFields, settings: PairSettings) -> str | None:
    """What is said where more steps are to be altered than there are."""
    if settings.altered_steps <= settings.steps:
        return None
    return f"all of its {settings.steps} steps are altered; altered_steps={fields.altered_steps} asks for more than there are"
