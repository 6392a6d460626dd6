"""Sentences and shifts of ReCorD's preparation of HICO-DET; the goldens hold what is equal to the original."""

import pytest

from llmgen.errors import InputError
from llmgen.formats.hico_preparation import box_moved, points_moved, sentence_with_is, spoken_sentence


@pytest.mark.parametrize("places", [[0, 2], [2, 1], [1, 3], [1]])
def test_token_places_that_are_not_in_the_sentence_are_refused(places: list[int]) -> None:
    with pytest.raises(InputError, match="are not subject and object"):
        sentence_with_is("a dog", places)


def test_a_verb_may_have_a_preposition_of_several_words() -> None:
    assert spoken_sentence("uncle", "hop_on_to", "bench") == "An uncle is hopping on to a bench"


def test_shifts_keep_sizes_and_the_frame() -> None:
    assert box_moved([10, 20, 30, 60], lambda least, most: most, side=100) == [80, 60, 100, 100]
    moved = points_moved([[5, 9], [7, 4], [9, 30]], lambda least, most: least, side=100)
    assert moved == [[0, 5], [2, 0], [4, 26]]
