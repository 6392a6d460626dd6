import itertools
import random

import pytest

from llmgen.toybox.world.scenes import Scene, Wanted, change, place, without
from llmgen.toybox.world.truth import (
    DETAILS,
    PLACES,
    Acts,
    Demand,
    Placed,
    Sighting,
    Truth,
    is_right,
    judge_action,
    lies_at,
)
from llmgen.toybox.world.truths_of_scenes import sightings_of_scene, truth_of_scene
from llmgen.toybox.world.vocabulary import CHARACTERS, THINGS, VERBS


def _ball(color: str, x: float = 0, **looks: str) -> Sighting:
    return Sighting("ball", color, (x, 0, x + 10, 10), **looks)  # type: ignore[arg-type]


def test_the_strict_rule() -> None:
    one_red = Truth((Demand("ball", "red"),))
    assert is_right(one_red, [_ball("red")])
    assert not is_right(one_red, [_ball("blue")])
    assert not is_right(one_red, [])
    assert not is_right(one_red, [_ball("red"), Sighting("cup", "red", (0, 0, 5, 5))])
    assert is_right(Truth((Demand("ball", None, 2),)), [_ball("red"), _ball("blue")])
    mixed = Truth((Demand("ball", None), Demand("ball", "red")))
    assert is_right(mixed, [_ball("red"), _ball("red")])
    assert is_right(mixed, [_ball("blue"), _ball("red")])
    assert not is_right(mixed, [_ball("blue"), _ball("blue")])
    assert not is_right(Truth((Demand("ball", "red"),), absent=("cup",)), [Sighting("cup", "red", (0, 0, 1, 1))])


def test_relations_go_by_centres() -> None:
    truth = Truth((Demand("ball", "red"), Demand("ball", "blue")), (Placed(0, "left", 1),))
    assert is_right(truth, [_ball("red", 0), _ball("blue", 5)])
    assert not is_right(truth, [_ball("red", 5), _ball("blue", 0)])
    assert not is_right(truth, [_ball("red", 5), _ball("blue", 5)])


def test_the_order_of_sightings_does_not_matter() -> None:
    truth = Truth((Demand("ball", "red"), Demand("ball", None, 2)), (Placed(0, "left", 1),))
    seen = [_ball("red", 0), _ball("red", 50), _ball("blue", 90)]
    assert all(is_right(truth, order) for order in itertools.permutations(seen))


def test_properties_are_asked_for_only_when_demanded() -> None:
    striped = Truth((Demand("ball", "red", pattern="striped"),))
    assert is_right(striped, [_ball("red", pattern="striped")])
    assert not is_right(striped, [_ball("red", pattern="plain")])
    assert not is_right(striped, [_ball("red")])
    assert is_right(Truth((Demand("ball", "red"),)), [_ball("red", pattern="striped")])
    house = Sighting("house", "red", (0, 0, 9, 9), states=(("door", "open"), ("window", "dark")))
    assert is_right(Truth((Demand("house", "red", states=(("door", "open"),)),)), [house])
    assert not is_right(Truth((Demand("house", "red", states=(("window", "lit"),)),)), [house])
    snow = Truth((Demand("ball", "red"),), background="snow")
    assert is_right(snow, [_ball("red")], "snow")
    assert not is_right(snow, [_ball("red")], "rain")
    assert is_right(snow, [_ball("red")])


def _acting(verb: str, who: str, what: str, seed: int = 0) -> Scene:
    return place([Wanted(who, "red", verb=verb, target=1), Wanted(what, "blue")], "snow", random.Random(seed))


@pytest.mark.parametrize("verb", VERBS)
def test_every_render_of_a_verb_lies_at_its_place(verb: str) -> None:
    for who, what, seed in itertools.product(CHARACTERS, THINGS, range(3)):
        scene = _acting(verb, who, what, seed)
        actor, thing = (item.box_xyxy for item in scene.objects)
        assert lies_at(verb, actor, thing)
        assert is_right(truth_of_scene(scene, details=DETAILS), sightings_of_scene(scene), "snow")


@pytest.mark.parametrize(
    ("verb", "other"), [("holding", "carrying"), ("carrying", "riding"), ("riding", "kicking"), ("kicking", "carrying")]
)
def test_a_place_tells_verbs_apart(verb: str, other: str) -> None:
    actor, thing = (item.box_xyxy for item in _acting(verb, "boy", "ball").objects)
    assert not lies_at(other, actor, thing)


def test_far_away_is_no_place() -> None:
    for verb in PLACES:
        assert not lies_at(verb, (0, 40, 30, 100), (98, 0, 128, 30))


def test_an_action_is_judged_part_by_part() -> None:
    scene = _acting("kicking", "girl", "car")
    truth = truth_of_scene(scene, details=["verb"])
    assert truth.acts == (Acts(0, "kicking", 1),)
    girl, car = sightings_of_scene(scene)
    assert judge_action(truth, [girl, car]) == judge_action(truth, [car, girl])
    verdict = judge_action(truth, [girl, car])
    assert verdict.verb_right and verdict.object_right and verdict.placed_right and verdict.all_right
    verdict = judge_action(truth, [girl._replace(verb="pushing"), car])
    assert not verdict.verb_right and verdict.object_right and verdict.placed_right and not verdict.all_right
    verdict = judge_action(truth, [girl, car._replace(color="red")])
    assert verdict.verb_right and not (verdict.object_right or verdict.placed_right or verdict.all_right)
    verdict = judge_action(truth, [girl, car._replace(box_xyxy=(0, 0, 30, 20))])
    assert verdict.verb_right and verdict.object_right and not (verdict.placed_right or verdict.all_right)
    verdict = judge_action(truth, [girl, car, car])
    assert verdict.verb_right and verdict.placed_right and not (verdict.object_right or verdict.all_right)


def test_every_detail_of_a_scene_can_be_demanded() -> None:
    scene = _acting("holding", "dog", "house")
    seen = sightings_of_scene(scene)
    for index, looks in (
        (0, {"mood": "sad"}),
        (0, {"pattern": "dotted"}),
        (0, {"verb": "riding"}),
        (1, {"states": (("door", "open"),)}),
    ):
        other = sightings_of_scene(change(scene, index, **looks))
        assert is_right(truth_of_scene(scene), other)
        assert not is_right(truth_of_scene(scene, details=DETAILS), other), looks
    assert not is_right(truth_of_scene(scene, details=DETAILS), seen[:1])
    alone = without(scene, 1)
    assert truth_of_scene(alone, details=["verb"]).acts == ()
    assert is_right(truth_of_scene(alone, details=DETAILS), sightings_of_scene(alone))


def test_who_acts_and_what_is_acted_on_stand_alone_among_equals() -> None:
    wanted = [Wanted("boy", "red", verb="holding", target=1), Wanted("cup", "blue"), Wanted("cup", "blue")]
    scene = place(wanted, "beach", random.Random(2))
    assert [d.count for d in truth_of_scene(scene).demands] == [1, 2]
    truth = truth_of_scene(scene, details=DETAILS)
    assert [d.noun for d in truth.demands] == ["boy", "cup", "cup"]
    for order in itertools.permutations(sightings_of_scene(scene)):
        assert is_right(truth, order)
