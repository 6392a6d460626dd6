"""Positions for small vision transformers that are trained from scratch."""

import math

import torch
from torch import Tensor


def sine_positions(side: int, width: int) -> Tensor:
    """Sine and cosine features of row and column.

    Args:
        side: patches along an edge.
        width: features a patch, a multiple of four.

    Returns:
        ``[side * side, width]`` in -1..1, rows first.
    """
    frequencies = torch.exp(torch.linspace(0, -math.log(2 * side), width // 4)) * math.pi / 2
    angles = (torch.arange(side) + 0.5)[:, None] * frequencies
    along = torch.cat([angles.sin(), angles.cos()], dim=1)  # [side, width / 2]
    grid = torch.cat([along[:, None].expand(-1, side, -1), along[None].expand(side, -1, -1)], dim=-1)
    return grid.flatten(0, 1)
