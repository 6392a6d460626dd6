"""The right answer to a question, and what a judge must see in it."""

import json
import random

import pytest

from llmgen.toybox.world.answers import (
    answer_from_json,
    answer_of,
    answer_to_json,
    is_right_answer,
    rest_stayed,
)
from llmgen.toybox.world.pairs import CATEGORIES, sample_pair
from llmgen.toybox.world.truths_of_scenes import sightings_of_scene


def pair(category, number):
    return sample_pair(random.Random(f"answers:{category}:{number}"), category)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_target_is_right_and_the_copied_input_is_not(category):
    for number in range(12):
        p = pair(category, number)
        answer = answer_of(p.before, p.after)
        assert is_right_answer(answer, sightings_of_scene(p.after), p.after.background)
        assert rest_stayed(answer, sightings_of_scene(p.after), p.after.background)
        assert not is_right_answer(answer, sightings_of_scene(p.before), p.before.background), p.question
        assert rest_stayed(answer, sightings_of_scene(p.before), p.before.background)


def test_a_changed_rest_is_seen_and_something_else_is_wrong():
    p = next(p for n in range(60) if len((p := pair("moves", n)).after.objects) > 1 and p.template == "moves/paint")
    answer = answer_of(p.before, p.after)
    seen = sightings_of_scene(p.after)
    index = next(i for i, item in enumerate(answer.objects) if item.fate == "stays")
    x0, y0, x1, y1 = seen[index].box_xyxy
    shifted = list(seen)
    shifted[index] = seen[index]._replace(box_xyxy=(x0 + 30, y0 + 30, x1 + 30, y1 + 30))
    assert is_right_answer(answer, shifted, p.after.background) and not rest_stayed(answer, shifted, p.after.background)
    assert not is_right_answer(answer, [*seen, seen[0]], p.after.background)
    assert not is_right_answer(answer, seen[:-1], p.after.background)
    other = "night" if p.after.background != "night" else "snow"
    assert not is_right_answer(answer, seen, other) and not rest_stayed(answer, seen, other)
    assert is_right_answer(answer, seen, None)


def test_what_moves_must_arrive():
    p = next(p for n in range(60) if (p := pair("moves", n)).template in ("moves/swap", "moves/wind"))
    answer = answer_of(p.before, p.after)
    assert "moves" in {item.fate for item in answer.objects}
    halfway = [
        new._replace(box_xyxy=old.box_xyxy)
        for new, old in zip(sightings_of_scene(p.after), sightings_of_scene(p.before), strict=True)
    ]
    assert not is_right_answer(answer, halfway)


def test_round_trip_through_json():
    p = pair("appears", 3)
    answer = answer_of(p.before, p.after)
    assert answer_from_json(json.loads(json.dumps(answer_to_json(answer)))) == answer
    with pytest.raises(ValueError, match="no fate"):
        answer_from_json({"objects": [["flies", []]], "background": "snow", "background_stays": True})
