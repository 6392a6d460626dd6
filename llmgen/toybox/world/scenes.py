"""The toybox world: scenes of one to four bold objects on a pale background, drawn exactly and fast.

A scene is data (`Scene`); `render` turns it into a picture with exact boxes, masks, parts and keypoints; `place` finds
room for what is wanted; the samplers here say what that is. Everything follows from the seed.
"""

import random
from typing import Final

from llmgen.toybox.world.backgrounds import BACKGROUND_VARIANTS, SIZE, background
from llmgen.toybox.world.held_out import held_out as read_held_out
from llmgen.toybox.world.held_out import is_held_out
from llmgen.toybox.world.picture import Box, Part, RenderedScene, Scene, SceneObject, render, render_image
from llmgen.toybox.world.placing import (
    BORDER,
    FIGURE_SIZES,
    GAP,
    LARGE,
    MAX_OBJECTS,
    SMALL,
    Kind,
    PlacementError,
    Wanted,
    change,
    move,
    place,
    place_beside,
    without,
)
from llmgen.toybox.world.vocabulary import (
    BACKGROUNDS,
    CHARACTERS,
    COLORS,
    MOODS,
    PART_STATES,
    PARTS,
    PATTERNS,
    THINGS,
    VERBS,
)

__all__ = [
    "BACKGROUND_VARIANTS",
    "BORDER",
    "FIGURE_SIZES",
    "GAP",
    "LARGE",
    "MAX_OBJECTS",
    "SIZE",
    "SMALL",
    "Box",
    "Kind",
    "Part",
    "PlacementError",
    "RenderedScene",
    "Scene",
    "SceneObject",
    "Wanted",
    "background",
    "change",
    "move",
    "place",
    "place_beside",
    "render",
    "render_image",
    "sample_detailed_scene",
    "sample_kinds",
    "sample_plain_scene",
    "sample_scene",
    "sample_wanted",
    "without",
]

_COLOR_NAMES: Final = tuple(COLORS)
_THINGS_SHARE: Final = 0.5
"""Share of the scenes without a character."""
_DETAIL_SHARE: Final = 0.25
"""Share of those, and of the things beside characters, with a pattern or a part in an unusual state."""
_COVERING_VERBS: Final = ("holding", "riding", "carrying")
"""Who does one of these is in front of the object."""
_DOG_VERBS: Final = ("holding", "riding", "feeding")
"""What may be done to a dog."""


def sample_kinds(rng: random.Random, count: int | None = None) -> list[Kind]:
    """Draw the things of a scene: groups of equal things, things of one class in several colours, or all different.

    Args:
        rng: Source of randomness.
        count: How many objects; None draws one to four.

    Returns:
        Noun and colour of each object.
    """
    if count is None:
        count = rng.choices((1, 2, 3, 4), (18, 30, 28, 24))[0]
    mode = rng.random()
    if mode < 0.36:
        return [(rng.choice(THINGS), rng.choice(_COLOR_NAMES)) for _ in range(count)]
    if mode < 0.86:
        first = rng.randint(1, count)
        groups = [first, count - first]
        kinds: list[Kind] = []
        for members in groups:
            kinds += [(rng.choice(THINGS), rng.choice(_COLOR_NAMES))] * members
        return kinds
    noun = rng.choice(THINGS)
    return [(noun, rng.choice(_COLOR_NAMES)) for _ in range(count)]


def _detailed(kind: Kind, rng: random.Random) -> Wanted:
    """A thing with a pattern, a part in an unusual state, or both."""
    changeable = [part for part in PARTS.get(kind[0], ()) if part in PART_STATES]
    states: tuple[tuple[str, str], ...] = ()
    if changeable and rng.random() < 0.6:
        chosen = rng.sample(changeable, rng.randint(1, len(changeable)))
        states = tuple(sorted((part, rng.choice(PART_STATES[part][1:])) for part in chosen))
    pattern = rng.choice(PATTERNS[1:]) if not states or rng.random() < 0.4 else "plain"
    return Wanted(*kind, pattern, states)


def _thing(rng: random.Random) -> Wanted:
    kind = (rng.choice(THINGS), rng.choice(_COLOR_NAMES))
    return _detailed(kind, rng) if rng.random() < _DETAIL_SHARE else Wanted(*kind)


def _character(rng: random.Random, verb: str | None) -> Wanted:
    pattern = rng.choice(PATTERNS[1:]) if rng.random() < 0.3 else "plain"
    # A mood shows in the arms of who stands; beside a verb the calm face is the usual one.
    mood = rng.choice(MOODS) if verb is None or rng.random() < 0.4 else MOODS[0]
    return Wanted(rng.choice(CHARACTERS), rng.choice(_COLOR_NAMES), pattern, (), mood, verb)


