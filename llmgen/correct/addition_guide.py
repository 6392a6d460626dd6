"""Energy guidance of added objects: their words attend to their boxes, as they did when each object was drawn alone.

Source: SLD (Wu et al. 2024), final generation, with LMD's energy (Lian et al. 2023). Differences: README.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.attention import Remembering, guidance_layers
from llmgen.diffusion.grounding import Grounding
from llmgen.diffusion.guidance import (
    EnergySettings,
    GuidedPhrase,
    guidance_iterations,
    phrase_energy,
    phrase_places,
)
from llmgen.diffusion.prompts import count_phrases
from llmgen.diffusion.sampling import Levels, Predict
from llmgen.diffusion.steering import Energy, Steering, SteeringRule, noise_rate
from llmgen.diffusion.text import TextCondition, TextEncoder
from llmgen.vision.boxes import BoxTuple


@dataclass(frozen=True)
class Addition:
    """One added object."""

    phrase: str
    """With its article."""
    box: BoxTuple
    """Unit box."""
    attention: list[dict[str, Tensor]] = field(default_factory=list)
    """For each step that is guided, layer to `[heads, cells]` of its noun when it was drawn alone."""


class AdditionGuide:
    """What a painter needs to guide added objects.

    Args:
        unet: The U-Net.
        text: Its text encoder.
        config: Settings; an `energy_scale` of 0 switches the guidance off.
        levels: Noise levels of every run.
        batch_size: Most pictures of one call of the U-Net.

    Attributes:
        remembered: How many steps of an object drawn alone are remembered.
    """

    def __init__(
        self, unet: Any, text: TextEncoder, config: SelfCorrectionConfig, levels: Levels, batch_size: int
    ) -> None:
        self.unet, self.text, self.config, self.levels, self.batch_size = unet, text, config, levels, batch_size
        self.layers = guidance_layers(unet)
        # The reference's 4, 3, 2, 1 updates share the first 60 % of the steps; another share stretches them.
        stretched = round(levels.steps * config.guided_fraction / 0.6)
        self.iterations: Callable[[int], int] = lambda index: guidance_iterations(index, stretched)
        guided = sum(self.iterations(i) > 0 for i in range(levels.steps)) if config.energy_scale else 0
        self.active, self.remembered = guided > 0, guided if config.reference_weight else 0

    def word_alone(self, prompts: Sequence[str], phrases: Sequence[str]) -> list[tuple[str, int | None]]:
        """Prompts of objects drawn alone, and where their nouns stand in them; None where the text ends before."""
        found = [phrase_places(prompt, [phrase], self.text) for prompt, phrase in zip(prompts, phrases, strict=True)]
        return [(prompt, places[0][-1] if places[0] else None) for prompt, places in found]

    def remember(self, predict: Predict, tokens: Sequence[int | None]) -> Remembering:
        """The same `predict`, which also keeps the attention of one token of each picture."""
        return Remembering(predict, self.unet, self.layers, tokens, self.remembered)

    def word(self, prompt: str, additions: Sequence[Addition], shape: tuple[int, int]) -> tuple[str, Energy | None]:
        """The prompt of a whole picture, and the energy of what is added to it.

        Args:
            prompt: The prompt; additions that it does not name are appended.
            additions: Added objects.
            shape: Rows and columns of the latents.

        Returns:
            The prompt, and None where nothing is guided.
        """
        if not self.active or not additions:
            return prompt, None
        groups: dict[str, list[Addition]] = {}
        for addition in additions:
            groups.setdefault(addition.phrase, []).append(addition)
        named = count_phrases([addition.phrase for addition in additions])
        prompt, places = phrase_places(prompt, named, self.text)
        phrases = [
            GuidedPhrase(tuple(a.box for a in group), tuple(found), found[-1], [a.attention for a in group])
            for group, found in zip(groups.values(), places, strict=True)
            if found
        ]
        settings = EnergySettings(weight_reference=self.config.reference_weight)
        return prompt, phrase_energy(phrases, shape, settings)

    def steering(
        self, text: Tensor | TextCondition, energies: Sequence[Energy | None], grounding: Grounding | None
    ) -> Steering | None:
        """What lowers the energies before the steps of a sampling; None where there are none."""
        if not any(energies):
            return None
        config = self.config
        rule = SteeringRule(self.iterations, noise_rate(self.levels, config.energy_scale), config.energy_threshold)
        return Steering(
            self.unet,
            text,
            energies,
            self.levels,
            rule,
            layers=self.layers,
            grounding=grounding,
            null_grounding=config.guidance_grounding == "null",
            batch_size=self.batch_size,
        )
