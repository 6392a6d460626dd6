"""How well the detector finds what a phrase names, on held-out scenes."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from llmgen.formats.coco_figures import coco_figures
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.quality import held_out_scenes
from llmgen.toybox.recipes.scene_batches import COLOR_NAMES, OPEN, SceneBatch
from llmgen.toybox.world.vocabulary import MOODS, NOUNS, PATTERNS, object_phrase

LEAST_SCORE: Final = 0.05
"""Of a hit that counts at all: average precision wants the doubtful ones, too."""


@dataclass(frozen=True)
class DetectorQuality:
    """Detection of the phrases "a red ball", "a boy in red" ... all asked at once of every picture."""

    ap50: float
    """Average precision at IoU 0.5, phrases as categories."""
    ap: float
    """Average precision over IoU 0.5 to 0.95."""
    true_scores: tuple[float, ...]
    """Score of every hit with the right phrase and IoU over 0.5 (best per object)."""
    false_scores: tuple[float, ...]
    """Score of every other hit after suppression."""


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
    count: int,
    plain: bool = False,
) -> DetectorQuality:
    """Average precision on held-out scenes, with a phrase for each noun in each colour as categories.

    Args:
        detector: the model, in evaluation mode.
        processor: its processor.
        count: number of scenes.
        plain: whether to look at scenes of plain things only.

    Returns:
        AP as COCO computes it, and the scores of right and wrong hits.
    """
    batch = held_out_scenes(count, plain=plain)
    kinds = [(noun, color) for noun in NOUNS for color in COLOR_NAMES]
    phrases = [object_phrase(noun, color) for noun, color in kinds]
    found = find_phrases(detector, processor, batch.images, phrases, threshold=LEAST_SCORE)
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
    figures = coco_figures(truth, results, "bbox")
    ap50, ap = figures["ap50"] or 0.0, figures["ap"] or 0.0
    return DetectorQuality(ap50=ap50, ap=ap, true_scores=tuple(true_scores), false_scores=tuple(false_scores))


def detail_answers(detector: Owlv2ForObjectDetection, processor: Owlv2Processor, *, count: int) -> dict[str, float]:
    """Whether the phrase with the right pattern, or the right mood, gets the best score on an object.

    Only objects whose pattern or mood is said in words are asked about.

    Args:
        detector: the model, in evaluation mode.
        processor: its processor.
        count: number of scenes.

    Returns:
        Of `pattern` and `mood`, the mean of the shares of right answers of each answer, 0 to 1.
    """
    batch = held_out_scenes(count, detailed=1.0)
    kinds = [(name, word) for name, words in (("pattern", PATTERNS), ("mood", MOODS)) for word in words[1:]]
    right: dict[tuple[str, str], list[bool]] = {}
    for index, slot in torch.nonzero(batch.present).tolist():
        noun, color = NOUNS[batch.nouns[index, slot]], COLOR_NAMES[batch.colors[index, slot]]
        truth = {"pattern": int(batch.patterns[index, slot]), "mood": int(batch.moods[index, slot])}
        phrases = [
            object_phrase(noun, color, pattern=word) if name == "pattern" else object_phrase(noun, color, mood=word)
            for name, word in kinds
        ]
        hits = find_phrases(detector, processor, batch.images[index : index + 1], phrases, threshold=0.0)[0]
        here = box_iou(batch.boxes[index, slot][None], hits["boxes"])[0] > 0.5
        best = torch.zeros(len(kinds)).scatter_reduce(0, hits["labels"][here], hits["scores"][here], "amax")
        for name, words in (("pattern", PATTERNS), ("mood", MOODS)):
            if truth[name] not in (0, OPEN):
                scores = {word: float(best[kinds.index((name, word))]) for word in words[1:]}
                word = words[truth[name]]
                right.setdefault((name, word), []).append(max(scores, key=lambda each: scores[each]) == word)
    return {
        name: float(np.mean([np.mean(given) for (of, _), given in right.items() if of == name]))
        for name in ("pattern", "mood")
    }


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
        "images": [{"id": i, "width": side, "height": side} for i in range(len(batch.images))],
        "categories": [{"id": i, "name": " ".join(reversed(kind))} for i, kind in enumerate(kinds)],
        "annotations": annotations,
    }
