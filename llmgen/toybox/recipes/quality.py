"""How good judge, detector and segmenter are on held-out scenes: pure functions that return numbers.

Held-out means: scenes drawn from seeds that no training uses. ``llmgen train toybox --eval`` prints what these return.
"""

import contextlib
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor
from torchvision.ops import batched_nms, box_iou
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from llmgen.toybox.models.judge import DEFAULT_THRESHOLD, ToyboxJudge
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.scene_batches import COLOR_NAMES, SceneBatch, draw_scenes
from llmgen.toybox.world.vocabulary import NOUNS, object_phrase

HELD_OUT_SEED = 990_001
"""First number of every held-out seed; training seeds start with the recipe's own seed."""

Damage = Callable[[Tensor, np.random.Generator], Tensor]
"""From ``[B, 3, H, W]`` pictures in 0..1 to damaged ones (autoencoder, noise ...)."""


@dataclass(frozen=True)
class DetectorQuality:
    """Detection of the 48 phrases "a red ball" ... all asked at once of every picture."""

    ap50: float
    """Average precision at IoU 0.5 (pycocotools), phrases as categories."""
    ap: float
    """Average precision over IoU 0.5 to 0.95."""
    true_scores: tuple[float, ...]
    """Score of every hit with the right phrase and IoU over 0.5 (best per object)."""
    false_scores: tuple[float, ...]
    """Score of every other hit after suppression."""


@dataclass(frozen=True)
class SegmenterQuality:
    """Masks from boxes, over all objects of the held-out scenes."""

    mean_iou: float
    """Of the mask with the highest predicted IoU of the three."""
    worst_tenth: float
    """The IoU that nine tenths of the masks exceed."""
    single_mask_iou: float
    """Of the one mask without multimask output."""
    quality_error: float
    """Mean absolute difference of predicted and true IoU of the chosen mask."""


def held_out_scenes(count: int, *, seed: int = HELD_OUT_SEED, with_masks: bool = False) -> SceneBatch:
    """Scenes that no training saw."""
    return draw_scenes(np.random.default_rng([HELD_OUT_SEED, seed]), count, with_masks=with_masks)


def kinds_of(batch: SceneBatch, index: int) -> Counter[tuple[str, str]]:
    """The multiset of (noun, colour) in one scene."""
    slots = torch.nonzero(batch.present[index]).flatten().tolist()
    return Counter((NOUNS[batch.nouns[index, s]], COLOR_NAMES[batch.colors[index, s]]) for s in slots)


def judge_accuracy(
    judge: ToyboxJudge,
    *,
    count: int = 200,
    seed: int = HELD_OUT_SEED,
    damage: Damage | None = None,
    threshold: float = DEFAULT_THRESHOLD,
) -> float:
    """Share of scenes in which the judge sees exactly the objects that are there, in class and colour.

    Args:
        judge: the judge.
        count: number of held-out scenes.
        seed: which scenes.
        damage: applied to the renders first; None judges the clean ones.
        threshold: score from which an object counts.

    Returns:
        0 to 1.
    """
    batch = held_out_scenes(count, seed=seed)
    images = batch.images if damage is None else damage(batch.images, np.random.default_rng([HELD_OUT_SEED, seed, 1]))
    found = judge.detect(to_pil(images), threshold=threshold)
    return float(
        np.mean([Counter((o.noun, o.color) for o in seen) == kinds_of(batch, i) for i, seen in enumerate(found)])
    )


@torch.no_grad()
def find_phrases(
    detector: Owlv2ForObjectDetection,
    processor: Owlv2Processor,
    images: Tensor,
    phrases: list[str],
    *,
    threshold: float,
    nms_iou: float = 0.5,
    batch_size: int = 25,
) -> list[dict[str, Tensor]]:
    """Ask every picture for every phrase, through the stock processor and its post-processing.

    Args:
        detector: the model.
        processor: its processor.
        images: ``[B, 3, H, W]`` in 0..1.
        phrases: the queries.
        threshold: least score.
        nms_iou: boxes of one phrase that overlap more than this are suppressed by the better one.
        batch_size: pictures a forward pass.

    Returns:
        For each picture ``scores [N]``, ``labels [N]`` (index into ``phrases``) and ``boxes [N, 4]`` xyxy pixels, best first.
    """
    results = []
    for start in range(0, len(images), batch_size):
        pictures = to_pil(images[start : start + batch_size])
        inputs = processor(text=[phrases] * len(pictures), images=pictures, return_tensors="pt").to(detector.device)
        sizes = [(picture.height, picture.width) for picture in pictures]
        for found in processor.post_process_grounded_object_detection(detector(**inputs), threshold, sizes):
            kept = batched_nms(found["boxes"], found["scores"], found["labels"], nms_iou)
            results.append({name: found[name][kept].cpu() for name in ("scores", "labels", "boxes")})
    return results