def sample_wanted(rng: random.Random, count: int | None = None) -> list[Wanted]:
    """Draw what a scene shall show: things only, or one or two characters that stand, act, or act on something.

    Args:
        rng: Source of randomness.
        count: How many objects; None draws one to four.

    Returns:
        What each object shall be.
    """
    if rng.random() < _THINGS_SHARE:
        kinds = sample_kinds(rng, count)
        if rng.random() >= _DETAIL_SHARE:
            return [Wanted(*kind) for kind in kinds]
        # Equal things keep equal; at least one kind has something to it.
        looks = {kind: _detailed(kind, rng) if rng.random() < 0.6 else Wanted(*kind) for kind in kinds}
        looks[kinds[0]] = _detailed(kinds[0], rng)
        return [looks[kind] for kind in kinds]
    acts_on = rng.random() < 0.5 and count != 1
    if count is None:
        weights = (0, 68, 26, 6) if acts_on else (34, 34, 20, 12)
        count = rng.choices((1, 2, 3, 4), weights)[0]
    if acts_on:
        verb = rng.choice(VERBS)
        target = _thing(rng)
        if verb in _COVERING_VERBS:
            # The part whose state is said could be hidden.
            target = target._replace(states=())
        if verb in _DOG_VERBS and rng.random() < 0.1:
            target = _character(rng, None)._replace(noun="dog")
        wanted = [_character(rng, verb)._replace(target=1), target]
    else:
        wanted = [_character(rng, rng.choice(VERBS) if rng.random() < 0.5 else None)]
    if len(wanted) < count and rng.random() < 0.25:
        wanted.append(_character(rng, rng.choice(VERBS) if rng.random() < 0.3 else None))
    return wanted + [_thing(rng) for _ in range(count - len(wanted))]


def _sample_held_out(rng: random.Random, count: int | None) -> tuple[list[Wanted], str]:
    """What is held out, with something else besides when there is to be more."""
    lists, background_name = read_held_out(), rng.choice(BACKGROUNDS)
    least = rng.choice((2, 1, 2) if count is None or count > 1 else (1,))
    mode = rng.randrange(3) if least == 2 or count is None or count > 1 else 1
    if mode == 0:
        verb, subject, noun = rng.choice(lists.triples)
        wanted = [
            _character(rng, verb)._replace(noun=subject, target=1),
            Wanted(noun, rng.choice(_COLOR_NAMES)),
        ]
    elif mode == 1:
        noun, pattern, color = rng.choice(lists.patterned)
        wanted = [Wanted(noun, color, pattern)]
    else:
        *pair, background_name = rng.choice(lists.scenes)
        wanted = [
            _character(rng, None)._replace(noun=noun, color=color) if noun in CHARACTERS else Wanted(noun, color)
            for noun, color in (pair[:2], pair[2:])
        ]
    if count is None:
        count = max(len(wanted), rng.choices((1, 2, 3), (40, 40, 20))[0])
    return wanted + [_thing(rng) for _ in range(count - len(wanted))], background_name


def sample_scene(rng: random.Random, count: int | None = None, held_out: bool = False) -> Scene:
    """Draw a whole scene.

    Args:
        rng: Source of randomness.
        count: How many objects; None draws one to four.
        held_out: Whether the scene shall show something that no training sees; otherwise it shows nothing of that.

    Returns:
        A scene whose objects keep `GAP` and `BORDER`; only who acts and what is acted on may touch.
    """
    while True:
        if held_out:
            wanted, background_name = _sample_held_out(rng, count)
        else:
            wanted, background_name = sample_wanted(rng, count), rng.choice(BACKGROUNDS)
        try:
            scene = place(wanted, background_name, rng)
        except PlacementError:
            # Some figures leave no room for what should stand besides: something else is drawn.
            continue
        if is_held_out(scene) == held_out:
            return scene


def sample_detailed_scene(rng: random.Random) -> Scene:
    """Draw a scene of things of which most have a pattern or a part in an unusual state, on any background.

    Args:
        rng: Source of randomness.

    Returns:
        A scene without characters that shows nothing that is held out.
    """
    while True:
        wanted = [_detailed(kind, rng) if rng.random() < 0.7 else Wanted(*kind) for kind in sample_kinds(rng)]
        scene = place(wanted, rng.choice(BACKGROUNDS), rng)
        if not is_held_out(scene):
            return scene


def sample_plain_scene(rng: random.Random, count: int | None = None) -> Scene:
    """Draw a scene of plain things on one of the first four backgrounds: what the shipped drawing models know.

    Args:
        rng: Source of randomness.
        count: How many objects; None draws one to four.

    Returns:
        A scene without characters, patterns and states.
    """
    return place(sample_kinds(rng, count), rng.choice(BACKGROUNDS[:4]), rng)
