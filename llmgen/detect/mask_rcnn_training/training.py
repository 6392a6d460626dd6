"""Training a Mask R-CNN on annotated pictures: from published or own weights to a folder that `detect --method mask-rcnn` runs.

First the heads alone, then also the top of the backbone. Batch norm is frozen: with two pictures a step its running statistics would
drift away from those that the weights were made with.

Source:
    torchvision's reference recipe (references/detection); the profile `reference` has the constants of GPT4-Contextual-Diffusion (2023).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from llmgen.artifacts.files import write_atomic
from llmgen.artifacts.hashing import digest
from llmgen.artifacts.io import pretty_json
from llmgen.detect.mask_rcnn_training.batches import PictureBatch, draw_batch
from llmgen.detect.mask_rcnn_training.quality import instance_quality
from llmgen.diffusion.mask_rcnn import (
    WEIGHTS_FILE,
    MaskRcnnConfig,
    MaskRcnnDetector,
    build_mask_rcnn,
    load_mask_rcnn,
    read_mask_rcnn_config,
    save_mask_rcnn,
)
from llmgen.diffusion.published import PUBLISHED, fetch_command, kept_folder
from llmgen.errors import InputError, MissingRequirementError
from llmgen.formats.coco_instances import InstanceSet
from llmgen.training.curves import draw_curves, read_log
from llmgen.training.lesson import Lesson, draw_ahead, save_staged
from llmgen.training.loop import FitSettings, Trainer

MODEL: Final = "model"
"""Folder of a working folder that holds the detector."""
_SETTINGS_FILE: Final = "training.json"
_QUALITY_FILE: Final = "quality.json"
_SCALES: Final = (0.8, 0.84, 0.88, 0.92, 0.96, 1.0)
"""Of the shorter side in training, torchvision's: 640 to 800."""
_HEADS_SHARE: Final = 0.2
"""Share of the training in which the heads learn alone."""

Told = Callable[[int, int, Mapping[str, float]], None]
"""Told of progress: steps done, all steps, the losses of the last one."""


