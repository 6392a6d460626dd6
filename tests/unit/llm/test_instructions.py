"""Instructions: what they say, and what becomes of the detections."""

from typing import Any

import pytest

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, Detection, EditPlan, MoveEdit
from llmgen.errors import InputError
from llmgen.llm.english.instructions import read_instruction
from llmgen.llm.english.parsed_instruction import parsed_from_instruction
from llmgen.llm.planning.editing import changed_attributes
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.edit import EditQuestion
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.llm.replies.update_reply import read_update_reply
from llmgen.llm.replies.wire import plan_of_update

SIZE = {"width": 128, "height": 128}


def thing(name: str, x: float, y: float, side: float = 30.0, **fields: Any) -> Detection:
    *attributes, noun = name.split()
    number = fields.pop("number", 1)
    return Detection(
        id=f"{name} #{number}", phrase=name, noun=noun, attributes=tuple(attributes), score=fields.pop("score", 0.9),
        box_xyxy=(x, y, x + side, y + side),
    )  # fmt: skip


SCENE = (
    thing("red ball", 8, 80),
    thing("tree", 88, 20, number=1, score=0.95),
    thing("tree", 10, 15, number=2),
    thing("house", 80, 80, 40.0),
)


def edit(instruction: str, *scene: Detection, seed: int = 0) -> EditPlan:
    return EditQuestion(instruction, scene or SCENE, seed=seed, **SIZE).by_rules()[0]


#: Three lamps from left to right, the middle one the largest; a vase and a cat.
SHELF = (
    thing("lamp", 5, 50, 20.0, number=1), thing("lamp", 45, 50, number=2), thing("lamp", 100, 50, 15.0, number=3),
    thing("red vase", 28, 55, 14.0), thing("black cat", 85, 95, 25.0),
)  # fmt: skip


