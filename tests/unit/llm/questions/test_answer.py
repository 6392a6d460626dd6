"""The question for an answer: its form, replies of all kinds, the answer by rules."""

import json

import pytest

from llmgen.errors import InputError, ModelError
from llmgen.llm.planning.seen import SeenPicture, SeenThing
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.answer import MOST_LETTERS, AnswerQuestion

QUESTION = AnswerQuestion("What if the thing on the far right is taken away?", 3)
WHOLE = {"reasoning": "it goes", "answer": "the ball is gone now", "edit_instruction": "remove the ball"}


def test_the_form_is_strict_and_bounded() -> None:
    schema = QUESTION.schema()
    assert schema["required"] == ["reasoning", "answer", "edit_instruction"]
    assert schema["additionalProperties"] is False
    assert all("maxLength" in part for part in schema["properties"].values())


def test_a_reply_among_words() -> None:
    read = QUESTION.read(f"Sure! ```json\n{json.dumps(WHOLE)}\n```")
    assert read.model_dump() == WHOLE


@pytest.mark.parametrize("kept", ["answer", "edit_instruction"])
def test_one_sentence_stands_in_for_the_other(kept: str) -> None:
    remarks: list[str] = []
    read = QUESTION.read(json.dumps({kept: "the ball is gone"}), remarks.append)
    assert read.answer == read.edit_instruction == "the ball is gone"
    assert len(remarks) == 1


@pytest.mark.parametrize(
    "text", ["I cannot help with that.", "{}", '{"answer": ""}', '{"answer": 3}', "[]", '{"answer": "x']
)
def test_what_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        QUESTION.read(text)


def test_an_endless_answer_is_cut_with_a_remark() -> None:
    remarks: list[str] = []
    read = QUESTION.read(json.dumps(WHOLE | {"edit_instruction": "very " * 500}), remarks.append)
    assert len(read.edit_instruction) == MOST_LETTERS
    assert "left out" in remarks[0]


def test_by_rules_from_what_was_seen() -> None:
    things = (SeenThing("cup", (0.0, 0.0, 20.0, 20.0), "blue"), SeenThing("ball", (40.0, 0.0, 60.0, 20.0), "red"))
    question = AnswerQuestion(QUESTION.subject, 3, seen=SeenPicture(64, 64, things, "night"))
    answer = Rules().ask(question)
    assert answer.value.edit_instruction == "remove the red ball"
    assert QUESTION.read(answer.reply.text) == answer.value
    assert '"noun": "ball"' in question.text
    with pytest.raises(InputError, match="look=true"):
        Rules().ask(QUESTION)
