import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.toybox.world.held_out import is_held_out
from llmgen.toybox.world.picture import mask_bounds
from llmgen.toybox.world.scenes import (
    BORDER,
    GAP,
    SIZE,
    PlacementError,
    Scene,
    Wanted,
    change,
    move,
    place,
    place_beside,
    render,
    render_image,
    sample_scene,
    without,
)
from llmgen.toybox.world.sprites import DRAWERS, drawing, sprite
from llmgen.toybox.world.vocabulary import (
    BACKGROUNDS,
    CHARACTERS,
    COLORS,
    MOODS,
    NOUNS,
    PART_STATES,
    PARTS,
    PATTERNS,
    THINGS,
    VERBS,
)

seeds = st.integers(0, 2**32 - 1)


def test_every_class_can_be_drawn() -> None:
    assert set(DRAWERS) == set(THINGS)


def test_a_seed_gives_the_same_picture() -> None:
    one, two = (render_image(sample_scene(random.Random(5))) for _ in range(2))
    other = render_image(sample_scene(random.Random(6)))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_boxes_are_the_exact_bounds_of_the_masks(seed: int) -> None:
    scene = sample_scene(random.Random(seed))
    rendered = render(scene)
    assert rendered.image.shape == (SIZE, SIZE, 3)
    assert len(rendered.boxes) == len(rendered.masks) == len(scene.objects)
    for item, (x0, y0, x1, y1) in zip(scene.objects, rendered.boxes, strict=True):
        # Alone, that is without what covers it.
        mask = render(Scene(scene.background, (replace(item, target=None),), scene.seed)).masks[0]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == (x0, y0, x1, y1)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_objects_keep_their_distance(seed: int) -> None:
    scene = sample_scene(random.Random(seed))
    boxes = [o.box_xyxy for o in scene.objects]
    assert 1 <= len(boxes) <= 4
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        assert min(x0, y0) >= BORDER and max(x1, y1) <= SIZE - BORDER
        for j, (u0, v0, u1, v1) in enumerate(boxes[:i]):
            if scene.objects[i].target == j or scene.objects[j].target == i:
                continue
            assert max(u0 - x1, x0 - u1, v0 - y1, y0 - v1) >= GAP


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_only_the_objects_change_the_background(background: str) -> None:
    scene = place([("ball", "red"), ("cup", "blue")], background, random.Random(1))
    bare = render_image(Scene(background, (), scene.seed))
    rendered = render(scene)
    changed = (rendered.image != bare).any(-1)
    covered = rendered.masks.any(0)
    assert not changed[~covered].mean() > 0.03  # anti-aliased rims only
    assert changed[covered].mean() > 0.95


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("color", COLORS)
def test_the_colour_dominates_its_object(noun: str, color: str) -> None:
    drawn = sprite(noun, color, 40 if noun in THINGS else 66)
    pixels = drawn.rgb[drawn.mask]
    closest = [np.abs(pixels - np.array(rgb)).sum(-1) < 40 for rgb in COLORS.values()]
    shares = dict(zip(COLORS, (c.mean() for c in closest), strict=True))
    assert max(shares, key=lambda name: shares[name]) == color
    assert shares[color] > 0.1


def test_too_many_objects_are_refused() -> None:
    with pytest.raises(PlacementError):
        place([("ball", "red")] * 12, "meadow", random.Random(0))


def test_who_cannot_act_is_refused() -> None:
    for wanted in (
        [Wanted("ball", "red", target=1), Wanted("cup", "blue")],
        [Wanted("boy", "red", target=1), Wanted("cup", "blue")],
        [Wanted("boy", "red", verb="holding", target=0)],
        [Wanted("boy", "red", verb="holding", target=2), Wanted("cup", "blue")],
        [
            Wanted("boy", "red", verb="holding", target=1),
            Wanted("cup", "blue"),
            Wanted("dog", "red", verb="holding", target=1),
        ],
    ):
        with pytest.raises(PlacementError):
            place(wanted, "meadow", random.Random(0))


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_masks_share_no_pixel_and_parts_lie_in_their_owner(seed: int) -> None:
    scene = sample_scene(random.Random(seed))
    rendered = render(scene)
    assert rendered.masks.sum(0).max() <= 1
    for part in rendered.parts:
        owner = scene.objects[part.owner]
        assert part.noun in PARTS[owner.noun]
        assert not (part.mask & ~rendered.masks[part.owner]).any()
        assert mask_bounds(part.mask) == part.box_xyxy
        expected = dict(owner.states).get(part.noun, PART_STATES.get(part.noun, (None,))[0])
        assert part.state == expected
    for item, points in zip(scene.objects, rendered.keypoints, strict=True):
        assert np.isnan(points).all() == (item.noun in THINGS)


@pytest.mark.parametrize("noun", PARTS)
@pytest.mark.parametrize("size", [36, 50, 56])
def test_parts_are_big_enough_to_be_seen(noun: str, size: int) -> None:
    parts = drawing(noun, size).parts
    assert {part for part, _, _ in parts} == set(PARTS[noun])
    for part, _, mask in parts:
        x0, y0, x1, y1 = mask_bounds(mask)
        assert min(x1 - x0, y1 - y0) >= (10 if size >= 50 else 6), part


