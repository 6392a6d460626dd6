"""How a picture editor samples: three predictions a step, one for the text, one for the picture, one for neither; Euler ancestral.

Source: InstructPix2Pix (Brooks et al. 2023) and k-diffusion's `sample_euler_ancestral`; section 6 of the LGD specification.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor

ANCESTRAL: Final = "euler-a"
"""What an editor steps by, as schedulers are called."""
Prediction = Literal["epsilon", "v_prediction"]
Denoise = Callable[[Tensor, int], Tensor]
"""`denoise(latents, step) -> guided clean latents`; latents are `clean + sigma * noise`."""


@dataclass(frozen=True)
class AncestralLevels:
    """The noise levels of one sampling run; T steps have T + 1 levels, the last one clean."""

    timesteps: tuple[float, ...]
    """Training times of the U-Net's calls, falling from the last one to 0: fractions, as the original has them."""
    sigmas: tuple[float, ...]
    """Standard deviation of the noise at each level, falling to 0."""
    prediction: Prediction = "epsilon"
    """What the U-Net predicts."""

    @property
    def steps(self) -> int:
        """T."""
        return len(self.timesteps)


def ancestral_levels(scheduler: Any, steps: int) -> AncestralLevels:
    """Levels at evenly spaced times, with sigmas interpolated in their logarithm.

    Args:
        scheduler: Any diffusers scheduler with `alphas_cumprod`.
        steps: T.

    Source: k-diffusion, `DiscreteSchedule.get_sigmas` and `t_to_sigma`.
    """
    alphas = scheduler.alphas_cumprod.float()
    logs = (((1 - alphas) / alphas) ** 0.5).log()
    times = torch.linspace(len(alphas) - 1, 0, steps)
    low, high, weight = times.floor().long(), times.ceil().long(), times.frac()
    sigmas = ((1 - weight) * logs[low] + weight * logs[high]).exp()
    prediction = scheduler.config.prediction_type
    return AncestralLevels(tuple(times.tolist()), (*sigmas.tolist(), 0.0), prediction)


@dataclass(frozen=True)
class EditCondition:
    """What a picture editor is told about `n` pictures.

    Attributes:
        text: Condition of the cross-attention, `[n, length, width]`.
        null_text: That of the empty text, same shape.
        picture: Latents of the picture to edit, not multiplied by the autoencoder's factor, `[n, c, h, w]`.
    """

    text: Tensor
    null_text: Tensor
    picture: Tensor

    def rows(self, start: int, stop: int) -> "EditCondition":
        """Some of the pictures."""
        return EditCondition(self.text[start:stop], self.null_text[start:stop], self.picture[start:stop])


class GuidedEditor:
    """A U-Net with eight input channels under guidance by text and picture.

    Args:
        unet: Takes `[noisy latents ; latents of the picture]` on its channels.
        condition: Of all pictures.
        levels: Of the run.
        text_guidance: How far to follow the text.
        image_guidance: How far to keep to the picture.
        batch_size: Most pictures of one call; each takes three rows of it.
    """

    def __init__(
        self,
        unet: Any,
        condition: EditCondition,
        levels: AncestralLevels,
        *,
        text_guidance: float,
        image_guidance: float,
        batch_size: int,
    ) -> None:
        self.unet, self.condition, self.levels = unet, condition, levels
        self.text_guidance, self.image_guidance, self.batch_size = text_guidance, image_guidance, max(1, batch_size)
        self.calls = 0

    def __call__(self, latents: Tensor, step: int) -> Tensor:
        """Guided clean latents for `[n, c, h, w]` at a step's level."""
        size = self.batch_size
        starts = range(0, len(latents), size)
        parts = [self._denoise(latents[i : i + size], self.condition.rows(i, i + size), step) for i in starts]
        return torch.cat(parts)

    def _denoise(self, latents: Tensor, condition: EditCondition, step: int) -> Tensor:
        self.calls += 1
        sigma, dtype = self.levels.sigmas[step], condition.text.dtype
        scale = (sigma**2 + 1) ** -0.5
        noisy = (latents * scale).to(dtype).repeat(3, 1, 1, 1)
        nothing = torch.zeros_like(condition.picture)
        output = self.unet(
            torch.cat([noisy, torch.cat([condition.picture, condition.picture, nothing])], dim=1),
            self.levels.timesteps[step],
            encoder_hidden_states=torch.cat([condition.text, condition.null_text, condition.null_text]),
            return_dict=False,
        )[0]
        full, picture, none = output.to(latents.dtype).chunk(3)
        guided = none + self.text_guidance * (full - picture) + self.image_guidance * (picture - none)
        if self.levels.prediction == "epsilon":
            return latents - sigma * guided
        return latents * scale**2 - guided * sigma * scale


@torch.no_grad()
def sample_ancestral(
    denoise: Denoise,
    levels: AncestralLevels,
    shape: Sequence[int],
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    watch: Callable[[Tensor, Tensor, int], None] | None = None,
    told: Callable[[], None] = lambda: None,
) -> Tensor:
    """Draw latents from noise, one picture a seed; a picture does not depend on its neighbours.

    Args:
        denoise: The guided model.
        levels: Noise levels.
        shape: `(c, h, w)` of one picture's latents.
        seeds: Each has a CPU generator: first the noise to start from, then that of every step but the last.
        device: Where latents are.
        watch: Shown latents before each step, the clean ones seen from there, and the step.
        told: Called after each step.

    Returns:
        `[n, c, h, w]`.

    Source: k-diffusion, `sample_euler_ancestral` with eta 1.
    """
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]

    def noise() -> Tensor:
        return torch.cat([torch.randn((1, *shape), generator=one) for one in generators]).to(device)

    latents = noise() * levels.sigmas[0]
    for step in range(levels.steps):
        sigma, target = levels.sigmas[step], levels.sigmas[step + 1]
        clean = denoise(latents, step)
        if watch is not None:
            watch(latents, clean, step)
        up = min(target, (target**2 * (sigma**2 - target**2) / sigma**2) ** 0.5)
        down = (target**2 - up**2) ** 0.5
        latents = latents + (latents - clean) / sigma * (down - sigma)
        if target > 0:
            latents = latents + noise() * up
        told()
    return latents
