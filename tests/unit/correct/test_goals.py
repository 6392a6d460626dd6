"""What an edited picture still lacks, seen by a detector that numbers objects anew."""

from typing import Any

from llmgen.artifacts import (
    AddEdit,
    ChangeAttributeEdit,
    DeleteEdit,
    Detection,
    EditPlan,
    Instance,
    MoveEdit,
)
from llmgen.correct.goals import goal_layout, remaining

HERE, THERE, AWAY = (0.0, 0.0, 20.0, 20.0), (40.0, 40.0, 60.0, 60.0), (0.0, 40.0, 20.0, 60.0)


def seen(phrase: str, box: Any, number: int = 1) -> Detection:
    *attributes, noun = phrase.split()
    return Detection(
        id=f"{phrase} #{number}", phrase=phrase, noun=noun, attributes=tuple(attributes), box_xyxy=box, score=0.9
    )


def wanted(name: str, box: Any) -> Instance:
    *attributes, noun = name.partition(" #")[0].split()
    return Instance(
        id=name, phrase=f"a {' '.join((*attributes, noun))}", noun=noun, attributes=tuple(attributes), box_xyxy=box
    )


BEFORE = (seen("red ball", HERE), seen("tree", THERE), seen("cup", AWAY))


def test_a_change_is_done_when_its_attributes_are_seen() -> None:
    change = ChangeAttributeEdit(
        target="red ball #1", phrase="a blue ball", noun="ball", attributes=("blue",), box_xyxy=HERE
    )
    target = (
        wanted("red ball #1", HERE).model_copy(update={"phrase": "a blue ball", "attributes": ("blue",)}),
        wanted("tree #1", THERE),
    )
    plan = EditPlan(edits=(change,), target=target)
    assert remaining(plan, BEFORE, (seen("blue ball", (1.0, 1.0, 19.0, 20.0)),)).edits == ()
    (again,) = remaining(plan, BEFORE, (seen("ball", HERE, 3),)).edits
    assert isinstance(again, ChangeAttributeEdit)
    assert (again.target, again.attributes) == ("ball #3", ("blue",))
    # It got lost: it is drawn anew. The tree, which nothing touched, is not asked for.
    (anew,) = remaining(plan, BEFORE, ()).edits
    assert isinstance(anew, AddEdit) and anew.target == "blue ball #1"


def test_a_removal_is_done_when_nothing_of_it_lies_there() -> None:
    plan = EditPlan(edits=(DeleteEdit(target="tree #1", box_xyxy=THERE),), target=(wanted("cup #1", AWAY),))
    assert remaining(plan, BEFORE, (seen("cup", AWAY), seen("tree", HERE))).edits == ()
    (left,) = remaining(plan, BEFORE, (seen("tree", (42.0, 42.0, 60.0, 60.0), 2),)).edits
    assert isinstance(left, DeleteEdit) and left.target == "tree #2"


def test_a_replacement_in_the_same_place_is_no_remainder() -> None:
    plan = EditPlan(
        edits=(
            DeleteEdit(target="tree #1", box_xyxy=THERE),
            AddEdit(target="green tree #1", phrase="a green tree", noun="tree", attributes=("green",), box_xyxy=THERE),
        ),
        target=(wanted("green tree #1", THERE),),
    )
    assert remaining(plan, BEFORE, (seen("green tree", THERE),)).edits == ()
    (change,) = remaining(plan, BEFORE, (seen("tree", THERE),)).edits
    assert isinstance(change, ChangeAttributeEdit)


def test_a_move_is_done_in_its_new_place() -> None:
    move = MoveEdit(op="move", target="cup #1", from_box_xyxy=AWAY, box_xyxy=HERE)
    plan = EditPlan(edits=(move,), target=(wanted("cup #1", HERE),))
    assert remaining(plan, BEFORE, (seen("cup", (2.0, 0.0, 21.0, 20.0)),)).edits == ()
    (again,) = remaining(plan, BEFORE, (seen("cup", AWAY),)).edits
    assert isinstance(again, MoveEdit) and again.from_box_xyxy == AWAY and again.box_xyxy == HERE
    both = remaining(plan, BEFORE, (seen("cup", HERE, 1), seen("cup", AWAY, 2))).edits
    assert [(e.op, e.target) for e in both] == [("delete", "cup #2")]


def test_the_goal_names_what_must_be_gone() -> None:
    plan = EditPlan(
        edits=(DeleteEdit(target="tree #1", box_xyxy=THERE),), target=(wanted("cup #1", (-5.0, 40.0, 20.0, 60.0)),)
    )
    layout = goal_layout(plan, BEFORE, width=64, height=64, background="a meadow", negative=("shadow",))
    assert layout.absent == ("shadow", "tree")
    assert layout.instances[0].box_xyxy == (0.0, 40.0, 20.0, 60.0)
