"""Captions of scenes, and the prompts that evaluation asks with.

`sample_caption` speaks in many ways for training; `sample_prompt` speaks as an ordinary user would and keeps the
truth. Everything is lower case and within the words of `vocabulary.words`.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from llmgen.toybox.world.scenes import Kind, Scene, place
from llmgen.toybox.world.truth import OPPOSITES, Demand, Placed, Relation, Truth, holds, truth_of_scene
from llmgen.toybox.world.vocabulary import (
    BACKGROUND_PHRASES,
    BACKGROUNDS,
    COLORS,
    GENERIC_CAPTIONS,
    NOUNS,
    PLACE_PHRASES,
    PLURALS,
    PREFIXES,
    object_phrase,
)

PromptType = Literal["numeracy", "attribution", "spatial", "negation"]
PROMPT_TYPES: Final[tuple[PromptType, ...]] = ("numeracy", "attribution", "spatial", "negation")

CLEAR_PX: Final = 16
"""Least distance of two centres along an axis before a caption calls one left of (or above) the other."""

_BETWEEN: Final[dict[Relation, tuple[str, ...]]] = {
    "left": ("to the left of", "left of", "on the left of", "on the left side of"),
    "right": ("to the right of", "right of", "on the right of", "on the right side of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under"),
}
_SIDES: Final[dict[Relation, tuple[str, ...]]] = {
    "left": ("on the left", "on the left side", "to the left"),
    "right": ("on the right", "on the right side", "to the right"),
    "above": ("on the top", "at the top", "above"),
    "below": ("on the bottom", "at the bottom", "below"),
}


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and what it demands.

    Attributes:
        text: The words.
        truth: What must be in the picture; None for captions without content.
    """

    text: str
    truth: Truth | None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the evaluation.

    Attributes:
        text: The words.
        type: What the prompt tests.
        truth: What must be in the picture.
        scene: A scene that obeys, for a ceiling and for boxes to ground on.
    """

    text: str
    type: PromptType
    truth: Truth
    scene: Scene


def list_objects(demands: Sequence[Demand], joiner: str = " and ") -> str:
    """Name groups one after the other.

    Args:
        demands: The groups.
        joiner: What stands before the last one; ", " makes a plain list.

    Returns:
        For example "two red balls, a star and a blue car".
    """
    phrases = [object_phrase(d.noun, d.color, d.count) for d in demands]
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + joiner + phrases[-1]


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


def _relation(scene: Scene, truth: Truth, rng: random.Random) -> Placed | None:
    # A relation can be said of two groups when every member of one clears every member of the other.
    found = []
    for i, first in enumerate(truth.demands):
        for j, second in enumerate(truth.demands):
            if i == j:
                continue
            ones = [o for o in scene.objects if first.covers(o.noun, o.color)]
            others = [o for o in scene.objects if second.covers(o.noun, o.color)]
            for axis, relation in ((0, "left"), (0, "right"), (1, "above"), (1, "below")):
                side: Relation = relation  # type: ignore[assignment]
                if all(
                    holds(side, a.box_xyxy, b.box_xyxy) and abs(a.center[axis] - b.center[axis]) >= CLEAR_PX
                    for a in ones
                    for b in others
                ):
                    found.append(Placed(i, side, j))
    return rng.choice(found) if found else None


def _say_relation(truth: Truth, placed: Placed, rng: random.Random) -> str:
    one, other = (
        object_phrase(d.noun, d.color, d.count) for d in (truth.demands[placed.first], truth.demands[placed.second])
    )
    if rng.random() < 0.6:
        return f"{one} {rng.choice(_BETWEEN[placed.relation])} {other}"
    index = rng.randrange(len(_SIDES[placed.relation]))
    return f"{one} {_SIDES[placed.relation][index]} and {other} {_SIDES[OPPOSITES[placed.relation]][index]}"


def sample_caption(rng: random.Random, scene: Scene) -> Caption:
    """Describe a scene completely, in one of many ways.

    Args:
        rng: Source of randomness.
        scene: The scene.

    Returns:
        A caption whose truth the scene obeys. A bare background has an empty truth.
    """
    if not scene.objects:
        return Caption(rng.choice(BACKGROUND_PHRASES[scene.background]), Truth(()))
    objects = list(scene.objects)
    rng.shuffle(objects)
    truth = truth_of_scene(replace(scene, objects=tuple(objects)), colors=rng.random() < 0.88)
    relation = _relation(scene, truth, rng) if len(truth.demands) == 2 and rng.random() < 0.5 else None
    if relation is not None:
        objects_text = _say_relation(truth, relation, rng)
        truth = replace(truth, relations=(relation,))
    else:
        objects_text = list_objects(truth.demands, rng.choice((" and ", " and ", ", ")))
    text = caption_with(scene.background, objects_text, rng)
    if rng.random() < 0.12:
        present = {demand.noun for demand in truth.demands}
        absent = rng.choice([noun for noun in NOUNS if noun not in present])
        text += rng.choice(
            (f" without {PLURALS[absent]}", f" without any {PLURALS[absent]}", f", no {PLURALS[absent]}")
        )
        truth = replace(truth, absent=(absent,))
    return Caption(text, truth)


def sample_vague_caption(rng: random.Random, scene: Scene) -> Caption:
    """Name only the background, or nothing at all: what a layout method sends when the boxes carry the content.

    Args:
        rng: Source of randomness.
        scene: The scene.

    Returns:
        A caption without a truth.
    """
    if rng.random() < 0.5:
        return Caption(rng.choice(GENERIC_CAPTIONS), None)
    return Caption(rng.choice(BACKGROUND_PHRASES[scene.background]), None)


def _kinds(rng: random.Random, groups: Sequence[int]) -> list[Kind]:
    # Different classes and colours, so that every mix-up of attributes shows.
    nouns, colors = rng.sample(NOUNS, len(groups)), rng.sample(tuple(COLORS), len(groups))
    return [kind for kind, count in zip(zip(nouns, colors, strict=True), groups, strict=True) for _ in range(count)]


def sample_prompt(rng: random.Random, type: PromptType) -> Prompt:
    """Draw a prompt of the evaluation.

    Args:
        rng: Source of randomness.
        type: What the prompt tests.

    Returns:
        The prompt with its truth and a scene that obeys.
    """
    groups: tuple[int, ...]
    background = rng.choice(BACKGROUNDS)
    name, where = BACKGROUND_PHRASES[background][0], PLACE_PHRASES[background][0]
    if type == "numeracy":
        groups = rng.choice(((2,), (3,), (4,), (2, 1), (2, 2), (3, 1)))
    elif type == "attribution":
        groups = rng.choice(((1, 1), (1, 1), (1, 1, 1)))
    elif type == "spatial":
        groups = (1, 1)
    else:
        groups = rng.choice(((1,), (2,), (3,), (1, 1), (2, 1)))
    while True:
        scene = place(_kinds(rng, groups), background, rng)
        colors = type != "negation" or rng.random() < 0.5
        truth = truth_of_scene(scene, colors=colors)
        relation = _relation(scene, truth, rng) if type == "spatial" else None
        if type != "spatial" or relation is not None:
            break
    objects = list_objects(truth.demands)
    if relation is not None:
        truth = replace(truth, relations=(relation,))
        one, other = (
            object_phrase(d.noun, d.color, d.count)
            for d in (truth.demands[relation.first], truth.demands[relation.second])
        )
        if rng.random() < 0.6:
            objects = f"{one} {_BETWEEN[relation.relation][0]} {other}"
        else:
            objects = f"{one} {_SIDES[relation.relation][0]} and {other} {_SIDES[OPPOSITES[relation.relation]][0]}"
    text = f"{name} with {objects}" if rng.random() < 0.6 else f"{objects} {where}"
    if type == "negation":
        absent = rng.choice([noun for noun in NOUNS if noun not in {d.noun for d in truth.demands}])
        truth = replace(truth, absent=(absent,))
        text += f" without {PLURALS[absent]}"
    return Prompt(text, type, truth, scene)
