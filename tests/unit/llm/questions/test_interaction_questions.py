"""The three questions about interactions: what replies of models are read as, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from llmgen.errors import ModelError
from llmgen.llm.planning.interactions import Figure, Joint, verb_poses
from llmgen.llm.questions.interaction import InteractionQuestion
from llmgen.llm.questions.object_place import ObjectPlaceQuestion
from llmgen.llm.questions.pose_choice import PoseChoiceQuestion

PROMPT = "a boy in red is kicking a blue ball in the snow"
FIGURE = Figure((40.0, 20.0, 80.0, 110.0), {})


def choice(figures: tuple[Figure | None, ...] = (None, FIGURE, FIGURE)) -> PoseChoiceQuestion:
    return PoseChoiceQuestion(PROMPT, "a boy in red", "kicking", "kick", figures, 0)


def place(**changed: Any) -> ObjectPlaceQuestion:
    given: dict[str, Any] = {
        "figure": FIGURE, "object_box": (1.0, 1.0, 31.0, 31.0), "found_by": "detector", "width": 128, "height": 128,
    }  # fmt: skip
    return ObjectPlaceQuestion(PROMPT, "kicking", "kick", "", "ball", seed=0, **{**given, **changed})


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        ('{"choice": 2, "reason": "leg up"}', 1),
        ('```json\n{"choice": "3", "reason": "x"}\n```', 2),
        ('{"choice": "the second", "reason": "x"}', 1),
        ('{"choice": 1.0}', 0),
        ("The second picture fits best.", 1),
        ("<think>the first?</think> The third.", 2),
    ],
)
def test_choices(reply: str, index: int) -> None:
    assert choice().read(reply, lambda line: None).index == index


@pytest.mark.parametrize(
    "reply",
    [
        '{"choice": 7, "reason": "x"}',
        '{"choice": 0, "reason": "x"}',
        '{"choice": 1.5}',
        '{"choice": true}',
        '{"choice": null}',
        "The first is better than the second.",
        "The fifth.",
        "No idea.",
        "",
        '{"choice": 1e99}',
    ],
)
def test_choices_that_are_none(reply: str) -> None:
    with pytest.raises(ModelError, match="unusable reply"):
        choice().read(reply, lambda line: None)


def test_schemas_are_bounded() -> None:
    assert choice().schema()["properties"]["choice"] == {"type": "integer", "minimum": 1, "maximum": 3}
    schema = place().schema()
    assert "in_hand" in schema["properties"]["relation"]["enum"]
    assert schema["$defs"]["WireBox"]["properties"]["width"] == {"type": "integer", "minimum": 1, "maximum": 128}
    assert list(schema["properties"]) == ["relation", "object_box", "reason"] == schema["required"]


def box_reply(box: Any, relation: str = "in_front_of") -> str:
    return json.dumps({"relation": relation, "object_box": box, "reason": "x"})


@pytest.mark.parametrize(
    ("reply", "box"),
    [
        (box_reply({"x": 80, "y": 70, "width": 30, "height": 40}), (80.0, 70.0, 110.0, 110.0)),
        (box_reply([80, 70, 110, 110]), (80.0, 70.0, 110.0, 110.0)),
        (box_reply([[80, 70, 110, 110]]), (80.0, 70.0, 110.0, 110.0)),
        (box_reply({"x1": 80, "y1": 70, "x2": 110, "y2": 110}), (80.0, 70.0, 110.0, 110.0)),
        (box_reply({"x": 100, "y": 70, "width": 36, "height": 40}), (100.0, 70.0, 128.0, 110.0)),
        ("Updated Object Location: [320, 280, 440, 440].", (80.0, 70.0, 110.0, 110.0)),
    ],
)
def test_boxes(reply: str, box: tuple[float, ...]) -> None:
    assert place().read(reply, lambda line: None).box == box


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (box_reply([110, 70, 80, 110]), "inverted or empty"),
        (box_reply([400, 70, 480, 110]), "outside the 128x128 picture"),
        (box_reply([80, 70, 82, 72]), "at least 0.2%"),
        (box_reply([0, 0, 128, 128]), "at most 90%"),
        (box_reply([40, 20, 80, 110]), "the human's box"),
        (box_reply("here"), "has no x, y, width and height"),
        (box_reply({"x": True, "y": 1, "width": 2, "height": 3}), "has no x, y, width and height"),
        (box_reply([float("nan"), 1, 2, 3]), "no number|inverted"),
        ("**Updated Object Location:** [1, 2, 3, 4]", "no JSON object"),
        ("Somewhere on the right.", "no JSON object"),
    ],
)
def test_boxes_that_are_none(reply: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        place().read(reply, lambda line: None)


def test_an_unknown_relation_is_said() -> None:
    said: list[str] = []
    assert place().read(box_reply([80, 70, 110, 110], "at arm's length"), said.append).relation == "near"
    assert "is none of" in said[0]


def test_rules_answer_in_the_form_of_the_question() -> None:
    for question in (choice(), choice((None, None)), place(), place(figure=None), place(figure=None, object_box=None)):
        value, text = question.by_rules(lambda line: None)
        assert question.read(text, lambda line: None) == value
    assert choice((None, None, FIGURE)).by_rules(lambda line: None)[0].index == 2


def test_the_nearest_pose_of_those_that_show_most() -> None:
    fitting, standing = (
        Figure(FIGURE.box, {name: Joint(x, y) for name, (x, y) in verb_poses()[verb].items()})
        for verb in ("kick", "stand")
    )
    question = choice((fitting, standing, fitting))
    assert question.by_rules(lambda line: None)[0].index == 0
    for shares, index in (((0.3, 1.0, 1.0), 2), ((0.3, 1.0, 0.3), 1), ((1.0, 1.0, 1.0), 0)):
        value, text = replace(question, shares=shares).by_rules(lambda line: None)
        assert value.index == index and question.read(text, lambda line: None) == value


def test_words_must_stand_in_the_prompt() -> None:
    question = InteractionQuestion(PROMPT)
    reply = {"subject": "A boy in red", "verb": "is kicking", "object": "a blue  ball."}
    found = question.read(json.dumps(reply), lambda line: None)
    assert (found.subject.text, found.object_noun.text, found.verb_base) == ("a boy in red", "ball", "kick")
    assert found == question.by_rules(lambda line: None)[0]
    for wrong in ({"subject": "a girl"}, {"object": "a boy in red"}, {"verb": ""}):
        with pytest.raises(ModelError, match="unusable reply"):
            question.read(json.dumps({**reply, **wrong}), lambda line: None)
    with pytest.raises(ModelError, match="no JSON object"):
        question.read("a boy kicks", lambda line: None)
