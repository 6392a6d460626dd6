"""Layouts of every dialect: which answer counts, where a field ends, what is read and what is refused."""

import json
from typing import Any

import pytest

from llmgen.errors import ModelError
from llmgen.llm.replies.bounds import MOST_CHARS, MOST_OBJECTS
from llmgen.llm.replies.layout_reply import read_layout_reply
from llmgen.llm.replies.wire import layout_of_plan

FARM = "[('a goat', [60, 200, 150, 180]), ('a well', [300, 190, 160, 200])]\nBackground prompt: A farm yard\nNegative prompt: "
TRAM = "[('a tram', [100, 200, 300, 160])]\nBackground prompt: A rainy street\nNegative prompt: "
CAT_DOG = [{"noun": "cat", "attributes": [], "box": [15, 50, 38, 45]}, {"noun": "dog", "box": [75, 47, 40, 50]}]
PLAN = {"objects": CAT_DOG, "background": "a park", "negative": []}


def read(text: Any, side: int = 512) -> tuple[list[str], str, list[str]]:
    plan = read_layout_reply(text if isinstance(text, str) else json.dumps(text), width=side, height=side)
    return [" ".join((*o.attributes, o.noun)) for o in plan.objects], plan.background, plan.negative


def lines(text: Any, side: int = 128) -> list[str]:
    said: list[str] = []
    read_layout_reply(text if isinstance(text, str) else json.dumps(text), width=side, height=side, remark=said.append)
    return said


# A: the first complete answer counts, not the last.
@pytest.mark.parametrize(
    "text",
    [
        f"{FARM}\n\nCaption: A tram in the rain\nObjects: {TRAM}",
        f"{FARM}\n\n{TRAM}",
        f"Objects: {FARM}\nNow you:\nObjects: {TRAM}",
        f"Objects: {FARM}\n\nUser: another\n\nObjects: []\nBackground prompt: x",
        f"**Objects:** {FARM}\n\n### Example 2\nObjects: {TRAM}",
        f"<think>Objects: {TRAM}</think>{FARM}",
        f"Objects: {TRAM} or so</think>\n{FARM}",
        f"[THINK]{TRAM}[/THINK]{FARM}",
        f"<|channel|>analysis<|message|>{TRAM}<|end|><|start|>assistant<|channel|>final<|message|>{FARM}",
        f"Background prompt: A farm yard\nNegative prompt: none\nObjects: {FARM.partition(chr(10))[0]}",
    ],
)
def test_the_first_complete_answer_of_a_text_counts(text: str) -> None:
    assert read(text) == (["goat", "well"], "A farm yard", [])


@pytest.mark.parametrize(
    "text",
    [
        f"{json.dumps(PLAN)}\nFor example: " + '{"objects": [], "background": "x"}',
        f"{json.dumps(PLAN)}{json.dumps({**PLAN, 'background': 'a road'})}",
        f"```json\n{json.dumps(PLAN)}\n```\n```json\n{json.dumps({'objects': []})}\n```",
        '{"objects": [{"noun": "cow", "box": [1, 2, 3, ' + json.dumps(PLAN),
    ],
)
def test_the_first_complete_object_counts(text: str) -> None:
    assert read(text, 128) == (["cat", "dog"], "a park", [])


def test_no_objects_are_an_answer_and_a_broken_list_is_none() -> None:
    empty = "No objects needed\nBackground prompt: A hill\nNegative prompt: cows"
    assert read(f"{empty}\n\nCaption: b\nObjects: {TRAM}") == ([], "A hill", ["cow"])
    assert read(f"Objects: []\nBackground prompt: A hill\n\nObjects: {TRAM}") == ([], "A hill", [])
    broken = "Objects: [('a goat', [60, 200, 150, 180)]\nBackground prompt: A yard\nNegative prompt: \n\nCaption: b\nObjects: "
    with pytest.raises(ModelError, match="list before the background cannot be read"):
        read(broken + TRAM)
    with pytest.raises(ModelError, match="2 background prompts"):
        read("[('a cat', [1, 2, 3, 4])]\nBackground prompt: A\nBackground prompt: B")


