"""Boxes and phrases as a GLIGEN U-Net takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmgen.diffusion.text import TextEncoder

MAX_OBJECTS = 30
"""Slots of GLIGEN's position net in the published models."""


@dataclass(frozen=True)
class GroundedPhrase:
    """One object for the U-Net."""

    phrase: str
    """With article, for example `a red ball`."""
    box: tuple[float, float, float, float]
    """`x0, y0, x1, y1` as shares of the picture."""


@dataclass(frozen=True)
class Grounding:
    """Grounding inputs of `n` pictures.

    Attributes:
        boxes: `[n, slots, 4]`, unit xyxy, zeros in unused slots.
        embeddings: `[n, slots, dim]`, pooled text of the phrases, zeros in unused slots.
        masks: `[n, slots]`, 1 for used slots.
    """

    boxes: Tensor
    embeddings: Tensor
    masks: Tensor

    def rows(self, rows: list[int]) -> "Grounding":
        """Some of the pictures."""
        return Grounding(self.boxes[rows], self.embeddings[rows], self.masks[rows])

    def conditional(self) -> dict[str, Any]:
        """`cross_attention_kwargs` for conditional rows."""
        return self._kwargs(self.boxes, self.embeddings, self.masks)

    def null(self) -> dict[str, Any]:
        """`cross_attention_kwargs` in which every slot is the learned null token, the fuser being on."""
        return self._kwargs(self.boxes, self.embeddings, torch.zeros_like(self.masks))

    def both_halves(self) -> dict[str, Any]:
        """`cross_attention_kwargs` for unconditional rows (all null tokens) followed by conditional rows."""
        masks = torch.cat([torch.zeros_like(self.masks), self.masks])
        return self._kwargs(self.boxes.repeat(2, 1, 1), self.embeddings.repeat(2, 1, 1), masks)

    @staticmethod
    def _kwargs(boxes: Tensor, embeddings: Tensor, masks: Tensor) -> dict[str, Any]:
        return {"gligen": {"boxes": boxes, "positive_embeddings": embeddings, "masks": masks}}


def grounding_slots(unet: Any) -> int:
    """How many slots a U-Net was trained with; unused ones hold the null token, so their number matters."""
    return int(getattr(unet.config, "grounding_slots", None) or MAX_OBJECTS)


def make_grounding(pictures: Sequence[Sequence[GroundedPhrase]], text: TextEncoder, *, slots: int) -> Grounding:
    """Grounding inputs for a batch of pictures.

    Args:
        pictures: For each picture its objects; those beyond `slots` are left out.
        text: Encodes the phrases.
        slots: Slots per picture. It is the same for every batch, so that a picture does not depend on its neighbours.

    Returns:
        The inputs; a picture without objects has empty slots only.

    Source: GLIGEN (Li et al. 2023), section 3; masks select between the object's and the learned null features.
    """
    phrases = list(dict.fromkeys(item.phrase for objects in pictures for item in objects))
    vectors = dict(zip(phrases, text.pooled(phrases), strict=True)) if phrases else {}
    first = vectors[phrases[0]] if phrases else text.pooled([""])[0]
    boxes = torch.zeros(len(pictures), slots, 4, dtype=first.dtype, device=first.device)
    embeddings = torch.zeros(len(pictures), slots, len(first), dtype=first.dtype, device=first.device)
    masks = torch.zeros(len(pictures), slots, dtype=first.dtype, device=first.device)
    for i, objects in enumerate(pictures):
        for j, item in enumerate(objects[:slots]):
            boxes[i, j] = torch.tensor(item.box, dtype=first.dtype)
            embeddings[i, j] = vectors[item.phrase]
            masks[i, j] = 1
    return Grounding(boxes, embeddings, masks)