def test_what_everything_is_called_and_nothing_is_gets_a_line() -> None:
    said: list[str] = []
    plan, _ = EditQuestion("remove all the fruit", SHELF, seed=0, **SIZE).by_rules(said.append)
    assert not plan.edits and said == ["nothing in the picture matches 'fruit'"]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("take the ball out of the picture", "Remove ball"),
        ("Please cut the house out.", "Remove house"),
        ("have the house and the ball trade places", "Swap house"),
        ("swap the house for a tower", "Replace house"),
        ("exchange the house with the ball", "Swap house"),
        ("replace the house by a red tower", "Replace house"),
        ("make the tree twice as tall", "Resize tree"),
        ("make the ball smaller and green", "Resize ball, Change ball"),
        ("move the red ball to the left of the blue one", "Move ball left_of blue ball"),
    ],
)
def test_commands(said: str, wanted: str) -> None:
    read = []
    for command in read_instruction(said).commands:
        what = getattr(command, "what", None) or command.first  # type: ignore[union-attr]
        place = getattr(command, "to", None)
        read.append(
            f"{type(command).__name__} {what.noun}" + (f" {place.kind} {place.anchors[0].phrase}" if place else "")
        )
    assert ", ".join(read) == wanted


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("get rid of every lamp except the rightmost", ["delete lamp #1", "delete lamp #2"]),
        ("remove all lamps but the last", ["delete lamp #1", "delete lamp #2"]),
        ("remove the first two lamps", ["delete lamp #1", "delete lamp #2"]),
        ("remove the last two lamps", ["delete lamp #2", "delete lamp #3"]),
        (
            "make the middle lamp blue and the other lamps white",
            ["a blue lamp #2", "a white lamp #1", "a white lamp #3"],
        ),
        ("keep only the cat", ["delete lamp #1", "delete lamp #2", "delete lamp #3", "delete red vase #1"]),
        ("only keep the vase and the cat", ["delete lamp #1", "delete lamp #2", "delete lamp #3"]),
        ("the vase should not be there", ["delete red vase #1"]),
        ("I want the cat gone", ["delete black cat #1"]),
        ("remove all the animals", ["delete black cat #1"]),
        ("make the vase blue instead of red", ["a blue vase #1"]),
        ("remove the biggest lamp and make the others green", ["a green lamp #1", "a green lamp #3", "delete lamp #2"]),
        ("paint the lamp that is on the right green", ["a green lamp #3"]),
        ("add two more vases", ["add a vase", "add a vase"]),
        # Fragments, wishes and reasons.
        ("no vase please", ["delete red vase #1"]),
        ("cat -> fox", ["add a fox", "delete black cat #1"]),
        ("a stool next to the cat", ["add a stool"]),
        ("instead of the vase there should be a clock", ["add a clock", "delete red vase #1"]),
        ("I don't like the vase, make it green", ["a green vase #1"]),
        ("the vase looks dull; paint it gold", ["a gold vase #1"]),
        ("neither of the animals should stay", ["delete black cat #1"]),
        ("have a bird perch on the vase", ["add a bird"]),
        # What a thing becomes, has and is given.
        ("dye the vase navy blue and the cat light grey", ["a light grey cat #1", "a navy blue vase #1"]),
        ("make the vase the colour of the cat", ["a black vase #1"]),
        ("give the vase white dots", ["a red vase with white dots #1"]),
        ("add a bottle made of glass", ["add a glass bottle"]),
        ("add a girl in a blue coat holding a kite", ["add a girl in a blue coat holding a kite"]),
        ("replace the vase with a stone one", ["add a stone vase", "delete red vase #1"]),
        # Which are meant.
        ("remove the left and the right lamp", ["delete lamp #1", "delete lamp #3"]),
        ("the other lamps, not the left one, should be blue", ["a blue lamp #2", "a blue lamp #3"]),
        ("delete the vsae", ["delete red vase #1"]),
        ("take the vase off the table", ["delete red vase #1"]),
        # Where something is or was.
        (
            "move the vase to where the cat is and the cat to where the vase is",
            ["move black cat #1", "move red vase #1"],
        ),
        ("remove the cat and add a fox where it was", ["add a fox", "delete black cat #1"]),
        # How many there should be.
        ("there should be five lamps", ["add a lamp", "add a lamp"]),
        ("only two lamps please", ["delete lamp #3"]),
        ("there are too many lamps, one is enough", ["delete lamp #2", "delete lamp #3"]),
        ("two vases instead of one", ["add a red vase"]),
        ("one lamp less", ["delete lamp #1"]),
        # Sentences and questions.
        ("can the cat be white?", ["a white cat #1"]),
        ("the vase ought to be painted gold", ["a gold vase #1"]),
        ("I want the vase green and the cat gone", ["a green vase #1", "delete black cat #1"]),
        ("the vase is way too small", ["resize red vase #1"]),
        ("let the cat wear a hat", ["add a hat"]),
        ("we can do without the vase", ["delete red vase #1"]),
        # What is brought up, and reasons.
        ("The vase? It should be blue.", ["a blue vase #1"]),
        ("I'm tired of the cat, get rid of it", ["delete black cat #1"]),
        ("remove the cat because it scares me", ["delete black cat #1"]),
        ("keep the lamps and the vase but delete the rest", ["delete black cat #1"]),
        # Copies, exchanges, preferences.
        ("duplicate the vase", ["add a red vase"]),
        ("swap the colours of the cat and the vase", ["a black vase #1", "a red cat #1"]),
        ("I'd prefer a green vase", ["a green vase #1"]),
        ("paint the cat orange and white", ["an orange and white cat #1"]),
        ("Rather than a cat, I'd like a fox", ["add a fox", "delete black cat #1"]),
        ("everything red should become blue", ["a blue vase #1"]),
        ("put a clock in the place of the cat", ["add a clock", "delete black cat #1"]),
    ],
)
def test_the_others_and_the_first_few(said: str, changes: list[str]) -> None:
    def name(edit: Any) -> str:
        if isinstance(edit, ChangeAttributeEdit):
            return f"{edit.phrase} {edit.target.rpartition(' ')[2]}"
        return f"add {edit.phrase}" if isinstance(edit, AddEdit) else f"{edit.op} {edit.target}"

    assert sorted(map(name, edit(said, *SHELF).edits)) == changes


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("remove one of the lamps", "cannot read all"),
        ("remove most of the lamps", "cannot read all"),
        ("remove the other lamp", "cannot read all"),
        ("make the first lamp blue and the other lamp red", "which other 'lamp' is meant"),
        ("remove the second two lamps", "are meant is not said"),
        ("swap the shapes of the cat and the vase", "not looks"),
        ("turn the vase upside down", "cannot read all"),
        ("make the picture better", "matches|cannot read"),
        ("I'd rather have a stool", "cannot tell what 'a stool' should be instead of"),
        ("there should be three lamps", "there are 3 'lamp' already"),
        ("make the vase the cat", "cannot read all"),
        ("no more than one lamp", "cannot read all"),
        ("do not remove the cat", "begin with a verb"),
    ],
)
def test_what_leaves_open_which_is_refused(said: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        edit(said, *SHELF)


def test_one_of_several_that_fit_is_named() -> None:
    said: list[str] = []
    question = EditQuestion("remove the lamp and the cat", SHELF, seed=0, **SIZE)
    plan, _ = question.by_rules(said.append)
    assert len(plan.edits) == 2 and said == ["'lamp' fits 3 things; 'lamp #1' is taken"]


def test_between_is_between() -> None:
    for seed in range(4):
        (added,) = edit("put a cup between the ball and the house", seed=seed).edits
        assert isinstance(added, AddEdit)
        x0, y0, x1, y1 = added.box_xyxy
        assert 23 < (x0 + x1) / 2 < 100 and y0 < 120 and y1 > 80


def test_attributes_change_in_place() -> None:
    plan = edit("Make the red ball blue.")
    (change,) = plan.edits
    assert isinstance(change, ChangeAttributeEdit)
    assert (change.target, change.phrase, change.attributes) == ("red ball #1", "a blue ball", ("blue",))
    assert change.box_xyxy == SCENE[0].box_xyxy
    assert [i.phrase for i in plan.target] == ["a blue ball", "a tree", "a tree", "a house"]


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        ("remove the left tree", ["tree #2"]),
        ("delete the tree on the right", ["tree #1"]),
        ("remove the tree", ["tree #1"]),
        ("get rid of all trees", ["tree #1", "tree #2"]),
        ("remove both trees and the ball", ["red ball #1", "tree #1", "tree #2"]),
        ("please erase the biggest house in the picture", ["house #1"]),
        ("remove all cars", []),
    ],
)
def test_removal_chooses_among_several(said: str, ids: list[str]) -> None:
    edits = edit(said).edits
    assert all(isinstance(e, DeleteEdit) for e in edits)
    assert sorted(e.target for e in edits) == ids


