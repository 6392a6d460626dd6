"""Texts for the sampler, put together from a layout's parts."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmgen.inflection import number_word, plural_of

if TYPE_CHECKING:
    from llmgen.diffusion.text import TextEncoder

OVERALL_NEGATIVE = (
    "artifacts, blurry, smooth texture, bad quality, distortions, unrealistic, distorted image, bad proportions, "
    "duplicate"
)
"""Negative prompt of LMD and SLD for whole pictures."""


def scene_prompt(background: str, phrases: Sequence[str]) -> str:
    """One text for a whole picture.

    Args:
        background: The scene, for example `a meadow`; may be empty.
        phrases: Objects with their articles, one entry per object.

    Returns:
        For example `a meadow with a red ball, two blue cars`.

    Source: LMD (Lian et al. 2023), overall prompt; equal phrases are counted as there.
    """
    objects = ", ".join(count_phrases(phrases))
    if background and objects:
        return f"{background} with {objects}"
    return background or objects


def count_phrases(phrases: Sequence[str]) -> list[str]:
    """Equal phrases as one with a number: `a ski, a ski, a dog` becomes `two skis, a dog`. First come first.

    The reference strips `a ` anywhere in the phrase, which breaks `a panda bear`; here only the article goes.
    """
    counted: list[str] = []
    for phrase in dict.fromkeys(phrases):
        count = list(phrases).count(phrase)
        counted.append(phrase if count == 1 else _several(phrase, count))
    return counted


def beyond_limits(prompt: str, encoder: "TextEncoder", *, objects: int = 0, slots: int | None = None) -> list[str]:
    """What of a prompt the model cannot take in; it is drawn all the same.

    Args:
        prompt: What the picture is drawn from.
        encoder: Counts its tokens.
        objects: How many objects have boxes.
        slots: How many boxes the model takes, if it takes any.

    Returns:
        One line for each thing that is cut, to be remarked on.
    """
    cut = []
    length, longest = encoder.num_tokens(prompt), encoder.tokenizer.model_max_length
    if length > longest:
        cut.append(f"its prompt has {length} tokens, the model reads the first {longest}")
    if slots is not None and objects > slots:
        cut.append(f"it has {objects} objects, the model takes the boxes of the first {slots}")
    return cut


def join_negatives(*parts: str) -> str:
    """Negative prompts, the most particular first, separated by commas; empty ones are left out."""
    return ", ".join(part for part in parts if part)


def without_article(phrase: str) -> str:
    """A phrase without its leading `a`, `an`, `the` or `one`."""
    first, _, rest = phrase.partition(" ")
    return rest if rest and first.lower() in ("a", "an", "the", "one") else phrase


@functools.lru_cache(maxsize=1024)
def _several(phrase: str, count: int) -> str:
    bare = without_article(phrase)
    return f"{number_word(count)} {bare if count == 1 else plural_of(bare)}"
