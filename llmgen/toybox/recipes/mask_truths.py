"""Scenes with the instances that a Mask R-CNN learns: objects of the world's classes, or their parts."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from llmgen.toybox.world.picture import mask_bounds
from llmgen.toybox.world.scenes import RenderedScene, Scene, render, sample_scene
from llmgen.toybox.world.vocabulary import NOUNS, PARTS

_EMPTY_SHARE: Final = 0.03
"""Share of bare backgrounds, in which nothing is to be found."""

PART_NAMES: Final[tuple[str, ...]] = tuple(dict.fromkeys(part for parts in PARTS.values() for part in parts))
"""The classes of parts, in the order of their labels."""

Instances = Callable[[Scene, RenderedScene], list[tuple[str, npt.NDArray[np.bool_]]]]
"""From a scene and its picture to the instances: class and visible pixels."""


def objects_of(scene: Scene, rendered: RenderedScene) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """The objects of a scene, what is visible of each."""
    return [(item.noun, mask) for item, mask in zip(scene.objects, rendered.masks, strict=True) if mask.any()]


def parts_of(_scene: Scene, rendered: RenderedScene) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """The parts of a scene's objects, what is visible of each."""
    return [(part.noun, part.mask) for part in rendered.parts]


@dataclass(frozen=True)
class ClassList:
    """What a detector learns to find."""

    classes: tuple[str, ...]
    instances: Instances
    wanted_share: float
    """Share of the scenes that surely show one."""

    def sample(self, rng: random.Random) -> Scene:
        """Draw a scene for training."""
        scene, must = sample_scene(rng), rng.random() < self.wanted_share
        while must and not any(self._has(item.noun) for item in scene.objects):
            scene = sample_scene(rng)
        return Scene(scene.background, (), scene.seed) if rng.random() < _EMPTY_SHARE else scene

    def _has(self, noun: str) -> bool:
        return noun in self.classes or bool(set(PARTS.get(noun, ())) & set(self.classes))


OBJECTS: Final = ClassList(NOUNS, objects_of, 0.0)
PARTS_OF_OBJECTS: Final = ClassList(PART_NAMES, parts_of, 0.85)


@dataclass(frozen=True)
class Truth:
    """A picture and its instances."""

    image: npt.NDArray[np.uint8]
    """[128, 128, 3], RGB."""
    names: tuple[str, ...]
    """Class of each instance."""
    masks: npt.NDArray[np.bool_]
    """[N, 128, 128]."""


def truth_of(scene: Scene, instances: Instances) -> Truth:
    """Draw a scene with its instances."""
    rendered = render(scene)
    found = instances(scene, rendered)
    masks = np.stack([mask for _, mask in found]) if found else np.zeros((0, *rendered.image.shape[:2]), dtype=bool)
    return Truth(rendered.image, tuple(name for name, _ in found), masks)


def mirrored(truth: Truth) -> Truth:
    """The same picture, left for right."""
    return Truth(np.ascontiguousarray(truth.image[:, ::-1]), truth.names, np.ascontiguousarray(truth.masks[:, :, ::-1]))


def targets_of(truths: Sequence[Truth], classes: Sequence[str]) -> list[dict[str, Tensor]]:
    """What torchvision's Mask R-CNN is trained with.

    Args:
        truths: Pictures with instances, perhaps none.
        classes: Label 1, 2 ...

    Returns:
        For each `boxes` float [N, 4] xyxy, the tight box of the visible pixels, `labels` int64 [N], `masks` uint8 [N, H, W].
    """
    targets = []
    for truth in truths:
        boxes = np.array([mask_bounds(mask) for mask in truth.masks], dtype=np.float32).reshape(-1, 4)
        labels = torch.tensor([classes.index(name) + 1 for name in truth.names], dtype=torch.int64)
        masks = torch.from_numpy(truth.masks.astype(np.uint8))
        targets.append({"boxes": torch.from_numpy(boxes), "labels": labels, "masks": masks})
    return targets
