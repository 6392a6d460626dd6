"""Who does what with what, read by rules; and the pose and the place of verbs."""

import random

import pytest

from llmgen.errors import InputError
from llmgen.llm.english.acting import read_interaction
from llmgen.llm.planning.interactions import (
    RELATIONS,
    Figure,
    Joint,
    place_object,
    place_of,
    pose_difference,
    pose_distance,
    verb_poses,
)
from llmgen.toybox.world.captions import sample_prompt
from llmgen.toybox.world.poses import HEIGHT, pose_of, skeleton
from llmgen.toybox.world.truth import lies_at
from llmgen.toybox.world.vocabulary import KEYPOINTS, VERBS

BASES = {
    "holding": "hold", "kicking": "kick", "riding": "ride", "feeding": "feed", "pushing": "push", "carrying": "carry",
}  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "intransitive", "words", "base"),
    [
        ("a boy is feeding a bird", "a boy is feeding", ("a boy", "feeding", "a bird", "bird"), "feed"),
        ("a kid is standing on a chair", "a kid is standing", ("a kid", "standing", "a chair", "chair"), "stand"),
        ("a girl is holding a hot dog", "a girl is holding", ("a girl", "holding", "a hot dog", "hot dog"), "hold"),
        ("a cook has been stirring a pot", "a cook has been stirring", ("a cook", "stirring", "a pot", "pot"), "stir"),
        ("a boy has just kicked a ball", "a boy has just kicked", ("a boy", "kicked", "a ball", "ball"), "kick"),
        ("She is painting a fence", "She is painting", ("She", "painting", "a fence", "fence"), "paint"),
        (
            "the young king's son is riding a pony",
            "the young king's son is riding",
            ("the young king's son", "riding", "a pony", "pony"),
            "ride",
        ),
        (
            "a boy in green is kicking a yellow cup in the snow with a red ball",
            "a boy in green is kicking in the snow with a red ball",
            ("a boy in green", "kicking", "a yellow cup", "cup"),
            "kick",
        ),
        (
            "The happy dog in a striped red pullover is feeding an orange fish at night.",
            "The happy dog in a striped red pullover is feeding at night.",
            ("The happy dog in a striped red pullover", "feeding", "an orange fish", "fish"),
            "feed",
        ),
    ],
)
def test_words_with_their_places(prompt: str, intransitive: str, words: tuple[str, ...], base: str) -> None:
    said: list[str] = []
    found = read_interaction(prompt, said.append)
    assert (found.subject.text, found.verb.text, found.object.text, found.object_noun.text) == words
    assert (found.intransitive_prompt, found.verb_base) == (intransitive, base)
    found.check_prompt(prompt)
    assert not said


