"""How well a Mask R-CNN of the toybox finds objects or parts in held-out scenes: COCO's figures of masks, by pycocotools."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from llmgen.diffusion.mask_rcnn import MaskRcnnDetector
from llmgen.formats.coco_figures import ap_by_category, coco_figures
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.mask_truths import ClassList, Truth, targets_of, truth_of
from llmgen.toybox.recipes.quality import HELD_OUT_SEED, Damage
from llmgen.toybox.world.scenes import sample_scene
from llmgen.vision.boxes import xyxy_to_xywh
from llmgen.vision.masks import encode_mask
from llmgen.vision.protocols import InstanceThresholds

_LEAST_SCORE: Final = 0.05
"""The library's own: average precision wants the doubtful finds, too."""


@dataclass(frozen=True)
class MaskQuality:
    """Average precision over held-out scenes, in [0, 1]."""

    ap50: float
    """Of masks that overlap by half."""
    ap: float
    """Of masks, over the overlaps 0.5 to 0.95."""
    box_ap50: float
    by_class: dict[str, float]
    """AP50 of the masks of each class that the scenes show."""


def to_image(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """``[H, W, 3]`` to a picture."""
    return Image.fromarray(pixels)


def held_out_truths(learns: ClassList, count: int, *, seed: int = HELD_OUT_SEED, held_out: bool = False) -> list[Truth]:
    """Scenes that no training draws.

    Args:
        learns: Whose instances they are.
        count: How many.
        seed: Which scenes.
        held_out: Whether all show what no training may see, see `held_out.py` of the world.
    """
    rng = random.Random(f"mask-rcnn:{HELD_OUT_SEED}:{seed}")
    return [truth_of(sample_scene(rng, held_out=held_out), learns.instances) for _ in range(count)]


def mask_quality(
    detector: MaskRcnnDetector,
    learns: ClassList,
    *,
    count: int = 100,
    seed: int = HELD_OUT_SEED,
    damage: Damage | None = None,
    held_out: bool = False,
) -> MaskQuality:
    """Measure a detector.

    Args:
        detector: With the classes of `learns`.
        learns: What it is to find.
        count: Number of held-out scenes.
        seed: Which scenes.
        damage: Applied to the renders first.
        held_out: See `held_out_truths`.
    """
    truths = held_out_truths(learns, count, seed=seed, held_out=held_out)
    images = torch.from_numpy(np.stack([truth.image for truth in truths])).permute(0, 3, 1, 2).float() / 255
    if damage is not None:
        images = damage(images, np.random.default_rng([HELD_OUT_SEED, seed, 1]))
    found = detector.detect_instances(to_pil(images), InstanceThresholds(score=_LEAST_SCORE))
    dataset = _dataset(truths, learns.classes)
    results = [
        {
            "image_id": number,
            "category_id": learns.classes.index(one.label) + 1,
            "score": one.score,
            "bbox": list(xyxy_to_xywh(one.box_xyxy)),
            "segmentation": encode_mask(one.mask).model_dump(mode="json"),
        }
        for number, instances in enumerate(found, start=1)
        for one in instances
    ]
    masks, boxes = (coco_figures(dataset, results, kind) for kind in ("segm", "bbox"))
    by_class = {
        learns.classes[int(label) - 1]: own[1] for label, own in ap_by_category(dataset, results, "segm").items()
    }
    return MaskQuality(
        masks["ap50"] or 0.0,
        masks["ap"] or 0.0,
        boxes["ap50"] or 0.0,
        {name: value for name, value in by_class.items() if value is not None},
    )


def _dataset(truths: Sequence[Truth], classes: Sequence[str]) -> dict[str, Any]:
    annotations = [
        {
            "id": 0,
            "image_id": number,
            "category_id": label,
            "bbox": list(xyxy_to_xywh(box)),
            "segmentation": encode_mask(mask).model_dump(mode="json"),
            "area": int(mask.sum()),
            "iscrowd": 0,
        }
        for number, (truth, target) in enumerate(zip(truths, targets_of(truths, classes), strict=True), start=1)
        for mask, label, box in zip(truth.masks, target["labels"].tolist(), target["boxes"].tolist(), strict=True)
    ]
    height, width = truths[0].image.shape[:2]
    return {
        "images": [{"id": number, "height": height, "width": width} for number in range(1, len(truths) + 1)],
        "categories": [{"id": label, "name": name} for label, name in enumerate(classes, start=1)],
        "annotations": annotations,
    }
