"""The shipped pose model through the stock processor, and its crops."""

import math

import numpy as np
import pytest
import torch
from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes.contact_sheet import draw_skeletons, to_pil
from llmgen.toybox.recipes.pose import PoseRecipe, build_processor, bumps, crop_boxes, to_cells
from llmgen.toybox.recipes.pose_quality import characters_of, find_joints, pose_pck
from llmgen.toybox.recipes.quality import held_out_scenes
from llmgen.toybox.recipes.scene_batches import degrade
from llmgen.toybox.world.vocabulary import KEYPOINTS


@pytest.fixture(scope="module")
def model() -> VitPoseForPoseEstimation:
    return VitPoseForPoseEstimation.from_pretrained(WEIGHTS / "pose").eval()


@pytest.fixture(scope="module")
def processor() -> VitPoseImageProcessor:
    return VitPoseImageProcessor.from_pretrained(WEIGHTS / "pose")


@pytest.mark.parametrize("damage", [None, degrade])
def test_joints_of_held_out_renders(
    model: VitPoseForPoseEstimation, processor: VitPoseImageProcessor, damage: object
) -> None:
    assert model.config.id2label == dict(enumerate(KEYPOINTS))
    shares = pose_pck(model, processor, count=40, damage=damage)  # type: ignore[arg-type]
    assert set(shares) == {"all", *KEYPOINTS}
    assert shares["all"] >= 0.85


def test_a_picture_without_characters_is_not_asked(
    model: VitPoseForPoseEstimation, processor: VitPoseImageProcessor
) -> None:
    batch = held_out_scenes(12, seed=2)
    found = find_joints(model, processor, batch)
    counts = characters_of(batch).sum(dim=1).tolist()
    assert [len(joints) for joints in found] == counts
    assert 0 in counts and max(counts) > 0


def test_crops_are_those_of_the_stock_processor() -> None:
    batch = held_out_scenes(8, seed=3)
    picture, slot = torch.nonzero(characters_of(batch), as_tuple=True)
    boxes = batch.boxes[picture, slot]
    recipe = PoseRecipe()
    ours = crop_boxes(batch.images[picture], boxes, (128, 96)) * 2 - 1
    stock = build_processor(recipe)
    for index, row in enumerate(picture.tolist()):
        x0, y0, x1, y1 = boxes[index].tolist()
        inputs = stock(
            to_pil(batch.images[row : row + 1])[0], boxes=[[[x0, y0, x1 - x0, y1 - y0]]], return_tensors="pt"
        )
        # Bilinear here and there; the rim of the picture differs by a line.
        assert (ours[index] - inputs.pixel_values[0]).abs().mean() < 0.02


def test_cells_are_read_back_as_the_same_pixels() -> None:
    batch = held_out_scenes(8, seed=3)
    picture, slot = torch.nonzero(characters_of(batch), as_tuple=True)
    boxes, joints = batch.boxes[picture, slot], batch.keypoints[picture, slot]
    maps = bumps(to_cells(joints, boxes, (64, 48)), (64, 48), 2.0)
    sizes = boxes[:, 2:] - boxes[:, :2]
    asked = [[[*box[:2].tolist(), *size.tolist()]] for box, size in zip(boxes, sizes, strict=True)]
    processor = build_processor(PoseRecipe())

    class Output:
        heatmaps = maps

    people = processor.post_process_pose_estimation(Output(), boxes=asked)
    for person, truth in zip(people, joints, strict=True):
        assert np.abs(person[0]["keypoints"].numpy() - truth.numpy()).max() < 0.6


def test_a_bump_is_one_on_its_joint() -> None:
    maps = bumps(torch.tensor([[[3.0, 5.0], [-40.0, 2.0]]]), (8, 8), 1.0)
    assert maps[0, 0, 5, 3] == 1 and maps[0, 0, 5, 4] == pytest.approx(math.exp(-0.5))
    assert maps[0, 1].max() < 1e-6


def test_skeletons_are_drawn() -> None:
    image = to_pil(torch.zeros(1, 3, 128, 128))[0]
    figure = np.stack([np.linspace(10, 100, 13), np.linspace(20, 90, 13)], axis=1).tolist()
    drawn = np.asarray(draw_skeletons(image, [figure]))
    assert drawn.shape == (256, 256, 3) and drawn.any()
