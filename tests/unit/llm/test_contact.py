"""Where things are put that touch, lie by each other, or have an order that must be seen."""

import itertools
import math

import pytest

from llmgen.artifacts import Layout
from llmgen.llm.planning.contact import holds, is_between
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.layout import LayoutQuestion

Box = tuple[float, float, float, float]


def plan(prompt: str, seed: int, size: int = 512) -> Layout:
    return Rules().ask(LayoutQuestion(prompt, size, size, seed)).value


def boxes(layout: Layout, noun: str) -> list[Box]:
    return [i.box_xyxy for i in layout.instances if i.noun == noun]


@pytest.mark.parametrize(
    ("prompt", "kind", "one", "other"),
    [
        ("a cat on a sofa", "on", "cat", "sofa"),
        ("7 apples and a banana on a wooden table", "on", "apple", "table"),
        ("three cats on three chairs", "on", "cat", "chair"),
        ("four pears in a wicker basket", "in", "pear", "basket"),
        ("a fish in a bowl on a table", "on", "bowl", "table"),
        ("a clown holding two balloons", "holding", "clown", "balloon"),
        ("a clown wearing a hat", "wearing", "clown", "hat"),
        ("a lamp next to a bed", "next_to", "lamp", "bed"),
        ("a dog behind a car", "next_to", "dog", "car"),
        ("a girl riding a horse", "on", "girl", "horse"),
    ],
)
@pytest.mark.parametrize("size", [128, 512])
def test_contact_can_be_seen(prompt: str, kind: str, one: str, other: str, size: int) -> None:
    for seed in range(6):
        layout = plan(prompt, seed, size)
        for a in boxes(layout, one):
            assert any(holds(kind, a, b, size) for b in boxes(layout, other)), (seed, layout.instances)
        for instance in layout.instances:
            x0, y0, x1, y1 = instance.box_xyxy
            assert 0 <= x0 < x1 <= size and 0 <= y0 < y1 <= size


def test_what_carries_is_larger_than_what_it_carries() -> None:
    layout = plan("7 apples and a banana on a wooden table", 0)
    (table,) = boxes(layout, "table")
    assert table[2] - table[0] >= 0.9 * (
        max(b[2] for b in boxes(layout, "apple")) - min(b[0] for b in boxes(layout, "apple"))
    )


@pytest.mark.parametrize("prompt", ["a bird between two cats", "a harp between a fern and a drum"])
def test_between(prompt: str) -> None:
    for seed in range(6):
        first, *others = (i.box_xyxy for i in plan(prompt, seed).instances)
        assert is_between(first, others)


def test_bundles_keep_their_order() -> None:
    for seed in range(6):
        layout = plan("a cat on a chair to the left of a dog on a sofa", seed)
        (chair,), (dog,) = boxes(layout, "chair"), boxes(layout, "dog")
        assert chair[0] + chair[2] < dog[0] + dog[2]


def test_left_middle_and_right() -> None:
    for seed in range(6):
        cat, dog, bird = (
            i.box_xyxy for i in plan("a cat on the left, a dog in the middle and a bird on the right", seed).instances
        )
        assert cat[0] + cat[2] < dog[0] + dog[2] < bird[0] + bird[2]
        assert abs((dog[0] + dog[2]) / 2 - 256) <= 512 / 6


NOUNS = ("dog", "teddy bear", "tv", "cow", "bench", "bus", "wine glass", "clock", "person", "boat")


@pytest.mark.parametrize("relation", ["left of", "right of", "above", "below"])
def test_orders_hold_by_the_rule_of_geneval(relation: str) -> None:
    """Offset of the centres, less a tenth of both sizes, over its length: above one half that way (Ghosh et al. 2023)."""
    axis, sign = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}[relation]
    for seed, (one, other) in enumerate(itertools.islice(itertools.permutations(NOUNS, 2), 25)):
        a, b = (
            i.box_xyxy
            for i in plan(f"a photo of a {one} {relation} a {other}", seed, 512 if seed % 2 else 128).instances
        )
        offset = [(a[k] + a[k + 2] - b[k] - b[k + 2]) / 2 for k in (0, 1)]
        clear = sign * offset[axis] - (a[axis + 2] - a[axis] + b[axis + 2] - b[axis]) / 10
        assert clear / math.hypot(*offset) > 0.5, (one, other)


@pytest.mark.parametrize(
    ("kind", "a", "b", "expected"),
    [
        ("on", (10, 10, 30, 40), (0, 38, 60, 80), True),
        ("on", (10, 10, 30, 20), (0, 38, 60, 80), False),
        ("on", (70, 30, 90, 60), (0, 38, 60, 80), False),
        ("in", (10, 45, 30, 70), (0, 38, 60, 80), True),
        ("in", (10, 10, 30, 40), (0, 38, 60, 80), False),
        ("next_to", (0, 0, 20, 20), (40, 0, 60, 20), True),
        ("next_to", (0, 0, 20, 20), (60, 0, 80, 20), False),
        ("holding", (0, 0, 20, 40), (24, 10, 40, 30), True),
        ("holding", (0, 0, 20, 40), (40, 10, 60, 30), False),
        ("behind", (0, 0, 10, 10), (90, 90, 99, 99), True),
    ],
)  # fmt: skip
def test_what_can_be_seen_in_boxes(kind: str, a: Box, b: Box, expected: bool) -> None:
    assert holds(kind, a, b, 100) is expected
