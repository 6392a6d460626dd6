"""All recipes, in the order in which they train: each needs only models that come before it."""

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes.run import Recipe, TrainingRun

logger = logging.getLogger(__name__)

_RECIPES: Final = {
    "vae": "vae:VaeRecipe",
    "text": "text:TextRecipe",
    "judge": "judge:JudgeRecipe",
    "detector": "detector:DetectorRecipe",
    "mask-rcnn-objects": "mask_rcnn:ObjectsRecipe",
    "mask-rcnn-parts": "mask_rcnn:PartsRecipe",
    "clip": "clip:ClipRecipe",
    "segmenter": "segmenter:SegmenterRecipe",
    "pose": "pose:PoseRecipe",
    "diffusion": "diffusion:DiffusionRecipe",
    "inpaint": "inpaint:InpaintRecipe",
    "instances": "instances:InstanceRecipe",
    "blip2": "blip2:Blip2Recipe",
    "editor": "editor:EditorRecipe",
    "lgd": "editor:LgdRecipe",
}
_BESIDE: Final = {"decoder": "vae:DecoderRecipe", "question_editor": "editor:QuestionEditorRecipe"}
"""Recipes outside the training of all: the autoencoder's decoder once more, and a model that does not ship and is only measured against."""
NAMES: Final = tuple(_RECIPES)


def load_recipe(name: str) -> Recipe:
    """The recipe of a model with its usual settings.

    Args:
        name: One of `NAMES`, or `decoder` or `question_editor`.
    """
    module, _, recipe_class = {**_RECIPES, **_BESIDE}[name].partition(":")
    recipe: Recipe = getattr(importlib.import_module(f"llmgen.toybox.recipes.{module}"), recipe_class)()
    return recipe


@dataclass(frozen=True)
class WholeTraining:
    """The training of all models, one after the other, each from those before it.

    Attributes:
        out_dir: Working folder; each model has its own in it, and `weights` gets the finished models, laid out as the package
            ships them.
        minutes: Time for all of them together, shared in proportion to their usual times; None takes those.
        steps: Steps of each, instead of a time.
        seed: Of weights and data; None takes each recipe's own.
        device: Torch device.
        resume: Whether to go on where an earlier run stopped.
        fresh: Whether to start from fresh weights instead of the shipped ones.
        processes: As of `TrainingRun`.
    """

    out_dir: Path
    minutes: float | None = None
    steps: int | None = None
    seed: int | None = None
    device: str = "cpu"
    resume: bool = False
    fresh: bool = False
    processes: int | None = None

    @property
    def weights(self) -> Path:
        """Folder of the finished models."""
        return self.out_dir / "weights"

    def train(self, recipes: Mapping[str, Recipe] | None = None) -> None:
        """Train and put each finished model into `weights`.

        Args:
            recipes: By name, in order; None takes all with their usual settings.
        """
        recipes = recipes or {name: load_recipe(name) for name in NAMES}
        usual = sum(recipe.minutes for recipe in recipes.values())
        for name, recipe in recipes.items():
            minutes = recipe.minutes * (1 if self.minutes is None else self.minutes / usual)
            logger.info("%s: %s", name, f"{self.steps} steps" if self.steps else f"{minutes:.1f} minutes")
            run = TrainingRun(
                self.out_dir / name,
                minutes=None if self.steps else minutes,
                steps=self.steps,
                seed=self.seed,
                device=self.device,
                resume=self.resume,
                start=None if self.fresh else shipped(recipe),
                weights=self.weights,
                processes=self.processes,
            )
            run.train(recipe)
            recipe.ship(run.out_dir, self.weights)


def shipped(recipe: Recipe) -> Path | None:
    """Folder of the shipped model of a recipe, or None where none ships yet."""
    folder = WEIGHTS / recipe.folder
    return folder if folder.is_dir() and any(folder.iterdir()) else None
