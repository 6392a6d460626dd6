import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.artifacts import Detection
from llmgen.errors import ModelError
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.differences import DifferencesQuestion
from llmgen.llm.questions.instances import read_instances_reply
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.llm.replies.extract import find_json
from llmgen.llm.replies.grounding_reply import read_grounding_reply
from llmgen.llm.replies.layout_reply import read_layout_reply
from llmgen.llm.replies.parse_reply import read_parse_reply
from llmgen.llm.replies.raw_objects import RawBox
from llmgen.llm.replies.units import mend_boxes
from llmgen.llm.replies.update_reply import compare_layouts, read_update_reply
from llmgen.llm.replies.wire import layout_of_plan, plan_of_update
from llmgen.llm.schemas import LayoutPlan, LayoutUpdate, ParsedPrompt

PLAN = {
    "reasoning": "one",
    "objects": [{"noun": "ball", "attributes": ["red"], "box": {"x": 10, "y": 20, "width": 40, "height": 40}}],
    "background": "a meadow",
    "negative": ["car"],
}


def found(*names: str) -> list[Detection]:
    return [
        Detection(id=n, phrase=n.partition(" #")[0], noun=n.partition(" #")[0].split()[-1], box_xyxy=(i, 0, i + 20, 20), score=0.5)
        for i, n in enumerate(names)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrap",
    [
        "{}",
        "Sure! Here it is:\n```json\n{}\n```\nEnjoy {{}} this.",
        "<think>maybe {{\"objects\": 1}} or so</think>{}",
        "An example is {{\"x\": 1}}.\n{}",
    ],
)  # fmt: skip
def test_json_is_found_however_it_is_wrapped(wrap: str) -> None:
    text = wrap.format(json.dumps(PLAN))
    plan = read_layout_reply(text, width=128, height=128)
    assert plan == LayoutPlan.model_validate(PLAN)


def test_trailing_commas_lists_for_boxes_and_missing_fields() -> None:
    text = '{"objects": [{"noun": "ball", "attributes": ["red",], "box": [10, 20, 40, 40],},], "negative": "cars and trees",}'
    plan = read_layout_reply(text, width=128, height=128)
    assert plan.objects == LayoutPlan.model_validate(PLAN).objects
    assert plan.negative == ["car", "tree"]


def test_layouts_become_artifacts() -> None:
    layout = layout_of_plan(LayoutPlan.model_validate(PLAN), width=128, height=128)
    (instance,) = layout.instances
    assert (instance.id, instance.phrase, instance.box_xyxy) == ("ball-1", "a red ball", (10, 20, 50, 60))
    assert (layout.absent, layout.negative_prompt) == (("car",), "cars")


@pytest.mark.parametrize(
    ("numbers", "expected", "note"),
    [
        ([(0.1, 0.2, 0.3, 0.4)], [(10, 20, 30, 40)], "units of the picture"),
        ([(100, 200, 300, 400), (500, 500, 500, 500)], [(10, 20, 30, 40), (50, 50, 50, 50)], "thousandths"),
        ([(10, 20, 60, 90), (50, 5, 95, 55)], [(10, 20, 50, 70), (50, 5, 45, 50)], "corners"),
        ([(50, 50, -20, -10)], [(30, 40, 20, 10)], "swapped"),
        ([(-10, 80, 40, 40)], [(0, 80, 30, 20)], "cut"),
        ([(120, 10, 5, 5)], [None], ""),
        ([(10, 10, 0, 5)], [None], ""),
        ([(10, 20, 30, 40)], [(10, 20, 30, 40)], None),
    ],
)
def test_boxes_are_mended(
    numbers: list[tuple[float, ...]], expected: list[tuple[float, ...] | None], note: str | None
) -> None:
    notes: list[str] = []
    mended = mend_boxes([RawBox(row) for row in numbers], 100, 100, notes.append)  # type: ignore[arg-type]
    got = [None if b is None else (b.x, b.y, b.width, b.height) for b in mended]
    assert got == [None if e is None else pytest.approx(e) for e in expected]
    assert not notes if note is None else note in " ".join(notes)


