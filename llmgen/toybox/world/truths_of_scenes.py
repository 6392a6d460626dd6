"""What captions of a scene demand, and what a perfect judge would find in it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from llmgen.toybox.world.scenes import Scene, SceneObject
from llmgen.toybox.world.truth import Acts, Demand, Detail, Sighting, States, Truth
from llmgen.toybox.world.vocabulary import CHARACTERS, PART_STATES, PARTS, STANDING


@dataclass(frozen=True, slots=True)
class Group:
    """Equal objects of a scene.

    Attributes:
        demand: What they have in common.
        members: Their indices in `Scene.objects`.
    """

    demand: Demand
    members: tuple[int, ...]


def all_states(item: SceneObject) -> States:
    """State of every part of an object that has states, the usual ones too.

    Args:
        item: An object of a scene.

    Returns:
        Part and state, in the order of `PARTS`.
    """
    said = dict(item.states)
    return tuple(
        (part, said.get(part, PART_STATES[part][0])) for part in PARTS.get(item.noun, ()) if part in PART_STATES
    )


def groups_of_scene(scene: Scene, colors: bool = True, details: Collection[Detail] = ()) -> list[Group]:
    """Put the equal objects of a scene together.

    Args:
        scene: The scene.
        colors: Whether objects of different colours differ.
        details: What else tells objects apart, and is demanded. With "verb", whoever acts on something and whatever
            is acted on stand alone.

    Returns:
        The groups, in the order of first appearance.
    """
    targets = {o.target for o in scene.objects if o.target is not None} if "verb" in details else set()
    members: dict[tuple[Demand, int | None], list[int]] = {}
    for index, item in enumerate(scene.objects):
        alive = item.noun in CHARACTERS
        demand = Demand(
            item.noun,
            item.color if colors else None,
            pattern=item.pattern if "pattern" in details else None,
            mood=item.mood if alive and "mood" in details else None,
            verb=(item.verb or STANDING) if alive and "verb" in details else None,
            states=all_states(item) if "states" in details else (),
        )
        alone = index in targets or (item.target is not None and "verb" in details)
        members.setdefault((demand, index if alone else None), []).append(index)
    groups = []
    for (demand, _), found in members.items():
        if len(found) > 1:
            demand = replace(demand, count=len(found))
        groups.append(Group(demand, tuple(found)))
    return groups


def truth_of_groups(scene: Scene, groups: Sequence[Group]) -> Truth:
    """What groups of a scene demand together.

    Args:
        scene: The scene.
        groups: All of its groups, in any order.

    Returns:
        Their demands in that order, and every action between two of them whose verb is demanded.
    """
    owner = {member: i for i, group in enumerate(groups) for member in group.members}
    acts = []
    for index, item in enumerate(scene.objects):
        if item.verb is not None and item.target is not None and groups[owner[index]].demand.verb is not None:
            acts.append(Acts(owner[index], item.verb, owner[item.target]))
    return Truth(tuple(group.demand for group in groups), acts=tuple(acts))


def truth_of_scene(scene: Scene, colors: bool = True, details: Collection[Detail] = ()) -> Truth:
    """What a complete caption of a scene demands.

    Args:
        scene: The scene.
        colors: Whether the colours are demanded too.
        details: What else is demanded.

    Returns:
        One demand for each group of equal objects, in the order of first appearance; the background is open.
    """
    return truth_of_groups(scene, groups_of_scene(scene, colors, details))


def sightings_of_scene(scene: Scene) -> list[Sighting]:
    """What a perfect judge would find.

    Args:
        scene: The scene.

    Returns:
        One sighting an object.
    """
    return [
        Sighting(
            o.noun,
            o.color,
            tuple(map(float, o.box_xyxy)),  # type: ignore[arg-type]
            pattern=o.pattern,
            mood=o.mood if o.noun in CHARACTERS else None,
            verb=(o.verb or STANDING) if o.noun in CHARACTERS else None,
            states=all_states(o),
        )
        for o in scene.objects
    ]
