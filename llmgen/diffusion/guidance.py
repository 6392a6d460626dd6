"""The energy that falls as the words of an object attend to its boxes, and the tokens of those words.

Source: LLM-groundedDiffusion (Lian et al. 2023), utils/guidance.py, the max-based energy that LMD+ and SLD use.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmgen.diffusion.text import TextEncoder
from llmgen.vision.boxes import to_grid

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class GuidedPhrase:
    """A group of equal objects that is steered.

    Attributes:
        boxes: Unit boxes of the group.
        tokens: Places of the phrase's tokens in the tokenised prompt; the start token is 0.
        word_token: Place of the noun's last token.
        alone: For each box and step, layer to the attention of the noun when that object was drawn alone, `[heads, cells]`;
            empty for none.
    """

    boxes: tuple[Box, ...]
    tokens: tuple[int, ...]
    word_token: int
    alone: Sequence[Sequence[dict[str, Tensor]]] = ()


@dataclass(frozen=True)
class EnergySettings:
    """Constants of the energy of LMD+ and SLD."""

    top_inside: float = 0.2
    top_outside: float = 0.2
    weight_inside: float = 1.0
    weight_outside: float = 4.0
    weight_reference: float = 2.0


def guidance_iterations(index: int, steps: int = 50) -> int:
    """Most updates before a step: 4, 3, 2, 1, 0 from 0, 10, 20, 40 and 60 % of the steps on."""
    for share, count in ((0.1, 4), (0.2, 3), (0.4, 2), (0.6, 1)):
        if index < share * steps:
            return count
    return 0


def boxes_on_grid(boxes: Sequence[Box], rows: int, columns: int) -> Tensor:
    """Union of unit boxes on a grid, `bool[rows, columns]`."""
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    for box in boxes:
        x0, y0, x1, y1 = to_grid(box, rows, columns)
        mask[y0:y1, x0:x1] = True
    return mask


def attention_energy(attention: Tensor, inside: Tensor, tokens: Sequence[int], settings: EnergySettings) -> Tensor:
    """Energy that is low when a phrase's cross-attention sits inside its boxes.

    Args:
        attention: Probabilities of one layer, `[heads, cells, tokens]`, in [0, 1]; cells row by row.
        inside: `bool[cells]`, the cells of the boxes.
        tokens: Places of the phrase's tokens.
        settings: Shares and weights.

    Returns:
        A number to minimise: for each token, summed over heads, weighted (1 - mean of the top cells inside) plus weighted mean of the
        top cells outside; averaged over tokens.
    """
    maps = attention[:, :, list(tokens)]
    held = inside.to(maps)[None, :, None]
    within = _top_mean(maps * held, int(inside.sum()), settings.top_inside)
    without = _top_mean(maps * (1 - held), int((~inside).sum()), settings.top_outside)
    energy = settings.weight_inside * (1 - within) + settings.weight_outside * without
    return energy.sum() / len(tokens)


def _top_mean(maps: Tensor, cells: int, share: float) -> Tensor:
    # At least one cell, so that a box smaller than a cell still counts.
    k = min(max(1, int(cells * share)), maps.shape[1])
    return maps.topk(k, dim=1).values.mean(dim=1)


def reference_distance(attention: Tensor, reference: Tensor, box: Tensor) -> Tensor:
    """How differently two maps spread inside a box: L1 distance after each is normalised in it, averaged over heads.

    Args:
        attention: `[heads, cells]`.
        reference: `[heads, cells]` of the object drawn alone.
        box: `bool[cells]`.
    """
    held = box.to(attention)
    now, then = attention * held, reference.to(attention) * held
    now = now / (now.sum(dim=-1, keepdim=True) + 1e-5)
    then = then / (then.sum(dim=-1, keepdim=True) + 1e-5)
    return (now - then).abs().sum(dim=-1).mean()


def total_energy(
    attention: dict[str, Tensor],
    phrases: Sequence[GuidedPhrase],
    shape: tuple[int, int],
    settings: EnergySettings,
    alone: Sequence[Sequence[dict[str, Tensor]]] = (),
) -> Tensor:
    """Energy over layers and objects.

    Args:
        attention: Layer to `[heads, cells, tokens]`.
        phrases: What should be where.
        shape: Rows and columns of the latents; a layer's grid has the same proportions.
        settings: Weights.
        alone: For each phrase and box, layer to `[heads, cells]`, for the term that keeps the look of the object drawn alone;
            empty for none.
    """
    count = len(phrases) * len(attention)
    total = torch.zeros(())
    for layer, maps in attention.items():
        rows, columns = layer_grid(maps.shape[1], shape)
        for number, phrase in enumerate(phrases):
            inside = boxes_on_grid(phrase.boxes, rows, columns).flatten().to(maps.device)
            total = total.to(maps.device) + attention_energy(maps, inside, phrase.tokens, settings) / count
            if not settings.weight_reference or not alone:
                continue
            for box, maps_alone in zip(phrase.boxes, alone[number], strict=False):
                if layer in maps_alone:
                    cells = boxes_on_grid([box], rows, columns).flatten().to(maps.device)
                    distance = reference_distance(maps[:, :, phrase.word_token], maps_alone[layer], cells)
                    total = total + settings.weight_reference * distance / (len(phrase.boxes) * count)
    return total


def layer_grid(cells: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a layer with so many cells, for latents of a shape.

    Strided convolutions round up, so odd sides are halved upwards.
    """
    rows, columns = shape
    while rows * columns > cells:
        rows, columns = math.ceil(rows / 2), math.ceil(columns / 2)
    if rows * columns != cells:
        raise ValueError(f"no layer of latents {shape} has {cells} cells")
    return rows, columns