@pytest.mark.parametrize(
    ("prompt", "remark"),
    [
        ("an old man carrying a surfboard", "no 'is'; 'carrying' is taken"),
        ("a man rides a horse", "no 'is'; 'rides' is taken"),
        ("two boys are kicking a ball", "subject 'two boys' is plural"),
        ("a boy is kicking a ball next to a ball", "names 'ball' more than once"),
        ("a boy is kicking balls", "its object 'balls' is plural"),
        ("a boy is texting a friend", "'texting' is no verb that is known"),
    ],
)
def test_what_is_taken_otherwise_is_said(prompt: str, remark: str) -> None:
    said: list[str] = []
    read_interaction(prompt, said.append)
    assert remark in " ".join(said)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a red ball", "has no verb"),
        ("a boy is running", "has no object"),
        ("a boy is kicking in the snow", "has no object"),
        ("is riding a horse", "does not say who is riding: name the figure"),
        ("a ball is kicked by a boy", "says what is done to somebody: begin with who acts"),
    ],
)
def test_prompts_that_say_no_interaction(prompt: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_interaction(prompt, lambda line: None)


def test_poses_are_those_of_the_picture_book() -> None:
    for verb in VERBS:
        joints = skeleton("boy", pose_of("calm", verb)).keypoints()
        for name, (x, y) in zip(KEYPOINTS, joints, strict=True):
            assert verb_poses()[BASES[verb]][name] == pytest.approx((x / HEIGHT, y / HEIGHT), abs=1e-3)


def test_each_held_out_scene_has_the_pose_of_its_verb_and_its_thing_in_place() -> None:
    rng = random.Random(5)
    for _ in range(60):
        prompt = sample_prompt(rng, "interaction", held_out=True)
        actor = prompt.scene.objects[0]
        assert actor.verb is not None and actor.target is not None
        thing = prompt.scene.objects[actor.target]
        x0, y0 = actor.box_xyxy[:2]
        joints = {name: Joint(x + x0, y + y0) for name, (x, y) in zip(KEYPOINTS, actor.drawing.keypoints, strict=True)}
        figure = Figure(tuple(map(float, actor.box_xyxy)), joints)  # type: ignore[arg-type]
        distances = {verb: pose_distance(figure.sure, verb) for verb in BASES.values()}
        assert min(distances, key=lambda verb: distances[verb] or (9, False)) == BASES[actor.verb]
        assert distances[BASES[actor.verb]] == (pytest.approx(0, abs=0.12), actor.facing == "left")
        size = (thing.box_xyxy[2] - thing.box_xyxy[0], thing.box_xyxy[3] - thing.box_xyxy[1])
        relation, box = place_object(figure, BASES[actor.verb], "", size, (128, 128))
        assert relation in RELATIONS and lies_at(actor.verb, figure.box, box), prompt.text


def test_without_joints_the_box_will_do() -> None:
    figure = Figure((40.0, 30.0, 80.0, 110.0), {})
    _, ride = place_object(figure, "ride", "", (40.0, 40.0), (128, 128))
    assert ride[1] > 60 and abs((ride[0] + ride[2]) / 2 - 60) < 10
    relation, hat = place_object(figure, "wear", "", (20.0, 10.0), (128, 128))
    assert relation == "on" and hat[3] < 70
    _, large = place_object(figure, "hold", "", (500.0, 500.0), (128, 128))
    assert 0 < large[0] < large[2] < 128 and 0 < large[1] < large[3] < 128


def test_a_thing_that_fits_stays_on_either_side() -> None:
    figure = Figure((40.0, 30.0, 80.0, 110.0), {})
    for there in ((78.0, 72.0, 118.0, 110.0), (4.0, 76.0, 40.0, 112.0)):
        size = (there[2] - there[0], there[3] - there[1])
        assert place_object(figure, "kick", "", size, (128, 128), there)[1] == there
    above = (60.0, 2.0, 100.0, 40.0)
    _, box = place_object(figure, "kick", "", (40.0, 38.0), (128, 128), above)
    assert box != above and box[1] > 60 and box[0] > 60  # On the side where it was.


def test_joints_far_from_the_pose_are_not_believed() -> None:
    joints = {name: Joint(60 + 40 * x, 110 + 80 * y) for name, (x, y) in verb_poses()["carry"].items()}
    figure = Figure((40.0, 30.0, 80.0, 110.0), joints)
    assert place_object(figure, "kick", "", (20.0, 20.0), (128, 128)) == place_object(
        Figure(figure.box, {"nose": joints["nose"]}), "kick", "", (20.0, 20.0), (128, 128)
    )


def test_unknown_verbs_go_by_their_preposition() -> None:
    assert place_of("yodel", "on").relation == "under"
    assert place_of("yodel").relation == "near"
    assert place_of("stand", "under").relation == "above"
    assert place_of("stand", "on").anchor == "feet"
    assert pose_distance({}, "kick") is None and pose_distance(verb_poses()["kick"], "yodel") is None
    assert pose_difference(verb_poses()["kick"], verb_poses()["kick"]) == pytest.approx(0)
    assert pose_difference({}, verb_poses()["kick"]) is None


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a cup is held by a girl", "what is done to somebody"),
        ("a girl isn't kicking a ball", "what is not done"),
        ("a cat is about to catch a mouse", "what will be done"),
        ("a boy is waiting at school", "has no object"),
    ],
)
def test_what_no_pose_shows_is_said(prompt: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_interaction(prompt, lambda _: None)


@pytest.mark.parametrize(
    ("prompt", "subject", "thing", "alone"),
    [
        ("a girl is dancing with a scarf", "a girl", "a scarf", "a girl is dancing"),
        ("there is a dog that is biting a shoe", "a dog", "a shoe", "there is a dog that is biting"),
        ("a drawing of a knight who is riding a horse", "a knight", "a horse", "a drawing of a knight who is riding"),
        ("a monkey is carrying a basket of figs", "a monkey", "a basket of figs", "a monkey is carrying"),
        ("a nurse is gently and slowly washing a baby", "a nurse", "a baby", "a nurse is gently and slowly washing"),
    ],
)
def test_what_surrounds_who_acts_and_on_what(prompt: str, subject: str, thing: str, alone: str) -> None:
    found = read_interaction(prompt, lambda _: None)
    assert (found.subject.text, found.object.text, found.intransitive_prompt) == (subject, thing, alone)


def test_a_second_object_is_said() -> None:
    remarks: list[str] = []
    found = read_interaction("a boy is holding a cup and a plate", remarks.append)
    assert (found.object.text, found.intransitive_prompt) == ("a cup", "a boy is holding")
    assert remarks == ["it names 'a plate' besides; only 'cup' is placed"]