def test_every_id_is_named_once() -> None:
    reply = {
        "keep": ["a ball #1", "ball #1", "ghost #1"],
        "delete": ["ball #1"],
        "move": [{"id": "Cup #1", "box": {"x": 50, "y": 50, "width": 30, "height": 30}}],
        "change": [{"id": "ball #1", "attributes": ["red"]}, {"id": "car", "attributes": ["Blue", "none"]}],
        "add": [],
    }
    update = read_update_reply(
        json.dumps(reply), found("ball #1", "cup #1", "car #1", "star #1"), width=100, height=100
    )
    assert update.delete == ["ball #1"]
    assert [m.id for m in update.move] == ["cup #1"]
    assert [(c.id, c.attributes) for c in update.change] == [("car #1", ["blue"])]
    assert update.keep == ["star #1"]


def test_updates_become_plans() -> None:
    update = LayoutUpdate(
        reasoning="because",
        keep=["star #1"],
        delete=["ball #1"],
        move=[{"id": "cup #1", "box": {"x": 50, "y": 50, "width": 20, "height": 20}}],  # type: ignore[list-item]
        change=[{"id": "car #1", "attributes": ["blue"]}],  # type: ignore[list-item]
        add=[{"noun": "balls", "attributes": ["red"], "box": {"x": 0, "y": 50, "width": 20, "height": 20}}],  # type: ignore[list-item]
    )
    plan = plan_of_update(update, found("ball #1", "cup #1", "car #1", "star #1"))
    assert [(e.op, e.target) for e in plan.edits] == [
        ("delete", "ball #1"),
        ("move", "cup #1"),
        ("change_attribute", "car #1"),
        ("add", "red ball #1"),
    ]
    assert [(i.id, i.phrase) for i in plan.target] == [
        ("cup #1", "a cup"),
        ("car #1", "a blue car"),
        ("star #1", "a star"),
        ("red ball #1", "a red ball"),
    ]
    assert plan.reasoning == "because"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I would rather not.", "no JSON object"),
        ('{"objects": [{"noun": "ball"}]}', "objects.0"),
        ('{"objects": 3, "background": ""}', "objects"),
        ('{"objects": [{"noun": "ball", "attributes": [], "box": [500, 0, 5, 5]}]}', "no box is inside"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        read_layout_reply(text, width=128, height=128)
    assert "\n" not in str(caught.value)


def test_text_of_lmd() -> None:
    text = (
        "Objects: [('a green car', [64, 256, 256, 128]), ('a bird', [320, 40, 128, 100])]\n"
        "Background prompt: a road\nNegative prompt: trees"
    )
    plan = read_layout_reply(text, width=128, height=128)
    assert [(o.noun, o.attributes, o.box.x, o.box.width) for o in plan.objects] == [
        ("car", ["green"], 16, 64),
        ("bird", [], 80, 32),
    ]
    assert (plan.background, plan.negative) == ("a road", ["tree"])


def test_text_of_sld() -> None:
    text = "Reasoning: x\nObjects: [('dogs', ['white and small', None]), ('birds', [None])]\nBackground: a beach\nNegation: birds"
    parsed = read_parse_reply(text)
    assert [(o.noun, [i.attributes for i in o.instances]) for o in parsed.objects] == [
        ("dog", [["white", "small"], []]),
        ("bird", []),
    ]
    assert parsed.negative == ["bird"]


def test_layouts_are_compared_by_name_and_place() -> None:
    detections = found("ball #1", "cup #1", "palm tree #1", "star #2")
    same = [d.box_xyxy for d in detections]
    unit = [[x0 / 100, y0 / 100, (x1 - x0) / 100, (y1 - y0) / 100] for x0, y0, x1, y1 in same]
    update = compare_layouts(
        [
            ("red ball #1", unit[0]),
            ("cup #1", [0.5, 0.5, 0.2, 0.2]),
            ("tall palm tree #1", unit[2]),
            ("car #1", unit[3]),
        ],
        [d.model_copy(update={"noun": "palm tree"}) if "palm" in d.id else d for d in detections],
        width=100,
        height=100,
    )
    assert [(c.id, c.attributes) for c in update.change] == [("ball #1", ["red"]), ("palm tree #1", ["tall"])]
    assert [m.id for m in update.move] == ["cup #1"]
    assert [a.noun for a in update.add] == ["car"]
    assert update.delete == ["star #2"]
    renumbered = compare_layouts([("ball #2", unit[0])], detections[:1], width=100, height=100)
    assert (renumbered.keep, renumbered.change, renumbered.add) == (["ball #1"], [], [])


def test_the_rules_planner_speaks_the_wire_format() -> None:
    rules = Rules()
    prompt = "a meadow with two red balls and a blue car without trees"
    parsed = rules.ask(ParseQuestion(prompt))
    assert read_parse_reply(parsed.reply.text) == parsed.value
    layout = rules.ask(LayoutQuestion(prompt, 128, 128, seed=1))
    plan = read_layout_reply(layout.reply.text, width=128, height=128)
    assert layout_of_plan(plan, width=128, height=128) == layout.value
    detections = found("ball #1", "ball #2", "ball #3", "tree #1")
    answer = rules.ask(DifferencesQuestion(prompt, tuple(detections), 128, 128, layout.value, seed=1))
    edits, again = (
        answer.value,
        plan_of_update(read_update_reply(answer.reply.text, detections, width=128, height=128), detections),
    )
    assert sorted(map(repr, again.edits)) == sorted(map(repr, edits.edits))
    assert {i.id: i.box_xyxy for i in again.target} == {i.id: i.box_xyxy for i in edits.target}


def test_wire_schemas_are_strict() -> None:
    for model in (ParsedPrompt, LayoutPlan, LayoutUpdate):
        schema = model.model_json_schema()
        for part in (schema, *schema["$defs"].values()):
            assert part["additionalProperties"] is False
            assert set(part["required"]) == set(part["properties"])
            assert all("prefixItems" not in p and "default" not in p for p in part["properties"].values())


NAMES = (
    "objects", "noun", "name", "label", "box", "bbox_2d", "boxes", "layout", "attributes", "x", "y", "width", "height", "keep", "add",
    "move", "id", "background", "negative", "instances", "annos", "updated_objects",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.sampled_from((10**400, "\ud800", "50%")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(NAMES), inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        JSON.map(json.dumps),
        JSON.map(repr),
        st.text(max_size=40),
        st.text(alphabet="[]{}()'\"“’:,;/*#-+.0123456789eE% \nabOjects<>\\", max_size=60),
        st.text(max_size=20).map("Updated Objects: [{}".format),
        st.text(max_size=20).map("<ref>{}</ref><box>(1,2),(3,4)".format),
    )
)
def test_replies_read_or_are_refused(text: str) -> None:
    detections = found("ball #1", "cup #1")
    for read in (
        lambda: read_parse_reply(text),
        lambda: layout_of_plan(read_layout_reply(text, width=128, height=64), width=128, height=64),
        lambda: plan_of_update(read_update_reply(text, detections, width=128, height=64), detections),
        lambda: read_instances_reply(text, width=128, height=64, most=30),
        lambda: read_grounding_reply(text, 128, 64),
    ):
        try:
            read()
        except ModelError as error:
            assert str(error).isprintable() and len(str(error)) < 600


def test_an_object_that_is_cut_is_no_complete_one() -> None:
    assert find_json('thus {"objects": [], "background": "a park"} and so on', ("objects",)) is not None
    assert find_json('{"objects": [{"noun": "ball", "box": [1, 2, 3', ("objects",)) is None