# B: a field ends with its line.
@pytest.mark.parametrize(
    ("tail", "negative"),
    [
        ("\nCategory: relation(left of)", []),
        ("\nNote (for you): dogs", []),
        ("\n\nThese dogs and cats are placed well.", []),
        ("\n```", []),
        ("\n- Objects: cats", []),
        ("\ndogs", ["dog"]),
        ("dogs\nbirds are fine", ["dog"]),
        ("None.", []),
        ("**dogs, cats**\nExplanation: birds", ["dog", "cat"]),
        ('"dogs"', ["dog"]),
    ],
)
def test_a_field_ends_with_its_line(tail: str, negative: list[str]) -> None:
    assert read(FARM + tail) == (["goat", "well"], "A farm yard", negative)


def test_a_background_below_its_label() -> None:
    assert read(FARM.replace("prompt: A farm", "prompt:\nA farm"))[1] == "A farm yard"
    assert read(FARM.replace("prompt: A farm yard", "prompt:"))[1] == ""


# T: readable replies.
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CAT_DOG),
        json.dumps({"layout": {**PLAN, "negative": None}}),
        json.dumps({"result": {"layout": CAT_DOG}}),
        json.dumps({"answer": json.dumps(PLAN)}),
        json.dumps(json.dumps(PLAN)),
        json.dumps([PLAN]),
        json.dumps({"objects": [{**CAT_DOG[0], "attributes": None}, CAT_DOG[1]]}),
        json.dumps(PLAN).replace('"', "'"),
        json.dumps(PLAN).replace('"', "“"),
        "{objects: " + json.dumps(CAT_DOG) + ", // both\n background: 'a park',}",
        json.dumps({**PLAN, "reasoning": "1\n2"}).replace("\\n", "\n"),
        json.dumps({**PLAN, "confidence": 0.9}),
        json.dumps({"Objects": {"cat": [15, 50, 38, 45], "dog": {"box": [75, 47, 40, 50]}}}),
        '[["a cat", [15, 50, 38, 45]], ["a dog", [75, 47, 40, 50]]]',
        '[{"label": "cat", "bbox": [15, 50, 38, 45]}, {"name": "the dog", "x": 75, "y": 47, "width": 40, "height": 50}]',
        json.dumps(PLAN)[:-1],
    ],
)  # fmt: skip
def test_json_however_it_is_written(text: str) -> None:
    if text.endswith("]"):  # the last brace was cut off: what is whole within counts only where it is a whole answer
        text = text if text.startswith("[") else json.dumps({"layout": PLAN})[:-1]
    plan = read_layout_reply(text, width=128, height=128)
    assert [(o.noun, (o.box.x, o.box.y, o.box.width, o.box.height)) for o in plan.objects] == [
        ("cat", (15, 50, 38, 45)),
        ("dog", (75, 47, 40, 50)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[(“a cat”, [40, 50, 138, 145]), (‘a child’s toy’, [275, 47, 140, 150])]\nBackground prompt: a park",
        "[('a cat', [40, 50, 138, 145]), ('a child's toy', [275, 47, 140, 150])]\nBackground Prompt: a park\nNegative Prompt: none",
        "Objects：[('a cat', [40, 50, 138, 145]), (\"a child's toy\", [275, 47, 140, 150])]\nBackground prompt：a park",
        "### Objects\n[('a cat', [40, 50, 138, 145]),\n  ('a child's toy', [275, 47, 140, 150]),  # it\n]\n- **Background prompt**: a park",
        '[["a cat", [40, 50, 138, 145]], ["a child\'s toy", [275, 47, 140, 150]]]\n__Background prompt:__ *a park*',
    ],
)
def test_text_however_it_is_written(text: str) -> None:
    assert read(text) == (["cat", "toy"], "a park", [])


# E: units, in text as in JSON.
@pytest.mark.parametrize(
    "boxes",
    ["[0.1, 0.3, 0.2, 0.4]", "[10, 30, 20, 40]", "[51.2, 153.6, 102.4, 204.8]", "[5*10.24, 153.6, 102.4, 204.8]"],
)
def test_units_of_a_text(boxes: str) -> None:
    text = f"Objects: [('a lamp', {boxes})]\nBackground prompt: a shelf\nNegative prompt: "
    (lamp,) = layout_of_plan(read_layout_reply(text, width=512, height=512), width=512, height=512).instances
    assert lamp.box_xyxy == pytest.approx((51.2, 153.6, 153.6, 358.4), abs=1)


