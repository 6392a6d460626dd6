"""How good judge and segmenter are on held-out scenes: pure functions that return numbers.

Held-out means: scenes drawn from seeds that no training uses. ``llmgen train toybox --eval`` prints what these return.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor
from torchvision.ops import box_iou

from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.scene_batches import COLOR_NAMES, OPEN, POSES, STATE_PARTS, SceneBatch, draw_scenes
from llmgen.toybox.world.vocabulary import BACKGROUNDS, MOODS, NOUNS, PART_STATES, PATTERNS

HELD_OUT_SEED = 990_001
"""First number of every held-out seed; training seeds start with the recipe's own seed."""

Damage = Callable[[Tensor, np.random.Generator], Tensor]
"""From ``[B, 3, H, W]`` pictures in 0..1 to damaged ones (autoencoder, noise ...)."""


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


def held_out_scenes(
    count: int,
    *,
    seed: int = HELD_OUT_SEED,
    with_masks: bool = False,
    detailed: float = 0.0,
    held_out: bool = False,
    plain: bool = False,
) -> SceneBatch:
    """Scenes that no training saw; see `draw_scenes`."""
    rng = np.random.default_rng([HELD_OUT_SEED, seed])
    return draw_scenes(rng, count, with_masks=with_masks, detailed=detailed, held_out=held_out, plain=plain)


def damaged(images: Tensor, damage: Damage | None) -> Tensor:
    """Pictures ``[B, 3, H, W]`` in 0..1 after some damage, the same every time; without one as they are."""
    return images if damage is None else damage(images, np.random.default_rng([HELD_OUT_SEED, HELD_OUT_SEED, 1]))


def kinds_of(batch: SceneBatch, index: int) -> Counter[tuple[str, str]]:
    """The multiset of (noun, colour) in one scene."""
    slots = torch.nonzero(batch.present[index]).flatten().tolist()
    return Counter((NOUNS[batch.nouns[index, s]], COLOR_NAMES[batch.colors[index, s]]) for s in slots)


def judge_accuracy(
    judge: ToyboxJudge,
    *,
    count: int,
    damage: Damage | None = None,
) -> float:
    """Share of scenes in which the judge sees exactly the objects that are there, in class and colour.

    Args:
        judge: the judge.
        count: number of held-out scenes.
        damage: applied to the renders first; None judges the clean ones.

    Returns:
        0 to 1.
    """
    batch = held_out_scenes(count)
    images = damaged(batch.images, damage)
    found = judge.detect(to_pil(images))
    return float(
        np.mean([Counter((o.noun, o.color) for o in seen) == kinds_of(batch, i) for i, seen in enumerate(found)])
    )


def judge_details(
    judge: ToyboxJudge,
    *,
    count: int,
    damage: Damage | None = None,
    held_out: bool = False,
) -> dict[str, float]:
    """How well the judge reads what a description may say besides class and colour.

    An object counts when the judge found it at all (class, and IoU over 0.5). Each figure is the mean of the shares of right
    answers of each answer, so that the usual answer does not hide the others.

    Args:
        judge: the judge.
        count: number of held-out scenes.
        damage: applied to the renders first; None judges the clean ones.
        held_out: whether to look at combinations that no training may see.

    Returns:
        0 to 1 by detail; `found`, the share of objects that were found; and `background`, where the judge names it.
    """
    batch = held_out_scenes(count, detailed=0.5, held_out=held_out)
    images = damaged(batch.images, damage)
    seen = judge.look(to_pil(images))
    right: dict[str, dict[str, list[bool]]] = {}
    found = []
    for index, slot in torch.nonzero(batch.present).tolist():
        noun, box = NOUNS[batch.nouns[index, slot]], batch.boxes[index, slot][None]
        match = next(
            (
                o
                for o in seen[index].objects
                if o.noun == noun and float(box_iou(box, torch.tensor([o.box_xyxy]))) > 0.5
            ),
            None,
        )
        found.append(match is not None)
        if match is None:
            continue
        states = dict(match.states)
        answers = [
            ("pattern", PATTERNS, batch.patterns[index, slot], match.pattern),
            ("mood", MOODS, batch.moods[index, slot], match.mood),
            ("verb", POSES, batch.verbs[index, slot], match.verb),
            *(
                (part, PART_STATES[part], batch.states[index, slot, number], states.get(part))
                for number, part in enumerate(STATE_PARTS)
            ),
        ]
        for name, words, truth, said in answers:
            if int(truth) != OPEN:
                word = words[int(truth)]
                right.setdefault(name, {}).setdefault(word, []).append(said == word)
    if judge.config.backgrounds:
        for picture, truth in zip(seen, batch.backgrounds.tolist(), strict=True):
            word = BACKGROUNDS[truth]
            right.setdefault("background", {}).setdefault(word, []).append(picture.background == word)
    means = {name: float(np.mean([np.mean(given) for given in by.values()])) for name, by in right.items()}
    return {"found": float(np.mean(found)), **means}


def segmenter_quality(
    sam: Sam,
    *,
    count: int,
    jitter: float = 0.0,
) -> SegmenterQuality:
    """Mask quality on held-out scenes, through ``SamPredictor`` with box prompts.

    Args:
        sam: the model, in evaluation mode.
        count: number of scenes.
        jitter: each side of a box is moved by up to this share of the box's size; 0 gives exact boxes.

    Returns:
        Figures over all objects.
    """
    rng = np.random.default_rng([HELD_OUT_SEED, HELD_OUT_SEED, 2])
    batch = held_out_scenes(count, with_masks=True)
    if batch.masks is None:
        raise AssertionError("scenes were drawn with masks")
    predictor = SamPredictor(sam)
    chosen_iou, single_iou, errors = [], [], []
    for index, picture in enumerate(to_pil(batch.images)):
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
