"""Plans changed by hand: what is in the edits counts, and what cannot be meant is said."""

import pytest

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, Detection, Edit, EditPlan, Instance, MoveEdit
from llmgen.correct.given_plans import settled
from llmgen.errors import InputError

SIZE = (100, 80)
BALL = Detection(
    id="red ball #1", phrase="red ball", noun="ball", attributes=("red",), box_xyxy=(10, 10, 30, 30), score=0.9
)
CAR = Detection(
    id="blue car #1", phrase="blue car", noun="car", attributes=("blue",), box_xyxy=(50, 40, 90, 70), score=0.9
)
OBJECTS = tuple(
    Instance(id=d.id, phrase=f"a {d.phrase}", noun=d.noun, attributes=d.attributes, box_xyxy=d.box_xyxy)
    for d in (BALL, CAR)
)
STAR = AddEdit(
    target="green star #1", phrase="a green star", noun="star", attributes=("green",), box_xyxy=(0, 50, 20, 70)
)


def carried(*edits: Edit, target: tuple[Instance, ...] = OBJECTS) -> tuple[EditPlan, list[str]]:
    said: list[str] = []
    return settled(EditPlan(edits=edits, target=target), (BALL, CAR), SIZE, said.append), said


def test_a_plan_that_fits_comes_back_as_it_is() -> None:
    plan = EditPlan(edits=(DeleteEdit(target=CAR.id, box_xyxy=CAR.box_xyxy),), target=OBJECTS[:1], reasoning="one car")
    assert settled(plan, (BALL, CAR), SIZE, pytest.fail) is plan


def test_what_was_changed_in_the_edits_is_what_the_plan_aims_at() -> None:
    plan, said = carried(
        DeleteEdit(target=CAR.id, box_xyxy=CAR.box_xyxy),
        MoveEdit(op="move", target=BALL.id, from_box_xyxy=BALL.box_xyxy, box_xyxy=(60, 10, 80, 30)),
        STAR,
    )
    # Left in the objects, the car would be drawn again once it is gone; a star that is not in them is never looked for.
    assert [(one.id, one.box_xyxy) for one in plan.target] == [
        (BALL.id, (60, 10, 80, 30)),
        (STAR.target, STAR.box_xyxy),
    ]
    assert said == []


def test_other_attributes_are_aimed_at_too() -> None:
    plan, _ = carried(
        ChangeAttributeEdit(
            target=CAR.id, phrase="a green car", noun="car", attributes=("green",), box_xyxy=CAR.box_xyxy
        )
    )
    assert [(one.phrase, one.attributes) for one in plan.target] == [
        ("a red ball", ("red",)),
        ("a green car", ("green",)),
    ]


def test_what_is_moved_and_was_no_object_of_the_plan_is_told_with_its_article() -> None:
    plan, _ = carried(
        MoveEdit(op="move", target=CAR.id, from_box_xyxy=CAR.box_xyxy, box_xyxy=(0, 40, 40, 70)), target=()
    )
    assert [one.phrase for one in plan.target] == ["a blue car"]  # painters are told it so, as every other object


def test_a_wrong_name_in_the_box_of_something_means_that() -> None:
    plan, said = carried(DeleteEdit(target="blue car #7", box_xyxy=(50, 40, 88, 70)))
    assert [edit.target for edit in plan.edits] == [CAR.id]
    assert plan.target == OBJECTS[:1]
    assert said == ["nothing that was found is called 'blue car #7'; its plan means 'blue car #1' by its box"]


def test_a_wrong_name_elsewhere_stands_for_its_box_and_is_said() -> None:
    plan, said = carried(DeleteEdit(target="unicorn #3", box_xyxy=(0, 60, 10, 80)))
    assert [edit.target for edit in plan.edits] == ["unicorn #3"]
    assert len(said) == 1 and "'unicorn #3'" in said[0] and "'red ball #1', 'blue car #1'" in said[0]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (DeleteEdit(target=CAR.id, box_xyxy=(500, 500, 600, 600)), "outside the 100x80 picture"),
        (STAR.model_copy(update={"box_xyxy": (0, 80, 20, 99)}), "outside the 100x80 picture"),
        (
            MoveEdit(op="move", target=BALL.id, from_box_xyxy=BALL.box_xyxy, box_xyxy=(-30, 0, -10, 20)),
            "outside the 100x80 picture",
        ),
        (STAR.model_copy(update={"target": BALL.id}), "a name that is taken; give it another, such as 'red ball #2'"),
        (STAR.model_copy(update={"phrase": " "}), "write its phrase and its noun"),
    ],
)
def test_what_cannot_be_meant_is_refused(edit: Edit, words: str) -> None:
    with pytest.raises(InputError, match=words):
        carried(edit)
