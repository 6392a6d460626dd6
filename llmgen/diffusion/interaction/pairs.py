"""From an interaction's words to what the loop draws, and the settings of both its uses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from llmgen.artifacts import Interaction, WordSpan
from llmgen.diffusion.interaction.alignment import Replace, align, token_spans, tokens_in, word_schedule
from llmgen.diffusion.interaction.control import Borrowing
from llmgen.diffusion.interaction.drawing import Pair, PairText, pair_noise
from llmgen.diffusion.interaction.energy import Box, PlacedWord
from llmgen.diffusion.interaction.passes import PairSettings
from llmgen.errors import InputError

if TYPE_CHECKING:
    from llmgen.diffusion.text import TextEncoder


def object_tokens(prompt: str, noun: WordSpan, encoder: "TextEncoder") -> tuple[int, ...]:
    """Places of a noun's tokens among those that the model sees.

    Raises:
        InputError: If the prompt is cut before the noun.
    """
    tokens = tokens_in((noun.start, noun.end), token_spans(prompt, encoder.tokenizer))
    if not tokens:
        raise InputError(f"the model does not read as far as the object {noun.text!r}; shorten the prompt")
    return tokens


def make_pair(
    prompt: str,
    interaction: Interaction,
    seed: int,
    encoder: "TextEncoder",
    settings: PairSettings,
    *,
    negative: str,
    size: tuple[int, int],
    latents: tuple[int, int, int],
    cross_replace: Replace | Mapping[str, Replace],
    box: Box | None = None,
) -> Pair:
    """What is drawn of one prompt.

    Args:
        prompt: The full prompt.
        interaction: Its words.
        seed: Of the noise.
        encoder: Of the model.
        settings: Constants.
        negative: Negative prompt of both.
        size: Width and height in pixels.
        latents: Channels, rows and columns.
        cross_replace: As of `word_schedule`.
        box: Unit box of the object; None draws a candidate.

    Raises:
        InputError: If the model does not read as far as the object.
    """
    base = interaction.intransitive_prompt
    tokens = object_tokens(prompt, interaction.object_noun, encoder)
    base_ids, ids = _ids(base, encoder.tokenizer), _ids(prompt, encoder.tokenizer)
    alignment = align(base_ids, ids, length=encoder.tokenizer.model_max_length)
    schedule = word_schedule(
        prompt,
        token_spans(prompt, encoder.tokenizer),
        settings.steps,
        cross_replace,
        encoder.tokenizer.model_max_length,
    )
    return Pair(
        text=pair_text(encoder, (base, prompt), negative, size),
        noise=pair_noise(seed, latents, second_draw=settings.quirks.second_draw),
        borrowing=Borrowing(
            places=alignment.places,
            schedule=schedule * alignment.shared,
            prompt_tokens=max(len(base_ids), len(ids)),
            words=(PlacedWord(tokens, box),) if box is not None else (),
            watched=tokens,
        ),
    )


def pair_text(encoder: "TextEncoder", prompts: Sequence[str], negative: str, size: tuple[int, int]) -> PairText:
    """The conditions of two prompts and of their negative prompt, rows `u0, u1, c0, c1`."""
    both = encoder.negatives([negative, negative], size).followed_by(encoder.conditions(prompts, size))
    return PairText(both.hidden, dict(both.added))


def _ids(text: str, tokenizer: Any) -> list[int]:
    ids: list[int] = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length)["input_ids"]
    return ids


def unit_attention(attention: torch.Tensor) -> torch.Tensor:
    """A map from 0 to 1; a flat one is 0."""
    low, high = attention.min(), attention.max()
    return (attention - low) / (high - low) if bool(high > low) else torch.zeros_like(attention)
