"""Who is somewhere not, and ways that no box shows."""

import pytest

from llmgen.llm.english.grammar import read_prompt


def test_what_is_not_there_is_absent():
    meaning = read_prompt("neither a lamp nor a vase stands on the desk")
    assert [wanted.noun for wanted in meaning.objects] == ["desk"]
    assert (meaning.absent, meaning.relations, meaning.remarks) == (("lamp", "vase"), (), ())


@pytest.mark.parametrize(
    "prompt", ["neither the cat nor the dog is on the sofa", "neither the boy nor the girl sits on a bench"]
)
def test_where_somebody_is_not_is_said_to_be_beyond(prompt):
    meaning = read_prompt(prompt)
    assert len(meaning.objects) == 3
    assert meaning.relations == ()
    assert "negation" in meaning.remarks[0]


@pytest.mark.parametrize("prompt", ["a bridge across a gorge", "a ladder up a tree", "a horse after a cart"])
def test_ways_are_named_as_not_read(prompt):
    assert "this place is not read" in read_prompt(prompt).remarks[0]


def test_what_somebody_does_along_a_way_is_an_action():
    assert read_prompt("a man walking across a bridge").remarks == ()
