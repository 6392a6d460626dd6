"""Prompts to embeddings, each string encoded once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from llmgen.diffusion.offloading import device_of


@dataclass(frozen=True)
class TextCondition:
    """All that a U-Net is told of the texts of `n` pictures.

    Attributes:
        hidden: Token states for the cross-attention, `[n, length, dim]`.
        added: What is added to the embedding of time, each `[n, ...]`: `text_embeds` and `time_ids` of SDXL, nothing of Stable Diffusion.
    """

    hidden: Tensor
    added: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.hidden)

    def rows(self, rows: Sequence[int]) -> "TextCondition":
        """Some of the pictures."""
        places = list(rows)
        return TextCondition(self.hidden[places], {name: values[places] for name, values in self.added.items()})

    def followed_by(self, other: "TextCondition") -> "TextCondition":
        """These pictures and then others; both are of one model."""
        added = {name: torch.cat([values, other.added[name]]) for name, values in self.added.items()}
        return TextCondition(torch.cat([self.hidden, other.hidden]), added)

    def unet_kwargs(self) -> dict[str, Any]:
        """What the U-Net is called with."""
        added = {"added_cond_kwargs": dict(self.added)} if self.added else {}
        return {"encoder_hidden_states": self.hidden, **added}


def as_condition(text: Tensor | TextCondition) -> TextCondition:
    """Token states alone are a condition, too."""
    return text if isinstance(text, TextCondition) else TextCondition(text)


def pipeline_texts(prompts: TextCondition, negatives: TextCondition | None) -> dict[str, Any]:
    """Texts as a pipeline of diffusers takes them that shall not encode them itself.

    Args:
        prompts: Of the pictures.
        negatives: What they must not show; None without guidance.
    """
    given: dict[str, Any] = {}
    for side, told in (("", prompts), ("negative_", negatives)):
        if told is not None:
            given[f"{side}prompt_embeds"] = told.hidden
        if told is not None and "text_embeds" in told.added:
            given[f"{side}pooled_prompt_embeds"] = told.added["text_embeds"]
    return given


class TextEncoder:
    """A CLIP tokenizer and text model with a memory.

    Strings are encoded one by one, so an embedding never depends on its neighbours in a batch.

    Args:
        tokenizer: A `CLIPTokenizer`.
        model: A `CLIPTextModel`.
        remember: Most strings kept, per kind of embedding.
    """

    def __init__(self, tokenizer: Any, model: Any, *, remember: int = 512) -> None:
        self.tokenizer, self.model, self._remember = tokenizer, model, remember
        self._hidden: OrderedDict[str, Tensor] = OrderedDict()
        self._pooled: OrderedDict[str, Tensor] = OrderedDict()

    def hidden(self, texts: Sequence[str]) -> Tensor:
        """Token states for cross-attention, `[n, length, dim]`, padded to the tokenizer's length, no attention mask.

        A text longer than the tokenizer allows loses its end.
        """
        return self._encode(texts, self._hidden, self._hidden_of)

    def pooled(self, phrases: Sequence[str]) -> Tensor:
        """One vector per phrase for GLIGEN, `[n, dim]`: the pooled text output."""
        return self._encode(phrases, self._pooled, self._pooled_of)

    def conditions(self, texts: Sequence[str], size: tuple[int, int]) -> TextCondition:
        """What the U-Net is told of some prompts.

        Args:
            texts: Prompts.
            size: Width and height of the pictures in pixels.
        """
        return TextCondition(self.hidden(texts))

    def negatives(self, texts: Sequence[str], size: tuple[int, int]) -> TextCondition:
        """What the unconditional half of the guidance is told: as `conditions`, for negative prompts, which may be empty."""
        return self.conditions(texts, size)

    def num_tokens(self, text: str) -> int:
        """How many tokens a text has, start and end included."""
        return len(self.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def _ids(self, text: str, padding: bool | str) -> Tensor:
        length = self.tokenizer.model_max_length
        ids = self.tokenizer(text, padding=padding, max_length=length, truncation=True, return_tensors="pt").input_ids
        return ids.to(device_of(self.model))

    @torch.no_grad()
    def _hidden_of(self, text: str) -> Tensor:
        return self.model(self._ids(text, "max_length"))[0][0]

    @torch.no_grad()
    def _pooled_of(self, text: str) -> Tensor:
        # Attention is causal, so leaving the padding away changes nothing before the end token that is pooled.
        return self.model(self._ids(text, False)).pooler_output[0]

    def _encode(self, texts: Sequence[str], memory: OrderedDict[str, Tensor], one: Callable[[str], Tensor]) -> Tensor:
        rows = []
        for text in texts:
            if text not in memory:
                memory[text] = one(text)
                if len(memory) > self._remember:
                    memory.popitem(last=False)
            memory.move_to_end(text)
            rows.append(memory[text])
        return torch.stack(rows)
