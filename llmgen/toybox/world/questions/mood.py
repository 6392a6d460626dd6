"""A mood changes, and with it the face and, of who only stands, the arms."""

import random
from functools import partial
from typing import Final

from llmgen.toybox.world.questions.asking import (
    CLEAR_PX,
    Change,
    Maker,
    Template,
    about,
    in_other_words,
    pick,
    unique,
)
from llmgen.toybox.world.scenes import Scene, change
from llmgen.toybox.world.vocabulary import CHARACTERS


def _feels(scene: Scene, index: int, mood: str, question: str) -> Change:
    noun = scene.objects[index].noun
    asked = about(noun, question)
    return Change(asked, f"the {noun} is {mood} now", scene, change(scene, index, mood=mood))


def _becomes(mood: str, question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = pick(rng, [i for i in unique(scene, CHARACTERS, alone=False) if scene.objects[i].mood != mood])
        return None if index is None else _feels(scene, index, mood, question)

    return make


def _opposite(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        turns = {"happy": "sad", "sad": "happy"}
        index = pick(rng, [i for i in unique(scene, CHARACTERS, alone=False) if scene.objects[i].mood in turns])
        if index is None:
            return None
        return _feels(scene, index, turns[scene.objects[index].mood], question)

    return make


def _present(question: str, side: int) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        # Two characters, and only the picture says who stands where.
        people = [i for i, item in enumerate(scene.objects) if item.noun in CHARACTERS]
        people.sort(key=lambda i: scene.objects[i].center[0])
        if len(people) != 2 or len(unique(scene, CHARACTERS, alone=False)) != 2:
            return None
        first, second = (scene.objects[i] for i in people)
        chosen = people[0 if side > 0 else 1]
        if second.center[0] - first.center[0] < CLEAR_PX or scene.objects[chosen].mood == "happy":
            return None
        return _feels(scene, chosen, "happy", question)

    return make


def _alone(question: str, before: str, after: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        shown = [i for i, item in enumerate(scene.objects) if item.mood == before]
        if len(shown) != 1 or shown[0] not in unique(scene, CHARACTERS, alone=False):
            return None
        return _feels(scene, shown[0], after, question)

    return make


TEMPLATES: Final = (
    Template(
        "mood/present",
        False,
        _becomes("happy", "Somebody gives the {noun} the present {he} always wanted. How will {he} feel?"),
    ),
    Template(
        "mood/birthday",
        False,
        _becomes("happy", "It is the {noun}'s birthday, and everybody sings for {him}. How will {he} feel?"),
    ),
    Template(
        "mood/ice_cream", False, _becomes("sad", "The {noun}'s ice cream falls into the dirt. How will {he} feel?")
    ),
    Template(
        "mood/friend", False, _becomes("sad", "The best friend of the {noun} moves far away. How will {he} feel?")
    ),
    Template(
        "mood/bang", False, _becomes("surprised", "There is a loud bang right behind the {noun}. How will {he} look?")
    ),
    Template(
        "mood/rabbit",
        False,
        _becomes("surprised", "A rabbit jumps out of a hat in front of the {noun}. How will {he} look?"),
    ),
    Template("mood/opposite", True, _opposite("What if the {noun} suddenly feels the very opposite?")),
    Template(
        "mood/present_left",
        True,
        _present("What if a wonderful present comes for the one further to the left?", 1),
    ),
    Template("mood/cheers_up", True, _alone("What if a good friend cheers up the one who is crying?", "sad", "happy")),
)

WIDER: Final = (
    in_other_words("mood/happy", False, partial(_becomes, "happy")),
    in_other_words("mood/sad", False, partial(_becomes, "sad")),
    in_other_words("mood/surprised", False, partial(_becomes, "surprised")),
    in_other_words("mood/flips", True, _opposite),
    in_other_words("mood/left_happy", True, lambda question: _present(question, 1)),
    in_other_words("mood/right_happy", True, lambda question: _present(question, -1)),
    in_other_words("mood/crying_happy", True, lambda question: _alone(question, "sad", "happy")),
    in_other_words("mood/smiling_sad", True, lambda question: _alone(question, "happy", "sad")),
)
