"""Latents nudged down the slope of an energy of the cross-attention, before a sampling step; several pictures at once.

Which energy is a parameter: that of LMD+ and SLD, the ratio energy of backward guidance, or BoxDiff's.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmgen.diffusion.attention import capture_attention
from llmgen.diffusion.grounding import Grounding
from llmgen.diffusion.sampling import Levels
from llmgen.diffusion.text import TextCondition, as_condition
from llmgen.errors import ModelError

Energy = Callable[[dict[str, Tensor], int], Tensor]
"""`energy(attention, index) -> number to minimise`; attention of one picture: layer to `[heads, cells, tokens]` in [0, 1]."""


@dataclass(frozen=True)
class SteeringRule:
    """When and how far latents are moved."""

    iterations: Callable[[int], int]
    """Most updates before step i."""
    rate: Callable[[int], float]
    """Factor on the slope of the energy at step i."""
    threshold: float = 0.0
    """A picture is left alone from the first time on that its energy is not above it."""


def noise_rate(levels: Levels, scale: float) -> Callable[[int], float]:
    """The rate of LMD: a scale times the noise of the level, `scale * sqrt(1 - alpha)`."""
    return lambda index: float(scale * (1 - levels.alphas[index]) ** 0.5)


class Steering:
    """The loop before a sampling step, a `before_step` of `sample`.

    The last energy of each picture is carried over from step to step: once it is at the threshold, that picture is not
    steered again, as in the reference of LMD and SLD. The U-Net is left as soon as the last watched layer has spoken; what
    comes behind it does not change the energy.

    Args:
        unet: The U-Net.
        text: Conditions of the pictures, or their token states alone, `[n, length, dim]`.
        energies: One energy per picture; None leaves it alone.
        levels: Noise levels.
        rule: When and how far.
        layers: Names of watched `attn2` modules in the order of execution.
        grounding: Boxes of the pictures, or None.
        null_grounding: Let every slot hold the null token in the guidance passes, as the reference does.
        batch_size: Most pictures of one call.

    Attributes:
        last: Last energy of each picture, infinite before the first.
        calls: Calls of the U-Net.

    Raises:
        ModelError: If there are no layers to watch.
    """

    def __init__(
        self,
        unet: Any,
        text: Tensor | TextCondition,
        energies: Sequence[Energy | None],
        levels: Levels,
        rule: SteeringRule,
        *,
        layers: Sequence[str],
        grounding: Grounding | None = None,
        null_grounding: bool = True,
        batch_size: int = 8,
    ) -> None:
        if not layers:
            raise ModelError(
                "the model's U-Net has no cross-attention in its lower levels; attention guidance needs it"
            )
        self.unet, self.text, self.energies, self.levels, self.rule = unet, as_condition(text), energies, levels, rule
        self.layers, self.grounding, self.null_grounding = list(layers), grounding, null_grounding
        self.batch_size = batch_size
        self.last = [math.inf] * len(energies)
        self.calls = 0

    def __call__(self, latents: Tensor, index: int) -> Tensor:
        """Latents `[n, c, h, w]` before step `index`, nudged."""
        for _ in range(self.rule.iterations(index)):
            rows = [i for i, energy in enumerate(self.energies) if energy and self.last[i] > self.rule.threshold]
            if not rows:
                break
            latents = latents.clone()
            for i in range(0, len(rows), self.batch_size):
                part = rows[i : i + self.batch_size]
                latents[part] -= self.rule.rate(index) * self._slope(latents[part], part, index)
        return latents

    def _slope(self, latents: Tensor, rows: list[int], index: int) -> Tensor:
        with torch.enable_grad():
            moving = latents.detach().requires_grad_(True)
            attention = self._attention(moving, rows, index)
            values = [
                energy({name: maps[place] for name, maps in attention.items()}, index)
                for place, row in enumerate(rows)
                if (energy := self.energies[row])
            ]
            (slope,) = torch.autograd.grad(torch.stack(values).sum(), moving)
        for row, value in zip(rows, values, strict=True):
            self.last[row] = float(value.detach())
        return slope.detach()

    def _attention(self, latents: Tensor, rows: list[int], index: int) -> dict[str, Tensor]:
        """Attention of the watched layers, `[b, heads, cells, tokens]` in float32."""
        self.calls += 1
        extra = None
        if self.grounding is not None:
            part = self.grounding.rows(rows)
            extra = part.null() if self.null_grounding else part.conditional()
        with capture_attention(self.unet, self.layers) as watched:
            with _left_after(self.unet, self.layers[-1]):
                self.unet(
                    latents.to(self.text.hidden.dtype),
                    self.levels.timesteps[index],
                    **self.text.rows(rows).unet_kwargs(),
                    cross_attention_kwargs=extra,
                    return_dict=False,
                )
            return {name: p.probabilities.float() for name, p in watched.items() if p.probabilities is not None}


class _Enough(Exception):
    """The last watched layer has spoken."""


@contextmanager
def _left_after(unet: Any, layer: str) -> Iterator[None]:
    """Leave the forward pass of a U-Net once a layer has run."""

    def leave(*_: Any) -> None:
        raise _Enough

    handle = unet.get_submodule(layer).register_forward_hook(leave)
    try:
        yield
    except _Enough:
        pass
    finally:
        handle.remove()