@pytest.mark.parametrize(
    ("noun", "part", "state"), [("house", "window", "lit"), ("house", "door", "open"), ("car", "window", "lit")]
)
def test_a_state_changes_its_part_and_nothing_else(noun: str, part: str, state: str) -> None:
    usual, other = sprite(noun, "red", 53), sprite(noun, "red", 53, states=((part, state),))
    assert usual.mask.shape == other.mask.shape
    changed = np.abs(usual.rgb - other.rgb).max(-1) > 40
    own = np.zeros_like(changed)
    for states in ((), ((part, state),)):
        for name, _, mask in drawing(noun, 53, states=states).parts:
            if name == part:
                own |= mask
    assert changed[own].mean() > 0.3
    # One pixel of rim may mix two paints.
    grown = np.pad(own, 1)
    near = grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:] | own
    assert not changed[~near].any()


@pytest.mark.parametrize("noun", THINGS)
def test_patterns_differ_and_keep_the_outline(noun: str) -> None:
    drawn = [sprite(noun, "blue", 40, pattern) for pattern in PATTERNS]
    for i, one in enumerate(drawn):
        assert np.array_equal(one.mask, drawn[0].mask)
        for other in drawn[:i]:
            assert (np.abs(one.rgb - other.rgb).max(-1) > 60)[one.mask].mean() > 0.05


def test_no_sample_is_held_out_and_all_are_when_asked() -> None:
    rng = random.Random(3)
    assert not any(is_held_out(sample_scene(rng)) for _ in range(2000))
    assert all(is_held_out(sample_scene(rng, held_out=True)) for _ in range(300))
    for count in (1, 2, 3, 4):
        assert {len(sample_scene(rng, count).objects) for _ in range(40)} == {count}
        assert {len(sample_scene(rng, count, held_out=True).objects) for _ in range(20)} == {count}


def test_the_mixture_has_something_of_everything() -> None:
    rng = random.Random(4)
    scenes = [sample_scene(rng) for _ in range(1500)]
    people = [[o for o in scene.objects if o.noun in CHARACTERS] for scene in scenes]
    acting = [any(o.target is not None for o in scene.objects) for scene in scenes]
    assert 0.45 < np.mean([not some for some in people]) < 0.58
    assert 0.18 < np.mean(acting) < 0.32
    assert {o.verb for some in people for o in some} == {None, *VERBS}
    assert {o.mood for some in people for o in some} == set(MOODS)
    assert {o.pattern for scene in scenes for o in scene.objects} == set(PATTERNS)
    assert {scene.background for scene in scenes} == set(BACKGROUNDS)
    assert {s for scene in scenes for o in scene.objects for s in o.states} == {("window", "lit"), ("door", "open")}


def test_a_state_that_is_sampled_can_be_seen() -> None:
    rng = random.Random(5)
    for _ in range(1500):
        scene = sample_scene(rng)
        if not any(o.states for o in scene.objects):
            continue
        rendered = render(scene)
        for index, item in enumerate(scene.objects):
            for part, state in item.states:
                seen = sum(
                    int(p.mask.sum()) for p in rendered.parts if (p.owner, p.noun, p.state) == (index, part, state)
                )
                whole = sum(int(mask.sum()) for name, _, mask in item.drawing.parts if name == part)
                assert seen > 0.6 * whole


def test_changes_leave_the_rest_alone() -> None:
    rng = random.Random(2)
    # Arms that are down need less room than arms that are up.
    scene = place([Wanted("girl", "red", mood="happy"), Wanted("ball", "blue")], "snow", rng)
    calm = change(scene, 0, mood="calm")
    assert calm.objects[1] == scene.objects[1] and calm.seed == scene.seed
    assert calm.objects[0].mood == "calm" and calm.objects[0].box_xyxy[3] == scene.objects[0].box_xyxy[3]
    assert change(scene, 1, color="green").objects[1] == replace(scene.objects[1], color="green")
    more = place_beside(scene, Wanted("car", "green"), rng)
    assert more.objects[:2] == scene.objects and without(more, 2) == scene
    moved = move(scene, 1, rng)
    assert moved.objects[0] == scene.objects[0] and moved.objects[1].box_xyxy != scene.objects[1].box_xyxy


def test_who_loses_an_object_keeps_the_pose() -> None:
    wanted = [Wanted("cup", "red"), Wanted("boy", "red", verb="holding", target=2), Wanted("ball", "blue")]
    scene = place(wanted, "beach", random.Random(2))
    assert without(scene, 0).objects[0].target == 1
    alone = without(scene, 2).objects[1]
    assert (alone.verb, alone.target, alone.box_xyxy) == ("holding", None, scene.objects[1].box_xyxy)


def test_a_full_picture_has_no_room() -> None:
    scene = place([("ball", "red")] * 4, "meadow", random.Random(0))
    with pytest.raises(PlacementError):
        for _ in range(4):
            scene = place_beside(scene, Wanted("boy", "red"), random.Random(0))
