"""The painter at the order and the cost of the published code, to measure the other one against.

One picture and one object after the other; inversions ask the U-Net at the level they leave; a change is inverted for
itself, edited without boxes, decoded and inverted again; the final sampling runs every step and keeps the attention of
all layers, of all tokens and of both halves of the guidance until it ends, though nobody reads it. Masks, warps, seeds and
pasting are llmgen's, changes run on the U-Net that is loaded, and guidance passes end behind the last layer they need.

Source: SLD (Wu et al. 2024), https://github.com/tsunghan-wu/SLD.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from llmgen.correct.jobs import Layer, Scene
from llmgen.correct.painting import LatentPainter
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.attention import all_layers, capture_attention
from llmgen.diffusion.inversion import Convention, invert
from llmgen.diffusion.latents import decode_latents
from llmgen.diffusion.sampling import sample
from llmgen.diffusion.text import TextEncoder
from llmgen.llm.english.words import with_article
from llmgen.vision.protocols import Segmenter

DIFFEDIT_INVERSION_GUIDANCE = 7.5
"""Guidance of the inversion before a change, the default of the library's DiffEdit pipeline."""


class ReferencePainter(LatentPainter):
    """`LatentPainter` as the published code does it; arguments as there, of which `batch_size` is not used."""

    inversion_convention: ClassVar[Convention] = "source"

    def __init__(
        self,
        pipe: Any,
        text: TextEncoder,
        segmenter: Segmenter,
        config: SelfCorrectionConfig,
        *,
        batch_size: int = 1,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        super().__init__(pipe, text, segmenter, config, batch_size=1, progress=progress)

    def _change(self, scenes: Sequence[Scene]) -> None:
        first = self.levels.steps - int(self.levels.steps * self.config.change_strength)
        for scene in scenes:
            for edit, pixels in scene.changes:
                self.progress(f"changing {edit.target}")
                source = self._unet([with_article(edit.noun)], [""], DIFFEDIT_INVERSION_GUIDANCE)
                clean = scene.background[-1:]
                held = invert(source, clean, self.levels, convention=self.inversion_convention, last=first)
                mask = self._cells(pixels, 0.1).to(clean.dtype)
                target = self._unet([edit.phrase], [""], self.config.change_guidance_scale)
                run = sample(target, held[:, 0], self.levels, start=first, after_step=_one_late(held, mask, first))
                self.unet_calls += source.calls + target.calls
                (picture,) = decode_latents(self.pipe.vae, run[:, -1])
                scene.layers.append(Layer(pixels, *self._inverted([picture], [self._negative(scene)])))

    def _first_step(self, held: Tensor) -> int:
        return 0

    def _sample(
        self, scenes: Sequence[Scene], composed: Sequence[tuple[Tensor, Tensor]], start: int
    ) -> list[Image.Image]:
        images: list[Image.Image] = []
        for scene, layers in zip(scenes, composed, strict=True):
            with _keeping_all_attention(self.pipe.unet):
                images += super()._sample([scene], [layers], start)
        return images


def _one_late(held: Tensor, mask: Tensor, first: int) -> Callable[[Tensor, int], Tensor]:
    """An `after_step` that holds what is outside a mask one level late, as the library's DiffEdit pipeline does."""
    return lambda latents, index: latents * mask + held[:, index - first] * (1 - mask)


@contextmanager
def _keeping_all_attention(unet: Any) -> Iterator[None]:
    kept: list[Tensor] = []

    def keep(probabilities: Tensor) -> Tensor:
        # Guidance passes, which need gradients, look and forget.
        if not torch.is_grad_enabled():
            kept.append(probabilities)
        return probabilities

    with capture_attention(unet, all_layers(unet), keep):
        yield
