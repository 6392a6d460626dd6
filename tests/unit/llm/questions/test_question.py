"""What all questions have in common: prompts with examples that read, and schemas that end."""

import json
import re
from typing import Any

import pytest

from llmgen.artifacts import Detection
from llmgen.llm.questions.bounds import bounded_schema, unbounded
from llmgen.llm.questions.context import ContextQuestion, EarlierDepth, PaintedBefore
from llmgen.llm.questions.differences import DifferencesQuestion
from llmgen.llm.questions.edit import EditQuestion
from llmgen.llm.questions.instances import InstancesQuestion
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.llm.questions.question import Question
from llmgen.llm.schemas import LayoutPlan


def found(text: str) -> tuple[Detection, ...]:
    told = json.loads(text.partition("Found: ")[2])
    return tuple(
        Detection(
            id=d["id"],
            phrase=d["noun"],
            noun=d["noun"],
            score=d["score"],
            attributes=tuple(d["attributes"]),
            box_xyxy=tuple(
                float(v)
                for v in (
                    d["box"]["x"],
                    d["box"]["y"],
                    d["box"]["x"] + d["box"]["width"],
                    d["box"]["y"] + d["box"]["height"],
                )
            ),
        )
        for d in told
    )


def asked_by(name: str, text: str) -> Question[Any]:
    """The question that an example of a prompt would be."""
    size = re.search(r"(\d+) wide, (\d+) high", text)
    width, height = map(int, size.groups()) if size else (0, 0)
    subject = text.partition("Description: ")[2] or text.partition("Instruction: ")[2]
    subject = subject.splitlines()[0]
    if name == "context":
        return context_asked_by(text, subject, width, height)
    if name == "parse":
        return ParseQuestion(subject, instruction=text.startswith("Instruction"))
    if name == "layout":
        return LayoutQuestion(subject, width, height, 0)
    if name == "instances":
        return InstancesQuestion(subject, width, height, 0, int(text.partition("At most ")[2].split()[0]))
    if name == "edit":
        return EditQuestion(subject, found(text), width, height, 0)
    return DifferencesQuestion(subject, found(text), width, height, None, 0)


def context_asked_by(text: str, subject: str, width: int, height: int) -> ContextQuestion:
    told = json.loads(text.partition("Objects: ")[2])
    boxes = [tuple(v * s / 100 for v, s in zip(d["box_percent"], (width, height) * 2, strict=True)) for d in told]
    detections = tuple(
        Detection(id=d["id"], phrase=d["object"], noun=d["object"].split()[-1], box_xyxy=box, score=1.0)
        for d, box in zip(told, boxes, strict=True)
    )
    depth = re.search(r"Depth: (\d+) of (\d+)(?:; (.*))?", text)
    assert depth is not None
    stories = re.findall(r"Story of depth (\d+): (.*)\nPainted at depth \d+: (.*)", text)
    offered = re.findall(r"Details on offer: (.*): (.*)", text)
    return ContextQuestion(
        subject,
        detections,
        tuple(d["area_percent"] * width * height / 100 for d in told),
        width,
        height,
        0,
        depth=int(depth[1]),
        depths=int(depth[2]),
        goal=depth[3] or "",
        offered=tuple(("*" if noun == "any object" else noun, tuple(words.split(", "))) for noun, words in offered),
        earlier=tuple(
            EarlierDepth(
                int(number),
                story,
                tuple(
                    PaintedBefore(one["object"], "x", tuple(one["tags"]), (0, 0, 1, 1)) for one in json.loads(painted)
                ),
            )
            for number, story, painted in stories
        ),
    )


BALL = Detection(id="ball #1", phrase="ball", noun="ball", box_xyxy=(0, 0, 30, 30), score=0.5)
QUESTIONS: dict[str, Question[Any]] = {
    "parse": ParseQuestion("a ball"),
    "layout": LayoutQuestion("a ball", 128, 64, 0),
    "instances": InstancesQuestion("a ball", 128, 64, 0, 9),
    "differences": DifferencesQuestion("a ball", (BALL,), 128, 64, None, 0),
    "edit": EditQuestion("move the ball up", (BALL,), 128, 64, 0),
    "context": ContextQuestion("a ball", (BALL,), (900.0,), 128, 64, 0),
}