def test_regions_of_rpg() -> None:
    text = "Final split ratio: 1,1,1;1\nRegional Prompt: A blue cat, on a mat BREAK\nA red dog with a hat BREAK\nA green field\n\nDone."
    plan = read_layout_reply(text, width=100, height=200)
    got = [(" ".join((*o.attributes, o.noun)), (o.box.x, o.box.y, o.box.width, o.box.height)) for o in plan.objects]
    assert got == [("blue cat", (0, 0, 50, 100)), ("red dog", (50, 0, 50, 100)), ("green field", (0, 100, 100, 100))]
    assert read("Final split ratio: 0.4, 0.6\nRegional Prompt: a cat BREAK a dog")[0] == ["cat", "dog"]
    with pytest.raises(ModelError, match="2 regional prompts for 3 regions"):
        read("Final split ratio: 1,1,1\nRegional Prompt: a cat BREAK a dog")
    with pytest.raises(ModelError, match="split ratio cannot be read"):
        read("Final split ratio: none\nRegional Prompt: a cat BREAK a dog")


# D: words, keys or boxes left over are an error or a line.
def test_what_is_ignored_is_said() -> None:
    assert "ignored the fields 'confidence'" in lines({**PLAN, "confidence": 0.9})
    assert "ignored the fields 'mood' of an object" in lines({"objects": [{**CAT_DOG[0], "mood": "sad"}]})
    assert "the reply says no background" in lines(CAT_DOG)
    assert lines(PLAN) == []
    assert lines({**PLAN, "objects": [*CAT_DOG, {"noun": "cow", "box": [300, 5, 5, 5]}]}, 256)[-1].startswith(
        "dropped 'cow'"
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"bubbles": [["a cat", [1, 2, 30, 40]]], "background": "b"}, "boxes are in 'bubbles'"),
        ({"bboxes": [[1, 2, 30, 40]], "background": "b"}, "'bboxes' have no names"),
        ({"objects": [{"noun": "cat", "box": [500, 5, 5, 5]}]}, "no box is inside the 128x128 canvas"),
        ({"objects": [["a cat", [1, 2, 3]]]}, "objects.0.box"),
        ({"objects": [{"noun": "cat", "box": None}]}, "objects.0.box"),
        ({"objects": 3, "background": ""}, "objects"),
        ({"objects": [], "background": 3}, "background"),
        ({"objects": [{"noun": "cat", "box": [10**400, 2, 3, 4]}]}, "beyond all bounds"),
        ({"objects": [{"noun": "cat", "box": [float("inf"), 2, 3, 4]}]}, "finite"),
        ({"objects": [{"noun": "c\ud800t", "box": [1, 2, 30, 40]}]}, "half of a character"),
        ({"objects": [{"noun": "c" * 301, "box": [1, 2, 30, 40]}]}, "301 characters in the name"),
        ({"objects": CAT_DOG * (MOST_OBJECTS // 2 + 1)}, f"{MOST_OBJECTS + 2} objects, at most {MOST_OBJECTS}"),
        ({"objects": CAT_DOG, "background": "x" * 10_001}, "10001 characters in the background"),
        ("x" * (MOST_CHARS + 1), f"at most {MOST_CHARS} are read"),
        ("a \ud800", "half of a character"),
        ("[" * 5000, "nested more than"),
        ("[('a cat', [9, 9, 1e999, 9])]\nBackground prompt: b", "finite"),
        ("[('a cat', [%s, 2, 3, 4])]\nBackground prompt: b" % ("9" * 400), "beyond all bounds"),
        ("[('a cat, [1, 2, 30, 40]), ('a dog', [3, 4, 50, 60])]\nBackground prompt: b", "brackets or lines"),
        ('{"objects": [{"noun": "cat", "box": [1, 2, 30, 40]}, ...], "background": "b"}', "cannot be read"),
        ("", "no JSON object"),
    ],
)
def test_what_is_refused_says_why_in_one_line(value: Any, why: str) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        read(value, 128)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 and str(caught.value).isprintable()


def test_terminal_escapes_are_shown_not_sent() -> None:
    with pytest.raises(ModelError) as caught:
        read("\x1b]0;owned\x07 no")
    assert "\x1b" not in str(caught.value)
