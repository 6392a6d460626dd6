"""What no training ever sees: fixed in `held_out.json` before the first model was trained on this world.

Samplers of the world leave all of it out by default, and yield nothing else when asked for it, so that a figure on
what is held out is a figure on what is new. The lists were drawn once from a seed (`tests/unit/toybox/test_held_out.py`
draws them again).
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # scenes.py asks this module what to leave out
    from llmgen.toybox.world.scenes import Scene

Triple = tuple[str, str, str]
Pairing = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The lists of the file, in its order.

    Attributes:
        triples: Verb, noun of the character and noun of the thing acted on, in any colours.
        patterned: Noun, pattern and colour of a thing.
        scenes: Noun and colour of one object, noun and colour of another, and the background they share.
        templates: Question templates of `pairs.py`.
    """

    triples: tuple[Triple, ...]
    patterned: tuple[Triple, ...]
    scenes: tuple[Pairing, ...]
    templates: tuple[str, ...]


@cache
def held_out() -> HeldOut:
    """Read the file, once.

    Returns:
        What is held out.
    """
    lists = json.loads(files("llmgen.toybox.world").joinpath("held_out.json").read_text(encoding="utf-8"))
    return HeldOut(
        tuple(tuple(entry) for entry in lists["triples"]),
        tuple(tuple(entry) for entry in lists["patterned"]),
        tuple(tuple(entry) for entry in lists["scenes"]),
        tuple(lists["templates"]),
    )


@cache
def _sets() -> tuple[frozenset[Triple], frozenset[Triple], dict[str, tuple[frozenset[tuple[str, str]], ...]]]:
    lists = held_out()
    pairings: dict[str, tuple[frozenset[tuple[str, str]], ...]] = {}
    for noun, color, other, other_color, background in lists.scenes:
        pair = frozenset({(noun, color), (other, other_color)})
        pairings[background] = (*pairings.get(background, ()), pair)
    return frozenset(lists.triples), frozenset(lists.patterned), pairings


def is_held_out(scene: "Scene") -> bool:
    """Whether a scene shows anything that is held out.

    Args:
        scene: Any scene.

    Returns:
        True when a character does what a held-out triple says, when a thing has a held-out pattern in its colour, or
        when both objects of a held-out scene are among its objects on that background.
    """
    triples, patterned, pairings = _sets()
    kinds = set()
    for item in scene.objects:
        kinds.add((item.noun, item.color))
        if (item.noun, item.pattern, item.color) in patterned:
            return True
        if (
            item.verb is not None
            and item.target is not None
            and (item.verb, item.noun, scene.objects[item.target].noun) in triples
        ):
            return True
    return any(pair <= kinds for pair in pairings.get(scene.background, ()))
