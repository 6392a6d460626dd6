import itertools

import pytest

from llmgen.inflection import participle_of
from llmgen.llm.english.grammar import (
    DEFAULT_BACKGROUND,
    Ordering,
    PromptMeaning,
    Relation,
    WantedObject,
    head_noun,
    read_phrase,
    read_prompt,
)
from llmgen.llm.english.words import bare, is_plural, number_word, pluralize, singularize, with_article

CLASSES = ("backpack", "book", "bottle", "bowl", "car", "cat", "chair", "cup", "dog", "laptop")
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
SCENE = "A realistic photo of a scene"


def objects(text: str) -> list[tuple[str, tuple[str, ...], int]]:
    return [(o.noun, o.attributes, o.count) for o in read_prompt(text).objects]


def relations(text: str) -> list[tuple[str, int, int | None]]:
    return [(r.kind, r.subject, r.object) for r in read_prompt(text).relations]


# The wording of the LMD benchmark, generated; all of it, not a sample.


@pytest.mark.parametrize("noun", CLASSES)
def test_benchmark_negation_and_numeracy(noun: str) -> None:
    plural = f"{noun}s"
    assert read_prompt(f"{SCENE} without {plural}") == PromptMeaning(absent=(noun,), background=SCENE)
    for count, word in enumerate(("one", "two", "three", "four", "five"), start=1):
        said = f"{word} {noun if count == 1 else plural}"
        expected = PromptMeaning((WantedObject(noun, (), count, exact=True),), background=SCENE)
        assert read_prompt(f"{SCENE} with {said}") == expected


def test_benchmark_attribution() -> None:
    colors = itertools.cycle(itertools.permutations(COLORS, 2))
    for (first, second), (color, other) in zip(itertools.permutations(CLASSES, 2), colors, strict=False):
        text = f"{SCENE} with {with_article(f'{color} {first}')} and {with_article(f'{other} {second}')}"
        expected = (WantedObject(first, (color,)), WantedObject(second, (other,)))
        assert read_prompt(text) == PromptMeaning(expected, background=SCENE)


@pytest.mark.parametrize(("one", "other"), [("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top")])
def test_benchmark_spatial(one: str, other: str) -> None:
    for first, second in itertools.permutations(CLASSES, 2):
        meaning = read_prompt(f"{SCENE} with a {first} on the {one} and a {second} on the {other}")
        assert meaning.objects == (WantedObject(first), WantedObject(second))
        assert meaning.relations == (Relation(f"on_{one}", 0), Relation(f"on_{other}", 1))  # type: ignore[arg-type]
        order = (0, 1) if one in ("left", "top") else (1, 0)
        assert meaning.orderings() == (Ordering(0 if one in ("left", "right") else 1, *order),)
        assert meaning.background == SCENE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a white and small dog", [("dog", ("white", "small"), 1)]),
        ("two tall palm trees", [("palm tree", ("tall",), 2)]),
        ("a red and a blue ball", [("ball", ("red",), 1), ("ball", ("blue",), 1)]),
        ("a red ball and a blue one", [("ball", ("red",), 1), ("ball", ("blue",), 1)]),
        ("an orange and a cup", [("orange", (), 1), ("cup", (), 1)]),
        ("an orange cup", [("cup", ("orange",), 1)]),
        ("a pair of gloves", [("glove", (), 2)]),
        ("a dozen red roses", [("rose", ("red",), 12)]),
        ("ninety red balls", [("ball", ("red",), 90)]),
        ("three hundred stars and a car", [("star", (), 300), ("car", (), 1)]),
        ("twenty-one cups", [("cup", (), 21)]),
        ("several birds", [("bird", (), 3)]),
        ("a group of three cats", [("cat", (), 3)]),
        ("3 fish", [("fish", (), 3)]),
        ("cars", [("car", (), 2)]),
        ("a cup of coffee and two glasses of wine", [("cup", (), 1), ("glass", (), 2)]),
        ("the ball is red and the car is blue", [("ball", ("red",), 1), ("car", ("blue",), 1)]),
        ("a cat sitting on a chair", [("cat", (), 1), ("chair", (), 1)]),
        ("a young woman holding an umbrella", [("woman", ("young",), 1), ("umbrella", (), 1)]),
        ("please draw me a cute red fish", [("fish", ("cute", "red"), 1)]),
        ("a teddy bear and a fire hydrant", [("teddy bear", (), 1), ("fire hydrant", (), 1)]),
        ("there are no cats, only two dogs", [("dog", (), 2)]),
        ("a red ball, a blue car, a green house", [("ball", ("red",), 1), ("car", ("blue",), 1), ("house", ("green",), 1)]),
        ("a meadow | two red balls", [("ball", ("red",), 2)]),
        ("a ball and a car. The ball is left of the car.", [("ball", (), 1), ("car", (), 1)]),
    ],
)  # fmt: skip
def test_objects(text: str, expected: list[tuple[str, tuple[str, ...], int]]) -> None:
    assert objects(text) == expected


