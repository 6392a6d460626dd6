"""Backward guidance: text to image, the attention of each word gathered in its boxes during the first steps. A baseline of LMD+.

Source: Training-free layout control with cross-attention guidance (Chen et al. 2023), as in LMD's repository.
"""

from typing import ClassVar

from pydantic import Field

from llmgen.diffusion.attention import guidance_layers
from llmgen.diffusion.box_energies import ratio_energy
from llmgen.diffusion.guidance import GuidedPhrase
from llmgen.diffusion.steering import Energy, SteeringRule, noise_rate
from llmgen.generate.steered import SteeredConfig, SteeredGenerate


class BackwardGuidanceGenerateConfig(SteeredConfig):
    """Settings of `generate backward-guidance`."""

    guided_fraction: float = Field(default=0.2, ge=0, le=1)
    """Share of the steps, from the first, that are guided."""
    iterations: int = Field(default=5, ge=0, le=100)
    """Most updates before a step."""
    energy_scale: float = Field(default=30.0, ge=0, le=1000)
    """Factor on the slope."""
    energy_threshold: float = Field(default=0.2, ge=0)
    """A picture whose energy is not above it is not guided any more."""


class BackwardGuidanceGenerate(SteeredGenerate):
    """Draw pictures from layouts by backward guidance."""

    name: ClassVar[str] = "backward-guidance"
    Config = BackwardGuidanceGenerateConfig

    def _watched(self) -> list[str]:
        return guidance_layers(self._pipe.unet, self._config.attention_grid)

    def _energy(self, phrases: tuple[GuidedPhrase, ...], shape: tuple[int, int]) -> Energy | None:
        return ratio_energy(phrases, shape)

    def _rule(self) -> SteeringRule:
        config = self._config
        guided = int(config.guided_fraction * self._levels.steps)
        return SteeringRule(
            lambda index: config.iterations if index < guided else 0,
            noise_rate(self._levels, config.energy_scale),
            config.energy_threshold,
        )