LAMPS = (
    thing("lamp", 5, 50, number=1),
    thing("lamp", 50, 50, number=2),
    thing("lamp", 95, 50, number=3),
    thing("chair", 92, 95),
)


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        ("remove all lamps except the left one", [2, 3]),
        ("remove all the lamps but the middle one", [1, 3]),
        ("delete every lamp other than the second one", [1, 3]),
        ("remove all lamps except the left one and the right one", [2]),
        ("Remove all the lamps except for the one on the right", [1, 2]),
        ("remove the second lamp", [2]),
        ("remove the third lamp from the left", [3]),
        ("remove the first lamp from the right", [3]),
        ("delete the last lamp", [3]),
        ("remove the lamp closest to the chair", [3]),
        ("remove the lamp nearest the chair", [3]),
        ("delete the lamp farthest from the chair", [1]),
        ("remove the lamp above the chair", [3]),
        ("what if we removed the left lamp?", [1]),
        ("What if the middle lamp was gone?", [2]),
    ],
)
def test_which_of_several(said: str, ids: list[int]) -> None:
    edits = edit(said, *LAMPS).edits
    assert sorted(e.target for e in edits) == [f"lamp #{number}" for number in ids]
    assert all(isinstance(e, DeleteEdit) for e in edits)


def test_everything_but_one() -> None:
    assert [e.target for e in edit("remove everything except the chair", *LAMPS).edits] == [
        "lamp #1",
        "lamp #2",
        "lamp #3",
    ]


@pytest.mark.parametrize(
    ("said", "operation", "phrase"),
    [
        ("What if the red ball were green?", "change_attribute", "a green ball"),
        ("I want the red ball to be green", "change_attribute", "a green ball"),
        ("the red ball should be green", "change_attribute", "a green ball"),
        ("What if there was a cat on the house?", "add", "a cat"),
        ("have there be a cat on the house", "add", "a cat"),
        ("there should be a cat next to the house", "add", "a cat"),
        ("Could we have a cat beside the house?", "add", "a cat"),
        ("paint the red ball gold", "change_attribute", "a gold ball"),
    ],
)
def test_wishes_are_commands(said: str, operation: str, phrase: str) -> None:
    (one,) = edit(said).edits
    assert one.op == operation
    assert isinstance(one, AddEdit | ChangeAttributeEdit) and one.phrase == phrase


def test_what_is_said_of_the_last_is_said_of_all() -> None:
    edits = edit("make the left tree and the house yellow").edits
    assert [(e.op, e.target) for e in edits] == [("change_attribute", "tree #2"), ("change_attribute", "house #1")]


def test_sizes_are_compared() -> None:
    scene = (thing("cup", 10, 10, 20.0), thing("house", 60, 60, 40.0))
    for said, side in (("make the cup as big as the house", 40.0), ("make the cup bigger than the house", 52.0)):
        (edited,) = edit(said, *scene).edits
        assert isinstance(edited, MoveEdit) and edited.box_xyxy[2] - edited.box_xyxy[0] == pytest.approx(side, abs=0.1)


