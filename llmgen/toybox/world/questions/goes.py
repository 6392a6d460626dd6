"""Something that was there goes away."""

import random
from typing import Final

from llmgen.toybox.world.questions.asking import (
    CLEAR_PX,
    RIDDLES,
    Change,
    Maker,
    Template,
    about,
    free,
    gone,
    in_other_words,
    outermost,
    pick,
    unique,
)
from llmgen.toybox.world.scenes import Scene, without
from llmgen.toybox.world.vocabulary import CHARACTERS, THINGS


def _leaves(question: str) -> Maker:
    # The question gives the thing by its riddle, and the answer needs no colour to name it.
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = pick(rng, unique(scene, THINGS))
        if index is None or len(scene.objects) < 2:
            return None
        noun = scene.objects[index].noun
        return Change(question.format(riddle=RIDDLES[noun]), f"the {noun} is gone now", scene, without(scene, index))

    return make


def _barks(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        dogs = unique(scene, ("dog",))
        if not dogs or len(scene.objects) < 2:
            return None
        return Change(question, "the dog is gone now", scene, without(scene, dogs[0]))

    return make


def _beside(question: str, side: int) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        who = pick(rng, unique(scene, CHARACTERS, alone=False))
        if who is None:
            return None
        x, y = scene.objects[who].center
        beside = [i for i, item in enumerate(scene.objects) if side * item.center[0] < side * x]
        if len(beside) != 1 or beside[0] not in free(scene) or scene.objects[beside[0]].noun not in THINGS:
            return None
        thing_x, thing_y = scene.objects[beside[0]].center
        if side * (x - thing_x) < max(CLEAR_PX, abs(y - thing_y)):
            return None  # More above or below than beside.
        return gone(scene, beside[0], about(scene.objects[who].noun, question))

    return make


def _outer(question: str, side: int) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = outermost(scene, side)
        return None if index is None else gone(scene, index, question)

    return make


def _lets_go(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        who = pick(rng, [i for i in unique(scene, CHARACTERS, alone=False) if scene.objects[i].verb == "holding"])
        if who is None or (target := scene.objects[who].target) is None:
            return None
        noun = scene.objects[who].noun
        return gone(scene, target, about(noun, question))

    return make


def _bedtime(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        children = [i for i, item in enumerate(scene.objects) if item.noun in ("boy", "girl")]
        if len(children) != 1 or children[0] not in free(scene) or len(scene.objects) < 2:
            return None
        return gone(scene, children[0], question)

    return make


def _odd_one(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        nouns = [item.noun for item in scene.objects]
        odd = [i for i, noun in enumerate(nouns) if nouns.count(noun) == 1]
        if len(set(nouns)) != 2 or len(nouns) < 3 or len(odd) != 1 or odd[0] not in free(scene):
            return None
        return gone(scene, odd[0], question)

    return make


TEMPLATES: Final = (
    Template("goes/thief", False, _leaves("Somebody takes away the thing {riddle}. What will it look like?")),
    Template("goes/vanishes", False, _leaves("What if the thing {riddle} vanishes into thin air?")),
    Template("goes/missing", False, _leaves("What if there is no longer anything here {riddle}?")),
    Template("goes/barks", False, _barks("What if the one who barks runs off?")),
    Template("goes/left_of", True, _beside("What if the thing left of the {noun} goes away?", 1)),
    Template(
        "goes/leftmost", True, _outer("Somebody takes away the thing on the far left. What will it look like?", 1)
    ),
    Template("goes/rightmost", True, _outer("What if the thing on the far right is taken away?", -1)),
    Template(
        "goes/lets_go",
        True,
        _lets_go("The {noun} lets go of what is in {his} hands, and it is taken away. What is left?"),
    ),
    Template("goes/bedtime", True, _bedtime("It is late, and the child has to go home. What will it look like?")),
    Template("goes/odd_one", True, _odd_one("What if the one that is unlike all the others goes away?")),
)

WIDER: Final = (
    in_other_words("goes/goes", False, _leaves),
    in_other_words("goes/dog_goes", False, _barks),
    in_other_words("goes/left_goes", True, lambda question: _beside(question, 1)),
    in_other_words("goes/right_goes", True, lambda question: _beside(question, -1)),
    in_other_words("goes/leftmost_goes", True, lambda question: _outer(question, 1)),
    in_other_words("goes/rightmost_goes", True, lambda question: _outer(question, -1)),
    in_other_words("goes/lets_go", True, _lets_go),
    in_other_words("goes/child_goes", True, _bedtime),
    in_other_words("goes/odd_goes", True, _odd_one),
)
