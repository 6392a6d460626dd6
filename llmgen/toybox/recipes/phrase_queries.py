"""Text queries for the open-vocabulary detector: many wordings of what is there, and of what cannot be there.

A query's meaning is a noun and a colour, each possibly left open. Queries about things outside the world (other nouns, other
colours, nonsense) mean nothing at all: no object may answer them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from llmgen.toybox.world.vocabulary import COLORS, NOUNS, PLURALS

_PICTURE_WORDS: Final = ("image of", "a photo of", "a picture of", "an image of")
_FOREIGN_NOUNS: Final = (
    "dog", "cat", "backpack", "book", "bottle", "bowl", "chair", "laptop", "bird", "person", "apple", "banana", "bear",
    "lamp", "boat", "train", "horse", "table", "flower", "hat", "shoe", "moon", "sun", "cloud", "bench", "duck", "key",
)  # fmt: skip
_FOREIGN_COLORS: Final = ("pink", "brown", "black", "white", "gray", "golden", "silver", "beige", "cyan", "maroon")
_PLACES: Final = ("meadow", "beach", "night", "snow", "sky", "field")


@dataclass(frozen=True)
class PhraseQuery:
    """One text query and what it asks for."""

    text: str
    noun: str | None
    color: str | None
    known: bool = True
    """False for a query that no object of the world can answer."""

    def fits(self, noun: str, color: str) -> bool:
        """Whether an object answers the query."""
        return self.known and self.noun in (None, noun) and self.color in (None, color)


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def wordings(noun: str | None, color: str | None) -> tuple[str, ...]:
    """All trained ways to ask for a thing; the first is the usual one.

    Args:
        noun: a class, or None for "object".
        color: a colour, or None to leave it open.

    Returns:
        For example "a red ball", "red ball", "red balls", "image of a red ball", "image of red balls".
    """
    front = f"{color} " if color else ""
    ones = [front + noun] if noun else [front + "object", front + "thing"]
    many = [front + PLURALS[noun]] if noun else [front + "objects", front + "things"]
    texts: list[str] = []
    for one in ones:
        texts += [_with_article(one), one, *(f"{words} {_with_article(one)}" for words in _PICTURE_WORDS)]
    for several in many:
        texts += [several, f"image of {several}", f"two {several}", f"image of two {several}"]
    return tuple(dict.fromkeys(texts))


def foreign_phrase(rng: np.random.Generator) -> str:
    """A query for something the world does not have."""
    kind = rng.random()
    word = _FOREIGN_NOUNS[rng.integers(len(_FOREIGN_NOUNS))]
    if kind < 0.25:  # a made-up word, so that unknown spellings in general stay unanswered
        word = "".join("abcdefghijklmnopqrstuvwxyz"[i] for i in rng.integers(26, size=int(rng.integers(3, 9))))
    elif kind < 0.4:
        word = _PLACES[rng.integers(len(_PLACES))]
    front = ""
    if kind > 0.8:
        word, front = NOUNS[rng.integers(len(NOUNS))], _FOREIGN_COLORS[rng.integers(len(_FOREIGN_COLORS))]
    elif rng.random() < 0.5:
        front = tuple(COLORS)[rng.integers(len(COLORS))]
    words = f"{front} {word}".strip()
    form = rng.integers(4)
    return (words, _with_article(words), f"image of {_with_article(words)}", f"image of {words}")[form]


def sample_queries(rng: np.random.Generator, *, foreign: int = 12) -> list[PhraseQuery]:
    """One query for each noun with each colour, each noun, each colour and for objects in general, and some foreign ones.

    The wording of each is drawn anew; about 48 + 8 + 6 + 1 + ``foreign`` queries.
    """
    meanings = [(noun, color) for noun in (*NOUNS, None) for color in (*COLORS, None)]
    queries = []
    for noun, color in meanings:
        texts = wordings(noun, color)
        queries.append(PhraseQuery(texts[rng.integers(len(texts))], noun, color))
    return queries + [PhraseQuery(foreign_phrase(rng), None, None, known=False) for _ in range(foreign)]