def test_what_has_no_room_or_a_taken_place_changes_places() -> None:
    said: list[str] = []
    scene = (thing("boy", 0, 40, 50.0), thing("girl", 70, 40, 50.0))
    for wish in ("the girl should be left of the boy", "the girl should be where the boy is"):
        plan, _ = EditQuestion(wish, scene, seed=0, **SIZE).by_rules(said.append)
        boy, girl = (next(i.box_xyxy for i in plan.target if i.noun == noun) for noun in ("boy", "girl"))
        assert girl[0] < boy[0]
    assert all("change places" in line for line in said)


def test_reasons_that_are_left_out_are_said() -> None:
    said: list[str] = []
    EditQuestion("remove the tree so the house is visible", SCENE, seed=0, **SIZE).by_rules(said.append)
    assert "'so the house is visible' is taken for a reason" in said


def test_a_hat_may_touch_the_head_it_is_on() -> None:
    (added,) = edit("put a hat on the dog", thing("dog", 50, 2, 40.0)).edits
    assert isinstance(added, AddEdit) and added.box_xyxy[1] >= 0


def test_swap_exchanges_centres_and_keeps_sizes() -> None:
    plan = edit("swap the ball and the house")
    moved = {e.target: e for e in plan.edits if isinstance(e, MoveEdit)}
    assert {e.op for e in moved.values()} == {"move"}
    ball, house = moved["red ball #1"].box_xyxy, moved["house #1"].box_xyxy
    assert (ball[2] - ball[0], house[2] - house[0]) == (30.0, 40.0)
    assert ((ball[0] + ball[2]) / 2, (ball[1] + ball[3]) / 2) == (100.0, 100.0)
    assert ((house[0] + house[2]) / 2, (house[1] + house[3]) / 2) == (23.0, 95.0)


def test_it_goes_on_with_the_same_object() -> None:
    (move,) = edit("move the star up and make it larger", thing("star", 50, 70)).edits
    assert isinstance(move, MoveEdit)
    assert move.op == "resize"
    assert move.box_xyxy[3] - move.box_xyxy[1] == pytest.approx(39, abs=0.1)
    assert (move.box_xyxy[1] + move.box_xyxy[3]) / 2 < 65


@pytest.mark.parametrize(
    ("said", "axis", "sign"),
    [("to the left of the house", 0, -1), ("above the house", 1, -1), ("below the left tree", 1, 1)],
)
def test_relations_hold_after_a_move(said: str, axis: int, sign: int) -> None:
    scene = (thing("ball", 45, 50, 20.0), thing("house", 60, 75, 40.0), thing("tree", 5, 10))
    (move,) = edit(f"move the ball {said}", *scene).edits
    assert isinstance(move, MoveEdit)
    anchor = scene[1] if "house" in said else scene[2]
    offset = sum(move.box_xyxy[axis::2]) / 2 - sum(anchor.box_xyxy[axis::2]) / 2
    assert offset * sign > 10
    assert all(0 <= v <= 128 for v in move.box_xyxy)


def test_additions_find_room_and_are_repeatable() -> None:
    scene = (thing("house", 50, 80, 40.0),)
    (added,) = edit("add a yellow star above the house", *scene).edits
    assert isinstance(added, AddEdit)
    assert (added.target, added.phrase, added.noun) == ("yellow star #1", "a yellow star", "star")
    assert added.box_xyxy[3] <= 80
    assert edit("add a yellow star above the house", *scene).edits == (added,)
    assert len(edit("add two green fish", *scene).edits) == 2


def test_replacements_take_the_place() -> None:
    edits = edit(
        "Replace the bowl with two round apples and keep the cup unchanged", thing("bowl", 10, 50), thing("cup", 80, 50)
    ).edits
    gone, first, second = edits
    assert isinstance(gone, DeleteEdit) and gone.target == "bowl #1"
    assert isinstance(first, AddEdit) and isinstance(second, AddEdit)
    assert (first.target, second.target) == ("round apple #1", "round apple #2")
    assert first.box_xyxy == (10, 50, 25, 80) and second.box_xyxy == (25, 50, 40, 80)


def test_the_dog_sleeps_and_the_shadows_go() -> None:
    plan = edit("make the dog a sleeping dog and remove all shadows", thing("dog", 5, 50), thing("shadow", 60, 90))
    assert [(e.op, e.target) for e in plan.edits] == [("delete", "shadow #1"), ("change_attribute", "dog #1")]
    assert [i.phrase for i in plan.target] == ["a sleeping dog"]


