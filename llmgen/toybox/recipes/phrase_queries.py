"""Text queries for the open-vocabulary detector: many wordings of what is there, and of what cannot be there.

A query's meaning is a noun, a colour, a pattern and a mood, each possibly left open. Queries about things outside the world (other
nouns, other colours, nonsense) mean nothing at all: no object may answer them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from llmgen.toybox.world.held_out import held_out
from llmgen.toybox.world.vocabulary import (
    CHARACTERS,
    COLORS,
    MOODS,
    NOUNS,
    PATTERNS,
    THINGS,
    object_phrase,
    with_article,
)

_PICTURE_WORDS: Final = ("image of", "a photo of", "a picture of", "an image of")
_FOREIGN_NOUNS: Final = (
    "cat", "backpack", "book", "bottle", "bowl", "chair", "laptop", "bird", "apple", "banana", "bear", "elephant",
    "lamp", "boat", "train", "horse", "table", "flower", "knife", "phone", "moon", "clock", "bench", "duck", "key",
)  # fmt: skip
_FOREIGN_COLORS: Final = ("pink", "brown", "black", "white", "gray", "golden", "silver", "beige", "cyan", "maroon")
_PLACES: Final = ("meadow", "beach", "night", "snow", "rain", "sky", "field")
_COLOR_NAMES: Final = tuple(COLORS)
NOTHING: Final = 10_000
"""Index of the noun that a foreign query asks for; no object has it."""


class Looks(NamedTuple):
    """What an object looks like, or what a query asks for; None is left open."""

    noun: str | None
    color: str | None = None
    pattern: str | None = None
    mood: str | None = None

    @classmethod
    def of(cls, noun: int, color: int, pattern: int, mood: int) -> "Looks":
        """From indices; a negative mood is that of a thing."""
        return cls(NOUNS[noun], _COLOR_NAMES[color], PATTERNS[pattern], MOODS[mood] if mood >= 0 else None)


@dataclass(frozen=True)
class PhraseQuery:
    """One text query and what it asks for."""

    text: str
    asks: Looks
    known: bool = True
    """False for a query that no object of the world can answer."""

    def fits(self, looks: Looks) -> bool:
        """Whether an object answers the query."""
        return self.known and all(wanted in (None, seen) for wanted, seen in zip(self.asks, looks, strict=True))

    @property
    def indices(self) -> tuple[int, int, int, int]:
        """Noun, colour, pattern and mood as indices, -1 where left open; the noun of a foreign query is ``NOTHING``."""
        noun, color, pattern, mood = self.asks
        return (
            NOTHING if not self.known else -1 if noun is None else NOUNS.index(noun),
            -1 if color is None else _COLOR_NAMES.index(color),
            -1 if pattern is None else PATTERNS.index(pattern),
            -1 if mood is None else MOODS.index(mood),
        )


def wordings(asks: Looks) -> tuple[str, ...]:
    """All trained ways to ask for something; the first is the usual one.

    Args:
        asks: What is asked for.

    Returns:
        For example "a striped red ball", "a red striped ball", "striped red balls", "image of a striped red ball"; "a boy in red"
        and "a red boy".
    """

    def name(count: int) -> list[str]:
        noun = asks.noun
        adjectives = [word for word in (asks.pattern, asks.color) if word]
        orders = [adjectives, adjectives[::-1]] if len(adjectives) == 2 else [adjectives]
        if noun is None:
            stems = ("object", "thing") if count == 1 else ("objects", "things")
            return [" ".join((*order, stem)) for order in orders for stem in stems]
        usual = object_phrase(noun, asks.color, count, article=False, pattern=asks.pattern, mood=asks.mood)
        if count > 1:
            usual = usual.split(" ", 1)[1]
        plain = object_phrase(noun, None, count, article=False)
        stem = plain if count == 1 else plain.split(" ", 1)[1]
        mood = [asks.mood] if asks.mood else []
        return [usual, *(" ".join((*mood, *order, stem)) for order in orders)]

    texts: list[str] = []
    for one in name(1):
        texts += [with_article(one), one, *(f"{words} {with_article(one)}" for words in _PICTURE_WORDS)]
    for several in name(2):
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
        front = _COLOR_NAMES[rng.integers(len(COLORS))]
    words = f"{front} {word}".strip()
    form = rng.integers(4)
    return (words, with_article(words), f"image of {with_article(words)}", f"image of {words}")[form]


def sample_queries(
    rng: np.random.Generator, *, present: Sequence[Looks] = (), foreign: int = 12, detailed: int = 36
) -> list[PhraseQuery]:
    """One query for each noun with each colour, each noun, each colour and for objects in general, detailed and foreign ones.

    The wording of each is drawn anew.

    Args:
        rng: source of chance.
        present: what is there to be asked for; half of the detailed queries name some of it, many of the others nearly.
        foreign: how many queries no object can answer.
        detailed: how many name a pattern or a mood.
    """
    meanings = [Looks(noun, color) for noun in (*NOUNS, None) for color in (*_COLOR_NAMES, None)]
    meanings += dict.fromkeys(_detailed(rng, present) for _ in range(detailed))
    queries = []
    for asks in meanings:
        texts = wordings(asks)
        # The usual wording is what others send; it gets a share of its own.
        pick = 0 if rng.random() < 0.2 else int(rng.integers(len(texts)))
        queries.append(PhraseQuery(texts[pick], asks))
    return queries + [PhraseQuery(foreign_phrase(rng), Looks(None), known=False) for _ in range(foreign)]


def _detailed(rng: np.random.Generator, present: Sequence[Looks]) -> Looks:
    """Something with a pattern or a mood that is said: the plain pattern and the calm mood never are."""

    def pick(words: Sequence[str]) -> str:
        return words[int(rng.integers(len(words)))]

    if present and rng.random() < 0.75:
        asks = present[int(rng.integers(len(present)))]
    else:
        asks = Looks(pick(NOUNS), pick(_COLOR_NAMES), pick(PATTERNS[1:]), pick(MOODS[1:]))
    alive = asks.noun in CHARACTERS
    if asks.pattern == PATTERNS[0] or rng.random() < 0.3:
        asks = asks._replace(pattern=pick(PATTERNS[1:]))
    if rng.random() < 0.35:
        asks = asks._replace(color=None)
    by_mood = alive and rng.random() < 0.5
    if by_mood and (asks.mood == MOODS[0] or rng.random() < 0.3):
        asks = asks._replace(mood=pick(MOODS[1:]))
    asks = asks._replace(mood=asks.mood if by_mood else None, pattern=None if by_mood else asks.pattern)
    if (asks.noun, asks.pattern, asks.color) in held_out().patterned:
        # Never shown, so it would be learned as what nothing is.
        asks = asks._replace(color=None)
    return asks._replace(noun=None) if not alive and asks.noun in THINGS and rng.random() < 0.12 else asks
