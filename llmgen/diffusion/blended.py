"""Inpainting by a denoiser that knows nothing of masks, whatever the number of its latent channels."""

from typing import Any

from diffusers.configuration_utils import FrozenDict

PLAIN = 4
"""Channels by which diffusers 0.42 tells a denoiser without channels for a mask, whose latents it blends with the picture's."""


class BlendedDenoiser:
    """A denoiser as diffusers' inpainting pipeline takes one that has no channels for a mask; everything but that is its own."""

    def __init__(self, unet: Any) -> None:
        """Wrap a denoiser.

        Args:
            unet: Takes as many channels as it gives.
        """
        self._unet = unet
        self.config = FrozenDict({**unet.config, "in_channels": PLAIN})

    def __getattr__(self, name: str) -> Any:
        """What else is asked of it."""
        return getattr(self._unet, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Predict, as it does."""
        return self._unet(*args, **kwargs)
