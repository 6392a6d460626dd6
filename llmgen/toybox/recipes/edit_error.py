"""The error of an editor in training: what changes weighs more than what stays."""

from typing import Final

import torch
from torch import Tensor

_DIFFERENT: Final = 0.15
"""Difference of two scaled latents from which a cell is one that changes."""
_USUAL_SHARE: Final = 0.25
_RAREST: Final = 6.0
"""How much a cell that changes may weigh, beside one of a picture of which `_USUAL_SHARE` changes."""


def edit_error(
    said: Tensor, velocity: Tensor, source: Tensor, target: Tensor, changed_weight: float
) -> dict[str, Tensor]:
    """The weighted squared error of a batch, and its parts where pictures change and where they stay.

    Most of a picture stays, and to copy it is easy. The fewer of its cells change, the more each of them weighs: a mood is a few
    cells, a season is all of them.

    Args:
        said: [B, C, h, w], the predicted velocity.
        velocity: The true one, of the same shape.
        source: Scaled latents of the pictures before, of the same shape.
        target: Likewise after.
        changed_weight: Of a cell that changes, beside 1 of the others, in a picture of which a quarter changes.

    Returns:
        Scalars: `velocity`, the loss, and `changed` and `kept`, without gradient.
    """
    error = (said.float() - velocity).square().mean(1)
    changes = ((source - target).abs().amax(dim=1) > _DIFFERENT).float()
    rarity = (_USUAL_SHARE / changes.mean(dim=(1, 2), keepdim=True).clamp(min=1e-3)).clamp(max=_RAREST)
    weight = 1 + changed_weight * rarity * changes
    with torch.no_grad():
        changed = (error * changes).sum() / changes.sum().clamp(min=1)
        kept = (error * (1 - changes)).sum() / (1 - changes).sum().clamp(min=1)
    return {"velocity": (error * weight).sum() / weight.sum(), "changed": changed, "kept": kept}
