"""A training run and the training of all models: start, resume, helpers that draw, what ships."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from llmgen.artifacts.lock import locked
from llmgen.errors import OutputError
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.unet import PositionedUNet2DConditionModel
from llmgen.toybox.recipes.blip2 import Blip2Recipe
from llmgen.toybox.recipes.catalogue import NAMES, WholeTraining, load_recipe, shipped
from llmgen.toybox.recipes.clip import ClipRecipe
from llmgen.toybox.recipes.detector import DetectorRecipe
from llmgen.toybox.recipes.diffusion import DiffusionRecipe
from llmgen.toybox.recipes.editor import EditorRecipe, LgdRecipe
from llmgen.toybox.recipes.inpaint import InpaintRecipe
from llmgen.toybox.recipes.instances import InstanceRecipe
from llmgen.toybox.recipes.judge import JudgeRecipe
from llmgen.toybox.recipes.mask_rcnn import ObjectsRecipe, PartsRecipe
from llmgen.toybox.recipes.pose import PoseRecipe
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.segmenter import SegmenterRecipe
from llmgen.toybox.recipes.text import TextRecipe
from llmgen.toybox.recipes.vae import VaeRecipe
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson, draw_ahead
from llmgen.training.loop import FitSettings


class LineLesson(Lesson[Tensor]):
    def __init__(self, run: TrainingRun) -> None:
        self.run, self.module, self.looks = run, nn.Linear(1, 1), 0

    def draw(self, step: int) -> Tensor:
        return torch.from_numpy(self.run.numpy_rng(step).normal(size=(8, 1))).float()

    def losses(self, batch: Tensor) -> dict[str, Tensor]:
        return {"error": (self.module(batch) - 3 * batch).square().mean()}

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        folder = self.run.out_dir / MODEL
        folder.mkdir(exist_ok=True)
        (folder / "slope.txt").write_text(f"{average['weight'].item():.6f} {ended}")


@dataclass(frozen=True)
class LineRecipe(Recipe):
    folder: ClassVar[str] = "line"
    minutes: ClassVar[float] = 1
    fit: FitSettings = field(default_factory=lambda: FitSettings(learning_rate=0.1, ema_decay=0.9))

    def lesson(self, run: TrainingRun) -> LineLesson:
        return LineLesson(run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> nn.Module:
        line = nn.Linear(1, 1)
        line.load_state_dict(load_averaged_weights(out_dir))
        return line


def test_a_run_learns_looks_and_ships(tmp_path: Path) -> None:
    line = TrainingRun(tmp_path / "work", steps=150).train(LineRecipe())
    assert line.weight.item() == pytest.approx(3, abs=0.1)
    LineRecipe().ship(tmp_path / "work", tmp_path / "weights")
    assert (tmp_path / "weights" / "line" / "slope.txt").read_text() == f"{line.weight.item():.6f} True"


def test_a_stopped_run_and_its_resume_end_where_one_run_ends(tmp_path: Path) -> None:
    whole = TrainingRun(tmp_path / "whole", steps=20, seed=4).train(_flat())
    TrainingRun(tmp_path / "parts", steps=11, seed=4).train(_flat())
    resumed = TrainingRun(tmp_path / "parts", steps=20, seed=4, resume=True).train(_flat())
    assert torch.equal(whole.weight, resumed.weight)
    other = TrainingRun(tmp_path / "other", steps=20, seed=5).train(_flat())
    assert not torch.equal(whole.weight, other.weight)


def _flat() -> LineRecipe:
    # A rate that follows the budget would differ between budgets of 11 and 20 steps.
    return LineRecipe(FitSettings(learning_rate=0.01, final_fraction=1.0))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on one core
def test_helpers_draw_the_same_batches(tmp_path: Path) -> None:
    lesson = LineLesson(TrainingRun(tmp_path, steps=1, seed=1))
    here, ahead = draw_ahead(lesson, 5, 0), draw_ahead(lesson, 5, 2)
    for _ in range(4):
        assert torch.equal(next(here), next(ahead))


def test_a_run_needs_an_end(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="budget"):
        TrainingRun(tmp_path).train(LineRecipe())


def test_a_folder_takes_one_training_at_a_time(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path, steps=2)
    with locked(tmp_path / ".lock", "it"), pytest.raises(OutputError, match="another llmgen is writing"):
        run.train(LineRecipe())
    run.train(LineRecipe())


def test_every_recipe_can_be_asked_for_by_name() -> None:
    folders = [load_recipe(name).folder for name in NAMES]
    assert len(set(folders)) == len(NAMES)
    assert all(shipped(load_recipe(name)) == WEIGHTS / load_recipe(name).folder for name in NAMES)
    assert shipped(LineRecipe()) is None


@pytest.mark.slow
def test_all_models_train_one_from_the_other(tmp_path: Path) -> None:
    tiny = {
        "vae": VaeRecipe(batch=2, measured=2),
        "text": TextRecipe(batch=4),
        "judge": JudgeRecipe(batch_size=3, finding=2),
        "detector": DetectorRecipe(batch_size=2),
        "mask-rcnn-objects": ObjectsRecipe(batch_size=2),
        "mask-rcnn-parts": PartsRecipe(batch_size=2),
        "clip": ClipRecipe(scenes=3, crops=3),
        "segmenter": SegmenterRecipe(batch_size=2, prompts_per_batch=4),
        "pose": PoseRecipe(scenes_per_batch=6, crops=2),
        "diffusion": DiffusionRecipe(batch=2, pool=8, looks=1, look_steps=2, measured=2),
        "inpaint": InpaintRecipe(batch=2, pool=8, looks=1, look_steps=2, rank=2),
        "instances": InstanceRecipe(scenes=DiffusionRecipe(batch=2, pool=8), looks=1, look_steps=2),
        "blip2": Blip2Recipe(batch=4, filled=6, fresh=1, measured=5),
        "editor": EditorRecipe(batch=2, pool=4, fresh=1, filled=2, looks=1, look_steps=2),
        "lgd": LgdRecipe(batch=2, pool=4, fresh=1, filled=2, looks=1, look_steps=2),
    }
    assert tuple(tiny) == NAMES
    whole = WholeTraining(tmp_path, steps=1, processes=1)
    whole.train(tiny)
    for recipe in tiny.values():
        assert any((whole.weights / recipe.folder).rglob("*.safetensors")), recipe.folder
    unet = PositionedUNet2DConditionModel.from_pretrained(whole.weights / "text_to_image" / "unet")
    assert unet.config.in_channels == 8
    before = (tmp_path / "pose" / "log.jsonl").read_text()
    WholeTraining(tmp_path, steps=1, resume=True).train({"pose": tiny["pose"]})
    assert (tmp_path / "pose" / "log.jsonl").read_text() == before
