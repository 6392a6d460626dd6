"""What the judge sees in a picture, and what queries mean to it."""

import re
from typing import NamedTuple

from llmgen.toybox.world.truth import Sighting, Truth, is_right
from llmgen.toybox.world.vocabulary import COLORS, object_phrase, singular


class JudgedObject(NamedTuple):
    """One object the judge sees."""

    noun: str
    color: str
    box_xyxy: tuple[float, float, float, float]
    """Pixels of the judged picture, half-open."""
    score: float
    """0 to 1, how sure the judge is that an object of this class has its middle here."""
    pattern: str | None = None
    """One of the judge's patterns, or None when it does not look at them; so are the others."""
    mood: str | None = None
    verb: str | None = None
    """What a character does; "standing" when it does nothing."""
    states: tuple[tuple[str, str], ...] = ()
    """Part and state of every part that has states."""

    @property
    def phrase(self) -> str:
        """The object in words, for example "a red ball"."""
        return object_phrase(self.noun, self.color)

    @property
    def sighting(self) -> Sighting:
        """The object as the rule that judges pictures takes it."""
        return Sighting(
            self.noun, self.color, self.box_xyxy, self.score, self.pattern, self.mood, self.verb, self.states
        )


class JudgedPicture(NamedTuple):
    """All that the judge sees in a picture."""

    objects: list[JudgedObject]
    """Surest first."""
    background: str | None
    """None when the judge does not look at it."""

    def is_right(self, truth: Truth) -> bool:
        """Whether the picture obeys what a prompt demands."""
        return is_right(truth, [item.sighting for item in self.objects], self.background)


def understand_query(query: str) -> tuple[str | None, str | None] | None:
    """What a detection query asks for, in the judge's closed vocabulary.

    Args:
        query: for example "image of a red ball", "balls", "a red object".

    Returns:
        Noun and colour, each None when left open; None when the query names nothing the judge knows.

    Examples:
        >>> understand_query("image of a red ball")
        ('ball', 'red')
        >>> understand_query("blue objects")
        (None, 'blue')
        >>> understand_query("a dog") is None
        True
    """
    words = re.findall(r"[a-z]+", query.lower())
    nouns = [noun for word in words if (noun := singular(word)) is not None]
    color = next((word for word in words if word in COLORS), None)
    if nouns:
        return nouns[-1], color
    return (None, color) if {"object", "objects", "thing", "things"} & set(words) else None
