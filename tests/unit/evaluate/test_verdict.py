import pytest

from llmgen.artifacts import Detection, Instance, Layout
from llmgen.evaluate.verdict import (
    Found,
    attributed_phrases,
    found_in_detections,
    found_in_layout,
    is_checkable,
    judge_found,
    plain_phrases,
    prompt_type,
)
from llmgen.llm.english.grammar import read_prompt

SIZE = (128, 128)
Thing = tuple[str, tuple[float, float]]


def box(x: float, y: float) -> tuple[float, float, float, float]:
    return (x - 10, y - 10, x + 10, y + 10)


def layout(*things: Thing) -> Layout:
    return Layout(
        width=128,
        height=128,
        background_prompt="a meadow",
        instances=tuple(
            Instance(id=str(i), phrase=phrase, box_xyxy=box(*middle)) for i, (phrase, middle) in enumerate(things)
        ),
    )


RED, STAR, BLUE = ("a red ball", (20.0, 20.0)), ("a star", (60.0, 60.0)), ("a blue ball", (100.0, 20.0))


@pytest.mark.parametrize(
    ("prompt", "things", "ok", "detail"),
    [
        ("two red balls and a star in a meadow", [RED, RED, STAR], True, "as asked"),
        ("two red balls and a star in a meadow", [RED, RED, RED, STAR], False, "wanted 2 x red ball, found 3"),
        ("two red balls and a star in a meadow", [RED, BLUE, STAR], False, "wanted 2 x red ball, found 1"),
        ("two red balls and a star in a meadow", [RED, RED], False, "wanted at least 1 x star, found 0"),
        ("two red balls and a star in a meadow", [RED, RED, STAR, STAR, BLUE], True, "as asked"),
        ("a red ball without stars", [RED, BLUE], True, "as asked"),
        ("a red ball without stars", [RED, STAR], False, "wanted no star, found 1"),
        ("a red ball without stars", [BLUE], False, "wanted at least 1 x red ball, found 0"),
        ("a red ball to the left of a blue ball", [RED, BLUE], True, "as asked"),
        ("a blue ball to the left of a red ball", [RED, BLUE], False, "wanted blue ball left of red ball"),
        ("a red ball above a star", [RED, STAR], True, "as asked"),
        ("a red ball below a star", [RED, STAR], False, "wanted star above red ball"),
        ("a red ball above a blue ball", [RED, BLUE], False, "wanted red ball above blue ball"),
        (
            "two red balls to the left of a star",
            [RED, ("a red ball", (100, 19)), STAR],
            False,
            "wanted red balls left of",
        ),
        ("a red ball on the left", [RED], True, "as asked"),
        ("a red ball on the right", [RED], False, "wanted red ball on the right"),
        ("a red ball in the middle", [RED], False, "wanted red ball in the middle"),
        ("a star in the middle", [STAR], True, "as asked"),
        ("a red ball on a star", [RED, STAR], False, "wanted red ball on star"),
        ("a red ball on a star", [("a red ball", (60, 42)), STAR], True, "as asked"),
        ("a red ball in a star", [("a red ball", (62, 66)), STAR], True, "as asked"),
        ("a red ball in a star", [RED, STAR], False, "wanted red ball in star"),
        ("a red ball next to a star", [RED, STAR], True, "as asked"),
        (
            "a red ball next to a star",
            [("a red ball", (10, 10)), ("a star", (110, 110))],
            False,
            "wanted red ball next to star",
        ),
        ("a star holding a red ball", [STAR, ("a red ball", (82, 60))], True, "as asked"),
        ("a star holding a red ball", [STAR, RED], False, "wanted star holding red ball"),
        ("a star between two balls", [STAR, RED, BLUE], True, "as asked"),
        ("a star between two balls", [("a star", (110, 20)), RED, BLUE], False, "wanted star between balls"),
        ("a star behind a red ball", [STAR, RED], True, "as asked; boxes do not show behind"),
        ("two balls, one on the left and one on the right", [RED, BLUE], True, "as asked"),
        ("two balls, one on the left and one on the right", [BLUE, RED], True, "as asked"),
        ("two balls, one on the left and one on the right", [RED, RED], False, "wanted ball left of ball"),
        ("two balls, one red and one blue", [RED, BLUE], True, "as asked"),
        ("two balls, one red and one blue", [RED, RED], False, "wanted 1 x red ball, found 2"),
        ("three balls, one of them red", [RED, BLUE, BLUE], True, "as asked"),
        ("three balls, one of them red", [RED, BLUE], False, "wanted 3 x ball, found 2"),
    ],
)
def test_every_clause_must_hold(prompt: str, things: list[Thing], ok: bool, detail: str) -> None:
    meaning = read_prompt(prompt)
    verdict = judge_found(meaning, found_in_layout(meaning, layout(*things)), SIZE)
    assert verdict.ok is ok
    assert verdict.detail.startswith(detail)


