"""A picture editor: picture, condition and seeds in, pictures out. What the condition is made of is its caller's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from llmgen.diffusion.answering.bridge import Bridge
from llmgen.diffusion.answering.sampling import EditCondition, GuidedEditor, ancestral_levels, sample_ancestral
from llmgen.diffusion.answering.saved import LgdSettings
from llmgen.diffusion.failures import check_finite
from llmgen.diffusion.latents import decode_latents, encode_images, sides_multiple
from llmgen.diffusion.offloading import device_of


@dataclass(frozen=True)
class EditSettings:
    """How far and how long an editor goes."""

    steps: int
    text_guidance: float
    image_guidance: float
    batch_size: int
    """Most pictures of one call of the U-Net; each takes three rows."""
    cut: bool = False
    """Cut colours down to whole numbers, as the original does, instead of rounding them."""


@dataclass(frozen=True, eq=False)
class PictureEditor:
    """A U-Net with channels for the picture to edit, and what belongs to it.

    Attributes:
        unet: Takes `[noisy latents ; latents of the picture]` on its channels.
        vae: The autoencoder.
        scheduler: Any with `alphas_cumprod` and the kind of the U-Net's predictions.
    """

    unet: Any
    vae: Any
    scheduler: Any

    @property
    def multiple(self) -> int:
        """What sides of a picture must be multiples of."""
        return sides_multiple(self)

    @property
    def components(self) -> dict[str, Any]:
        """What may wait in main memory until it is called."""
        return {"unet": self.unet, "vae": self.vae}

    @torch.no_grad()
    def edit(
        self,
        pictures: Sequence[Image.Image],
        text: Tensor,
        null_text: Tensor,
        seeds: Sequence[int],
        settings: EditSettings,
        told: Callable[[], None] = lambda: None,
    ) -> list[Image.Image]:
        """Edit pictures of one size.

        Args:
            pictures: Those to edit; the same object again is encoded once.
            text: Condition of each, `[n, length, width]`.
            null_text: Condition of the empty text, `[1, length, width]`.
            seeds: Of each picture's noise.
            settings: Steps and guidance.
            told: Called after each step.

        Returns:
            One picture for each, of its size.

        Raises:
            ModelError: If the model returns numbers that are not finite.
        """
        device, dtype = device_of(self.unet), self.unet.dtype
        different = list({id(picture): picture for picture in pictures}.values())
        encoded = encode_images(self.vae, different, batch_size=settings.batch_size) / self.vae.config.scaling_factor
        places = [next(i for i, one in enumerate(different) if one is picture) for picture in pictures]
        condition = EditCondition(
            text.to(device, dtype),
            null_text.to(device, dtype).expand(len(text), -1, -1),
            encoded[places].to(device, dtype),
        )
        levels = ancestral_levels(self.scheduler, settings.steps)
        guided = GuidedEditor(
            self.unet,
            condition,
            levels,
            text_guidance=settings.text_guidance,
            image_guidance=settings.image_guidance,
            batch_size=settings.batch_size,
        )
        latents = sample_ancestral(guided, levels, encoded.shape[1:], seeds, device=device, told=told)
        latents = check_finite(latents, "the picture editor")
        if settings.cut:
            return decode_cut(self.vae, latents, batch_size=settings.batch_size)
        return decode_latents(self.vae, latents, batch_size=settings.batch_size)


@torch.no_grad()
def decode_cut(vae: Any, latents: Tensor, *, batch_size: int = 8) -> list[Image.Image]:
    """Pictures whose colours are cut down to whole numbers: the original's, half of them one level below ours."""
    images = []
    for i in range(0, len(latents), batch_size):
        rows = (latents[i : i + batch_size] / vae.config.scaling_factor).to(device_of(vae), vae.dtype)
        values = ((vae.decode(rows, return_dict=False)[0].float() + 1) / 2).clamp(0, 1)
        arrays = (255 * values).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        images += [Image.fromarray(array) for array in arrays]
    return images


@dataclass(frozen=True, eq=False)
class LatentEditor(PictureEditor):
    """A picture editor whose condition is made of an answerer's states.

    Attributes:
        bridge: From those states to the condition.
        null: States of the empty text, `[1, rows, width]`.
        settings: How it was trained.
        folder: Where it lies; what was trained of the answerer is there too.
    """

    bridge: Bridge
    null: Tensor
    settings: LgdSettings
    folder: str
