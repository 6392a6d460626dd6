"""What a prompt demands of a picture, and the one rule that says whether a picture obeys.

The rule sees only what a judge found (class, looks, box), never a scene, so that generated pictures and renders are
measured alike. Every demand may leave a property open: None, or no word of it, is always "whatever it is".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

Relation = Literal["left", "right", "above", "below"]
Detail = Literal["pattern", "mood", "verb", "states"]
States = tuple[tuple[str, str], ...]

OPPOSITES: Final[dict[Relation, Relation]] = {"left": "right", "right": "left", "above": "below", "below": "above"}
DETAILS: Final[tuple[Detail, ...]] = ("pattern", "mood", "verb", "states")
"""What a description may say of an object besides its class and colour."""


class Sighting(NamedTuple):
    """One object that a judge found.

    Attributes:
        noun: Class name.
        color: Colour name.
        box_xyxy: Box in pixels (or any one unit: only centres and ratios are used).
        score: Confidence, 0..1.
        pattern: One of `PATTERNS`, or None when nobody looked.
        mood: One of `MOODS`, or None for a thing or when nobody looked.
        verb: One of `VERBS` or `STANDING`, or None for a thing or when nobody looked.
        states: Part and state of every part that has states, the usual ones too, in any order.
    """

    noun: str
    color: str
    box_xyxy: tuple[float, float, float, float]
    score: float = 1.0
    pattern: str | None = None
    mood: str | None = None
    verb: str | None = None
    states: States = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """A group of equal objects that must be there.

    Attributes:
        noun: Class name.
        color: Colour name, or None when any will do.
        count: How many, exactly.
        pattern: One of `PATTERNS`, or None when any will do.
        mood: One of `MOODS`, or None when any will do.
        verb: One of `VERBS` or `STANDING`, or None when any will do.
        states: Part and state of each part whose state matters.
    """

    noun: str
    color: str | None
    count: int = 1
    pattern: str | None = None
    mood: str | None = None
    verb: str | None = None
    states: States = ()

    def covers(self, noun: str, color: str) -> bool:
        """Whether an object belongs to the group by its class and colour alone.

        Args:
            noun: Class of the object.
            color: Colour of the object.

        Returns:
            True when class and, where demanded, colour agree.
        """
        return noun == self.noun and self.color in (None, color)

    def fits(self, sighting: Sighting) -> bool:
        """Whether an object has all that the group demands.

        Args:
            sighting: What was found.

        Returns:
            True when class and every demanded property agree.
        """
        return (
            self.covers(sighting.noun, sighting.color)
            and self.pattern in (None, sighting.pattern)
            and self.mood in (None, sighting.mood)
            and self.verb in (None, sighting.verb)
            and set(self.states) <= set(sighting.states)
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """The first group of a truth lies on one side of the second.

    Attributes:
        first: Index of the group that is placed.
        relation: Where it lies, by the centres of the boxes.
        second: Index of the group it is compared with.
    """

    first: int
    relation: Relation
    second: int


@dataclass(frozen=True, slots=True)
class Acts:
    """The first group of a truth does something to the second, which therefore lies where the verb wants it.

    Attributes:
        first: Index of the group of the one who acts.
        verb: One of `VERBS`.
        second: Index of the group acted on.
    """

    first: int
    verb: str
    second: int


@dataclass(frozen=True, slots=True)
class Truth:
    """All that a prompt demands.

    Attributes:
        demands: Groups that must be there, and nothing besides them.
        relations: How groups lie to each other.
        absent: Classes that must not be there.
        acts: Who does what to whom.
        background: One of `BACKGROUNDS`, or None when any will do.
    """

    demands: tuple[Demand, ...]
    relations: tuple[Placed, ...] = ()
    absent: tuple[str, ...] = ()
    acts: tuple[Acts, ...] = ()
    background: str | None = None


@dataclass(frozen=True, slots=True)
class ActionVerdict:
    """How far a picture shows an action.

    Attributes:
        verb_right: Someone of the right class and colour does it.
        object_right: The thing acted on is there, in the right number and with all that is demanded of it.
        placed_right: A thing acted on lies where the verb wants it, by `lies_at`, whatever the pose looks like.
        all_right: The whole picture is right, by `is_right`.
    """

    verb_right: bool
    object_right: bool
    placed_right: bool
    all_right: bool


def holds(relation: Relation, first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether a box lies on a side of another, by their centres.

    Args:
        relation: The side.
        first: xyxy, y down.
        second: xyxy, y down.

    Returns:
        True when the centre of `first` lies strictly on that side.
    """
    axis = 0 if relation in ("left", "right") else 1
    difference = (first[axis] + first[axis + 2]) - (second[axis] + second[axis + 2])
    return difference < 0 if relation in ("left", "above") else difference > 0


