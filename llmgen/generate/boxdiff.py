"""BoxDiff: text to image, one step down the slope of its box constraints before each of the first steps. A baseline of LMD+.

Source: BoxDiff (Xie et al. 2023), as in LMD's repository.
"""

from typing import ClassVar

from pydantic import Field

from llmgen.diffusion.attention import lowest_layers
from llmgen.diffusion.box_energies import boxdiff_energy
from llmgen.diffusion.guidance import GuidedPhrase
from llmgen.diffusion.steering import Energy, SteeringRule
from llmgen.generate.steered import SteeredConfig, SteeredGenerate


class BoxDiffGenerateConfig(SteeredConfig):
    """Settings of `generate boxdiff`."""

    guided_fraction: float = Field(default=0.5, ge=0, le=1)
    """Share of the steps, from the first, that are guided."""
    energy_scale: float = Field(default=20.0, ge=0, le=1000)
    """Factor on the slope; it falls to its root of one half over the steps."""


class BoxDiffGenerate(SteeredGenerate):
    """Draw pictures from layouts by BoxDiff."""

    name: ClassVar[str] = "boxdiff"
    Config = BoxDiffGenerateConfig

    def _watched(self) -> list[str]:
        return lowest_layers(self._pipe.unet, self._config.attention_grid)

    def _energy(self, phrases: tuple[GuidedPhrase, ...], shape: tuple[int, int]) -> Energy | None:
        return boxdiff_energy(phrases, shape)

    def _rule(self) -> SteeringRule:
        config, last = self._config, max(self._levels.steps - 1, 1)
        guided = int(config.guided_fraction * self._levels.steps)
        return SteeringRule(
            lambda index: int(index < guided),
            lambda index: float(config.energy_scale * (1 - 0.5 * index / last) ** 0.5),
        )
