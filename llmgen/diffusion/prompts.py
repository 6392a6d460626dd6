"""Texts for the sampler, put together from a layout's parts."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmgen.inflection import number_word, plural_of

if TYPE_CHECKING:
    from llmgen.diffusion.text import TextEncoder

_SHOWN = 40
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


def beyond_limits(
    prompt: str,
    encoder: "TextEncoder",
    *,
    negative: str = "",
    object_negative: str = "",
    phrases: Sequence[str] = (),
    objects: int = 0,
    slots: int | None = None,
) -> list[str]:
    """What of a prompt the model cannot take in; it is drawn all the same.

    Args:
        prompt: What the picture is drawn from.
        encoder: Counts its tokens.
        negative: What it must not show.
        object_negative: What a picture of one object alone must not show, where objects are drawn alone.
        phrases: Of its objects, where each is encoded for itself.
        objects: How many objects have boxes.
        slots: How many boxes the model takes, if it takes any.

    Returns:
        One line for each thing that is cut, to be remarked on.
    """
    named = {f"phrase {phrase[:_SHOWN]!r}": phrase for phrase in phrases}
    negatives = {"negative prompt": negative, "negative prompt of an object": object_negative}
    cut = cut_texts(encoder.tokenizer, {"prompt": prompt, **negatives, **named})
    if slots is not None and objects > slots:
        cut.append(f"it has {objects} objects, the model takes the boxes of the first {slots}")
    return cut


def cut_texts(tokenizer: Any, texts: Mapping[str, str], longest: int | None = None) -> list[str]:
    """Which texts a model reads without their ends.

    Args:
        tokenizer: Of the model.
        texts: What each text is, for example `prompt`, to the text.
        longest: Most tokens that the model reads; by default what the tokenizer says.

    Returns:
        One line for each that is cut, to be remarked on.
    """
    longest = longest or tokenizer.model_max_length
    lengths = {what: len(tokenizer(text, truncation=False, verbose=False)["input_ids"]) for what, text in texts.items()}
    return [
        f"its {what} has {length} tokens, the model reads the first {longest}"
        for what, length in lengths.items()
        if length > longest
    ]


def cut_phrases(tokenizer: Any, phrases: Iterable[str], longest: int | None = None) -> list[str]:
    """Which phrases a model reads without their ends; see `cut_texts`."""
    return cut_texts(tokenizer, {f"phrase {phrase[:_SHOWN]!r}": phrase for phrase in phrases}, longest)


def longest_tokenizer(pipe: Any) -> Any:
    """Of a pipeline's tokenizers the one that reads most: what it cuts off, no part of the model is told."""
    found = [getattr(pipe, name, None) for name in ("tokenizer", "tokenizer_2", "tokenizer_3")]
    return max((one for one in found if one is not None), key=lambda one: one.model_max_length)


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
