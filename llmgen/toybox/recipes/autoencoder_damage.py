"""What the toybox autoencoder does to a picture, for training the models that must read generated pictures."""

import logging
from pathlib import Path
from typing import Self

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor

logger = logging.getLogger(__name__)


class AutoencoderDamage:
    """Sends a share of a batch through encoder and decoder, with noise on the latents.

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
    def __call__(self, images: Tensor, rng: np.random.Generator, *, share: float) -> Tensor:
        """Damage about ``share`` of the pictures.

        Args:
            images: ``[B, 3, H, W]`` in 0..1, on the autoencoder's device.
            rng: picks the pictures and the noise.
            share: 0 to 1.

        Returns:
            A new tensor of the same shape, 0..1.
        """
        chosen = torch.from_numpy(rng.random(len(images)) < share).to(images.device)
        if not chosen.any():
            return images
        noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
        with torch.autocast(images.device.type, torch.bfloat16):
            latents = self._autoencoder.encode(images[chosen] * 2 - 1).latents
            strength = torch.rand(len(latents), 1, 1, 1, generator=noise) * self._latent_noise
            jitter = (torch.randn(latents.shape, generator=noise) * strength).to(latents.device)
            decoded = self._autoencoder.decode(latents + jitter / self._autoencoder.config.scaling_factor).sample
        damaged = images.clone()
        damaged[chosen] = (decoded.float() / 2 + 0.5).clamp(0, 1)
        return damaged
