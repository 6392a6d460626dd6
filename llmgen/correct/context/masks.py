"""Masks of the objects of one depth: cleaned, disjoint, in the order in which they are painted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmgen.artifacts import Detection
from llmgen.correct.context.settings import ContextConfig, DepthSettings
from llmgen.paint.compositing import soft_mask
from llmgen.vision.masks import BoolMask

LEAST_GROWTH_PX = 4
GROWTH_SHARE = 0.01
"""Of the longer side."""


@dataclass(frozen=True)
class Target:
    """An object that is to be painted."""

    detection: Detection
    mask: BoolMask
    """`bool[h, w]`, what the detector saw of it, holes filled; not empty."""

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))


def fill_holes(mask: BoolMask) -> BoolMask:
    """A mask without holes: what it encloses belongs to it."""
    from scipy import ndimage

    filled: BoolMask = ndimage.binary_fill_holes(mask)
    return filled


def merge_by_class(targets: Sequence[Target]) -> list[Target]:
    """All objects of a class as one, classes in the order of their first object, whose id and score the whole keeps.

    Source: GPT4-Contextual-Diffusion (2023), union of masks.
    """
    merged: dict[str, Target] = {}
    for target in targets:
        known = merged.get(target.detection.noun)
        if known is None:
            merged[target.detection.noun] = target
            continue
        boxes = np.array([known.detection.box_xyxy, target.detection.box_xyxy])
        box = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
        whole = known.detection.model_copy(update={"phrase": target.detection.noun, "attributes": (), "box_xyxy": box})
        merged[target.detection.noun] = Target(whole, known.mask | target.mask)
    return list(merged.values())


def choose_targets(
    detections: Sequence[Detection],
    masks: Sequence[BoolMask],
    config: ContextConfig,
    depth: DepthSettings,
    remark: Callable[[str], None],
) -> list[Target]:
    """The objects that a depth paints, in order.

    Args:
        detections: What was found.
        masks: For each `bool[h, w]`.
        config: Settings.
        depth: Settings of the depth.
        remark: Told what is left out.
    """
    targets = []
    for found, mask in zip(detections, masks, strict=True):
        cleaned = fill_holes(mask) if config.fill_holes else mask
        share = np.count_nonzero(cleaned) / cleaned.size
        if not cleaned.any():
            remark(f"{found.id!r} is left out: its mask is empty")
        elif found.score < depth.min_score:
            remark(f"{found.id!r} is left out: its score is {found.score:.2f}, less than {depth.min_score:g}")
        elif not depth.min_area <= share <= depth.max_area:
            remark(
                f"{found.id!r} is left out: its mask is {share:.2%} of the picture, not {depth.min_area:.2%} to {depth.max_area:.2%}"
            )
        else:
            targets.append(Target(found, cleaned))
    # Of equal scores the detector's order holds.
    targets.sort(key=lambda target: -target.detection.score)
    if config.merge == "class":
        targets = merge_by_class(targets)
    if config.order == "area":
        targets.sort(key=lambda target: (-target.area, target.detection.id))
    if len(targets) > config.max_objects:
        remark(f"{len(targets)} objects, the first {config.max_objects} are painted")
    return targets[: config.max_objects]


def in_front(target: Target, targets: Sequence[Target]) -> BoolMask:
    """What smaller objects cover, and of equally large ones those with the later id; `bool[h, w]`."""
    covered = np.zeros_like(target.mask)
    for other in targets:
        if (-other.area, other.detection.id) > (-target.area, target.detection.id):
            covered |= other.mask
    return covered


def growth_px(config: ContextConfig, shape: tuple[int, int]) -> int:
    """By how many pixels the masks of a picture grow."""
    if config.mask_dilation_px is not None:
        return config.mask_dilation_px
    return max(LEAST_GROWTH_PX, round(GROWTH_SHARE * max(shape)))


def grown(mask: BoolMask, by_px: int) -> BoolMask:
    """A mask and all pixels within a distance of it."""
    if by_px <= 0 or not mask.any():
        return mask.copy()
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(~mask) <= by_px)


def painted_masks(targets: Sequence[Target], config: ContextConfig) -> list[BoolMask]:
    """What is painted of each object, `bool[h, w]`: without what is in front of it, then grown, and again without it.

    A mask may come out empty, where an object is covered by smaller ones.
    """
    masks = []
    for target in targets:
        front = in_front(target, targets) if config.subtract_front else np.zeros_like(target.mask)
        visible = target.mask & ~front
        masks.append(grown(visible, growth_px(config, target.mask.shape)) & ~front if visible.any() else visible)
    return masks


def weight_of(mask: BoolMask, config: ContextConfig, protect: BoolMask) -> NDArray[np.float32]:
    """How much of what was painted shows.

    Args:
        mask: `bool[h, w]`.
        config: Settings.
        protect: Pixels that stay whatever the softness of the edge, `bool[h, w]`.

    Returns:
        `float32[h, w]` in [0, 1].
    """
    blur = config.mask_blur_px if config.mask_blur_px is not None else growth_px(config, mask.shape) / 2
    weight = soft_mask(mask, blur)
    weight[protect] = 0
    return weight