def test_numbers_are_exact_and_articles_are_not() -> None:
    said = {t: read_prompt(t).objects[0].exact for t in ("a ball", "one ball", "2 balls", "a pair of balls", "balls")}
    assert said == {"a ball": False, "one ball": True, "2 balls": True, "a pair of balls": True, "balls": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red ball to the left of a blue car in the snow", [("left_of", 0, 1)]),
        ("a ball right of two cars", [("right_of", 0, 1)]),
        ("a ball on the left side of a car", [("left_of", 0, 1)]),
        ("a star above a house", [("above", 0, 1)]),
        ("a dog on top of a car", [("above", 0, 1)]),
        ("a fish under a heart", [("below", 0, 1)]),
        ("to the left of the car is a ball", [("left_of", 1, 0)]),
        ("a cat next to a dog", [("next_to", 0, 1)]),
        ("on the left a red ball and on the right a blue car", [("on_left", 0, None), ("on_right", 1, None)]),
        ("a ball above and a car below", [("on_top", 0, None), ("on_bottom", 1, None)]),
        ("a ball in the upper left corner", [("on_top", 0, None), ("on_left", 0, None)]),
        ("a heart at the bottom of the picture", [("on_bottom", 0, None)]),
        ("a ball to the left of a car to the left of a house", [("left_of", 0, 1), ("left_of", 1, 2)]),
        ("a dog on top of a car, with a red ball under it", [("above", 0, 1), ("below", 2, 1)]),
        ("two fish left of a cup", [("left_of", 0, 1)]),
        ("a star under a night sky", []),
    ],
)
def test_relations(text: str, expected: list[tuple[str, int, int | None]]) -> None:
    assert relations(text) == expected


@pytest.mark.parametrize(
    ("text", "absent", "left"),
    [
        ("a meadow with two stars without cars", ("car",), ["star"]),
        ("four cats without any dogs or birds", ("dog", "bird"), ["cat"]),
        ("three red cars, no trees", ("tree",), ["car"]),
        ("a star with no cars on a beach", ("car",), ["star"]),
        ("a star, a heart and a cup without a ball in a meadow", ("ball",), ["star", "heart", "cup"]),
        ("a ball without stars and a red car", ("star",), ["ball", "car"]),
        ("a blue car but no red cars", ("red car",), ["car"]),
        ("no dogs", ("dog",), []),
    ],
)
def test_absences(text: str, absent: tuple[str, ...], left: list[str]) -> None:
    meaning = read_prompt(text)
    assert meaning.absent == absent
    assert [o.noun for o in meaning.objects] == left


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a meadow with a red ball", "a meadow"),
        ("two red balls on a sandy beach", "a sandy beach"),
        ("two stars at night", "a night scene"),
        ("a car in the snow", "a snowy scene"),
        ("cars on a street at night", "a street at night"),
        ("A photo of two dogs", "A photo of a scene"),
        ("an oil painting of a beach with a boat", "an oil painting of a beach"),
        ("a blue sky with a red sun", "a blue sky"),
        ("two dogs", DEFAULT_BACKGROUND),
        ("a picture with two cars in the style of Van Gogh", "a picture in the style of Van Gogh"),
        ("a beach", "a beach"),
        ("!!!", "!!!"),
        ("", DEFAULT_BACKGROUND),
    ],
)
def test_background(text: str, expected: str) -> None:
    assert read_prompt(text).background == expected


def test_phrases() -> None:
    assert read_phrase("a white and small palm tree") == ("palm tree", ("white", "small"))
    assert head_noun("two tall palm trees") == "palm tree"
    assert read_phrase("???") == ("???", ())


def test_inflection() -> None:
    pairs = {
        "ball": "balls",
        "fish": "fish",
        "palm tree": "palm trees",
        "box": "boxes",
        "mouse": "mice",
        "wolf": "wolves",
    }
    for singular, plural in pairs.items():
        assert pluralize(singular) == plural
        assert singularize(plural) == singular
    for stable in ("bus", "glass", "scissors", "tennis", "cactus", "dress"):
        assert singularize(stable) == stable
    assert is_plural("cars") and not is_plural("car")
    assert (with_article("hourglass"), with_article("orange ball"), with_article("unicorn")) == (
        "an hourglass",
        "an orange ball",
        "a unicorn",
    )
    assert (bare("a panda bear"), bare("an apple"), bare("antelope")) == ("panda bear", "apple", "antelope")
    assert number_word(3) == "three"
    participles = {
        "ride": "riding",
        "sit": "sitting",
        "lie": "lying",
        "squeeze": "squeezing",
        "open": "opening",
        "row": "rowing",
    }
    assert {verb: participle_of(verb) for verb in participles} == participles
