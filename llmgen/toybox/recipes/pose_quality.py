"""How well the pose model finds joints on held-out scenes, through the stock processor."""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.quality import HELD_OUT_SEED, Damage, held_out_scenes
from llmgen.toybox.recipes.scene_batches import OPEN, SceneBatch
from llmgen.toybox.world.vocabulary import KEYPOINTS

WITHIN: Final = 0.1
"""Greatest distance of a right joint, as a share of the height of the figure's box."""


def characters_of(batch: SceneBatch) -> torch.Tensor:
    """Which slots hold a character, ``[B, slots]`` bool."""
    return batch.present & (batch.verbs != OPEN)


@torch.no_grad()
def find_joints(
    model: VitPoseForPoseEstimation, processor: VitPoseImageProcessor, batch: SceneBatch
) -> list[npt.NDArray[np.float32]]:
    """Joints of all characters, asked by their true boxes.

    Args:
        model: the model, in evaluation mode.
        processor: its processor.
        batch: scenes; their pictures may be damaged.

    Returns:
        For each picture ``[N, 13, 2]`` xy pixels, in the order of its characters; pictures without one are not asked.
    """
    alive = characters_of(batch)
    found = []
    for index, picture in enumerate(to_pil(batch.images)):
        boxes = batch.boxes[index][alive[index]].numpy()
        if not len(boxes):
            found.append(np.zeros((0, len(KEYPOINTS), 2), np.float32))
            continue
        asked = [[[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes.tolist()]]
        inputs = processor(picture, boxes=asked, return_tensors="pt")
        people = processor.post_process_pose_estimation(model(**inputs), boxes=asked)[0]
        found.append(np.stack([person["keypoints"].numpy() for person in people]))
    return found


def pose_pck(
    model: VitPoseForPoseEstimation,
    processor: VitPoseImageProcessor,
    *,
    count: int = 100,
    seed: int = HELD_OUT_SEED,
    damage: Damage | None = None,
) -> dict[str, float]:
    """Share of joints that are found within a tenth of the figure's height (PCK@0.1), by joint and of "all".

    Args:
        model: the model, in evaluation mode.
        processor: its processor.
        count: number of scenes; about half of them show a character.
        seed: which scenes.
        damage: applied to the renders first.
    """
    batch = held_out_scenes(count, seed=seed)
    if damage is not None:
        batch = batch.with_images(damage(batch.images, np.random.default_rng([HELD_OUT_SEED, seed, 1])))
    alive = characters_of(batch)
    found = np.concatenate(find_joints(model, processor, batch))
    truth, boxes = batch.keypoints[alive].numpy(), batch.boxes[alive].numpy()
    distance = np.linalg.norm(found - truth, axis=-1)
    right = distance <= WITHIN * (boxes[:, 3] - boxes[:, 1])[:, None]
    return {"all": float(right.mean())} | {name: float(right[:, i].mean()) for i, name in enumerate(KEYPOINTS)}
