"""One training run: where, how long and from what a model is trained, the same for every recipe.

A recipe is settings and four things: data, model, loss and look. The run does the rest: budget, learning rate, averaged
weights, log, checkpoints and resume, several processes, workers that draw data for a GPU.
"""

import logging
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch

from llmgen.errors import InputError
from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes import workers
from llmgen.training.lesson import Lesson, draw_ahead, replace_files
from llmgen.training.loop import FitSettings, Trainer

logger = logging.getLogger(__name__)

MODEL: Final = "model"
"""Folder of a working folder that holds the averaged model, in the form in which it ships."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """Where, how long and from what one model is trained.

    Attributes:
        out_dir: Working folder: checkpoint, log, contact sheet `sheet.png`, and the averaged model in `model`.
        minutes: Time for the whole training, or None.
        steps: Steps of the whole training, or None; at least one of the two is needed.
        seed: Of weights and data; None takes the recipe's own.
        device: Torch device.
        resume: Whether to go on from the checkpoint in `out_dir`, if there is one.
        start: Folder of a model of the same recipe to start from, perhaps of a smaller vocabulary; None starts fresh.
        weights: Folder of the other models that a recipe needs, laid out as the package ships them.
        processes: Processes that average their gradients, where a recipe can; None takes one for each CPU core, or one on
            a GPU.
        rank: Which of these processes this is.
    """

    out_dir: Path
    minutes: float | None = None
    steps: int | None = None
    seed: int | None = None
    device: str = "cpu"
    resume: bool = False
    start: Path | None = None
    weights: Path = WEIGHTS
    processes: int | None = None
    rank: int = 0

    @property
    def on_cpu(self) -> bool:
        """Whether the model is trained on the CPU."""
        return torch.device(self.device).type == "cpu"

    @property
    def memory_format(self) -> torch.memory_format:
        """Of a denoiser in training. Group norms and small convolutions are faster on a CPU in torch's usual order."""
        return torch.contiguous_format if self.on_cpu else torch.channels_last

    def key(self, step: int) -> str:
        """Seed of a step for `random`: the same whenever and wherever the step is made."""
        return f"{self.seed}:{self.rank}:{step}"

    def numpy_rng(self, step: int) -> np.random.Generator:
        """Source of chance of a step for numpy, likewise."""
        return np.random.default_rng([self.seed or 0, self.rank, step])

    def autocast(self, enabled: bool = True) -> torch.autocast:
        """Half-precision arithmetic where it is safe: bf16 halves the time of a step, on a CPU too."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=enabled)

    def train(self, recipe: "Recipe") -> Any:
        """Train a model to the end of the budget.

        Args:
            recipe: What is trained, and how.

        Returns:
            The averaged model on the CPU, in evaluation mode.

        Raises:
            ValueError: If the budget has no end.
            InputError: If the folder to start from holds no weights, or those of another model.
        """
        if self.start is not None and not any(self.start.rglob("*.safetensors")):
            raise InputError(f"{self.start} holds no weights (*.safetensors) to start from")
        self.out_dir.mkdir(parents=True, exist_ok=True)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        count = (self.processes or (cores if self.on_cpu else 1)) if recipe.parallel else 1
        seed = recipe.seed if self.seed is None else self.seed
        workers.run_workers(partial(_work, run=self, recipe=recipe, seed=seed, count=count), count)
        return recipe.load(self.out_dir, self.weights)


class Recipe(ABC):
    """What is particular to the training of one model; its fields are everything that shapes it.

    Attributes:
        folder: Where the model ships, under the folder of weights.
        minutes: Usual time for the whole training on one CPU core.
        seed: Of weights and data, if none is given.
        parallel: Whether several processes may share a step.
    """

    folder: ClassVar[str]
    minutes: ClassVar[float]
    seed: ClassVar[int] = 0
    parallel: ClassVar[bool] = False
    fit: FitSettings

    @abstractmethod
    def lesson(self, run: TrainingRun) -> Lesson[Any]:
        """Make the model, fresh or from `run.start`, ready for its first step.

        Args:
            run: With seed and rank settled. Torch's global generator is seeded.
        """

    @abstractmethod
    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> Any:
        """The averaged model of a training that ended or still runs; on the CPU, in evaluation mode.

        Args:
            out_dir: Working folder of the training.
            weights: Folder of the other models that it needs.
        """

    def ship(self, out_dir: Path, weights: Path = WEIGHTS) -> None:
        """Put the averaged model where it ships.

        Args:
            out_dir: Working folder of a training that ended or still runs.
            weights: Folder of weights.
        """
        replace_files(out_dir / MODEL, weights / self.folder)


def _work(rank: int, meeting: str, run: TrainingRun, recipe: Recipe, seed: int, count: int) -> None:
    workers.join(rank, count, meeting)
    torch.manual_seed(seed)
    mine = replace(run, seed=seed, processes=count, rank=rank)
    lesson = recipe.lesson(mine)
    lesson.trainer = trainer = Trainer(
        lesson.module,
        run.out_dir,
        recipe.fit,
        minutes=run.minutes,
        steps=run.steps,
        resume=run.resume,
        shipped=lesson.shipped,
        share_gradients=workers.sharing(lesson.module, count),
        leads=rank == 0,
    )
    begun = trainer.budget.step
    torch.manual_seed(seed + 1000 * rank + begun)
    # A GPU would wait for one process that draws; on a CPU the cores are busy with the model.
    batches = draw_ahead(lesson, begun, 0 if mine.on_cpu else max(1, (os.cpu_count() or 2) - 1))
    trainer.fit(
        lambda _step: lesson.losses(next(batches)),
        lambda ended: lesson.look(trainer.average.state, ended),
    )
    workers.part(count)
