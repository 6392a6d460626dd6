"""Replies of models as users have them, through `--planner replay:FILE`."""

import json

import pytest

from llmgen.artifacts import Detection
from llmgen.cli import main
from llmgen.llm.providers.replay import Replay
from llmgen.llm.questions.differences import DifferencesQuestion

CAT = {"noun": "cat", "attributes": [], "box": [15, 50, 38, 45]}
DOG = {"noun": "dog", "attributes": [], "box": [75, 47, 40, 50]}
BARE = json.dumps([CAT, DOG])
WRAPPED = json.dumps(
    {
        "layout": {
            "objects": [{"noun": "cat", "box": [15, 50, 38, 45]}, {**DOG, "attributes": None}],
            "background": "a park",
            "negative": None,
        }
    }
)
RAW_NEWLINE = json.dumps(
    {"reasoning": "first line\nsecond line", "objects": [CAT, DOG], "background": "a park", "negative": []}
).replace("\\n", "\n")
CURLY = (
    "[(‘a cat’, [60, 200, 152, 180]), (“a dog”, [300, 188, 160, 200])]\nBackground Prompt： a park\nNegative Prompt: "
)
TOY = "[('a cat', [60, 200, 152, 180]), ('a child's toy', [300, 188, 160, 200])]\nBackground prompt: a park\nNegative prompt: "


@pytest.fixture
def layout_of(workplace, capsys):
    """The layout that the command line makes of a reply."""

    def run(prompt, text):
        (workplace / "replies.json").write_text(json.dumps([{"call": "layout", "prompt": prompt, "text": text}]))
        (workplace / "in.json").write_text(json.dumps([prompt]))
        code = main(["layout", "in.json", "--planner", "replay:replies.json"])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return json.loads(captured.out)["layout"]

    return run


@pytest.mark.parametrize(
    "text",
    [BARE, WRAPPED, RAW_NEWLINE, CURLY, TOY],
    ids=["bare array", "wrapper and null", "raw newline", "curly quotes and wide colon", "apostrophe"],
)
def test_readable_replies_are_read(layout_of, text):
    instances = layout_of("a cat and a dog", text)["instances"]
    assert [instance["noun"] for instance in instances] == ["cat", "toy" if text is TOY else "dog"]
    assert [instance["box_xyxy"] for instance in instances] == [[15, 50, 53, 95], [75, 47, 115, 97]]


def test_a_text_in_fractions_is_placed(layout_of):
    text = "Objects: [('a lamp', [0.1, 0.3, 0.2, 0.4])]\nBackground prompt: a shelf\nNegative prompt: "
    layout = layout_of("a lamp on a shelf", text)
    side = layout["width"]
    assert [i["box_xyxy"] for i in layout["instances"]] == [
        pytest.approx([0.1 * side, 0.3 * side, 0.3 * side, 0.7 * side])
    ]


@pytest.mark.parametrize("name", ["dog #2", "Dog #1", "a dog"])
def test_the_only_dog_is_moved_whatever_its_number(workplace, name):
    text = f'Updated Objects: [("cat #1", [0.1, 0.1, 0.4, 0.4]), ("{name}", [0.1, 0.6, 0.4, 0.4])]'
    (workplace / "replies.json").write_text(
        json.dumps([{"call": "differences", "prompt": "a cat and a dog", "text": text}])
    )
    found = tuple(
        Detection(id=f"{noun} #1", phrase=noun, noun=noun, box_xyxy=box, score=1.0)
        for noun, box in (("cat", (10, 10, 50, 50)), ("dog", (60, 60, 100, 100)))
    )
    question = DifferencesQuestion("a cat and a dog", found, 100, 100, None, 0)
    plan = Replay("replies.json").ask(question).value
    assert [(edit.op, edit.target, edit.box_xyxy) for edit in plan.edits] == [("move", "dog #1", (10, 60, 50, 100))]
    assert [instance.id for instance in plan.target] == ["cat #1", "dog #1"]
