"""Relations seen in boxes: the package's own world draws them as the table expects them, and apart they are not seen."""

import random

import pytest

from llmgen.evaluate.hoi.relations import Expectation, expected, holds
from llmgen.toybox.world.placing import PlacementError
from llmgen.toybox.world.scenes import Wanted, place, render
from llmgen.toybox.world.vocabulary import CHARACTERS, KEYPOINTS, THINGS, VERBS
from llmgen.vision.boxes import BoxTuple

BASES = {
    "holding": "hold",
    "kicking": "kick",
    "riding": "ride",
    "feeding": "feed",
    "pushing": "push",
    "carrying": "carry",
}
PERSON = (40.0, 20.0, 60.0, 120.0)


def share_seen(verb: str, *, acted_on: bool) -> float:
    """Share of drawn scenes in which the relation of a verb is seen."""
    rng, seen = random.Random(7), []
    while len(seen) < 25:
        wanted = [Wanted(rng.choice(CHARACTERS), "red", verb=verb, target=1 if acted_on else None)]
        try:
            scene = place([*wanted, Wanted(rng.choice(THINGS), "blue")], "meadow", rng)
        except PlacementError:
            continue
        joints: dict[str, list[tuple[float, float]]] = {}
        for name, (x, y) in zip(KEYPOINTS, render(scene).keypoints[0], strict=True):
            joints.setdefault(name.rpartition("_")[2], []).append((float(x), float(y)))
        person, thing = (item.box_xyxy for item in scene.objects)
        seen.append(holds(expected(BASES[verb]), person, thing, joints) is None)
    return sum(seen) / len(seen)


@pytest.mark.parametrize("verb", VERBS)
def test_what_the_world_draws_for_a_verb_is_seen_and_a_thing_apart_is_not(verb: str) -> None:
    # A thing that is fed stands beside who feeds it, and so does many a thing that only lies there.
    assert share_seen(verb, acted_on=True) == 1.0
    assert share_seen(verb, acted_on=False) <= (0.6 if verb == "feeding" else 0.2)


@pytest.mark.parametrize(
    ("verb", "thing", "reason"),
    [
        ("ride", (30.0, 70.0, 70.0, 120.0), None),
        ("ride", (30.0, 10.0, 70.0, 60.0), "not below"),
        ("ride", (60.0, 70.0, 90.0, 120.0), "to the side"),
        ("ride", (0.0, 150.0, 90.0, 190.0), "0.30 heights away"),
        ("push", (58.0, 70.0, 90.0, 120.0), None),
        ("push", (42.0, 70.0, 58.0, 120.0), "not beside"),
        ("push", (90.0, 70.0, 120.0, 120.0), "0.30 heights away"),
        ("wear", (42.0, 15.0, 58.0, 30.0), None),
    ],
)
def test_boxes_tell_where_a_thing_is(verb: str, thing: BoxTuple, reason: str | None) -> None:
    said = holds(expected(verb), PERSON, thing, {})
    assert said is None if reason is None else said is not None and reason in said


def test_a_joint_that_was_found_must_be_near() -> None:
    ball = (55.0, 100.0, 75.0, 120.0)
    near, far = {"ankle": [(52.0, 118.0), (44.0, 118.0)]}, {"ankle": [(44.0, 60.0)]}
    assert holds(expected("kick"), PERSON, ball, near) is None
    assert holds(expected("kick"), PERSON, ball, far) == "no ankle is near it"
    assert holds(expected("kick"), PERSON, ball, {}) is None


def test_a_preposition_decides_for_postures_and_unknown_verbs_only() -> None:
    assert expected("sit", "under").where == "above" and expected("sit", "on") == expected("ride")
    assert expected("ride", "under") == expected("ride")
    assert expected("yodel", "on").where == "below"
    assert expected("yodel") == Expectation("touching", 0.3)
