import random
from itertools import combinations

import numpy as np
import pytest

from llmgen.toybox.world.placing import _BULKY, LARGE
from llmgen.toybox.world.scenes import FIGURE_SIZES, GAP, Scene, Wanted, place, render
from llmgen.toybox.world.sprites import drawing, sprite
from llmgen.toybox.world.vocabulary import CHARACTERS, KEYPOINTS, MOODS, THINGS, VERBS

POSES = [(mood, None) for mood in MOODS] + [("calm", verb) for verb in VERBS]


def act(verb: str, subject: str = "boy", thing: str = "ball", seed: int = 0) -> Scene:
    return place([Wanted(subject, "red", verb=verb, target=1), Wanted(thing, "blue")], "meadow", random.Random(seed))


def keypoint(scene: Scene, name: str) -> tuple[float, float]:
    """Of the first object, as if it faced right."""
    figure = scene.objects[0]
    if figure.facing == "left":
        name = name.replace("left", "?").replace("right", "left").replace("?", "right")
    x, y = render(scene).keypoints[0, KEYPOINTS.index(name)]
    return (float(x) if figure.facing == "right" else -float(x)), float(y)


def thing_box(scene: Scene) -> tuple[int, int, int, int]:
    """Of the thing acted on, as if the first object faced right."""
    x0, y0, x1, y1 = scene.objects[1].box_xyxy
    return (x0, y0, x1, y1) if scene.objects[0].facing == "right" else (-x1, y0, -x0, y1)


@pytest.mark.parametrize("noun", CHARACTERS)
@pytest.mark.parametrize(("mood", "verb"), POSES)
@pytest.mark.parametrize("facing", ["left", "right"])
@pytest.mark.parametrize("size", FIGURE_SIZES)
def test_every_joint_is_on_the_figure(noun: str, mood: str, verb: str | None, facing: str, size: int) -> None:
    drawn = drawing(noun, size, "plain", (), mood, verb, facing)
    assert drawn.keypoints is not None and drawn.keypoints.shape == (len(KEYPOINTS), 2)
    assert drawn.keypoints.dtype == np.float32
    for x, y in drawn.keypoints:
        assert drawn.mask[int(y), int(x)]


@pytest.mark.parametrize("noun", CHARACTERS)
def test_a_standing_figure_has_the_height_that_was_asked_for(noun: str) -> None:
    for size in FIGURE_SIZES:
        assert abs(drawing(noun, size).mask.shape[0] - size) <= 4


def test_left_and_right_are_the_figures_own() -> None:
    right, left = (drawing("girl", 70, facing=facing) for facing in ("right", "left"))
    assert right.keypoints is not None and left.keypoints is not None
    names = list(KEYPOINTS)
    # Seen from the front, its right hand is on our left, whichever way it turns its head.
    for drawn in (right, left):
        assert drawn.keypoints[names.index("right_wrist"), 0] < drawn.keypoints[names.index("left_wrist"), 0]
    assert np.array_equal(right.mask, left.mask[:, ::-1])
    width = right.mask.shape[1]
    assert right.keypoints[0, 0] > width / 2 > left.keypoints[0, 0]
    assert right.keypoints[names.index("left_elbow"), 0] == pytest.approx(
        width - left.keypoints[names.index("right_elbow"), 0]
    )


@pytest.mark.parametrize("noun", CHARACTERS)
def test_poses_differ_in_their_silhouettes(noun: str) -> None:
    silhouettes = {}
    for mood, verb in POSES:
        drawn = drawing(noun, 70, "plain", (), mood, verb)
        canvas = np.zeros((120, 160), dtype=np.bool_)
        x, y = round(80 - drawn.anchor[0]), round(100 - drawn.anchor[1])
        height, width = drawn.mask.shape
        canvas[y : y + height, x : x + width] = drawn.mask
        silhouettes[verb or mood] = canvas
    for one, other in combinations(silhouettes, 2):
        both, either = (
            (silhouettes[one] & silhouettes[other]).sum(),
            (silhouettes[one] | silhouettes[other]).sum(),
        )
        assert both / either < 0.93, (one, other)


def test_moods_show_in_the_face_of_who_acts() -> None:
    faces = [sprite("boy", "red", 70, mood=mood, verb="pushing").rgb for mood in MOODS]
    for one, other in combinations(faces, 2):
        assert one.shape != other.shape or (np.abs(one - other).max(-1) > 60).sum() > 20


