"""DDIM with classifier-free guidance as a loop one can read: levels, predictions, steps.

A *level* is an amount of noise. With T steps there are T + 1 levels; level 0 is the noisiest, level T is clean. Step i goes from level i
to level i + 1 and calls the U-Net at `timesteps[i]`. Latent stacks of whole trajectories are ordered the same way, noisiest first.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor

from llmgen.diffusion.grounding import Grounding
from llmgen.diffusion.text import TextCondition, as_condition
from llmgen.errors import PresetError

logger = logging.getLogger(__name__)

PredictionType = Literal["epsilon", "v_prediction", "sample"]
OWN_LOOP: Final = "ddim"
"""What is sampled by this loop, as schedulers are called: methods that steer, freeze or invert steps need each of them to be this one."""
Predict = Callable[[Tensor, int, int], Tensor]
"""`predict(latents, timestep, index) -> model output`, guidance already applied."""


@dataclass(frozen=True)
class Levels:
    """The noise levels of one sampling run."""

    timesteps: tuple[int, ...]
    """Training times at which the U-Net is called, falling; T of them."""
    alphas: tuple[float, ...]
    """Cumulative alpha of the T + 1 levels, rising; each in [0, 1]."""
    stride: int
    """Training steps between two levels."""
    prediction_type: PredictionType = "epsilon"

    @property
    def steps(self) -> int:
        """T, the number of steps."""
        return len(self.timesteps)

    def predicted(self, output: Tensor, latents: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """What a model output says about the clean latents and the noise.

        Args:
            output: U-Net output for `latents`, same shape.
            latents: Latents at `level`.
            level: Index of the level, 0 is the noisiest.

        Returns:
            Clean latents and noise.
        """
        return convert_prediction(output, latents, self.alphas[level], self.prediction_type)

    def renoise(self, clean: Tensor, noise: Tensor, level: int) -> Tensor:
        """Latents at a level from clean latents and noise."""
        alpha = self.alphas[level]
        return alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise


def convert_prediction(
    output: Tensor, latents: Tensor, alpha: float, prediction_type: PredictionType
) -> tuple[Tensor, Tensor]:
    """Clean latents and noise from a model output.

    Args:
        output: Model output: the noise, the velocity, or the clean latents.
        latents: Where it was asked, same shape.
        alpha: Cumulative alpha there, in [0, 1]; 0 only for velocity and clean predictions.
        prediction_type: What the model predicts.

    Returns:
        `(clean, noise)` with `latents = sqrt(alpha) clean + sqrt(1 - alpha) noise`.
    """
    a, b = alpha**0.5, (1 - alpha) ** 0.5
    if prediction_type == "epsilon":
        return (latents - b * output) / a, output
    if prediction_type == "v_prediction":
        return a * latents - b * output, a * output + b * latents
    return output, (latents - a * output) / b


def fast_timesteps(timesteps: Sequence[int], after: int, rate: int) -> tuple[int, ...]:
    """A schedule that keeps only every `rate`-th call from step `after` on, the last one included.

    Source: LLM-groundedDiffusion, fast schedule of per-object runs.
    """
    tail = timesteps[after:]
    return (*timesteps[:after], *tail[rate - 1 :: rate])


def make_levels(scheduler: Any, steps: int) -> Levels:
    """The levels of a pipeline's scheduler.

    Args:
        scheduler: Any diffusers scheduler with `alphas_cumprod`; its own spacing, offset and prediction type are kept.
        steps: T.

    Raises:
        PresetError: The first time is behind the last one that the scheduler was made for.
    """
    from diffusers import DDIMScheduler

    ddim = DDIMScheduler.from_config(scheduler.config)
    ddim.set_timesteps(steps)
    times = tuple(int(t) for t in ddim.timesteps)
    table = ddim.alphas_cumprod.double()
    stride = len(table) // steps
    if times[0] >= len(table):
        raise PresetError(
            f"{steps} steps begin at time {times[0]}, and the scheduler's last is {len(table) - 1}: take fewer steps"
        )
    if times[0] + stride < 0.9 * len(table):  # leading spacing drops the remainder of the division at the noisy end
        logger.warning(
            "%d steps begin at time %d of %d, in the middle of the noise: take %d steps",
            steps,
            times[0],
            len(table),
            len(table) // (stride + 1),
        )
    alphas = (*(float(table[t]) for t in times), float(ddim.final_alpha_cumprod))
    return Levels(times, alphas, stride, ddim.config.prediction_type)


@torch.no_grad()
def ddim_step(levels: Levels, output: Tensor, latents: Tensor, index: int) -> Tensor:
    """One deterministic step from level `index` to the next cleaner one."""
    clean, noise = levels.predicted(output, latents, index)
    return levels.renoise(clean, noise, index + 1)


@torch.no_grad()
def sample(
    predict: Predict,
    latents: Tensor,
    levels: Levels,
    *,
    start: int = 0,
    stop: int | None = None,
    before_step: Callable[[Tensor, int], Tensor] | None = None,
    after_step: Callable[[Tensor, int], Tensor] | None = None,
    told: Callable[[], None] = lambda: None,
) -> Tensor:
    """Denoise from level `start` to clean latents (or to level `stop`) and keep every level.

    Args:
        predict: The guided model.
        latents: Latents at level `start`, `[n, c, h, w]`.
        levels: Noise levels.
        start: First level.
        stop: Last level; the clean one by default.
        before_step: May change latents before step i, for example by energy guidance.
        after_step: May change latents after step i, for example by freezing cells: `after_step(latents at level i + 1, i)`.
        told: Called after each step.

    Returns:
        `[n, stop + 1 - start, c, h, w]`, noisiest first.
    """
    kept = [latents]
    for i in range(start, levels.steps if stop is None else stop):
        if before_step is not None:
            latents = before_step(latents, i)
        latents = ddim_step(levels, predict(latents, levels.timesteps[i], i), latents, i)
        if after_step is not None:
            latents = after_step(latents, i)
        kept.append(latents)
        told()
    return torch.stack(kept, dim=1)


def freeze_from(trajectory: Tensor, frozen: Tensor, frozen_steps: int) -> Callable[[Tensor, int], Tensor]:
    """An `after_step` that holds cells on a stored trajectory during the first steps, then lets them go.

    Args:
        trajectory: `[n, T + 1, c, h, w]`, noisiest first.
        frozen: 1 where a cell is held, `[n, 1, h, w]`, in [0, 1].
        frozen_steps: Number of steps during which cells are held.

    Source: SLD (Wu et al. 2023), final generation.
    """

    def hold(latents: Tensor, index: int) -> Tensor:
        if index >= frozen_steps:
            return latents
        return trajectory[:, index + 1] * frozen + latents * (1 - frozen)

    return hold


@dataclass(frozen=True)
class _Told:
    is_guided: bool
    """Whether the unconditional half comes before the conditional one."""
    text: TextCondition
    extra: dict[str, Any] | None


class GuidedUNet:
    """A U-Net with classifier-free guidance and optional grounding: the usual `predict`.

    Args:
        unet: A `UNet2DConditionModel`.
        text: Conditions of the pictures, or their token states alone, `[n, length, dim]`.
        negative: Unconditional ones, likewise.
        guidance: Guidance scale, one number or one per row.
        grounding: Boxes and phrases of all rows, or None.
        grounding_steps: Grounding is on for steps before this one.
        batch_size: Most rows of one call (each counts twice under guidance).
    """

    def __init__(
        self,
        unet: Any,
        text: Tensor | TextCondition,
        negative: Tensor | TextCondition,
        guidance: float | Sequence[float],
        *,
        grounding: Grounding | None = None,
        grounding_steps: int = 0,
        batch_size: int = 8,
    ) -> None:
        self.unet, self.text, self.negative = unet, as_condition(text), as_condition(negative)
        n = len(self.text)
        scales = [float(guidance)] * n if isinstance(guidance, int | float) else [float(g) for g in guidance]
        self.guidance = torch.tensor(scales, device=self.text.hidden.device).view(-1, 1, 1, 1)
        self.grounding, self.grounding_steps, self.batch_size = grounding, grounding_steps, batch_size
        self._has_objects = [False] * n if grounding is None else grounding.masks.any(dim=1).tolist()
        self._told: dict[tuple[int, ...], _Told] = {}
        self.calls = 0

    def __call__(self, latents: Tensor, timestep: int, index: int) -> Tensor:
        """Guided model output for `latents [n, c, h, w]`, in their dtype.

        A picture without objects is never grounded, so that it does not matter whether its neighbours are.
        """
        is_grounded = [has and index < self.grounding_steps for has in self._has_objects]
        result = torch.empty_like(latents)
        for wanted in (True, False):
            rows = [i for i, grounded in enumerate(is_grounded) if grounded == wanted]
            for start in range(0, len(rows), self.batch_size):
                chunk = rows[start : start + self.batch_size]
                result[chunk] = self._rows(latents, timestep, chunk, wanted)
        return result

    def _rows(self, latents: Tensor, timestep: int, rows: list[int], grounded: bool) -> Tensor:
        self.calls += 1
        told = self._what_is_told(rows, grounded)
        z = latents[rows].to(self.text.hidden.dtype)
        if not told.is_guided:
            return self._call(z, timestep, told.text, told.extra).to(latents.dtype)
        free, wanted = self._call(torch.cat([z, z]), timestep, told.text, told.extra).to(latents.dtype).chunk(2)
        return free + self.guidance[rows].to(latents.dtype) * (wanted - free)

    def _what_is_told(self, rows: list[int], grounded: bool) -> "_Told":
        """What the U-Net is told of some pictures beside their latents, which is the same at every step."""
        key = (grounded, *rows)
        if key not in self._told:
            is_guided = not bool((self.guidance[rows] == 1).all())
            text, extra = self.text.rows(rows), None
            if is_guided:
                text = self.negative.rows(rows).followed_by(text)
            if grounded and self.grounding is not None:
                part = self.grounding.rows(rows)
                extra = part.both_halves() if is_guided else part.conditional()
            self._told[key] = _Told(is_guided, text, extra)
        return self._told[key]

    def _call(self, latents: Tensor, timestep: int, text: TextCondition, extra: dict[str, Any] | None) -> Tensor:
        return self.unet(latents, timestep, **text.unet_kwargs(), cross_attention_kwargs=extra, return_dict=False)[0]
