"""The instances call: what replies are read as, who answers it, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import Server

from llmgen.artifacts import Layout, Record
from llmgen.errors import InputError, ModelError
from llmgen.llm.providers.openai import OpenAI
from llmgen.llm.providers.provider import load_provider
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.instances import (
    InstancesQuestion,
    instances_of_layout,
    layout_of_instances,
    read_instances_reply,
)

PROMPT = "a park with a brown dog"
DOG = {
    "phrase": "a brown dog lying on its side",
    "noun": "dog",
    "box": {"x": 10, "y": 60, "width": 50, "height": 30},
}
PLAN = {
    "reasoning": "one",
    "description": "A brown dog lies in a sunny park.",
    "instances": [DOG],
    "background": "a sunny park",
    "negative": [],
}
SCENE = {
    "caption": "A busy farm.",
    "width": 512,
    "height": 512,
    "annos": [
        {"bbox": [50, 300, 150, 450], "mask": [], "category_name": "Person", "caption": "A farmer bending down."},
        {
            "bbox": [350, 150, 500, 300],
            "mask": [],
            "category_name": "Tractor",
            "caption": "A tractor plowing the field.",
        },
    ],
}


def read(plan: Any, side: int = 128, most: int = 30) -> Layout:
    text = plan if isinstance(plan, str) else json.dumps(plan)
    reply = read_instances_reply(text, width=side, height=side, most=most)
    return layout_of_instances(reply, width=side, height=side)


def test_a_plan_becomes_a_layout() -> None:
    layout = read(PLAN)
    assert (layout.description, layout.background_prompt) == ("A brown dog lies in a sunny park.", "a sunny park")
    (dog,) = layout.instances
    assert (dog.id, dog.phrase, dog.noun, dog.attributes) == (
        "dog-1",
        "a brown dog lying on its side",
        "dog",
        ("brown",),
    )
    assert dog.box_xyxy == (10, 60, 60, 90)
    assert read(instances_of_layout(layout).model_dump_json()) == layout
    # An attribute belongs to what the phrase is about.
    photo = {**DOG, "phrase": "a white photo of a dog"}
    assert read({**PLAN, "instances": [photo]}).instances[0].attributes == ()
    assert read({**PLAN, "negative": "cars, people"}).absent == ("car", "person")


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[10, 60, 60, 90], [100, 100, 120, 128]], (10, 60, 60, 90)),  # corners, which cannot all be sizes
        ([{"x": 0.1, "y": 0.5, "width": 0.25, "height": 0.25}], (12.8, 64, 44.8, 96)),  # fractions
        ([{"x": 60, "y": 90, "width": -50, "height": -30}], (10, 60, 60, 90)),  # swapped corners
        ([{"x": 100, "y": 60, "width": 50, "height": 30}], (100, 60, 128, 90)),  # beyond the canvas
    ],
)
def test_boxes_are_mended(boxes: list[Any], expected: tuple[float, ...]) -> None:
    layout = read({**PLAN, "instances": [{**DOG, "box": box} for box in boxes]})
    assert layout.instances[0].box_xyxy == pytest.approx(expected)


@pytest.mark.parametrize("side", [128, 512])
def test_the_extensions_replies_are_read_at_any_size(side: int) -> None:
    layout = read(SCENE, side)
    farmer, tractor = layout.instances
    assert farmer.box_xyxy == tuple(v * side / 512 for v in (50, 300, 150, 450))
    assert tractor.box_xyxy == tuple(v * side / 512 for v in (350, 150, 500, 300))
    assert (farmer.id, farmer.phrase, layout.description) == ("person-1", "A farmer bending down", "A busy farm.")


REFUSED = {
    "prose": ("I cannot", "no JSON object"),
    "phrase empty": ({**PLAN, "instances": [{**DOG, "phrase": " "}]}, "instances[0] has an empty phrase"),
    "phrase missing": ({**PLAN, "instances": [{"box": DOG["box"]}]}, "instances.0.phrase: Field required"),
    "phrase endless": ({**PLAN, "instances": [{**DOG, "phrase": "a dog " * 20}]}, "more than 24 words"),
    "box missing": ({**PLAN, "instances": [{"phrase": "a dog"}]}, "instances.0.box"),
    "box of three": ({**PLAN, "instances": [{**DOG, "box": [1, 2, 3]}]}, "instances.0.box"),
    "boxes outside": ({**PLAN, "instances": [{**DOG, "box": [9000, 9000, 90, 90]}]}, "no box is inside the 128x128"),
    "too many": ({**PLAN, "instances": [DOG] * 4}, "4 instances, at most 3 can be drawn"),
    "no list": ({**PLAN, "instances": "a dog"}, "instances"),
    "annos no list": ({**SCENE, "annos": 3}, "instances"),
    "anno without box": ({**SCENE, "annos": [{"caption": "a dog"}]}, "instances.0.box"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_replies_say_what_is_wrong(case: str) -> None:
    plan, reason = REFUSED[case]
    with pytest.raises(ModelError) as caught:
        read(plan, most=3)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [128, 512])
def test_rules_plan_and_their_replies_replay(tmp_path: Path, side: int) -> None:
    rules = Rules()
    question = InstancesQuestion("a meadow with two red balls and a blue car without trees", side, side, 4, 30)
    answer = rules.ask(question)
    assert sorted(i.phrase for i in answer.value.instances) == ["a blue car", "a red ball", "a red ball"]
    assert rules.ask(question).value == answer.value
    path = tmp_path / "run.jsonl"
    path.write_text(Record(id="a", prompt=question.subject, seed=4, replies=(answer.reply,)).model_dump_json())
    again = load_provider(f"replay:{path}").ask(question)
    assert again.value == answer.value and (again.reply.call, again.reply.provider) == ("instances", "replay")
    with pytest.raises(InputError, match="asks for 3 instances, at most 2"):
        rules.ask(replace(question, most=2))


def test_recorded_scenes_replay_from_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text(json.dumps(SCENE))
    (tmp_path / "2.json").write_text(json.dumps({**SCENE, "caption": "A quiet farm."}))
    for name, prompt in (("1.json", "A busy farm."), ("", "A quiet farm")):
        answer = load_provider(f"replay:{tmp_path / name}").ask(InstancesQuestion(prompt, 512, 512, 0, 30))
        assert answer.value.instances[0].box_xyxy == (50, 300, 150, 450) and answer.reply.call == "instances"
    with pytest.raises(InputError, match="no reply to the instances call"):
        load_provider(f"replay:{tmp_path / '1.json'}").ask(InstancesQuestion("A cat", 512, 512, 0, 30))


def test_a_model_is_asked_by_schema_and_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    server = Server([json.dumps({**PLAN, "instances": [{**DOG, "phrase": ""}]}), json.dumps(PLAN)])
    provider = OpenAI(model="m", base_url=server.url)
    try:
        answer = provider.ask(InstancesQuestion(PROMPT, 128, 128, 7, 9))
    finally:
        provider.close()
        server.close()
    assert answer.value == read(PLAN) and (answer.reply.call, answer.reply.attempts) == ("instances", 2)
    first, second = server.requests
    schema = first["response_format"]["json_schema"]
    assert schema["strict"] is True and set(schema["schema"]["required"]) == set(PLAN)
    assert PROMPT in first["messages"][-1]["content"] and "At most 9 instances" in first["messages"][-1]["content"]
    assert "instances[0] has an empty phrase" in second["messages"][-1]["content"]
