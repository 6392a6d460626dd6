"""How the groups of a scene and what they do are put into words, plainly or in one of many ways.

What a method says in a layout is `vocabulary.object_phrase`; here is the grammar of whole captions.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from llmgen.toybox.world.truth import OPPOSITES, Acts, Demand, Placed, Relation, Truth
from llmgen.toybox.world.vocabulary import (
    BACKGROUND_PHRASES,
    CHARACTERS,
    COUNT_WORDS,
    FINITE,
    GENERIC_CAPTIONS,
    PART_STATES,
    PATTERNS,
    PLACE_PHRASES,
    PLURALS,
    PREFIXES,
    STANDING,
    garment,
    object_phrase,
    states_phrase,
)

BETWEEN: Final[dict[Relation, tuple[str, ...]]] = {
    "left": ("to the left of", "left of", "on the left of", "on the left side of"),
    "right": ("to the right of", "right of", "on the right of", "on the right side of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under"),
}
"""What stands between two groups, of which the first lies on that side of the second."""

SIDES: Final[dict[Relation, tuple[str, ...]]] = {
    "left": ("on the left", "on the left side", "to the left"),
    "right": ("on the right", "on the right side", "to the right"),
    "above": ("on the top", "at the top", "above"),
    "below": ("on the bottom", "at the bottom", "below"),
}
"""What follows a group that lies on that side; each has its opposite at the same index."""


def plain_phrase(demand: Demand, verb: bool = True) -> str:
    """Name a group in the one usual way.

    Args:
        demand: The group.
        verb: Whether to say what it does.

    Returns:
        For example "two happy boys in red", or "a house with lit windows".
    """
    acts = verb and demand.verb not in (None, STANDING)
    return object_phrase(
        demand.noun,
        demand.color,
        demand.count,
        pattern=demand.pattern,
        mood=demand.mood,
        states=unusual(demand),
        verb=demand.verb if acts else None,
    )


def unusual(demand: Demand) -> tuple[tuple[str, str], ...]:
    """The states of a group that are said.

    Args:
        demand: The group.

    Returns:
        Its states without the usual ones.
    """
    return tuple(pair for pair in demand.states if pair[1] != PART_STATES[pair[0]][0])


def varied_phrase(demand: Demand, rng: random.Random) -> str:
    """Name a group in one of many ways, without what it does.

    Args:
        demand: The group.
        rng: Source of randomness.

    Returns:
        For example "a boy in a striped red shirt".
    """
    states = unusual(demand)
    patterned = demand.pattern not in (None, PATTERNS[0])
    alive = demand.noun in CHARACTERS
    form = rng.random()
    if (form < 0.6 or not (alive and demand.color)) and not (patterned and form >= 0.8) and len(states) < 2:
        return plain_phrase(demand, verb=False)
    look = " ".join(word for word in ((demand.pattern if patterned else None), demand.color) if word)
    body = demand.noun if demand.count == 1 else PLURALS[demand.noun]
    if alive:
        if form < 0.8 and look:
            body = f"{body} in {garment(demand.noun, look, demand.count)}"
        elif form < 0.9 and demand.color:
            body = f"{body} dressed in {look}"
        elif look:
            body = f"{body} with {garment(demand.noun, look, demand.count)}"
    else:
        if patterned and demand.color and form >= 0.8:
            look = f"{demand.color} {demand.pattern}"
        body = f"{look} {body}" if look else body
    if demand.mood and demand.mood != "calm":
        body = f"{demand.mood} {body}"
    if states:
        ordered = states if form < 0.5 else states[::-1]
        body += f" with {states_phrase(ordered, demand.count)}"
    if demand.count > 1:
        return f"{COUNT_WORDS[demand.count]} {body}"
    return f"{'an' if body[0] in 'aeiou' else 'a'} {body}"


@dataclass(slots=True)
class Speech:
    """A caption in the making: it remembers what it has named, so that an equal thing becomes "another".

    Attributes:
        truth: What is said of the scene.
        rng: Picks the words; None says everything the usual way.
        mentions: Index of the group of each noun that has been said, in order.
    """

    truth: Truth
    rng: random.Random | None = None
    mentions: list[int] = field(default_factory=list)
    _said: set[Demand] = field(default_factory=set)

    def name(self, index: int) -> str:
        """Name a group, without what it does.

        Args:
            index: Of the group in `truth`.

        Returns:
            For example "a striped red ball", "another red ball" or "two more red balls".
        """
        demand = self.truth.demands[index]
        phrase = plain_phrase(demand, verb=False) if self.rng is None else varied_phrase(demand, self.rng)
        self.mentions.append(index)
        kind = Demand(demand.noun, demand.color, 1, demand.pattern, demand.mood, None, demand.states)
        if kind not in self._said:
            self._said.add(kind)
            return phrase
        first, rest = phrase.split(" ", 1)
        return f"another {rest}" if demand.count == 1 else f"{first} more {rest}"

    def acting(self, index: int, sentence: bool = False) -> str:
        """Name a group with what it does, and to whom.

        Args:
            index: Of the group in `truth`; its verb must be demanded.
            sentence: Whether to make it a sentence.

        Returns:
            For example "a boy in red kicking a ball", or "a boy in red is kicking a ball".
        """
        demand = self.truth.demands[index]
        verb = demand.verb or STANDING
        who = self.name(index)
        form = self.rng.random() if self.rng else 0.0
        if sentence:
            if form < 0.65 or demand.count > 1:
                does = f"{'is' if demand.count == 1 else 'are'} {verb}"
            else:
                does = FINITE[verb]
        else:
            does = f"who {'is' if demand.count == 1 else 'are'} {verb}" if form > 0.85 else verb
        target = target_of(self.truth, index)
        return f"{who} {does}" if target is None else f"{who} {does} {self.name(target)}"


def target_of(truth: Truth, index: int) -> int | None:
    """What a group acts on.

    Args:
        truth: The groups and their actions.
        index: Of the group.

    Returns:
        Index of the group acted on, or None.
    """
    return next((act.second for act in truth.acts if act.first == index), None)


def units_of(acts: Iterable[Acts], count: int) -> list[int]:
    """The groups that a caption lists: those acted on are named by who acts on them.

    Args:
        acts: Actions between the groups.
        count: How many groups.

    Returns:
        Indices of the groups, in order.
    """
    targets = {act.second for act in acts}
    return [i for i in range(count) if i not in targets]


def join_phrases(phrases: Sequence[str], joiner: str = " and ") -> str:
    """Put phrases one after the other.

    Args:
        phrases: At least one.
        joiner: What stands before the last one; ", " makes a plain list.

    Returns:
        For example "two red balls, a star and a blue car".
    """
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + joiner + phrases[-1]


def list_objects(demands: Sequence[Demand], joiner: str = " and ") -> str:
    """Name groups one after the other in the usual way.

    Args:
        demands: The groups.
        joiner: What stands before the last one.

    Returns:
        For example "two red balls, a star and a blue car".
    """
    return join_phrases([plain_phrase(demand) for demand in demands], joiner)


def say_relation(speech: Speech, placed: Placed, rng: random.Random) -> str:
    """Say how one group lies to another.

    Args:
        speech: Names the groups; when it has no source of randomness of its own, only the usual words are used.
        placed: Which groups, and how.
        rng: Source of randomness.

    Returns:
        For example "a red ball left of a cup", or "a red ball on the left and a cup on the right".
    """
    if rng.random() < 0.6:
        between = BETWEEN[placed.relation]
        word = between[0] if speech.rng is None else rng.choice(between)
        return f"{speech.name(placed.first)} {word} {speech.name(placed.second)}"
    index = 0 if speech.rng is None else rng.randrange(len(SIDES[placed.relation]))
    one = f"{speech.name(placed.first)} {SIDES[placed.relation][index]}"
    return f"{one} and {speech.name(placed.second)} {SIDES[OPPOSITES[placed.relation]][index]}"


def caption_with(background: str, objects: str, rng: random.Random) -> str:
    """Join a background and a list of objects in one of the usual ways.

    Args:
        background: One of `BACKGROUNDS`.
        objects: The list in words.
        rng: Source of randomness.

    Returns:
        A caption.
    """
    names, places = BACKGROUND_PHRASES[background], PLACE_PHRASES[background]
    name = names[0] if rng.random() < 0.6 else rng.choice(names)
    form = rng.random()
    if form < 0.52:
        text = f"{name} with {objects}"
    elif form < 0.86:
        text = f"{objects} {rng.choice(places)}"
    elif form < 0.90:
        text = f"{rng.choice(places)}, {objects}"
    elif form < 0.93:
        text = f"{name} | {objects}"
    else:
        text = f"{rng.choice(GENERIC_CAPTIONS[:2])} with {objects}"
    if rng.random() < 0.12:
        prefix = rng.choice(PREFIXES)
        if not (prefix.endswith("with") and (form < 0.52 or form >= 0.86)):
            text = f"{prefix} {text}"
    return text


def sentence_with(
    background: str, sentences: str, rest: str, plural: bool, rng: random.Random, bare: bool = False
) -> str:
    """Join what happens, where, and what else is there.

    Args:
        background: One of `BACKGROUNDS`.
        sentences: What happens, for example "a boy is kicking a ball".
        rest: The other things in words, or "".
        plural: Whether the rest begins with several.
        rng: Source of randomness.
        bare: Whether somebody acts on nothing: "a dog rides with a tree" would say too much.

    Returns:
        A caption; one in eight leaves the background open.
    """
    place = rng.choice(PLACE_PHRASES[background])
    form = rng.random()
    if form < 0.125:
        text = sentences
    elif form < 0.25:
        text = f"{place}, {sentences}"
    else:
        text = f"{sentences} {place}"
    if not rest:
        return text
    if rng.random() < 0.6 and not bare:
        return f"{text} with {rest}"
    return f"{text}, and there {'are' if plural else 'is'} {rest}"