PLACES: Final[dict[str, tuple[float, float, float, float]]] = {
    "holding": (0.15, 0.65, -0.15, 0.15),
    "kicking": (0.35, 0.88, 0.0, 0.45),
    "riding": (0.0, 0.15, 0.2, 0.85),
    "feeding": (0.45, 1.1, -0.35, 0.42),
    "pushing": (0.25, 0.9, -0.05, 0.43),
    "carrying": (0.0, 0.15, -0.88, -0.3),
}
"""Where the thing acted on lies, for each verb: least and most of dx, least and most of dy, of `lies_at`.

What the renders of every character with every thing span, and a tenth of a figure around it.
"""


def lies_at(verb: str, actor: Sequence[float], thing: Sequence[float]) -> bool:
    """Whether a thing lies where a verb wants it: the geometric rule of every action.

    dx is the distance of the two centres sideways, to either side; dy is how far the thing's centre lies below the
    actor's. Both are measured in heights of the actor's box, whose width changes with the pose.

    Args:
        verb: One of `VERBS`.
        actor: Box of the character, xyxy, y down.
        thing: Box of the thing, xyxy, y down.

    Returns:
        True when dx and dy are within `PLACES`.
    """
    height = max(actor[3] - actor[1], 1e-6)
    dx = abs(thing[0] + thing[2] - actor[0] - actor[2]) / 2 / height
    dy = (thing[1] + thing[3] - actor[1] - actor[3]) / 2 / height
    least_x, most_x, least_y, most_y = PLACES[verb]
    return least_x <= dx <= most_x and least_y <= dy <= most_y


def _assignments(demands: Sequence[Demand], sightings: Sequence[Sighting]) -> Iterator[list[list[Sighting]]]:
    # Every way to give each sighting to a group that it fits so that the counts come out exactly.
    if len(sightings) != sum(demand.count for demand in demands):
        return
    fitting = [[i for i, demand in enumerate(demands) if demand.fits(sighting)] for sighting in sightings]
    members: list[list[Sighting]] = [[] for _ in demands]

    def give(index: int) -> Iterator[list[list[Sighting]]]:
        if index == len(sightings):
            yield members
            return
        for owner in fitting[index]:
            if len(members[owner]) < demands[owner].count:
                members[owner].append(sightings[index])
                yield from give(index + 1)
                members[owner].pop()

    yield from give(0)


def is_right(truth: Truth, sightings: Iterable[Sighting], background: str | None = None) -> bool:
    """The strict rule: exactly the named things as they are named, nothing else, everything holds between them.

    Args:
        truth: What the prompt demands.
        sightings: What was found in the picture.
        background: What the background was taken for; None when nobody looked, and then it is not asked for.

    Returns:
        True when the picture is right.
    """
    found = list(sightings)
    if any(sighting.noun in truth.absent for sighting in found):
        return False
    if background is not None and truth.background not in (None, background):
        return False
    return any(
        all(
            holds(placed.relation, a.box_xyxy, b.box_xyxy)
            for placed in truth.relations
            for a in members[placed.first]
            for b in members[placed.second]
        )
        and all(
            any(lies_at(act.verb, a.box_xyxy, b.box_xyxy) for a in members[act.first])
            for act in truth.acts
            for b in members[act.second]
        )
        for members in _assignments(truth.demands, found)
    )


def judge_action(
    truth: Truth, sightings: Iterable[Sighting], background: str | None = None, index: int = 0
) -> ActionVerdict:
    """Say of an action which of its parts a picture shows.

    Args:
        truth: What the prompt demands, with at least one action.
        sightings: What was found in the picture.
        background: As for `is_right`.
        index: Which of the actions.

    Returns:
        The parts apart, and the whole.
    """
    found = list(sightings)
    act = truth.acts[index]
    actor, thing = truth.demands[act.first], truth.demands[act.second]
    actors = [s for s in found if actor.covers(s.noun, s.color)]
    things = [s for s in found if thing.fits(s)]
    # Another group may ask for objects of the same looks: the number is then that of all groups together.
    wanted = sum(d.count for d in truth.demands if replace(d, count=1, verb=None) == replace(thing, count=1, verb=None))
    return ActionVerdict(
        verb_right=any(s.verb == act.verb for s in actors),
        object_right=len(things) == wanted,
        placed_right=any(lies_at(act.verb, a.box_xyxy, b.box_xyxy) for a in actors for b in things),
        all_right=is_right(truth, found, background),
    )
