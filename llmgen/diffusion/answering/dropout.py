"""Which conditions an editor is trained without, so that it can be guided.

Source: InstructPix2Pix (Brooks et al. 2023); section 4.1 of the LGD specification.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor

DROP: Final = 0.05
"""Share of each of the three ways in which training drops conditions."""


class Dropped(NamedTuple):
    """Which samples lose which condition, bool [B] each."""

    text: Tensor
    picture: Tensor


def dropped_conditions(u: Tensor, share: float = DROP) -> Dropped:
    """The table of conditioning dropout: text alone, text and picture, picture alone, each with the same share.

    Args:
        u: float32 [B], one uniform number a sample; the borders are compared in float32, and a number on one belongs above it.
        share: Of each way.
    """
    first, second, third = (torch.tensor(share * n, dtype=torch.float32, device=u.device) for n in (1, 2, 3))
    return Dropped(u < second, (u >= first) & (u < third))
