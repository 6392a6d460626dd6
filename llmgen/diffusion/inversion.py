"""DDIM inversion: from a clean latent to the noise that would have made it."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from llmgen.diffusion.sampling import Levels, Predict, convert_prediction

Convention = Literal["target", "source"]
"""At which level's time the U-Net is asked: the noisier one that is stepped to (diffusers today, and what the forward loop does), or the
one that is left (diffusers 0.20, which the SLD reference used; its first call is then at a negative time)."""


@torch.no_grad()
def invert(
    predict: Predict,
    clean: Tensor,
    levels: Levels,
    *,
    convention: Convention = "target",
    refinements: int = 0,
    last: int = 0,
    told: Callable[[], None] = lambda: None,
) -> Tensor:
    """Add noise step by step, as the model itself sees it.

    Args:
        predict: The guided model.
        clean: Clean latents, `[n, c, h, w]`.
        levels: Noise levels; step i of the forward loop goes from level i to level i + 1, and is undone here.
        convention: Time at which the U-Net is asked.
        refinements: Fixed-point iterations per step (only with `target`): the model is asked again at the latent that was just found,
            so that sampling from it comes back to where it started. Each costs one more call.
        last: Level to stop at, the noisiest by default.
        told: Called after each step.

    Returns:
        `[n, T + 1 - last, c, h, w]`, noisiest first; the last entry is `clean`.

    Source: Song et al. 2021 (DDIM); diffusers `DDIMInverseScheduler`; refinements as in fixed-point inversion (Pan et al. 2023).
    """
    kept = [clean]
    latents = clean
    for i in reversed(range(last, levels.steps)):
        timestep = levels.timesteps[i]
        if convention == "source":
            timestep = levels.timesteps[i + 1] if i + 1 < levels.steps else timestep - levels.stride
        output = predict(latents, timestep, i)
        start, noise = levels.predicted(output, latents, i + 1)
        noisier = levels.renoise(start, noise, i)
        for _ in range(refinements if convention == "target" else 0):
            _, noise = convert_prediction(
                predict(noisier, timestep, i), noisier, levels.alphas[i], levels.prediction_type
            )
            alpha = levels.alphas[i + 1]
            start = (latents - (1 - alpha) ** 0.5 * noise) / alpha**0.5
            noisier = levels.renoise(start, noise, i)
        latents = noisier
        kept.append(latents)
        told()
    return torch.stack(kept[::-1], dim=1)
