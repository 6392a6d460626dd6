"""Something appears that was not there."""

import random
from typing import Final

from llmgen.toybox.world.questions.asking import (
    HINTS,
    RIDDLES,
    Change,
    Maker,
    Template,
    about,
    absent_things,
    free,
    in_other_words,
    outermost,
    pick,
    unique,
)
from llmgen.toybox.world.scenes import MAX_OBJECTS, Scene, Wanted, place_beside, without
from llmgen.toybox.world.vocabulary import CHARACTERS, COLORS, THINGS, object_phrase


def _comes(question: str) -> Maker:
    # A thing by its riddle, a colour by its hint.
    def make(rng: random.Random, scene: Scene) -> Change | None:
        if len(scene.objects) >= MAX_OBJECTS:
            return None
        noun, color = rng.choice(absent_things(scene)), rng.choice(tuple(COLORS))
        after = place_beside(scene, Wanted(noun, color), rng)
        asked = question.format(riddle=RIDDLES[noun], hint=HINTS[color])
        return Change(asked, f"there is {object_phrase(noun, color)} now", scene, after)

    return make


def _hands(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        # Told backwards: the empty hands are those of a scene in which they are full.
        who = pick(rng, [i for i in unique(scene, CHARACTERS, alone=False) if scene.objects[i].verb == "holding"])
        if who is None or (target := scene.objects[who].target) is None:
            return None
        noun, thing = scene.objects[who].noun, scene.objects[target]
        if thing.noun not in THINGS or thing.pattern != "plain" or thing.states:
            return None
        riddle, hint = RIDDLES[thing.noun], HINTS[thing.color]
        asked = about(noun, question, riddle=riddle, hint=hint)
        answer = f"the {noun} is holding {object_phrase(thing.noun, thing.color)} now"
        return Change(asked, answer, without(scene, target), scene)

    return make


def _same_color(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        like = pick(rng, unique(scene, THINGS, alone=False))
        if like is None or len(scene.objects) >= MAX_OBJECTS:
            return None
        noun, model = rng.choice(absent_things(scene)), scene.objects[like]
        after = place_beside(scene, Wanted(noun, model.color), rng)
        asked = about(model.noun, question, riddle=RIDDLES[noun])
        return Change(asked, f"there is {object_phrase(noun, model.color)} now", scene, after)

    return make


def _one_more(rng: random.Random, scene: Scene, index: int, count: int, question: str) -> Change:
    item = scene.objects[index]
    after = place_beside(scene, Wanted(item.noun, item.color, item.pattern, item.states), rng)
    phrase = object_phrase(item.noun, item.color, count, pattern=item.pattern, states=item.states)
    return Change(question, f"there are {phrase} now", scene, after)


def _twin(question: str, side: int) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = outermost(scene, side)
        if index is None or index not in unique(scene, THINGS) or len(scene.objects) >= MAX_OBJECTS:
            return None
        return _one_more(rng, scene, index, 2, question)

    return make


def _each_one(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        looks = [(o.noun, o.color, o.pattern, o.states) for o in scene.objects]
        nouns = [o.noun for o in scene.objects]
        equal = [i for i in free(scene) if nouns[i] in THINGS and looks.count(looks[i]) == nouns.count(nouns[i]) == 2]
        if len(nouns) != 3 or len(equal) != 2:
            return None
        return _one_more(rng, scene, equal[0], 3, question)

    return make


TEMPLATES: Final = (
    Template("appears/riddle", False, _comes("What if somebody brings something {riddle}, in the colour of {hint}?")),
    Template(
        "appears/wish",
        False,
        _comes("Somebody wishes for something {riddle}, in the colour of {hint}, and gets it. What will it look like?"),
    ),
    Template(
        "appears/shop",
        False,
        _comes("Somebody comes back from shopping with something {riddle}, in the colour of {hint}. What is new?"),
    ),
    Template(
        "appears/hands",
        False,
        _hands("What if somebody puts something {riddle}, in the colour of {hint}, into the hands of the {noun}?"),
    ),
    Template(
        "appears/same_color",
        True,
        _same_color("What if somebody brings something {riddle}, in the very colour of the {noun}?"),
    ),
    Template("appears/twin", True, _twin("What if the thing on the far left gets a twin?", 1)),
    Template("appears/each_one", True, _each_one("What if one more joins the pair that looks the same?")),
)

WIDER: Final = (
    in_other_words("appears/appears", False, _comes),
    in_other_words("appears/hands", False, _hands),
    in_other_words("appears/same_colour", True, _same_color),
    in_other_words("appears/twin_left", True, lambda question: _twin(question, 1)),
    in_other_words("appears/twin_right", True, lambda question: _twin(question, -1)),
    in_other_words("appears/third", True, _each_one),
)