def test_only_confirmed_attributes_count() -> None:
    meaning = read_prompt("a red ball")
    unsure = Detection(id="ball #1", phrase="ball", noun="ball", box_xyxy=box(20, 20), score=0.9)
    sure = unsure.model_copy(update={"attributes": ("red",)})
    assert not judge_found(meaning, found_in_detections(meaning, [unsure]), SIZE).ok
    assert judge_found(meaning, found_in_detections(meaning, [sure]), SIZE).ok


def test_the_best_hit_decides_a_relation() -> None:
    meaning = read_prompt("a cup to the left of a car")

    def seen(noun: str, x: float, score: float) -> Detection:
        return Detection(id=f"{noun} {x}", phrase=noun, noun=noun, box_xyxy=box(x, 50), score=score)

    worse_is_left = [seen("cup", 20, 0.5), seen("cup", 100, 0.9), seen("car", 60, 0.8)]
    assert not judge_found(meaning, found_in_detections(meaning, worse_is_left), SIZE).ok
    best_is_left = [seen("cup", 20, 0.9), seen("cup", 100, 0.5), seen("car", 60, 0.8)]
    assert judge_found(meaning, found_in_detections(meaning, best_is_left), SIZE).ok


def test_equal_centres_are_not_beside_each_other() -> None:
    meaning = read_prompt("a cup to the left of a car")
    assert not judge_found(meaning, Found(((box(50, 10),), (box(50, 90),)), ()), SIZE).ok


@pytest.mark.parametrize(
    ("prompt", "kind", "attributed", "plain"),
    [
        ("two red balls and a star", "numeracy", ("red ball",), ("star",)),
        ("a red ball and a blue car", "attribution", ("red ball", "blue car"), ()),
        ("a cup above a car", "spatial", (), ("cup", "car")),
        ("a cup without cars", "negation", (), ("cup", "car")),
        ("a cup", None, (), ("cup",)),
    ],
)
def test_what_is_looked_for(prompt: str, kind: str | None, attributed: tuple[str, ...], plain: tuple[str, ...]) -> None:
    meaning = read_prompt(prompt)
    assert prompt_type(meaning) == kind
    assert attributed_phrases(meaning) == attributed
    assert plain_phrases(meaning) == plain
    assert is_checkable(meaning)


def test_a_bare_background_cannot_be_checked() -> None:
    assert not is_checkable(read_prompt("a meadow"))


@pytest.mark.parametrize(
    "prompt", ["a tray with more plums than pears", "half a pizza", "ein roter Ball", "a ball that is not red"]
)
def test_what_was_not_read_wholly_cannot_be_checked(prompt: str) -> None:
    assert not is_checkable(read_prompt(prompt))


def in_pixels(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return (x, y, x + width, y + height)


LEFT, RIGHT, FAR = in_pixels(20, 150, 140, 200), in_pixels(190, 150, 140, 200), in_pixels(360, 150, 140, 200)


@pytest.mark.parametrize(
    ("prompt", "things", "ok"),
    [
        ("two taxis on a street", [("a taxi", LEFT), ("a taxi", RIGHT)], True),
        ("a lizard hidden by a kettle", [("a lizard", LEFT), ("a kettle", RIGHT)], True),
        (
            "a mirror was hung above the desk",
            [("a mirror", in_pixels(20, 20, 140, 120)), ("a desk", in_pixels(20, 250, 140, 200))],
            True,
        ),
        ("a crab on side of a kettle", [("a crab", LEFT), ("a kettle", RIGHT)], True),
        ("two boats sailed alongside one whale", [("a boat", LEFT), ("a boat", RIGHT), ("a whale", FAR)], True),
        ("two paintings and one spoon", [("a spoon", LEFT)], False),
        ("a clock to the left of a wooden picture frame", [("a clock", LEFT)], False),
        ("a red orange and a purple pear", [("a red orange", LEFT), ("a purple pear", RIGHT)], True),
        ("a hill with neither cows nor fences", [], True),
        ("a hill with neither cows nor fences", [("a cow", LEFT), ("a fence", FAR)], False),
        ("a clown not wearing a hat", [("a clown", LEFT)], True),
        ("two stools, one red and the other green", [("a red stool", LEFT), ("a red stool", RIGHT)], False),
    ],
)
def test_verdicts_that_users_met_wrong(
    prompt: str, things: list[tuple[str, tuple[float, float, float, float]]], ok: bool
) -> None:
    instances = tuple(Instance(id=str(i), phrase=phrase, box_xyxy=box) for i, (phrase, box) in enumerate(things))
    planned = Layout(width=512, height=512, background_prompt="a room", instances=instances)
    meaning = read_prompt(prompt)
    assert judge_found(meaning, found_in_layout(meaning, planned), (512, 512)).ok is ok
