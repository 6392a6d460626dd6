"""The rules answer every question of the toybox world that is not held out, given what is in the picture."""

import random

import pytest

from llmgen.errors import InputError
from llmgen.llm.planning.answering import Effect, answer_question
from llmgen.llm.planning.seen import SeenPicture, SeenThing
from llmgen.toybox.world.held_out import held_out
from llmgen.toybox.world.pairs import Pair
from llmgen.toybox.world.questions import TEMPLATES, Template
from llmgen.toybox.world.scenes import SIZE, PlacementError, Scene, sample_scene

TRIES = 3000
HELD_OUT = [template for template in TEMPLATES if template.name in held_out().templates]
USUAL = [template for template in TEMPLATES if template not in HELD_OUT]


def _seen(scene: Scene) -> SeenPicture:
    things = tuple(
        SeenThing(item.noun, tuple(map(float, item.box_xyxy)), item.color, item.mood) for item in scene.objects
    )
    return SeenPicture(SIZE, SIZE, things, scene.background)


def _asked(template: Template, count: int) -> list[Pair]:
    rng, found = random.Random(f"answering:{template.name}"), []
    for _ in range(TRIES):
        try:
            change = template.make(rng, sample_scene(rng))
        except PlacementError:
            continue
        if change is None:
            continue
        found.append(
            Pair(
                template.category,  # type: ignore[arg-type]
                template.name,
                change.question,
                change.answer,
                change.before,
                change.after,
                template.needs_picture,
            )
        )
        if len(found) == count:
            break
    return found


def _bare(text: str) -> list[str]:
    """The words that say what changes: patterns and states are more than the rules are told."""
    left_out = {"striped", "dotted", "checked", "with", "lit", "windows", "an", "a", "open", "door", "and"}
    return [word for word in text.replace("dress", "").split() if word not in left_out]


def _is_right(effect: Effect, pair: Pair) -> bool:
    said, right = set(_bare(effect.answer)), set(_bare(pair.answer))
    # A colour more or less names the same thing; all else must be said.
    colors = {item.color for item in pair.before.objects}
    return said - colors - {"in"} == right - colors - {"in"} or said == right


@pytest.mark.parametrize("template", USUAL, ids=lambda template: template.name)
def test_every_template(template: Template) -> None:
    pairs = _asked(template, 4)
    assert pairs
    for pair in pairs:
        effect = answer_question(pair.question, _seen(pair.before))
        assert _is_right(effect, pair), (pair.question, effect, pair.answer)
        assert effect.instruction and effect.reasoning


@pytest.mark.parametrize("template", HELD_OUT, ids=lambda template: template.name)
def test_a_held_out_question_is_refused_or_answered_right(template: Template) -> None:
    pairs = _asked(template, 4)
    assert pairs
    for pair in pairs:
        try:
            effect = answer_question(pair.question, _seen(pair.before))
        except InputError as error:
            assert "the rules know no answer" in str(error)
        else:
            assert _is_right(effect, pair), (pair.question, effect, pair.answer)


@pytest.mark.parametrize(
    "template", [template for template in USUAL if template.needs_picture], ids=lambda template: template.name
)
def test_questions_that_need_the_picture_are_not_answered_blind(template: Template) -> None:
    (pair, *_) = _asked(template, 1)
    with pytest.raises(InputError, match="who sees the picture"):
        answer_question(pair.question, None)


def test_what_is_beyond_the_rules_is_refused() -> None:
    with pytest.raises(InputError, match="know no answer"):
        answer_question("How many angels dance here?", None)
    with pytest.raises(InputError, match="finds no boy"):
        answer_question("What if the thing left of the boy goes away?", SeenPicture(64, 64, ()))


@pytest.mark.parametrize(
    ("question", "instruction"),
    [
        ("What if it starts to drizzle?", "turn it into a rainy day"),
        ("What if somebody plants something with leaves?", "add a tree"),
        ("What if the thing right of the boy disappears?", "remove the red ball"),
        ("What if the dog runs to the far left?", "move the dog: it is on the left now"),
        ("The boy wins first prize. How does he look?", "make the boy happy"),
        ("What if the boy kicks the ball over to the other side?", "move the ball: it is on the left now"),
    ],
)
def test_other_words_for_the_same_causes(question: str, instruction: str) -> None:
    boy, ball = SeenThing("boy", (10, 40, 50, 110), "blue"), SeenThing("ball", (80, 70, 120, 110), "red")
    assert answer_question(question, SeenPicture(SIZE, SIZE, (boy, ball), "meadow")).instruction == instruction


def test_a_place_that_is_not_read_takes_nothing_away() -> None:
    boy, ball = SeenThing("boy", (10, 40, 50, 110), "blue"), SeenThing("ball", (80, 70, 120, 110), "red")
    with pytest.raises(InputError, match="no other place"):
        answer_question("What if the thing behind the boy vanishes?", SeenPicture(SIZE, SIZE, (boy, ball), "meadow"))
