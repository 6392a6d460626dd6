"""What every question of the before/after pairs is made with: templates, riddles, and what can be pointed at.

A template looks at a scene and either makes a question of it that has exactly one answer, or passes.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from llmgen.toybox.world.scenes import Scene, SceneObject, without
from llmgen.toybox.world.vocabulary import THINGS, object_phrase

CLEAR_PX: Final = 16
"""Least distance of two centres, or a side is not named."""

RIDDLES: Final[dict[str, str]] = {
    "ball": "that is round and bounces",
    "star": "that has five points and twinkles",
    "heart": "that means love",
    "house": "that people live in",
    "tree": "that birds build their nests in",
    "car": "that people drive to work",
    "fish": "that swims",
    "cup": "that people drink from",
}
"""Every thing without its name: "something that swims"."""

HINTS: Final[dict[str, str]] = {
    "red": "a ripe tomato",
    "blue": "a cloudless sky",
    "green": "fresh grass",
    "yellow": "a lemon",
    "orange": "a pumpkin",
    "purple": "a plum",
}
"""Every colour without its name: "in the colour of a lemon"."""

PRONOUNS: Final[dict[str, tuple[str, str, str]]] = {
    "boy": ("he", "his", "him"),
    "girl": ("she", "her", "her"),
    "dog": ("it", "its", "it"),
}
"""Who, whose and whom."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a template makes of a scene.

    Attributes:
        question: In ordinary English.
        answer: What is different afterwards.
        before: The scene, or one that is like it.
        after: The changed scene.
    """

    question: str
    answer: str
    before: Scene
    after: Scene


Maker = Callable[[random.Random, Scene], Change | None]


@dataclass(frozen=True, slots=True)
class Template:
    """One way to ask.

    Attributes:
        name: Category and name.
        needs_picture: Whether the question alone does not say what will change.
        make: Makes a question of a scene, or None when it does not fit; raises `PlacementError` without room.
    """

    name: str
    needs_picture: bool
    make: Maker

    @property
    def category(self) -> str:
        """What kind of change it asks for."""
        return self.name.split("/")[0]


def in_other_words(name: str, needs_picture: bool, maker: Callable[[str], Maker]) -> Template:
    """A template of many wordings, those of `wordings.json` under the name after the slash.

    Trainings learn English from them. Their author was told what can change and had read no template, so that those which
    are held out stay as new to a model as anybody's question.

    Args:
        name: Category and name.
        needs_picture: As in `Template`.
        maker: The change, asked for in a wording with its gaps.
    """

    def make(rng: random.Random, scene: Scene) -> Change | None:
        return maker(rng.choice(wordings()[name.split("/")[1]]))(rng, scene)

    return Template(name, needs_picture, make)


@cache
def wordings() -> dict[str, list[str]]:
    """Kind of change to ways to ask for it, with gaps for names, pronouns, riddles and hints."""
    text = files("llmgen.toybox.world.questions").joinpath("wordings.json").read_text(encoding="utf-8")
    found: dict[str, list[str]] = json.loads(text)
    return found


def free(scene: Scene) -> list[int]:
    """Objects that may change alone: a thing whose actor went would hang in the air.

    Args:
        scene: The scene.

    Returns:
        Indices of all that neither act on something nor are acted on.
    """
    targets = {item.target for item in scene.objects}
    return [i for i, item in enumerate(scene.objects) if item.target is None and i not in targets]


def unique(scene: Scene, nouns: Sequence[str], alone: bool = True) -> list[int]:
    """Objects that their bare noun points at.

    Args:
        scene: The scene.
        nouns: Classes to look for.
        alone: Whether only `free` objects count.

    Returns:
        Indices of the objects that are the only one of their class.
    """
    names = [item.noun for item in scene.objects]
    within = free(scene) if alone else range(len(names))
    return [i for i in within if names[i] in nouns and names.count(names[i]) == 1]


def pick(rng: random.Random, indices: Sequence[int]) -> int | None:
    """One of several, or None of none."""
    return rng.choice(indices) if indices else None


def outermost(scene: Scene, side: int) -> int | None:
    """The free thing that is clearly the first from one side.

    Args:
        scene: The scene.
        side: 1 for the left, -1 for the right.

    Returns:
        Its index, or None when the first is no free thing or not clearly the first.
    """
    order = sorted(range(len(scene.objects)), key=lambda i: side * scene.objects[i].center[0])
    if len(order) < 2 or order[0] not in free(scene) or scene.objects[order[0]].noun not in THINGS:
        return None
    first, second = (scene.objects[i].center[0] for i in order[:2])
    return order[0] if abs(first - second) >= CLEAR_PX else None


def name_of(item: SceneObject) -> str:
    """An object by its looks, without an article: "striped red ball", "boy in red"."""
    return object_phrase(item.noun, item.color, article=False, pattern=item.pattern)


def absent_things(scene: Scene) -> list[str]:
    """The classes of things that a scene does not show."""
    return [noun for noun in THINGS if all(noun != item.noun for item in scene.objects)]


def about(noun: str, question: str, **words: str) -> str:
    """A question about somebody: gaps for the noun, its pronouns and other words are filled."""
    he, his, him = PRONOUNS.get(noun, PRONOUNS["dog"])
    return question.format(noun=noun, he=he, his=his, him=him, **words)


def gone(scene: Scene, index: int, question: str) -> Change:
    """The change in which an object goes away."""
    return Change(question, f"the {name_of(scene.objects[index])} is gone now", scene, without(scene, index))
