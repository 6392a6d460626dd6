import random

import pytest

from llmgen.llm.planning.placement import Canvas
from llmgen.llm.planning.sizes import LARGE, PEOPLE_SCALE, wished_size

CANVAS = Canvas(128, 128)


def longest(noun: str, total: int, *attributes: str) -> float:
    size = wished_size(noun, attributes, total, CANVAS, random.Random(1))
    return max(size.width, size.height)


@pytest.mark.parametrize("noun", ["boy", "woman", "old man"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_people_are_larger_than_things_where_there_is_room(noun: str, total: int) -> None:
    assert longest(noun, total) == pytest.approx(PEOPLE_SCALE * longest("ball", total))


def test_in_a_crowd_everybody_is_as_large_as_a_thing() -> None:
    assert longest("boy", 4) == pytest.approx(longest("ball", 4))


def test_words_of_size_count_and_nothing_is_larger_than_the_picture() -> None:
    assert longest("ball", 1, "small") < LARGE[0] * 128 <= longest("ball", 1) < longest("ball", 1, "huge")
    assert longest("man", 1, "giant", "huge", "big") == pytest.approx(0.9 * 128)
