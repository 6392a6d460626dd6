"""What a prompt demands of a picture, and the one rule that says whether a picture obeys.

The rule sees only what a judge found (class, colour, box), never a scene, so that generated pictures and renders are
measured alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from llmgen.toybox.world.scenes import Scene

Relation = Literal["left", "right", "above", "below"]

OPPOSITES: Final[dict[Relation, Relation]] = {"left": "right", "right": "left", "above": "below", "below": "above"}


class Sighting(NamedTuple):
    """One object that a judge found.

    Attributes:
        noun: Class name.
        color: Colour name.
        box_xyxy: Box in pixels (or any one unit: only the order of centres is used).
        score: Confidence, 0..1.
    """

    noun: str
    color: str
    box_xyxy: tuple[float, float, float, float]
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Demand:
    """A group of equal objects that must be there.

    Attributes:
        noun: Class name.
        color: Colour name, or None when any will do.
        count: How many, exactly.
    """

    noun: str
    color: str | None
    count: int = 1

    def covers(self, noun: str, color: str) -> bool:
        """Whether an object belongs to the group.

        Args:
            noun: Class of the object.
            color: Colour of the object.

        Returns:
            True when class and, where demanded, colour agree.
        """
        return noun == self.noun and self.color in (None, color)


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
class Truth:
    """All that a prompt demands.

    Attributes:
        demands: Groups that must be there, and nothing besides them.
        relations: How groups lie to each other.
        absent: Classes that must not be there.
    """

    demands: tuple[Demand, ...]
    relations: tuple[Placed, ...] = ()
    absent: tuple[str, ...] = ()


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


def is_right(truth: Truth, sightings: Iterable[Sighting]) -> bool:
    """The strict rule: exactly the named things in exact counts and colours, nothing else, every relation holds.

    Args:
        truth: What the prompt demands.
        sightings: What was found in the picture.

    Returns:
        True when the picture is right.
    """
    members: list[list[Sighting]] = [[] for _ in truth.demands]
    for sighting in sightings:
        if sighting.noun in truth.absent:
            return False
        # Coloured demands claim first: "a red ball and two balls" must not lose its red one to the open group.
        owners = sorted(
            (i for i, demand in enumerate(truth.demands) if demand.covers(sighting.noun, sighting.color)),
            key=lambda i: (
                truth.demands[i].color is None,
                len(members[i]) >= truth.demands[i].count,
            ),
        )
        if not owners:
            return False
        owner = next((i for i in owners if len(members[i]) < truth.demands[i].count), owners[0])
        members[owner].append(sighting)
    if any(len(found) != demand.count for found, demand in zip(members, truth.demands, strict=True)):
        return False
    return all(
        holds(placed.relation, a.box_xyxy, b.box_xyxy)
        for placed in truth.relations
        for a in members[placed.first]
        for b in members[placed.second]
    )


def truth_of_scene(scene: Scene, colors: bool = True) -> Truth:
    """What a complete caption of a scene demands.

    Args:
        scene: The scene.
        colors: Whether the colours are demanded too.

    Returns:
        One demand for each group of equal objects, in the order of first appearance.
    """
    counts: dict[tuple[str, str | None], int] = {}
    for item in scene.objects:
        key = (item.noun, item.color if colors else None)
        counts[key] = counts.get(key, 0) + 1
    return Truth(tuple(Demand(noun, color, count) for (noun, color), count in counts.items()))


def sightings_of_scene(scene: Scene) -> list[Sighting]:
    """What a perfect judge would find.

    Args:
        scene: The scene.

    Returns:
        One sighting an object.
    """
    return [Sighting(o.noun, o.color, tuple(map(float, o.box_xyxy))) for o in scene.objects]  # type: ignore[arg-type]
