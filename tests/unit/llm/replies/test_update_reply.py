"""Updates: SLD's list against JSON, ids as models repeat them."""

import json
from typing import Any

import pytest

from llmgen.artifacts import Detection
from llmgen.errors import ModelError
from llmgen.llm.replies.mentions import resolve_mentions
from llmgen.llm.replies.update_reply import read_update_reply
from llmgen.llm.replies.wire import plan_of_update

CAT, DOG = (10.0, 10.0, 50.0, 50.0), (60.0, 60.0, 100.0, 100.0)
MOVED = [("move", "dog #1", (10, 60, 50, 100))]


def found(*things: tuple[str, tuple[float, float, float, float]]) -> list[Detection]:
    return [
        Detection(
            id=name, phrase=name.partition(" #")[0], noun=name.partition(" #")[0].split()[-1], box_xyxy=box, score=0.5
        )
        for name, box in things or (("cat #1", CAT), ("dog #1", DOG))
    ]


def edits(text: Any, detections: list[Detection] | None = None, remarks: list[str] | None = None) -> list[Any]:
    said: list[str] = [] if remarks is None else remarks
    seen = detections or found()
    reply = text if isinstance(text, str) else json.dumps(text)
    update = read_update_reply(reply, seen, width=100, height=100, remark=said.append)
    return [(e.op, e.target, pytest.approx(e.box_xyxy)) for e in plan_of_update(update, seen).edits]


# S: what is mended in one dialect is mended in all.
@pytest.mark.parametrize("name", ["dog #2", "Dog #1", "dog #7", "a dog #1", "dog", "dog 1", "DOG#1", "dogs #1"])
def test_the_only_dog_is_meant_in_every_dialect(name: str) -> None:
    boxes = [["cat #1", [0.1, 0.1, 0.4, 0.4]], [name, [0.1, 0.6, 0.4, 0.4]]]
    remarks: list[str] = []
    pairs = [tuple(pair) for pair in boxes]
    assert edits(f"Updated Objects: {pairs!r}", remarks=remarks) == MOVED
    assert any("for 'dog #1'" in line for line in remarks) and not any("units" in line for line in remarks)
    assert edits(f"Updated Objects: {json.dumps(boxes)}") == MOVED
    assert edits({"move": [{"id": name, "box": [10, 60, 40, 40]}]}) == MOVED
    assert edits({"updated_objects": [{"name": n, "box": b} for n, b in boxes]}) == MOVED


def test_of_several_left_the_nearest_is_meant_and_more_are_added() -> None:
    two = found(("dog #1", (0, 0, 20, 20)), ("dog #2", (70, 70, 90, 90)))
    assert edits("Updated Objects: [('dog #3', [0.6, 0.6, 0.2, 0.2])]", two) == [
        ("delete", "dog #1", (0, 0, 20, 20)),
        ("move", "dog #2", (60, 60, 80, 80)),
    ]
    text = "Updated Objects: [('cat #1', [0.1, 0.1, 0.4, 0.4]), ('dog #1', [0.6, 0.6, 0.4, 0.4]), ('dog #2', [0, 0.6, 0.3, 0.3])]"
    assert [(op, name) for op, name, _ in edits(text)] == [("add", "dog #2")]


def test_exact_mentions_come_first() -> None:
    assert resolve_mentions(["dog #2", "dog #1"], ["dog #1"]) == {"dog #1": "dog #1"}
    assert resolve_mentions(["dog"], ["dog #1", "dog #2"]) == {}
    assert resolve_mentions(["Red  Ball #2", "ball"], ["red ball #2", "ball #1"]) == {
        "Red  Ball #2": "red ball #2",
        "ball": "ball #1",
    }
    assert edits({"keep": ["dog #1"], "delete": ["dog #2"]}) == []


@pytest.mark.parametrize(
    "text",
    [
        "Updated Objects: [('cat #1', [0.1,0.1,0.4,0.4]), ('dog #1', [0.1,0.6,0.4,0.4])]\nUpdated Objects: []",
        "Current Objects: [('cat #1', [0,0,1,1])]\nReasoning: in [0, 1].\nUpdated Objects: [('cat #1', [0.1,0.1,0.4,0.4]), "
        "('dog #1', [0.1,0.6,0.4,0.4])]\n\nCurrent Objects: [('tram #1', [0,0,1,1])]\nUpdated Objects: [('tram #1', [0,0,1,1])]",
        "**Updated Objects**: [('cat #1', [10,10,40,40]), ('dog #1', [10,60,40,40])]",
        "updated objects：\n```python\n[('cat #1', [100,100,400,400]), ('dog #1', [100,600,400,400])]\n```",
        "[('cat #1', [0.1,0.1,0.4,0.4]), ('dog #1', [0.1,0.6,0.4,0.4])]",
        '[{"name": "cat #1", "box": [10,10,40,40]}, {"name": "dog #1", "box": [10,60,40,40]}]',
        json.dumps({"keep": None, "move": [{"id": "dog #1", "box": [10, 60, 40, 40]}]}) + ' not {"keep": [], "delete": ["cat #1"]}',
        json.dumps({"update": {"move": [{"id": "dog #1", "box": {"x1": 10, "y1": 60, "x2": 50, "y2": 100}}], "surprise": 1}}),
    ],
)  # fmt: skip
def test_the_first_list_after_the_marker_counts(text: str) -> None:
    assert edits(text) == MOVED


def test_a_suggested_box_that_is_empty_moves_nothing() -> None:
    remarks: list[str] = []
    assert edits("Updated Objects: [('cat #1', [0.1,0.1,0.4,0.4]), ('dog #1', [2.5,0.6,0,0.4])]", remarks=remarks) == []
    assert any("kept 'dog #1'" in line for line in remarks)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Updated Objects: [('dog #1', [0.1, 0.1, 0.4])]", "3 numbers instead of four"),
        ("Updated Objects: none", "no list of updated objects"),
        ("Current Objects: [('cat #1', [0, 0, 1, 1])]", "no JSON object"),
        ({"move": [{"id": "dog #1"}]}, "move.0.box"),
        ({"move": 3}, "move"),
        ({"delete": [["dog"]]}, "delete.0"),
        ({"add": [{"noun": "cow", "box": [1e30, 0, 1, 1]}]}, "beyond all bounds"),
        ({"delete": ["dog #1"] * 1001}, "1001 objects, at most 1000"),
        ({"change": [{"id": "dog #1", "attributes": ["x" * 301]}]}, "301 characters in an attribute"),
    ],
)
def test_what_is_refused_says_why(text: Any, why: str) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        edits(text)
    assert "\n" not in str(caught.value)