def faults(schema: dict[str, Any], value: Any, defs: dict[str, Any], where: str = "") -> list[str]:
    """What is against a schema of the few keywords that are used, in a value."""
    if "$ref" in schema:
        return faults(defs[schema["$ref"].rpartition("/")[2]], value, defs, where)
    kind = schema["type"]
    if kind == "boolean":
        return [] if isinstance(value, bool) else [f"{where}: {value!r}"]
    if kind == "object":
        if list(value) != list(schema["properties"]):
            return [f"{where}: keys {list(value)}"]
        return [f for k, v in value.items() for f in faults(schema["properties"][k], v, defs, f"{where}.{k}")]
    if kind == "array":
        many = [f"{where}: {len(value)} items"] if len(value) > schema["maxItems"] else []
        return many + [f for v in value for f in faults(schema["items"], v, defs, where)]
    if kind == "string":
        allowed = value in schema["enum"] if "enum" in schema else len(value) <= schema["maxLength"]
        return [] if allowed else [f"{where}: {value!r}"]
    assert kind == "integer"
    return [] if type(value) is int and schema["minimum"] <= value <= schema["maximum"] else [f"{where}: {value}"]


@pytest.mark.parametrize("name", QUESTIONS)
def test_three_examples_are_answered_as_the_schema_wants_it(name: str) -> None:
    prompt = QUESTIONS[name].prompt
    assert len(prompt.examples) == 3 and "===" not in prompt.system
    for text, answer in prompt.examples:
        question = asked_by(name, text)
        assert question.text == re.sub(r"Planned places: .*\n", "", text)
        schema = question.schema()
        assert faults(schema, json.loads(answer), schema.get("$defs", {})) == []
        question.read(answer)


def strings(schema: Any) -> list[dict[str, Any]]:
    inside = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    here = [schema] if isinstance(schema, dict) and isinstance(schema.get("type"), str) else []
    return here + [found for value in inside for found in strings(value)]


@pytest.mark.parametrize("name", QUESTIONS)
def test_everything_that_could_run_on_is_bounded(name: str) -> None:
    schema = QUESTIONS[name].schema()
    for part in strings(schema):
        kind = part["type"]
        assert kind in ("object", "array", "string", "integer", "boolean")
        if kind == "object":
            assert part["required"] == list(part["properties"]) and part["additionalProperties"] is False
        if kind == "array":
            assert part["maxItems"] >= 1
        if kind == "string":
            assert "enum" in part or 0 < part["maxLength"] <= 300
        if kind == "integer":
            assert 0 <= part["minimum"] < part["maximum"] <= 128
    assert next(iter(schema["properties"])) in ("reasoning", "story")  # thoughts come before what they are about
    text = json.dumps(unbounded(schema))
    assert not any(f'"{word}"' in text for word in ("maxLength", "maxItems", "minimum", "maximum"))


def test_lists_have_room_for_what_the_text_asks_for_and_an_end() -> None:
    def most(prompt: str) -> int:
        return int(LayoutQuestion(prompt, 64, 64, 0).schema()["properties"]["objects"]["maxItems"])

    assert (most("a ball"), most("twenty balls and a car"), most("900 balls")) == (12, 42, 64)
    assert InstancesQuestion("a ball", 64, 64, 0, 9).schema()["properties"]["instances"]["maxItems"] == 9


def test_boxes_are_whole_pixels_of_the_canvas() -> None:
    schema = bounded_schema(LayoutPlan, canvas=(200, 100))
    box = schema["$defs"]["WireBox"]["properties"]
    assert {k: (v["minimum"], v["maximum"]) for k, v in box.items()} == {
        "x": (0, 188),
        "y": (0, 94),
        "width": (1, 200),
        "height": (1, 100),
    }


def test_a_model_that_writes_the_largest_numbers_still_has_its_box_on_the_canvas() -> None:
    question = LayoutQuestion("a ball", 128, 128, 0)
    box = {k: v["maximum"] for k, v in question.schema()["$defs"]["WireBox"]["properties"].items()}
    plan = {"objects": [{"noun": "ball", "attributes": [], "box": box}] * 3, "background": "x"}
    assert [i.box_xyxy for i in question.read(json.dumps(plan)).instances] == [(120, 120, 128, 128)] * 3


def test_only_what_was_found_can_be_named() -> None:
    schema = QUESTIONS["edit"].schema()
    assert schema["properties"]["keep"]["items"] == {"type": "string", "enum": ["ball #1"]}
    assert schema["$defs"]["MovedObject"]["properties"]["id"]["enum"] == ["ball #1"]
    many = tuple(BALL.model_copy(update={"id": f"ball #{k}"}) for k in range(150))
    assert EditQuestion("x", many, 9, 9, 0).schema()["properties"]["keep"]["items"] == {
        "type": "string",
        "maxLength": 9,
    }
    empty = EditQuestion("add a ball", (), 9, 9, 0).schema()
    assert empty["properties"]["keep"]["items"] == {"type": "string", "maxLength": 48}
