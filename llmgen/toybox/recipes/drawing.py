"""Draw pictures with known boxes for the detector to learn from: the denoiser's own, told the boxes, where the judge agrees."""

import json
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from torchvision.ops import box_iou

from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.models.judged import JudgedObject
from llmgen.toybox.recipes.drawn_pictures import INDEX
from llmgen.toybox.recipes.sampling import TextToImage, generate, grounding_of_scenes
from llmgen.toybox.world.captions import sample_caption
from llmgen.toybox.world.scenes import Scene, sample_scene

logger = logging.getLogger(__name__)

AGREED_IOU: Final = 0.6
"""Least overlap of the box that was told and the box that the judge sees."""


def draw_pictures(
    folder: Path, count: int, models: TextToImage, judge: ToyboxJudge, *, seed: int = 0, batch: int = 24
) -> int:
    """Draw scenes from caption and boxes and keep the pictures that show what they should.

    Args:
        folder: Gets PNG files and the index that `DrawnPictures` reads; made if need be.
        count: How many scenes to draw.
        models: With a denoiser.
        judge: Looks for class, colour and box, and says pattern and mood, which the boxes' phrases leave open.
        seed: Of scenes and noise.
        batch: Pictures at once.

    Returns:
        How many pictures were kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"drawing:{seed}")
    rows: list[dict[str, Any]] = []
    for start in range(0, count, batch):
        scenes = [sample_scene(rng) for _ in range(min(batch, count - start))]
        texts = [sample_caption(rng, scene).text for scene in scenes]
        grounding = grounding_of_scenes(models, scenes)
        images = [Image.fromarray(i) for i in generate(models, texts, grounding=grounding, seed=seed + 1 + start)]
        for number, (scene, image, seen) in enumerate(zip(scenes, images, judge.look(images), strict=True), start):
            objects = agreed(scene, seen.objects)
            if objects is not None:
                image.save(folder / f"{number:05d}.png")
                rows.append({"image": f"{number:05d}.png", "objects": objects})
        logger.info("%d of %d drawn, %d kept", min(start + batch, count), count, len(rows))
    (folder / INDEX).write_text(json.dumps(rows, indent=0) + "\n", encoding="utf-8")
    return len(rows)


def agreed(scene: Scene, seen: Sequence[JudgedObject]) -> list[dict[str, Any]] | None:
    """Label a picture by the layout it was drawn from.

    Args:
        scene: The layout.
        seen: What the judge finds in the picture.

    Returns:
        An entry an object for the index, or None where the judge finds anything else, or at another place.
    """
    if len(seen) != len(scene.objects):
        return None
    left, objects = list(seen), []
    for item in scene.objects:
        told = torch.tensor([item.box_xyxy], dtype=torch.float32)
        fitting = [
            found
            for found in left
            if (found.noun, found.color) == (item.noun, item.color)
            and float(box_iou(told, torch.tensor([found.box_xyxy]))) > AGREED_IOU
        ]
        if not fitting:
            return None
        left.remove(fitting[0])
        looks = {"noun": item.noun, "color": item.color, "pattern": fitting[0].pattern, "mood": fitting[0].mood}
        objects.append(looks | {"box_xyxy": list(item.box_xyxy)})
    return objects
