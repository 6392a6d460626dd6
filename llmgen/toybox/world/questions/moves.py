"""Something moves, or changes its colour."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from llmgen.toybox.world.questions.asking import (
    CLEAR_PX,
    HINTS,
    Change,
    Maker,
    Template,
    about,
    free,
    in_other_words,
    outermost,
    pick,
    unique,
)
from llmgen.toybox.world.scenes import BORDER, GAP, SIZE, Scene, change
from llmgen.toybox.world.vocabulary import CHARACTERS, COLORS, THINGS

_MIDDLE: Final = SIZE // 2


def _put(scene: Scene, index: int, x: int, y: int) -> Scene:
    # Puts the upper left corner of an object there.
    x0, y0, x1, y1 = scene.objects[index].box_xyxy
    item = replace(scene.objects[index], box_xyxy=(x, y, x + x1 - x0, y + y1 - y0))
    return replace(scene, objects=(*scene.objects[:index], item, *scene.objects[index + 1 :]))


def _is_apart(scene: Scene, index: int) -> bool:
    x0, y0, x1, y1 = scene.objects[index].box_xyxy
    others = [item.box_xyxy for i, item in enumerate(scene.objects) if i != index]
    return (
        min(x0, y0) >= BORDER
        and max(x1, y1) <= SIZE - BORDER
        and all(max(u0 - x1, x0 - u1, v0 - y1, y0 - v1) >= GAP for u0, v0, u1, v1 in others)
    )


def _vertical(question: str, down: bool) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = pick(rng, unique(scene, THINGS))
        if index is None:
            return None
        item = scene.objects[index]
        x0, y0, _, y1 = item.box_xyxy
        if (y1 > _MIDDLE + CLEAR_PX) if down else (y0 < _MIDDLE - CLEAR_PX):
            return None  # It is there already, or nearly.
        after = _put(scene, index, x0, SIZE - BORDER - (y1 - y0) if down else BORDER)
        if not _is_apart(after, index):
            return None
        where = "bottom" if down else "top"
        return Change(about(item.noun, question), f"the {item.noun} is at the {where} now", scene, after)

    return make


def _wind(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = pick(rng, unique(scene, THINGS))
        if index is None:
            return None
        item = scene.objects[index]
        x0, y0, x1, _ = item.box_xyxy
        if abs(item.center[0] - _MIDDLE) < CLEAR_PX:
            return None
        after = _put(scene, index, SIZE - x1, y0)
        if not _is_apart(after, index):
            return None
        side = "right" if item.center[0] < _MIDDLE else "left"
        return Change(about(item.noun, question), f"the {item.noun} is on the {side} now", scene, after)

    return make


def _swap(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        things = unique(scene, THINGS)
        if len(things) < 2:
            return None
        first, second = rng.sample(things, 2)
        one, other = scene.objects[first], scene.objects[second]
        if abs(one.center[0] - other.center[0]) < max(2 * CLEAR_PX, abs(one.center[1] - other.center[1])):
            return None
        after = scene
        for index, item, model in ((first, one, other), (second, other, one)):
            x0, y0, x1, y1 = item.box_xyxy
            after = _put(after, index, round(model.center[0] - (x1 - x0) / 2), round(model.center[1] - (y1 - y0) / 2))
        if not (_is_apart(after, first) and _is_apart(after, second)):
            return None
        left, right = (other, one) if one.center[0] < other.center[0] else (one, other)
        asked = about(one.noun, question, other=other.noun)
        answer = f"the {left.noun} is on the left and the {right.noun} on the right now"
        return Change(asked, answer, scene, after)

    return make


def _painted(scene: Scene, index: int, color: str, question: str) -> Change:
    # A character wears its colour.
    noun = scene.objects[index].noun
    be = "is in" if noun in CHARACTERS else "is"
    return Change(question, f"the {noun} {be} {color} now", scene, change(scene, index, color=color))


def _other_color(rng: random.Random, color: str) -> str:
    return rng.choice([name for name in COLORS if name != color])


def _paint(question: str, nouns: Sequence[str]) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = pick(rng, unique(scene, nouns, alone=False))
        if index is None:
            return None
        item = scene.objects[index]
        color = _other_color(rng, item.color)
        return _painted(scene, index, color, about(item.noun, question, hint=HINTS[color]))

    return make


def _paint_outer(question: str, side: int) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        index = outermost(scene, side)
        if index is None or index not in unique(scene, THINGS):
            return None
        color = _other_color(rng, scene.objects[index].color)
        return _painted(scene, index, color, question.format(hint=HINTS[color]))

    return make


def _chameleon(question: str) -> Maker:
    def make(rng: random.Random, scene: Scene) -> Change | None:
        things = unique(scene, THINGS, alone=False)
        if len(things) < 2:
            return None
        index, model = rng.sample(things, 2)
        item, like = scene.objects[index], scene.objects[model]
        if item.color == like.color or index not in free(scene):
            return None
        return _painted(scene, index, like.color, about(item.noun, question, like=like.noun))

    return make


TEMPLATES: Final = (
    Template("moves/sinks", False, _vertical("What if the {noun} falls down to the ground?", down=True)),
    Template("moves/balloon", False, _vertical("What if the {noun} becomes as light as a balloon?", down=False)),
    Template("moves/paint", False, _paint("What if somebody paints the {noun} in the colour of {hint}?", THINGS)),
    Template(
        "moves/clothes",
        False,
        _paint("The {noun} puts on clothes in the colour of {hint}. What will it look like?", CHARACTERS),
    ),
    Template(
        "moves/wind", True, _wind("A strong wind blows the {noun} over to the other side. What will it look like?")
    ),
    Template("moves/swap", True, _swap("What if the {noun} and the {other} change places?")),
    Template(
        "moves/paint_right",
        True,
        _paint_outer("What if somebody paints the thing on the far right in the colour of {hint}?", -1),
    ),
    Template("moves/chameleon", True, _chameleon("What if the {noun} takes on the colour of the {like}?")),
)

WIDER: Final = (
    in_other_words("moves/falls", False, lambda question: _vertical(question, down=True)),
    in_other_words("moves/rises", False, lambda question: _vertical(question, down=False)),
    in_other_words("moves/painted", False, lambda question: _paint(question, THINGS)),
    in_other_words("moves/clothes", False, lambda question: _paint(question, CHARACTERS)),
    in_other_words("moves/side", True, _wind),
    in_other_words("moves/swap", True, _swap),
    in_other_words("moves/paint_right", True, lambda question: _paint_outer(question, -1)),
    in_other_words("moves/paint_left", True, lambda question: _paint_outer(question, 1)),
    in_other_words("moves/like_other", True, _chameleon),
)
