"""What the toybox autoencoder does to a picture, for training the models that must read generated pictures."""

import logging
from pathlib import Path
from typing import Self

import torch
from diffusers import AutoencoderTiny
from torch import Tensor

logger = logging.getLogger(__name__)


class AutoencoderDamage:
    """Sends some of a batch through encoder and decoder, with noise on the latents.

    Args:
        autoencoder: the autoencoder, in evaluation mode.
        latent_noise: standard deviation of the noise, drawn evenly from 0 to this, in units of the scaled latents.
    """

    def __init__(self, autoencoder: AutoencoderTiny, latent_noise: float = 0.25) -> None:
        self._autoencoder = autoencoder
        self._latent_noise = latent_noise

    @classmethod
    def load(cls, folder: Path, device: str) -> Self | None:
        """Load an autoencoder, or say that there is none: the models can be trained before it exists."""
        if not (folder / "config.json").exists():
            logger.warning("no autoencoder in %s: training without its damage", folder)
            return None
        autoencoder = AutoencoderTiny.from_pretrained(folder, torch_dtype=torch.float32)
        return cls(autoencoder.to(device).eval().requires_grad_(False))

    @torch.no_grad()
    def __call__(self, images: Tensor, chosen: Tensor) -> Tensor:
        """Damage some of the pictures; torch's global generator gives the noise.

        Args:
            images: ``[B, 3, H, W]`` in 0..1, on the autoencoder's device.
            chosen: ``[B]`` bool, which pictures.

        Returns:
            A new tensor of the same shape, 0..1.
        """
        chosen = chosen.to(images.device)
        if not chosen.any():
            return images
        with torch.autocast(images.device.type, torch.bfloat16):
            latents = self._autoencoder.encode(images[chosen] * 2 - 1).latents
            strength = torch.rand(len(latents), 1, 1, 1, device=latents.device) * self._latent_noise
            noise = torch.randn(latents.shape, device=latents.device) * strength
            decoded = self._autoencoder.decode(latents + noise / self._autoencoder.config.scaling_factor).sample
        damaged = images.clone()
        damaged[chosen] = (decoded.float() / 2 + 0.5).clamp(0, 1)
        return damaged