def phrase_energy(
    phrases: Sequence[GuidedPhrase], shape: tuple[int, int], settings: EnergySettings
) -> Callable[[dict[str, Tensor], int], Tensor] | None:
    """The energy of LMD+ and SLD for one picture, as `Steering` takes it.

    Args:
        phrases: What should be where; those whose tokens were cut off with the end of the prompt are left out.
        shape: Rows and columns of the latents.
        settings: Weights.

    Returns:
        Attention and step to energy; None if nothing can be steered.
    """
    kept = [phrase for phrase in phrases if phrase.tokens]
    if not kept:
        return None

    def energy(attention: dict[str, Tensor], index: int) -> Tensor:
        alone = [[steps[index] if index < len(steps) else {} for steps in phrase.alone] for phrase in kept]
        return total_energy(attention, kept, shape, settings, alone)

    return energy


def find_phrases(
    prompt: str, phrases: Sequence[str], tokenize: Callable[[str], Sequence[Any]]
) -> tuple[str, list[list[int]]]:
    """Where phrases stand in a prompt, in tokens.

    A phrase that is not in the prompt is appended after ` | `. The first occurrence counts. Tokens are compared as tokens; the reference
    compares joined text, so that it finds `a cat` in `sea cat`.

    Args:
        prompt: The prompt.
        phrases: What to find.
        tokenize: Text to tokens, start and end tokens included.

    Returns:
        The prompt, perhaps longer, and the places of each phrase.

    Source: LMD, utils/guidance.py get_phrase_indices.
    """
    for phrase in phrases:
        if phrase not in prompt:
            prompt += f" | {phrase}"
    tokens = list(tokenize(prompt))
    found = []
    for phrase in phrases:
        wanted = list(tokenize(phrase))[1:-1]
        place = find_tokens(tokens, wanted)
        found.append(list(range(place, place + len(wanted))) if place is not None else [])
    return prompt, found


def phrase_places(prompt: str, phrases: Sequence[str], encoder: TextEncoder) -> tuple[str, list[list[int]]]:
    """Where phrases stand among the tokens that the model sees; see `find_phrases`. A phrase that was cut off has no place."""
    tokenizer = encoder.tokenizer

    def tokenize(text: str) -> Sequence[int]:
        ids: Sequence[int] = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length)["input_ids"]
        return ids

    return find_phrases(prompt, phrases, tokenize)


def find_tokens(tokens: Sequence[Any], wanted: Sequence[Any]) -> int | None:
    """Index of the first occurrence of a run of tokens, None if there is none."""
    for i in range(len(tokens) - len(wanted) + 1):
        if list(tokens[i : i + len(wanted)]) == list(wanted):
            return i
    return None
