"""Each operation of the rules planner's spot-differences call, and that a carried-out plan leaves nothing to do."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.artifacts import Detection, EditPlan, Layout
from llmgen.errors import InputError
from llmgen.llm.questions.differences import DifferencesQuestion
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.toybox.world.captions import PROMPT_TYPES, sample_prompt
from llmgen.toybox.world.truth import Sighting, is_right

Box = tuple[float, float, float, float]
LEFT: Box = (8, 44, 48, 84)
RIGHT: Box = (80, 44, 120, 84)
TOP: Box = (44, 4, 84, 44)


def seen(name: str, box: Box, score: float = 0.9) -> Detection:
    """A detection from its id, such as `red ball #1`."""
    phrase = name.partition(" #")[0]
    *attributes, noun = phrase.split()
    return Detection(id=name, phrase=phrase, noun=noun, attributes=tuple(attributes), box_xyxy=box, score=score)


def correct(prompt: str, *found: Detection, layout: Layout | None = None, seed: int = 0) -> EditPlan:
    return DifferencesQuestion(prompt, found, 128, 128, layout, seed).by_rules()[0]


def carried_out(plan: EditPlan) -> list[Detection]:
    return [
        Detection(
            id=i.id,
            phrase=" ".join((*i.attributes, i.noun or "")),
            noun=i.noun or "",
            attributes=i.attributes,
            box_xyxy=i.box_xyxy,
            score=0.9,
        )
        for i in plan.target
    ]


def ops(plan: EditPlan) -> list[tuple[str, str]]:
    return [(edit.op, edit.target) for edit in plan.edits]


def test_nothing_to_do() -> None:
    plan = correct("a red ball and a blue car", seen("red ball #1", LEFT), seen("blue car #1", RIGHT))
    assert plan.edits == ()
    assert [(i.id, i.phrase, i.box_xyxy) for i in plan.target] == [
        ("red ball #1", "a red ball", LEFT),
        ("blue car #1", "a blue car", RIGHT),
    ]


def test_an_attribute_that_was_not_asked_for_is_no_fault() -> None:
    assert correct("a ball", seen("red ball #1", LEFT)).edits == ()


@pytest.mark.parametrize("name", ["ball #1", "blue ball #1"])
def test_a_wrong_or_unconfirmed_colour_is_changed_in_place(name: str) -> None:
    plan = correct("a red ball", seen(name, LEFT))
    (edit,) = plan.edits
    assert edit.op == "change_attribute"
    assert (edit.target, edit.phrase, edit.noun, edit.attributes) == (name, "a red ball", "ball", ("red",))
    assert edit.box_xyxy == LEFT
    assert plan.target[0].attributes == ("red",)


def test_the_weakest_surplus_is_deleted() -> None:
    found = [seen("red ball #1", LEFT, 0.5), seen("red ball #2", RIGHT, 0.9), seen("red ball #3", TOP, 0.8)]
    assert ops(correct("two red balls", *found)) == [("delete", "red ball #1")]
    assert ops(correct("one red ball", *found)) == [("delete", "red ball #1"), ("delete", "red ball #3")]


def test_a_right_colour_is_kept_before_a_better_score() -> None:
    plan = correct("a red ball", seen("blue ball #1", LEFT, 0.99), seen("red ball #1", RIGHT, 0.3))
    assert ops(plan) == [("delete", "blue ball #1")]


def test_what_must_be_absent_is_deleted() -> None:
    plan = correct("a ball without cars", seen("ball #1", LEFT), seen("car #1", RIGHT))
    assert ops(plan) == [("delete", "car #1")]
    only_absent = correct("a meadow without cars", seen("car #1", LEFT), seen("cup #1", RIGHT))
    assert ops(only_absent) == [("delete", "car #1")]
    assert [i.id for i in only_absent.target] == ["cup #1"]


def test_what_is_missing_is_added_where_there_is_room() -> None:
    plan = correct("two red balls", seen("red ball #1", LEFT))
    (edit,) = plan.edits
    assert edit.op == "add"
    assert (edit.target, edit.phrase, edit.attributes) == ("red ball #2", "a red ball", ("red",))
    x0, y0, x1, y1 = edit.box_xyxy
    assert x0 >= LEFT[2] or x1 <= LEFT[0] or y0 >= LEFT[3] or y1 <= LEFT[1]
    assert x1 - x0 >= 30


def test_the_layouts_box_is_used_if_it_is_free() -> None:
    layout = LayoutQuestion("a red ball and a blue car", 128, 128, seed=5).by_rules()[0]
    car = layout.instances[1].box_xyxy
    ball = seen("red ball #1", layout.instances[0].box_xyxy)
    assert correct("a red ball and a blue car", ball, layout=layout).edits[0].box_xyxy == car
    other = correct("a red ball and a blue car", seen("red ball #1", car), layout=layout).edits[0].box_xyxy
    assert other != car


def test_an_addition_obeys_the_relation() -> None:
    for seed in range(10):
        plan = correct("a star above a house", seen("house #1", (40, 60, 90, 110)), seed=seed)
        (edit,) = plan.edits
        assert edit.op == "add"
        assert (edit.box_xyxy[1] + edit.box_xyxy[3]) / 2 < 85


def test_a_broken_relation_moves_one_object() -> None:
    found = [seen("ball #1", (76, 44, 100, 68)), seen("car #1", (44, 44, 68, 68))]
    plan = correct("a ball left of a car", *found)
    (edit,) = plan.edits
    assert edit.op == "move"
    centers = {i.noun: (i.box_xyxy[0] + i.box_xyxy[2]) / 2 for i in plan.target}
    assert centers["ball"] < centers["car"]
    x0, _, x1, _ = edit.box_xyxy
    assert x1 - x0 == 24


def test_objects_at_the_borders_change_places() -> None:
    plan = correct("a ball left of a car", seen("ball #1", (70, 30, 126, 86)), seen("car #1", (2, 30, 58, 86)))
    assert {op for op, _ in ops(plan)} <= {"move", "resize"}
    centers = {i.noun: (i.box_xyxy[0] + i.box_xyxy[2]) / 2 for i in plan.target}
    assert centers["ball"] < centers["car"]


def test_a_wrong_side_of_the_picture_moves() -> None:
    plan = correct("a ball on the right", seen("ball #1", LEFT))
    assert ops(plan) == [("move", "ball #1")]
    assert (plan.target[0].box_xyxy[0] + plan.target[0].box_xyxy[2]) / 2 > 64


def test_opposite_sides_are_an_order_and_no_more() -> None:
    found = [seen("ball #1", (4, 40, 24, 60)), seen("car #1", (34, 40, 54, 60))]
    assert correct("a ball on the left and a car on the right", *found).edits == ()


def test_an_object_to_move_and_recolour_is_drawn_anew() -> None:
    plan = correct("a red ball on the right", seen("blue ball #1", LEFT))
    assert ops(plan) == [("delete", "blue ball #1"), ("add", "red ball #1")]


def test_one_object_seen_as_two_is_one() -> None:
    plan = correct("a ball and a heart", seen("ball #1", LEFT, 0.9), seen("heart #1", (9, 44, 49, 84), 0.4))
    assert ops(plan) == [("delete", "heart #1"), ("add", "heart #2")]


def test_crowded_objects_are_drawn_apart() -> None:
    plan = correct("a ball and a heart", seen("ball #1", (20, 40, 60, 80)), seen("heart #1", (36, 40, 76, 80), 0.4))
    assert ops(plan) == [("move", "heart #1")]


def test_equal_things_take_the_places_that_fit_the_relation() -> None:
    found = [seen("ball #1", RIGHT), seen("ball #2", LEFT)]
    plan = correct("a red ball left of a blue ball", *found)
    changed = {e.target: e.attributes for e in plan.edits if e.op == "change_attribute"}
    assert changed == {"ball #2": ("red",), "ball #1": ("blue",)}
    assert len(plan.edits) == 2


def test_no_room_is_said() -> None:
    with pytest.raises(InputError, match="cannot place"):
        correct("70 red balls")


def test_the_layout_says_what_is_wanted_when_the_prompt_cannot() -> None:
    layout = Layout(
        width=128,
        height=128,
        background_prompt="a room",
        instances=({"id": "a", "phrase": "a red cup", "box_xyxy": LEFT},),  # type: ignore[arg-type]
    )
    assert ops(correct("ein roter Becher", seen("red cup #1", RIGHT), layout=layout)) == []
    (edit,) = correct("ein roter Becher", layout=layout).edits
    assert (edit.op, edit.box_xyxy) == ("add", LEFT)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[str, Any, list[Detection], Layout | None, int]:
    seed = draw(st.integers(0, 2**31))
    prompt = sample_prompt(random.Random(seed), draw(st.sampled_from(PROMPT_TYPES)))
    counts: dict[str, int] = {}
    found = []
    own = [(o.noun, o.color) for o in prompt.scene.objects]
    for _ in range(draw(st.integers(0, 6))):
        noun, color = draw(st.sampled_from([*own, ("ball", "red"), ("cup", "green"), ("car", "blue")]))
        phrase = draw(st.sampled_from([noun, f"{color} {noun}", f"blue {noun}"]))
        counts[phrase] = counts.get(phrase, 0) + 1
        x, y = draw(st.integers(0, 96)), draw(st.integers(0, 96))
        box = (x, y, min(128, x + draw(st.integers(12, 60))), min(128, y + draw(st.integers(12, 60))))
        found.append(seen(f"{phrase} #{counts[phrase]}", box, draw(st.floats(0.2, 1.0))))
    layout = None
    if draw(st.booleans()):
        layout = LayoutQuestion(prompt.text, 128, 128, seed).by_rules()[0]
    return prompt.text, prompt.truth, found, layout, seed


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_a_plan_carried_out_leaves_nothing_to_do(scene: tuple[str, Any, list[Detection], Layout | None, int]) -> None:
    text, truth, found, layout, seed = scene
    plan = correct(text, *found, layout=layout, seed=seed)
    assert plan == correct(text, *found, layout=layout, seed=seed)
    targets = [edit.target for edit in plan.edits]
    assert len(set(targets)) == len(targets)
    assert len({i.id for i in plan.target}) == len(plan.target)
    known = {d.id for d in found}
    assert all((edit.target in known) == (edit.op != "add") for edit in plan.edits)
    sightings = [Sighting(i.noun or "", i.attributes[0] if i.attributes else "red", i.box_xyxy) for i in plan.target]
    assert is_right(truth, sightings), text
    assert correct(text, *carried_out(plan), layout=layout, seed=seed).edits == ()
