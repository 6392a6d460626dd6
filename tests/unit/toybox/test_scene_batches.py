"""Batches, zoom and damage keep pictures and truth together."""

import numpy as np
import torch

from llmgen.toybox.recipes.scene_batches import degrade, draw_scenes, zoom


def box_of_mask(mask: torch.Tensor) -> list[int]:
    rows, columns = torch.nonzero(mask > 0.5, as_tuple=True)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def test_boxes_follow_the_masks_through_a_zoom() -> None:
    rng = np.random.default_rng(0)
    plain = draw_scenes(rng, 24, with_masks=True)
    moved = zoom(plain, rng, share=1.0)
    assert moved.masks is not None
    assert not torch.equal(moved.boxes, plain.boxes)
    checked = 0
    for index, slot in torch.nonzero(moved.present).tolist():
        if box_of_mask(plain.masks[index, slot]) != plain.boxes[index, slot].tolist():
            continue  # partly hidden: the box is of the whole object
        expected = torch.tensor(box_of_mask(moved.masks[index, slot]))
        assert torch.allclose(moved.boxes[index, slot], expected.float(), atol=1.6)
        checked += 1
    assert checked > 20


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
