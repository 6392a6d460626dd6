"""Batches, zoom and damage keep pictures and truth together."""

import random

import numpy as np
import torch

from llmgen.toybox.recipes.scene_batches import OPEN, POSES, STATE_PARTS, batch_scenes, degrade, draw_scenes, zoom
from llmgen.toybox.world.scenes import Wanted, place
from llmgen.toybox.world.vocabulary import BACKGROUNDS, MOODS, NOUNS, PATTERNS


def box_of_mask(mask: torch.Tensor) -> list[int]:
    rows, columns = torch.nonzero(mask > 0.5, as_tuple=True)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def test_boxes_follow_the_masks_through_a_zoom() -> None:
    rng = np.random.default_rng(0)
    plain = draw_scenes(rng, 24, with_masks=True)
    moved = zoom(plain, rng, share=1.0)
    assert moved.masks is not None and plain.masks is not None
    assert not torch.equal(moved.boxes, plain.boxes)
    checked = 0
    for index, slot in torch.nonzero(moved.present).tolist():
        if box_of_mask(plain.masks[index, slot]) != plain.boxes[index, slot].tolist():
            continue  # partly hidden: the box is of the whole object
        expected = torch.tensor(box_of_mask(moved.masks[index, slot]))
        assert torch.allclose(moved.boxes[index, slot], expected.float(), atol=1.6)
        checked += 1
    assert checked > 20


def test_keypoints_lie_in_the_boxes_of_characters_before_and_after_a_zoom() -> None:
    rng = np.random.default_rng(0)
    plain = draw_scenes(rng, 24)
    for batch in (plain, zoom(plain, rng, share=1.0, low=0.7, high=0.9)):
        alive = batch.present & (batch.verbs != OPEN)
        assert torch.equal(alive, batch.present & ~batch.keypoints[..., 0, 0].isnan())
        joints, boxes = batch.keypoints[alive], batch.boxes[alive]
        assert len(joints) > 8
        assert bool((joints >= boxes[:, None, :2] - 1).all() and (joints <= boxes[:, None, 2:] + 1).all())


def test_what_an_object_looks_like_and_what_it_lacks() -> None:
    rng = random.Random(3)
    house = Wanted("house", "red", "striped", (("window", "lit"),))
    boy = Wanted("boy", "blue", "plain", (), "sad", "kicking")
    scene = place([house, boy], "rain", rng)
    batch = batch_scenes([scene])
    assert (NOUNS[batch.nouns[0, 0]], PATTERNS[batch.patterns[0, 0]]) == ("house", "striped")
    assert dict(zip(STATE_PARTS, batch.states[0, 0].tolist(), strict=True)) == {"window": 1, "door": 0}
    assert (MOODS[batch.moods[0, 1]], POSES[batch.verbs[0, 1]]) == ("sad", "kicking")
    assert batch.moods[0, 0] == batch.verbs[0, 0] == OPEN and batch.states[0, 1].tolist() == [OPEN, OPEN]
    assert BACKGROUNDS[batch.backgrounds[0]] == "rain" and batch.present[0].tolist() == [True, True, False, False]


def test_a_share_of_the_scenes_surely_has_details() -> None:
    batch = draw_scenes(np.random.default_rng(0), 60, detailed=1.0)
    unusual = (batch.patterns > 0) | (batch.moods > 0) | (batch.verbs > 0) | (batch.states > 0).any(dim=-1)
    seen, bare = (unusual & batch.present).any(dim=1), ~batch.present.any(dim=1)
    assert bool((seen | bare).all()) and int(seen.sum()) > 50


def test_an_object_cut_by_the_frame_is_neither_asked_for_nor_denied() -> None:
    rng = np.random.default_rng(1)
    batch = zoom(draw_scenes(rng, 64), rng, share=1.0, low=2.0, high=2.2)
    assert batch.ignored.any()
    assert not (batch.ignored & batch.present).any()
    assert batch.boxes.min() >= 0
    assert batch.boxes.max() <= 128


def test_same_seed_same_batch_and_damage_stays_in_range() -> None:
    first, second = (draw_scenes(np.random.default_rng(3), 16) for _ in range(2))
    assert torch.equal(first.images, second.images)
    before = first.images.clone()
    damaged = [degrade(first.images, np.random.default_rng(4)) for _ in range(2)]
    assert torch.equal(damaged[0], damaged[1])
    assert torch.equal(first.images, before)
    assert damaged[0].min() >= 0
    assert damaged[0].max() <= 1
    assert not torch.equal(damaged[0], before)