def test_patterns_are_on_the_clothes_only() -> None:
    plain = drawing("dog", 70)
    for pattern in ("striped", "dotted", "checked"):
        drawn = drawing("dog", 70, pattern)
        assert np.array_equal(plain.mask, drawn.mask)
        changed = (sprite("dog", "red", 70).rgb != sprite("dog", "red", 70, pattern).rgb).any(-1)
        rows = np.flatnonzero(changed.any(1))
        # A pullover: neither the head nor the feet.
        assert 0.3 * len(plain.mask) < rows[0] < rows[-1] < 0.8 * len(plain.mask)
        assert 0.05 < changed.mean() < 0.3


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("thing", THINGS)
def test_every_verb_fits_every_thing(verb: str, thing: str) -> None:
    for seed in range(4):
        scene = act(verb, "girl", thing, seed)
        rendered = render(scene)
        # The thing stays visible: nobody hides it.
        assert rendered.masks[1].sum() > 0.45 * scene.objects[1].drawing.mask.sum()
        assert not (rendered.masks[0] & rendered.masks[1]).any()
        (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = (o.box_xyxy for o in scene.objects)
        assert max(bx0 - ax1, ax0 - bx1, by0 - ay1, ay0 - by1) < GAP


@pytest.mark.parametrize("subject", CHARACTERS)
@pytest.mark.parametrize("thing", ["ball", "house", "car", "cup"])
@pytest.mark.parametrize("seed", range(3))
def test_things_are_where_the_verb_wants_them(subject: str, thing: str, seed: int) -> None:
    scene = act("holding", subject, thing, seed)
    (hx, hy), (x0, y0, x1, y1) = keypoint(scene, "right_wrist"), thing_box(scene)
    assert x0 - 4 <= hx < x1 and y0 < hy < y1
    assert keypoint(scene, "nose")[1] < (y0 + y1) / 2 < keypoint(scene, "right_knee")[1]

    scene = act("kicking", subject, thing, seed)
    (fx, fy), (x0, y0, x1, y1) = keypoint(scene, "right_ankle"), thing_box(scene)
    assert y0 < fy < y1 and -2 < x0 - fx < 16
    assert fy < keypoint(scene, "left_ankle")[1] - 8

    scene = act("riding", subject, thing, seed)
    (sx, sy), (x0, y0, x1, y1) = keypoint(scene, "right_hip"), thing_box(scene)
    assert x0 < sx < x1 and sy < (y0 + y1) / 2
    assert scene.objects[1].size in LARGE and "riding" in _BULKY

    scene = act("feeding", subject, thing, seed)
    (hx, hy), (x0, y0, x1, y1) = keypoint(scene, "right_wrist"), thing_box(scene)
    assert hx < x0 and hy > keypoint(scene, "right_shoulder")[1] + 10
    assert abs(y1 - scene.objects[0].box_xyxy[3]) <= 1

    scene = act("pushing", subject, thing, seed)
    (hx, hy), (x0, y0, x1, y1) = keypoint(scene, "right_wrist"), thing_box(scene)
    assert abs(hx - x0) < 16 and y0 - 2 < hy < y1
    assert abs(y1 - scene.objects[0].box_xyxy[3]) <= 1
    assert keypoint(scene, "right_shoulder")[0] > keypoint(scene, "right_hip")[0] + 4

    scene = act("carrying", subject, thing, seed)
    (hx, hy), (x0, y0, x1, y1) = keypoint(scene, "right_wrist"), thing_box(scene)
    assert abs(y1 - hy) < 6 and y1 < keypoint(scene, "nose")[1]


def test_things_beside_who_acts_on_nothing_are_out_of_reach() -> None:
    for seed in range(30):
        scene = place([Wanted("boy", "red", verb="kicking"), Wanted("ball", "blue")], "meadow", random.Random(seed))
        (x0, y0, x1, y1), (u0, v0, u1, v1) = (o.box_xyxy for o in scene.objects)
        ahead = u0 - x1 if scene.objects[0].facing == "right" else x0 - u1
        assert max(v0 - y1, y0 - v1) >= GAP or not 0 <= ahead < GAP + 10


def test_hands_lie_on_what_they_hold() -> None:
    scene = act("holding")
    rendered = render(scene)
    x, y = rendered.keypoints[0, KEYPOINTS.index("right_wrist" if scene.objects[0].facing == "right" else "left_wrist")]
    assert rendered.masks[0, int(y), int(x)] and not rendered.masks[1, int(y), int(x)]
    assert np.isnan(rendered.keypoints[1]).all()
