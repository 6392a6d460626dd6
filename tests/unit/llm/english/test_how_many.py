"""Instructions that say how many of several: right, or refused; never all of them."""

import pytest

from llmgen.artifacts import Detection
from llmgen.errors import InputError
from llmgen.llm.questions.edit import EditQuestion

LAMPS = tuple(
    Detection(id=f"lamp-{k + 1}", phrase="lamp", noun="lamp", attributes=(), box_xyxy=(20 + 160 * k, 200, 120 + 160 * k, 350), score=1.0)
    for k in range(3)
)  # fmt: skip


def gone(instruction: str) -> tuple[list[str], list[str]]:
    said: list[str] = []
    plan, _ = EditQuestion(instruction, LAMPS, 512, 512, 1).by_rules(said.append)
    return [edit.target for edit in plan.edits if edit.op == "delete"], said


@pytest.mark.parametrize(
    "instruction",
    ["remove half of the lamps", "remove half the lamps", "remove 50% of the lamps", "make half of the lamps blue",
     "paint one third of the lamps red", "delete a few lamps", "remove several lamps", "remove some lamps", "remove more lamps",
     "remove most of the lamps", "add half a lamp"],
)  # fmt: skip
def test_shares_of_what_is_there_are_refused(instruction):
    with pytest.raises(InputError, match="cannot read all of"):
        gone(instruction)


def test_which_two_of_three_is_said():
    assert gone("remove two lamps") == (
        ["lamp-1", "lamp-2"],
        ["which 2 of 3 'lamp' are meant is not said; 'lamp-1', 'lamp-2' are taken"],
    )
    assert gone("remove all three lamps") == (["lamp-1", "lamp-2", "lamp-3"], [])


def test_what_is_not_to_be_touched_is_kept():
    assert gone("don't touch the first lamp but remove the last lamp") == (["lamp-3"], [])
    assert gone("do not move the first lamp, delete the second lamp") == (["lamp-2"], [])


def test_one_of_several_goes_to_another_side():
    plan, _ = EditQuestion("move the lamp on the right to the left", LAMPS, 512, 512, 1).by_rules()
    assert [edit.target for edit in plan.edits] == ["lamp-3"]