def test_what_moves_and_changes_is_drawn_anew() -> None:
    edits = edit("make the red ball green and move it to the right").edits
    assert [e.op for e in edits] == ["delete", "add"]
    added = edits[1]
    assert isinstance(added, AddEdit) and added.phrase == "a green ball" and added.box_xyxy[0] > 20


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("remove the car", "nothing in the picture matches 'car'"),
        ("make the blue ball red", "nothing in the picture matches 'blue ball'"),
        ("move the left tree to the left of the castle", "matches 'castle'"),
        ("move the ball left by 0 pixels", "further|cannot read"),
        ("make the picture nicer", "matches|cannot read"),
        ("hello world", "begin with a verb"),
        ("remove the ball with the green stripes", "cannot read all of"),
        ("remove the ball quickly before dinner", "cannot read all of"),
        ("make it rain", "cannot read all of"),
        ("remove no trees", "cannot read all of"),
        ("do not remove the ball", "begin with a verb"),
        ("remove the fifth tree", "only 2 match"),
        ("remove all trees except the purple castle", "matches 'purple castle'"),
        ("remove the ball. " * 200, "at most 2000 are read"),
        ("", "the instruction is empty"),
        ("make the ball", "cannot read all of 'make the ball'"),
    ],
)
def test_what_cannot_be_done_is_said(said: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        edit(said)
    assert "\n" not in str(error.value)


def test_the_border_ends_a_move() -> None:
    with pytest.raises(InputError, match="at the border"):
        edit("move the star up", thing("star", 50, 0))


def test_what_must_be_looked_for() -> None:
    read = read_instruction("Make the dog a sleeping dog, remove all shadows and add a bone in an image of a grassland")
    parsed = parsed_from_instruction(read)
    assert [(o.noun, [i.attributes for i in o.instances]) for o in parsed.objects] == [("dog", [[]]), ("bone", [[]])]
    assert (parsed.negative, parsed.background) == (["shadow"], "an image of a grassland")
    answer = Rules().ask(ParseQuestion("swap the red car and the house", instruction=True))
    parsed, reply = answer.value, answer.reply
    assert [(o.noun, [i.attributes for i in o.instances]) for o in parsed.objects] == [
        ("car", [["red"]]),
        ("house", [[]]),
    ]
    assert reply.call == "parse"


def test_a_reply_of_the_rules_replays_to_the_same_edits() -> None:
    said = "remove the left tree, make the red ball blue and move the house up"
    answer = Rules().ask(EditQuestion(said, SCENE, seed=3, **SIZE))
    plan, reply = answer.value, answer.reply
    assert reply.call == "edit"
    again = plan_of_update(read_update_reply(reply.text, SCENE, **SIZE), SCENE)
    assert sorted(e.model_dump_json() for e in again.edits) == sorted(e.model_dump_json() for e in plan.edits)


def test_new_colours_and_sizes_take_the_place_of_old_ones() -> None:
    assert changed_attributes(("small", "red"), ("blue",)) == ("small", "blue")
    assert changed_attributes(("red",), ("large",)) == ("large", "red")
    assert changed_attributes(("striped", "red"), ("shiny",)) == ("striped", "red", "shiny")


@pytest.mark.parametrize(
    "said, wanted",
    [
        ("add a ball on the left", ["Add ball left"]),
        ("put a ball on the left and a star on the right", ["Add ball left", "Add star right"]),
        ("put two stars at the top and a fish at the bottom", ["Add star top", "Add fish bottom"]),
        ("put the two stars at the top", ["Move star top"]),
        ("put the red ball on the left and the cup on the right", ["Move ball left", "Move cup right"]),
        ("add a star in the top left corner", ["Add star top left"]),
        ("add a lamp on the left side of the picture", ["Add lamp left"]),
        ("place a red ball in the middle", ["Add ball middle"]),
        ("put a star on the top of the house", ["Add star on house"]),
        ("put the ball on the left side of the car", ["Move ball left_of car"]),
        ("add a ring on the left hand", ["Add ring on hand"]),
    ],
)
def test_places_of_the_picture_and_of_things(said: str, wanted: list[str]) -> None:
    read = []
    for command in read_instruction(said).commands:
        place = command.to  # type: ignore[union-attr]
        named = place.sides or (place.kind, *(anchor.noun for anchor in place.anchors))
        read.append(" ".join((type(command).__name__, command.what.noun, *named)))  # type: ignore[union-attr]
    assert read == wanted


@pytest.mark.parametrize(
    "said", ["put ball left put ball left", "add a ball a star", "move the ball left the car right"]
)
def test_what_follows_a_command_without_a_word_between_is_not_read(said: str) -> None:
    with pytest.raises(InputError, match="cannot read all of"):
        read_instruction(said)
