"""The 400 prompts of the LMD benchmark, made as its authors made them."""

from collections.abc import Iterator

import numpy as np

from llmgen.artifacts import PromptEntry
from llmgen.llm.english.words import number_word, pluralize, with_article

PREFIX = "A realistic photo of a scene"
NOUNS = ("backpack", "book", "bottle", "bowl", "car", "cat", "chair", "cup", "dog", "laptop")
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
_SIDES = (("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top"))


def lmd_prompts() -> list[PromptEntry]:
    """All prompts with their types and ids `000` to `399`; 250 of the texts are distinct.

    Source:
        LMD (Lian et al. 2024), `lmd` prompt type: 100 each of negation, numeracy, attribution and spatial.
    """
    texts = [
        *((f"{PREFIX} without {pluralize(noun)}", "negation") for noun in NOUNS for _ in range(10)),
        *((f"{PREFIX} with {text}", "numeracy") for text in _counted()),
        *((f"{PREFIX} with {text}", "attribution") for text in _coloured()),
        *((f"{PREFIX} with {text}", "spatial") for text in _placed()),
    ]
    return [PromptEntry(id=f"{i:03d}", prompt=text, type=kind) for i, (text, kind) in enumerate(texts)]


def _counted() -> Iterator[str]:
    for count in range(1, 6):
        for noun in NOUNS:
            for _ in range(2):
                yield f"{number_word(count)} {pluralize(noun, count)}"


def _coloured() -> Iterator[str]:
    for seed in range(100):
        random = np.random.RandomState(seed)  # the legacy generator is what the published prompts were drawn with
        colors = random.choice(COLORS, 2, replace=False)
        nouns = random.choice(NOUNS, 2, replace=False)
        one, other = (with_article(f"{color} {noun}") for color, noun in zip(colors, nouns, strict=True))
        yield f"{one} and {other}"


def _placed() -> Iterator[str]:
    for seed in range(25):
        random = np.random.RandomState(seed)
        for first, second in _SIDES:
            one, other = (with_article(str(noun)) for noun in random.choice(NOUNS, 2, replace=False))
            yield f"{one} on the {first} and {other} on the {second}"
