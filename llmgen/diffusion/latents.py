"""Pictures to latents and back, noise, grids, pasting."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from llmgen.diffusion.offloading import device_of
from llmgen.vision.boxes import to_grid


def latent_factor(vae: Any) -> int:
    """Pixels per latent cell along one axis."""
    channels = getattr(vae.config, "block_out_channels", None) or vae.config.decoder_block_out_channels
    return int(2 ** (len(channels) - 1))


def sides_multiple(pipe: Any) -> int:
    """What the sides of a picture must be multiples of: its latents are halved as often as the U-Net does, or cut into patches of two."""
    if getattr(pipe, "unet", None) is None:
        return 2 * latent_factor(pipe.vae)
    return latent_factor(pipe.vae) * 2 ** (len(pipe.unet.config.block_out_channels) - 1)


def pixels(images: Sequence[Image.Image]) -> Tensor:
    """RGB pictures of one size as `float32[n, 3, h, w]` in [-1, 1]."""
    arrays = np.stack([np.asarray(image.convert("RGB"), dtype=np.float32) for image in images])
    return torch.from_numpy(arrays).permute(0, 3, 1, 2) / 127.5 - 1


def to_images(values: Tensor) -> list[Image.Image]:
    """The inverse of `pixels`, clipped and rounded."""
    arrays = ((values.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(array) for array in arrays]


@torch.no_grad()
def encode_images(vae: Any, images: Sequence[Image.Image], *, batch_size: int = 8) -> Tensor:
    """Clean latents of pictures of one size.

    A variational encoder gives its most likely latents, not a sample, so the result is deterministic. (The SLD reference samples.)

    Args:
        vae: `AutoencoderKL` or `AutoencoderTiny`.
        images: RGB, sides a multiple of `latent_factor`.
        batch_size: Most pictures of one call.

    Returns:
        `float32[n, c, h / f, w / f]`, scaled as the U-Net expects.
    """
    values = pixels(images)
    rows = []
    for i in range(0, len(values), batch_size):
        encoded = vae.encode(values[i : i + batch_size].to(device_of(vae), vae.dtype))
        latents = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
        rows.append(latents.float() * vae.config.scaling_factor)
    return torch.cat(rows)


@torch.no_grad()
def decode_latents(vae: Any, latents: Tensor, *, batch_size: int = 8) -> list[Image.Image]:
    """Pictures from clean latents `[n, c, h, w]`."""
    images = []
    for i in range(0, len(latents), batch_size):
        rows = (latents[i : i + batch_size] / vae.config.scaling_factor).to(device_of(vae), vae.dtype)
        images += to_images(vae.decode(rows, return_dict=False)[0])
    return images


def make_noise(seed: int, shape: Sequence[int]) -> Tensor:
    """Standard normal float32 noise from a CPU generator, so that it is the same on every device."""
    return torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(seed))


def blend_noise(base: Tensor, fresh: Tensor, mask: Tensor, ratio: float) -> Tensor:
    """Start noise of an added object: inside the mask mostly the picture's own noise, a little fresh.

    Args:
        base: Noise of the picture.
        fresh: Fresh noise, same shape.
        mask: 1 inside the object's box, broadcastable.
        ratio: Share of variance that is fresh, in [0, 1].

    Source: LMD (Lian et al. 2023), foreground noise; section 5.3 of SLD.
    """
    inside = math.sqrt(1 - ratio) * base + math.sqrt(ratio) * fresh
    return base * (1 - mask) + inside * mask


def box_mask(box: tuple[float, float, float, float], height: int, width: int) -> Tensor:
    """`float32[height, width]`, 1 in the cells of a unit box. A box inside the grid covers at least one cell."""
    x0, y0, x1, y1 = to_grid(box, height, width)
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    mask = torch.zeros(height, width)
    mask[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 1
    return mask


def compose_layers(
    layers: Sequence[tuple[Tensor, Tensor]], noise: Tensor, removal: Tensor, background: Tensor
) -> tuple[Tensor, Tensor]:
    """Paste stored trajectories onto each other.

    Args:
        layers: Trajectories `[T + 1, c, h, w]` with masks `bool[h, w]`. The largest mask is pasted first, so small objects end on top.
        noise: What removed cells in no layer hold, `[T + 1, c, h, w]` or broadcastable to it.
        removal: Cells that must be drawn anew, `bool[h, w]`.
        background: Trajectory of the whole picture; it fills cells of no layer that are not removed.

    Returns:
        Composed trajectory, and the frozen cells `bool[h, w]`: those of any layer or of the background.

    Source: SLD (Wu et al. 2023), section 5.6 of the specification.
    """
    bare = ~removal
    for _, mask in layers:
        bare = bare & ~mask
    composed = noise.expand(background.shape).clone()
    frozen = torch.zeros_like(bare)
    for trajectory, mask in sorted((*layers, (background, bare)), key=lambda layer: -int(layer[1].sum())):
        composed = torch.where(mask, trajectory, composed)
        frozen = frozen | mask
    return composed, frozen
