import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.toybox.world.scenes import (
    BORDER,
    GAP,
    SIZE,
    PlacementError,
    Scene,
    place,
    render,
    render_image,
    sample_scene,
)
from llmgen.toybox.world.sprites import DRAWERS, sprite
from llmgen.toybox.world.vocabulary import BACKGROUNDS, COLORS, NOUNS, THINGS

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
    drawing = sprite(noun, color, 40 if noun in THINGS else 64)
    pixels = drawing.rgb[drawing.mask]
    closest = [np.abs(pixels - np.array(rgb)).sum(-1) < 40 for rgb in COLORS.values()]
    shares = dict(zip(COLORS, (c.mean() for c in closest), strict=True))
    assert max(shares, key=lambda name: shares[name]) == color
    assert shares[color] > 0.1


def test_too_many_objects_are_refused() -> None:
    with pytest.raises(PlacementError):
        place([("ball", "red")] * 12, "meadow", random.Random(0))