def detector_quality(
    detector: Owlv2ForObjectDetection,
    processor: Owlv2Processor,
    *,
    count: int = 100,
    seed: int = HELD_OUT_SEED,
    damage: Damage | None = None,
    threshold: float = 0.05,
) -> DetectorQuality:
    """Average precision on held-out scenes, with the 48 phrases noun x colour as categories.

    Args:
        detector: the model, in evaluation mode.
        processor: its processor.
        count: number of scenes.
        seed: which scenes.
        damage: applied to the renders first.
        threshold: least score of a hit that counts at all.

    Returns:
        AP by pycocotools and the scores of right and wrong hits.
    """
    batch = held_out_scenes(count, seed=seed)
    images = batch.images if damage is None else damage(batch.images, np.random.default_rng([HELD_OUT_SEED, seed, 1]))
    kinds = [(noun, color) for noun in NOUNS for color in COLOR_NAMES]
    phrases = [object_phrase(noun, color) for noun, color in kinds]
    found = find_phrases(detector, processor, images, phrases, threshold=threshold)
    truth = _coco_truth(batch, kinds)
    true_scores: list[float] = []
    false_scores: list[float] = []
    results = []
    for index, hits in enumerate(found):
        wanted = [a for a in truth["annotations"] if a["image_id"] == index]
        open_objects = {number: a for number, a in enumerate(wanted)}
        for score, label, box in zip(hits["scores"].tolist(), hits["labels"].tolist(), hits["boxes"], strict=True):
            left, top, right, bottom = box.tolist()
            results.append(
                {
                    "image_id": index,
                    "category_id": label,
                    "bbox": [left, top, right - left, bottom - top],
                    "score": score,
                }
            )
            match = next(
                (
                    number
                    for number, a in open_objects.items()
                    if a["category_id"] == label and float(box_iou(box[None], torch.tensor([a["xyxy"]]))) > 0.5
                ),
                None,
            )
            if match is None:
                false_scores.append(score)
            else:
                true_scores.append(score)
                del open_objects[match]
    ap, ap50 = _coco_average_precision(truth, results)
    return DetectorQuality(ap50=ap50, ap=ap, true_scores=tuple(true_scores), false_scores=tuple(false_scores))


def _coco_truth(batch: SceneBatch, kinds: list[tuple[str, str]]) -> dict[str, Any]:
    side = batch.images.shape[-1]
    annotations: list[dict[str, Any]] = []
    for index, slot in torch.nonzero(batch.present).tolist():
        left, top, right, bottom = batch.boxes[index, slot].tolist()
        kind = (NOUNS[batch.nouns[index, slot]], COLOR_NAMES[batch.colors[index, slot]])
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": index,
                "category_id": kinds.index(kind),
                "bbox": [left, top, right - left, bottom - top],
                "xyxy": [left, top, right, bottom],
                "area": (right - left) * (bottom - top),
                "iscrowd": 0,
            }
        )
    return {
        "info": {},
        "images": [{"id": i, "width": side, "height": side} for i in range(len(batch.images))],
        "categories": [{"id": i, "name": " ".join(reversed(kind))} for i, kind in enumerate(kinds)],
        "annotations": annotations,
    }


def _coco_average_precision(truth: dict[str, Any], results: list[dict[str, Any]]) -> tuple[float, float]:
    """AP over IoU 0.5 to 0.95, and at 0.5."""
    if not results:
        return 0.0, 0.0
    # pycocotools reports on stdout, which belongs to the command line's data.
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


def segmenter_quality(
    sam: Sam,
    *,
    count: int = 60,
    seed: int = HELD_OUT_SEED,
    jitter: float = 0.0,
    damage: Damage | None = None,
) -> SegmenterQuality:
    """Mask quality on held-out scenes, through ``SamPredictor`` with box prompts.

    Args:
        sam: the model, in evaluation mode.
        count: number of scenes.
        seed: which scenes.
        jitter: each side of a box is moved by up to this share of the box's size; 0 gives exact boxes.
        damage: applied to the renders first.

    Returns:
        Figures over all objects.
    """
    rng = np.random.default_rng([HELD_OUT_SEED, seed, 2])
    batch = held_out_scenes(count, seed=seed, with_masks=True)
    images = batch.images if damage is None else damage(batch.images, np.random.default_rng([HELD_OUT_SEED, seed, 1]))
    if batch.masks is None:
        raise AssertionError("scenes were drawn with masks")
    predictor = SamPredictor(sam)
    chosen_iou, single_iou, errors = [], [], []
    for index, picture in enumerate(to_pil(images)):
        slots = torch.nonzero(batch.present[index]).flatten().tolist()
        if not slots:
            continue
        predictor.set_image(np.asarray(picture))
        for slot in slots:
            box = batch.boxes[index, slot].numpy()
            extent = np.array([box[2] - box[0], box[3] - box[1]] * 2)
            asked = box + rng.uniform(-jitter, jitter, 4) * extent
            truth = batch.masks[index, slot].numpy() > 0.5
            masks, scores, _ = predictor.predict(box=asked, multimask_output=True)
            best = int(scores.argmax())
            chosen_iou.append(_mask_iou(masks[best], truth))
            errors.append(abs(float(scores[best]) - chosen_iou[-1]))
            single, _, _ = predictor.predict(box=asked, multimask_output=False)
            single_iou.append(_mask_iou(single[0], truth))
    return SegmenterQuality(
        mean_iou=float(np.mean(chosen_iou)),
        worst_tenth=float(np.quantile(chosen_iou, 0.1)),
        single_mask_iou=float(np.mean(single_iou)),
        quality_error=float(np.mean(errors)),
    )


def _mask_iou(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0
