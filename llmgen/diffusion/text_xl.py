"""Prompts to what SDXL's U-Net is told: the states of two text encoders, a pooled vector, and the size of the picture.

Source: SDXL (Podell et al. 2023), sections 2.1 and 2.2; the order of the numbers is that of diffusers' `StableDiffusionXLPipeline`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from llmgen.diffusion.text import TextCondition, TextEncoder


class XLTextEncoder(TextEncoder):
    """Both of SDXL's text encoders, with a memory.

    Args:
        tokenizer: Of the first encoder.
        model: The first encoder, a `CLIPTextModel`.
        tokenizer_2: Of the second; it pads with another token.
        model_2: The second encoder, a `CLIPTextModelWithProjection`.
    """

    def __init__(self, tokenizer: Any, model: Any, tokenizer_2: Any, model_2: Any) -> None:
        super().__init__(tokenizer, model)
        self._second = TextEncoder(tokenizer_2, model_2)

    def conditions(self, texts: Sequence[str], size: tuple[int, int]) -> TextCondition:
        """What the U-Net is told of some prompts, for pictures that were neither scaled nor cropped."""
        return self._with_size(self.hidden(texts), self.pooled(texts), size)

    def negatives(self, texts: Sequence[str], size: tuple[int, int]) -> TextCondition:
        """As `conditions`; an empty text is zeros, not the encoded empty text: so the model was trained."""
        hidden, pooled = self.hidden(texts), self.pooled(texts)
        said = torch.tensor([bool(text) for text in texts], device=hidden.device)
        return self._with_size(hidden * said[:, None, None], pooled * said[:, None], size)

    @staticmethod
    def _with_size(hidden: Tensor, pooled: Tensor, size: tuple[int, int]) -> TextCondition:
        width, height = size
        # Size that the picture had, its upper left corner after cropping, size that it shall have; heights first.
        numbers = torch.tensor([height, width, 0, 0, height, width], dtype=pooled.dtype, device=pooled.device)
        return TextCondition(hidden, {"text_embeds": pooled, "time_ids": numbers.repeat(len(hidden), 1)})

    @torch.no_grad()
    def _hidden_of(self, text: str) -> Tensor:
        # The last layer but one of each, without the final norm.
        states = [
            encoder.model(encoder._ids(text, "max_length"), output_hidden_states=True).hidden_states[-2][0]
            for encoder in (self, self._second)
        ]
        return torch.cat(states, dim=-1)

    @torch.no_grad()
    def _pooled_of(self, text: str) -> Tensor:
        # Attention is causal, so the padding behind the end token that is pooled changes nothing.
        return self._second.model(self._second._ids(text, False)).text_embeds[0]
