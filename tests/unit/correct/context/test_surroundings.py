"""What painters are told of a picture: parts are told as the thing they lie on."""

from llmgen.artifacts import EditOutcome, EditPlan, HistoryEntry, ImageRef, Instance, Record, RepaintEdit
from llmgen.correct.context.surroundings import Surroundings

HOUSE, BALL, WINDOW = (10.0, 10.0, 50.0, 50.0), (14.0, 30.0, 24.0, 40.0), (30.0, 20.0, 38.0, 28.0)


def seen(noun: str, box: tuple[float, float, float, float]) -> Instance:
    return Instance(id=f"{noun} #1", phrase=f"a {noun}", noun=noun, box_xyxy=box)


def edit(noun: str, box: tuple[float, float, float, float], tag: str) -> RepaintEdit:
    return RepaintEdit(target=f"{noun} #1", phrase=f"a {noun}", noun=noun, tags=(tag,), box_xyxy=box, strength=1.0)


def behind(status: str, *edits: RepaintEdit) -> Record:
    """A record with a depth behind it that saw a house and a ball in front of it."""
    image = ImageRef(path="a.png", width=64, height=64)
    plan = EditPlan(edits=edits, target=(seen("house", HOUSE), seen("ball", BALL)))
    outcomes = tuple(EditOutcome(target=one.target, status=status) for one in edits)  # type: ignore[arg-type]
    entry = HistoryEntry(stage="correct", round=1, image=image, edits=plan, outcomes=outcomes)
    return Record(id="a", prompt="a house", image=image, history=(entry,))


def test_objects_of_the_first_depth_are_told_apart_even_if_one_lies_on_the_other() -> None:
    now = Surroundings(Record(id="a", prompt="a house"), (seen("house", HOUSE), seen("ball", BALL)))
    told = now.after(edit("ball", BALL, "a dotted ball"))
    assert [(one.phrase, one.box_xyxy) for one in told] == [("a house", HOUSE), ("a dotted ball", BALL)]


def test_a_part_is_told_as_the_thing_that_its_tags_name() -> None:
    record = behind("painted", edit("house", HOUSE, "a striped house"))
    now = Surroundings(record, (seen("window", WINDOW),))
    lit = edit("window", WINDOW, "a striped house with lit windows")
    assert [one.phrase for one in now.after(lit)] == ["a striped house with lit windows", "a ball"]
    assert now.after(lit)[0].box_xyxy == now.about(lit) == HOUSE
    now.paint(lit)
    assert now.after(edit("ball", BALL, "a red ball"))[0].phrase == "a striped house with lit windows"


def test_a_part_whose_tags_name_nothing_is_told_as_itself() -> None:
    now = Surroundings(behind("painted", edit("house", HOUSE, "a striped house")), (seen("window", WINDOW),))
    told = now.after(edit("window", WINDOW, "warm lamp light"))
    assert told[-1].phrase == "a window, warm lamp light" and told[-1].box_xyxy == WINDOW and len(told) == 3
    assert now.about(edit("window", WINDOW, "warm lamp light")) == WINDOW


def test_what_was_rolled_back_is_told_as_it_was() -> None:
    now = Surroundings(behind("rolled_back", edit("house", HOUSE, "a striped house")), ())
    assert now.after(edit("ball", BALL, "a red ball"))[0].phrase == "a house"
