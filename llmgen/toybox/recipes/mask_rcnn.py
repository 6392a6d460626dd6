"""Recipe of the two Mask R-CNNs, of objects and of parts: torchvision's classes on a small backbone.

He et al. 2017, "Mask R-CNN", with a feature pyramid (Lin et al. 2017) of three levels; the five losses are torchvision's, unweighted.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from llmgen.diffusion.mask_rcnn import MaskRcnnConfig, MaskRcnnDetector, SmallShape, build_mask_rcnn, save_mask_rcnn
from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes.autoencoder_damage import AutoencoderDamage
from llmgen.toybox.recipes.contact_sheet import draw_boxes, tile, tint
from llmgen.toybox.recipes.growth import grow_from, read_weights
from llmgen.toybox.recipes.mask_rcnn_quality import held_out_truths, to_image
from llmgen.toybox.recipes.mask_truths import OBJECTS, PARTS_OF_OBJECTS, ClassList, mirrored, targets_of, truth_of
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.scene_batches import degrade
from llmgen.toybox.world.scenes import SIZE
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson, save_staged
from llmgen.training.loop import FitSettings


@dataclass(frozen=True)
class MaskRcnnRecipe(Recipe):
    """Everything that shapes the training of a Mask R-CNN of the toybox."""

    learns: ClassVar[ClassList]
    minutes: ClassVar[float] = 8
    shape: SmallShape = field(default_factory=SmallShape)
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            learning_rate=2e-3,
            warmup_steps=50,
            weight_decay=0.02,
            ema_decay=0.99,
            gradient_clip=5.0,
            checkpoint_every_s=400,
        )
    )
    batch_size: int = 8
    sides: tuple[int, ...] = (108, 128, 128, 148)
    """What a picture is scaled to in training, one of these: objects of sizes that the renderer never draws."""
    softened_share: float = 0.3
    """Share of the pictures that pass through the toybox autoencoder, when there is one."""

    @property
    def config(self) -> MaskRcnnConfig:
        """What travels with the weights."""
        return MaskRcnnConfig(
            classes=self.learns.classes,
            min_size=SIZE,
            max_size=2 * SIZE,
            score_threshold=0.5,
            nms_threshold=0.5,
            most=20,
            small=self.shape,
        )

    def lesson(self, run: TrainingRun) -> "MaskRcnnLesson":
        """See `Recipe.lesson`; the autoencoder whose damage is mixed in is that of `run.weights`."""
        return MaskRcnnLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> Any:
        """See `Recipe.load`."""
        model = build_mask_rcnn(self.config)
        model.load_state_dict(load_averaged_weights(out_dir))
        return model.eval()


@dataclass(frozen=True)
class ObjectsRecipe(MaskRcnnRecipe):
    """Of the detector of objects, for depth 1 of a context loop."""

    folder: ClassVar[str] = "detector_objects"
    learns: ClassVar[ClassList] = OBJECTS
    shape: SmallShape = field(default_factory=lambda: SmallShape(levels=(2, 3), anchor_sizes=(32, 56)))


@dataclass(frozen=True)
class PartsRecipe(MaskRcnnRecipe):
    """Of the detector of parts, for depth 2 of a context loop."""

    folder: ClassVar[str] = "detector_parts"
    learns: ClassVar[ClassList] = PARTS_OF_OBJECTS
    shape: SmallShape = field(default_factory=lambda: SmallShape(levels=(1, 2), anchor_sizes=(10, 20)))


@dataclass
class MaskRcnnBatch:
    """Pictures and what is to be found in them."""

    images: Tensor
    """``[B, 3, H, W]`` in 0..1."""
    targets: list[dict[str, Tensor]]
    softened: Tensor
    """``[B]`` bool: the picture goes through the autoencoder."""


class MaskRcnnLesson(Lesson[MaskRcnnBatch]):
    """A Mask R-CNN in training."""

    def __init__(self, recipe: MaskRcnnRecipe, run: TrainingRun) -> None:
        """Make the model.

        Args:
            recipe: Settings.
            run: Device, seed, start and the autoencoder.
        """
        self._recipe, self._run = recipe, run
        self._soften = AutoencoderDamage.load(run.weights / "text_to_image" / "vae", run.device)
        model = build_mask_rcnn(recipe.config)
        if run.start is not None:
            grow_from(model, read_weights(run.start), {})
        # The library scales to one of these at random in training, and to the last of them in evaluation.
        model.transform.min_size = (*recipe.sides, SIZE)
        self.module = self._model = model.to(run.device)

    def draw(self, step: int) -> MaskRcnnBatch:
        """Damaged scenes with their instances."""
        rng, recipe = self._run.numpy_rng(step), self._recipe
        chance = random.Random(int(rng.integers(2**62)))
        truths = [truth_of(recipe.learns.sample(chance), recipe.learns.instances) for _ in range(recipe.batch_size)]
        truths = [mirrored(truth) if chance.random() < 0.5 else truth for truth in truths]
        images = torch.from_numpy(np.stack([truth.image for truth in truths])).permute(0, 3, 1, 2).float() / 255
        softened = torch.from_numpy(rng.random(recipe.batch_size) < recipe.softened_share)
        return MaskRcnnBatch(degrade(images, rng), targets_of(truths, recipe.learns.classes), softened)

    def losses(self, batch: MaskRcnnBatch) -> dict[str, Tensor]:
        """See `Lesson.losses`."""
        device = self._run.device
        images = batch.images.to(device)
        if self._soften is not None:
            images = self._soften(images, batch.softened)
        targets = [{name: value.to(device) for name, value in target.items()} for target in batch.targets]
        losses: dict[str, Tensor] = self._model(list(images), targets)
        return losses

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the detector and what it finds in held-out scenes."""
        config = self._recipe.config
        save_staged(
            lambda folder: save_mask_rcnn(folder, config, dict(average), torch.float16), self._run.out_dir / MODEL
        )
        detector = MaskRcnnDetector(self._recipe.load(self._run.out_dir), config)
        pictures = []
        for truth in held_out_truths(self._recipe.learns, 12, seed=1):
            image = to_image(truth.image)
            [found] = detector.detect_instances([image])
            tinted = tint(image, [one.mask for one in found], scale=2)
            boxes = [
                ((2 * x0, 2 * y0, 2 * x1, 2 * y1), "#d33", f"{one.label} {one.score:.2f}")
                for one in found
                for x0, y0, x1, y1 in [one.box_xyxy]
            ]
            pictures.append(draw_boxes(tinted, boxes, scale=1))
        tile(pictures, columns=6).save(self._run.out_dir / "sheet.png")
