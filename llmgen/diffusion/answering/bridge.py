"""The bridge from an answerer's states to the condition of a picture editor.

Source: Latent-Guided Diffusion (Li et al. 2023), image-answering; section 3 of the specification.
"""

from typing import Literal

import torch
from torch import Tensor, nn

Slots = Literal["feat", "sent", "both"]
"""What fills the two halves of the condition: `feat` the latent and nothing, `sent` nothing and the answer sentence, `both` both."""


class Bridge(nn.Module):
    """Two linear layers; the first is for the latent only.

    There is nothing between them that is not linear, so they are one map for the latent.

    Args:
        width: Of the language model's states.
        context_width: Of the U-Net's cross-attention.
    """

    def __init__(self, width: int, context_width: int) -> None:
        super().__init__()
        self.width, self.context_width = width, context_width
        self.latent_mlp = nn.Linear(width, width)
        self.mlp = nn.Linear(width, context_width)

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        """The U-Net's condition.

        Args:
            latent: Slot A, states of the question about the picture, `[n, a, width]`.
            sentence: Slot B, states of the answer sentence, `[n, b, width]`.

        Returns:
            `[n, a + b, context_width]`, the latent's rows first. It needs no attention mask: the original has none.
        """
        return torch.cat([self.mlp(self.latent_mlp(latent)), self.mlp(sentence)], dim=1)


def fill_slots(slots: Slots, latent: Tensor, sentence: Tensor | None, null: Tensor) -> tuple[Tensor, Tensor]:
    """Both slots of a condition, the empty text where a slot stays empty.

    Args:
        slots: What is in use.
        latent: States of the question about the picture, `[n, a, width]`.
        sentence: States of the answer sentence, `[n, b, width]`; not read for `feat`.
        null: States of the empty text, `[1, b, width]`; both slots have as many rows.
    """
    nothing = null.to(latent.dtype).expand(len(latent), -1, -1)
    if slots == "feat":
        return latent, nothing
    if sentence is None:
        raise ValueError(f"the slots {slots!r} need an answer sentence")
    return (nothing, sentence) if slots == "sent" else (latent, sentence)
