"""How well the pose model finds joints on held-out scenes, through the stock processor."""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

from llmgen.diffusion.pose_estimation import VitPoseEstimator
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.quality import Damage, damaged, held_out_scenes
from llmgen.toybox.recipes.scene_batches import OPEN, SceneBatch
from llmgen.toybox.world.vocabulary import KEYPOINTS

WITHIN: Final = 0.1
"""Greatest distance of a right joint, as a share of the height of the figure's box."""


def characters_of(batch: SceneBatch) -> torch.Tensor:
    """Which slots hold a character, ``[B, slots]`` bool."""
    return batch.present & (batch.verbs != OPEN)


def find_joints(
    model: VitPoseForPoseEstimation, processor: VitPoseImageProcessor, batch: SceneBatch
) -> list[npt.NDArray[np.float32]]:
    """Joints of all characters, asked by their true boxes.

    Args:
        model: the model, in evaluation mode.
        processor: its processor.
        batch: scenes; their pictures may be damaged.

    Returns:
        For each picture ``[N, 13, 2]`` xy pixels, in the order of its characters.
    """
    alive = characters_of(batch)
    boxes = [batch.boxes[index][alive[index]].tolist() for index in range(len(batch.boxes))]
    poses = VitPoseEstimator(model, processor).estimate_poses(to_pil(batch.images), boxes)
    nobody = np.zeros((0, len(KEYPOINTS), 2), np.float32)
    return [np.stack([figure.points_xy for figure in figures]) if figures else nobody for figures in poses]


def pose_pck(
    model: VitPoseForPoseEstimation,
    processor: VitPoseImageProcessor,
    *,
    count: int,
    damage: Damage | None = None,
) -> dict[str, float]:
    """Share of joints that are found within a tenth of the figure's height (PCK@0.1), by joint and of "all".

    Args:
        model: the model, in evaluation mode.
        processor: its processor.
        count: number of scenes; about half of them show a character.
        damage: applied to the renders first.
    """
    batch = held_out_scenes(count)
    batch = batch.with_images(damaged(batch.images, damage))
    alive = characters_of(batch)
    found = np.concatenate(find_joints(model, processor, batch))
    truth, boxes = batch.keypoints[alive].numpy(), batch.boxes[alive].numpy()
    distance = np.linalg.norm(found - truth, axis=-1)
    right = distance <= WITHIN * (boxes[:, 3] - boxes[:, 1])[:, None]
    return {"all": float(right.mean())} | {name: float(right[:, i].mean()) for i, name in enumerate(KEYPOINTS)}