@dataclass(frozen=True)
class MaskRcnnRecipe:
    """Everything that shapes the training."""

    epochs: float = 12.0
    batch_size: int = 2
    learning_rate: float = 0.005
    weight_decay: float = 5e-4
    warmup_steps: int = 500
    """Of the linear rise; at most a tenth of all steps."""
    milestones: tuple[float, ...] = (0.6, 0.85)
    """Shares of the training at which the rate falls to a tenth."""
    heads_only: bool = False
    """Whether the backbone is left as it is to the end."""
    trainable_layers: int = 3
    """How many of a ResNet's five parts learn, from its end."""
    augmented: bool = True
    """Whether pictures are mirrored, scaled and coloured anew each time."""
    seed: int = 0

    def fit(self, steps: int) -> FitSettings:
        """The settings of the shared loop: stochastic gradient descent, weights as they are and no average of them."""
        return FitSettings(
            learning_rate=self.learning_rate,
            optimizer="sgd",
            momentum=0.9,
            weight_decay=self.weight_decay,
            decay_vectors=True,
            warmup_steps=min(self.warmup_steps, steps // 10),
            milestones=self.milestones or (2.0,),
            gradient_clip=5.0,
            ema_decay=0.0,
            checkpoint_every_s=300.0,
        )


PROFILES: Final[dict[Literal["llmgen", "reference"], MaskRcnnRecipe]] = {
    "llmgen": MaskRcnnRecipe(),
    # Of the original: 50 epochs of 100 steps of one picture; here an epoch is all pictures once.
    "reference": MaskRcnnRecipe(
        epochs=50,
        batch_size=1,
        learning_rate=0.001,
        weight_decay=1e-4,
        warmup_steps=0,
        milestones=(),
        heads_only=True,
        augmented=False,
    ),
}


@dataclass(frozen=True)
class MaskRcnnTraining:
    """One training: from what, on what and where."""

    learned: InstanceSet
    measured: InstanceSet | None
    """What the detector is measured on in the end, if anything."""
    out_dir: Path
    recipe: MaskRcnnRecipe = field(default_factory=MaskRcnnRecipe)
    start: Path | None = None
    """Folder of a Mask R-CNN to start from; by default COCO's published weights."""
    fresh: bool = False
    """Whether to start from nothing. Batch norm learns then."""
    device: str = "cpu"
    resume: bool = False

    @cached_property
    def steps(self) -> int:
        """Of the whole training."""
        return max(1, round(self.recipe.epochs * self.steps_per_epoch))

    @property
    def steps_per_epoch(self) -> int:
        """How many steps see every picture once."""
        return -(-len(self.learned.pictures) // self.recipe.batch_size)

    @cached_property
    def base(self) -> Path | None:
        """Folder of the weights to start from, None for none.

        Raises:
            MissingRequirementError: If the published ones are not here.
        """
        if self.fresh:
            return None
        if self.start is not None:
            return self.start
        address = next(iter(PUBLISHED))
        folder = kept_folder(address)
        if not (folder / WEIGHTS_FILE).is_file():
            raise MissingRequirementError(
                f"a training starts from COCO's weights, which are not here; run `{fetch_command(address)}`, or name a folder of "
                "weights by --from, or start from nothing by --fresh"
            )
        return folder

    @cached_property
    def config(self) -> MaskRcnnConfig:
        """What travels with the weights: the shape of the base, the classes of the data and the ids they had."""
        base = MaskRcnnConfig(classes=self.learned.classes) if self.base is None else read_mask_rcnn_config(self.base)
        return base.model_copy(update={"classes": self.learned.classes, "category_ids": self.learned.category_ids})

    def train(self, told: Told = lambda step, steps, losses: None) -> dict[str, Any] | None:
        """Train to the end and measure.

        Args:
            told: Of progress.

        Returns:
            See `instance_quality`; None where there is nothing to measure on.

        Raises:
            InputError: If a picture cannot be read, or what is in the working folder is another training.
            MissingRequirementError: If the weights to start from are missing.
        """
        lesson = _MaskRcnnLesson(self, told)
        self._keep_settings()
        torch.manual_seed(self.recipe.seed)
        lesson.trainer = trainer = Trainer(
            lesson.module, self.out_dir, self.recipe.fit(self.steps), steps=self.steps, resume=self.resume
        )
        begun = trainer.budget.step
        torch.manual_seed(self.recipe.seed + begun)
        batches = draw_ahead(lesson, begun, 0 if self.device == "cpu" else 4)
        if begun < self.steps:
            trainer.fit(
                lambda _step: lesson.losses(next(batches)), lambda ended: lesson.look(trainer.average.state, ended)
            )
        if self.measured is None:
            return None
        detector = MaskRcnnDetector(*load_mask_rcnn(self.out_dir / MODEL), self.device)
        quality = instance_quality(detector, self.measured)
        write_atomic(self.out_dir / _QUALITY_FILE, pretty_json(quality).encode())
        return quality

    def _keep_settings(self) -> None:
        settings = {
            "recipe": asdict(self.recipe),
            "classes": list(self.learned.classes),
            "category_ids": list(self.learned.category_ids),
            "steps": self.steps,
            "pictures": len(self.learned.pictures),
            "data": digest(
                [[p.path.name, p.width, p.height, p.labels, [m.counts for m in p.masks]] for p in self.learned.pictures]
            ),
        }
        settings = json.loads(json.dumps(settings))
        path = self.out_dir / _SETTINGS_FILE
        if self.resume and path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            other = [name for name, value in settings.items() if before.get(name) != value]
            if other:
                raise InputError(
                    f"{self.out_dir} holds a training with other {', '.join(other)}; resume it as it was begun, or choose another --out"
                )
        write_atomic(path, pretty_json(settings).encode())


def start_from(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Load weights, but for those of another shape: the last layers, when the classes are others.

    Args:
        model: Gets the weights.
        weights: State of a model of the same shape.

    Returns:
        Names of the tensors that stay as they were.
    """
    own = model.state_dict()
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys())


class _MaskRcnnLesson(Lesson[PictureBatch]):
    """A Mask R-CNN in training."""

    def __init__(self, training: MaskRcnnTraining, told: Told) -> None:
        self._training, self._told = training, told
        recipe, config = training.recipe, training.config
        torch.manual_seed(recipe.seed)
        model = build_mask_rcnn(config, trainable_layers=recipe.trainable_layers if training.base else 5)
        if training.base is not None:
            path = training.base / WEIGHTS_FILE
            if not path.is_file():
                raise MissingRequirementError(f"{path} is missing; --from names a folder of a Mask R-CNN")
            lost = start_from(model, load_file(path))
            foreign = [
                name for name in lost if not name.startswith(("roi_heads.box_predictor", "roi_heads.mask_predictor"))
            ]
            if foreign:
                raise InputError(f"{path} lacks the weights {foreign[0]} and {len(foreign) - 1} others")
        self._model = model.to(training.device)
        self.module = self._model
        if recipe.augmented:
            # The library scales to one of these at random in training, and to the last of them in evaluation.
            model.transform.min_size = tuple(round(scale * config.min_size) for scale in _SCALES)
        self._frozen_norms = [] if training.base is None else _frozen_norms(model)
        self._top = [parameter for parameter in model.backbone.body.parameters() if parameter.requires_grad]
        self._order: tuple[int, np.ndarray] = (-1, np.zeros(0, dtype=np.int64))

    def draw(self, step: int) -> PictureBatch:
        """Pictures of a step: each once in an epoch, in an order that follows from the epoch."""
        training, recipe = self._training, self._training.recipe
        epoch, place = divmod(step, training.steps_per_epoch)
        if self._order[0] != epoch:
            rng = np.random.default_rng([recipe.seed, 1, epoch])
            self._order = epoch, rng.permutation(len(training.learned.pictures))
        chosen = self._order[1][place * recipe.batch_size : (place + 1) * recipe.batch_size]
        pictures = [training.learned.pictures[index] for index in chosen]
        return draw_batch(pictures, np.random.default_rng([recipe.seed, 2, step]), augmented=recipe.augmented)

    def losses(self, batch: PictureBatch) -> dict[str, Tensor]:
        """The library's five losses: class and box of a region, mask, objectness and box of a proposal."""
        device, budget = self._training.device, self.trainer.budget
        for norm in self._frozen_norms:
            norm.eval()
        # From nothing, all learns from the first step on.
        alone = self._training.base is not None and (self._training.recipe.heads_only or budget.progress < _HEADS_SHARE)
        for parameter in self._top:
            parameter.requires_grad_(not alone)
        targets = [{name: value.to(device) for name, value in target.items()} for target in batch.targets]
        losses: dict[str, Tensor] = self._model([image.to(device) for image in batch.images], targets)
        self._told(budget.step + 1, self._training.steps, {name: value.item() for name, value in losses.items()})
        return losses

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Keep the detector, and draw the curves."""
        out_dir = self._training.out_dir
        save_staged(lambda folder: save_mask_rcnn(folder, self._training.config, dict(average)), out_dir / MODEL)
        draw_curves(read_log(out_dir)).save(out_dir / "curves.png")


def _frozen_norms(model: nn.Module) -> list[nn.Module]:
    """The batch norms of a model, whose scale and shift are frozen here; who trains puts them into evaluation mode."""
    norms: list[nn.Module] = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.requires_grad_(False)
    return norms


def recipe_of(profile: Literal["llmgen", "reference"], **given: Any) -> MaskRcnnRecipe:
    """The recipe of a profile with some settings of one's own; those that are None were not given."""
    return replace(PROFILES[profile], **{name: value for name, value in given.items() if value is not None})
