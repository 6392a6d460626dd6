"""A mood changes, and with it the face and, of who only stands, the arms."""

import random
from typing import Final

from llmgen.toybox.world.questions.asking import CLEAR_PX, PRONOUNS, Change, Maker, Template, pick, unique
from llmgen.toybox.world.scenes import Scene, change
from llmgen.toybox.world.vocabulary import CHARACTERS


def _feels(scene: Scene, index: int, mood: str, question: str) -> Change:
    noun = scene.objects[index].noun
    he, his, him = PRONOUNS[noun]
    asked = question.format(noun=noun, he=he, his=his, him=him)
    return Change(asked, f"the {noun} is {mood} now", scene, change(scene, index, mood=mood))


def _becomes(mood: str, question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = pick(rng, [i for i in unique(scene, CHARACTERS, alone=False) if scene.objects[i].mood != mood])
        return None if index is None else _feels(scene, index, mood, question)

    return make


def _opposite(rng: random.Random, scene: Scene) -> Change | None:
    turns = {"happy": "sad", "sad": "happy"}
    index = pick(rng, [i for i in unique(scene, CHARACTERS, alone=False) if scene.objects[i].mood in turns])
    if index is None:
        return None
    return _feels(
        scene, index, turns[scene.objects[index].mood], "What if the {noun} suddenly feels the very opposite?"
    )


def _present_left(rng: random.Random, scene: Scene) -> Change | None:
    # Two characters, and only the picture says who stands where.
    people = [i for i, item in enumerate(scene.objects) if item.noun in CHARACTERS]
    people.sort(key=lambda i: scene.objects[i].center[0])
    if len(people) != 2 or len(unique(scene, CHARACTERS, alone=False)) != 2:
        return None
    first, second = (scene.objects[i] for i in people)
    if second.center[0] - first.center[0] < CLEAR_PX or first.mood == "happy":
        return None
    return _feels(scene, people[0], "happy", "What if a wonderful present comes for the one further to the left?")


def _cheers_up(rng: random.Random, scene: Scene) -> Change | None:
    crying = [i for i, item in enumerate(scene.objects) if item.mood == "sad"]
    if len(crying) != 1 or crying[0] not in unique(scene, CHARACTERS, alone=False):
        return None
    return _feels(scene, crying[0], "happy", "What if a good friend cheers up the one who is crying?")


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
    Template("mood/opposite", True, _opposite),
    Template("mood/present_left", True, _present_left),
    Template("mood/cheers_up", True, _cheers_up),
)
