"""What a training is about: a model, its data, its losses and a look at how far it is; and how data is drawn ahead and models are kept."""

import itertools
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from llmgen.training.loop import Trainer

Batch = TypeVar("Batch")


class Lesson(ABC, Generic[Batch]):
    """A model in training.

    Attributes:
        module: What is trained, in place, on its device.
        shipped: The part of it that is averaged and kept; None takes all of it.
        trainer: Budget and averaged weights; set before the first step.
    """

    module: nn.Module
    shipped: nn.Module | None = None
    trainer: Trainer

    @abstractmethod
    def draw(self, step: int) -> Batch:
        """Data of a step, on the CPU. It follows from the step alone, as other processes may draw it ahead of time."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalars: losses with gradient, whose sum is minimised, and measures without, which are only logged."""

    @abstractmethod
    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the averaged model and show how far it is; called with each checkpoint.

        Args:
            average: Averaged weights of what ships.
            ended: Whether this was the last checkpoint.
        """


class _Steps(Dataset[Batch]):
    def __init__(self, draw: Callable[[int], Batch]) -> None:
        self._draw = draw

    def __getitem__(self, step: int) -> Batch:
        return self._draw(step)


def draw_ahead(lesson: Lesson[Any], begun: int, helpers: int) -> Iterator[Any]:
    """Batches of all steps from one on, drawn by helpers while the model learns.

    Args:
        lesson: Draws.
        begun: The first step.
        helpers: Processes that draw; 0 draws here, when a batch is asked for.
    """
    loader = DataLoader(
        _Steps(lesson.draw),
        batch_size=None,
        sampler=itertools.count(begun),
        num_workers=helpers,
        multiprocessing_context="fork" if helpers else None,
        worker_init_fn=_one_thread,
    )
    return iter(loader)


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)


def replace_files(source: Path, target: Path) -> None:
    """Copy the files of a folder into another, file by file, so that a reader beside us never meets a missing folder."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        staged = target / f".{file.name}.new"
        shutil.copyfile(file, staged)
        os.replace(staged, target / file.name)


def save_staged(save: Callable[[Path], Any], target: Path) -> None:
    """Let a model write itself into a folder that others may be reading.

    Args:
        save: Writes files into the folder it is given.
        target: Gets them.
    """
    with tempfile.TemporaryDirectory() as staging:
        save(Path(staging))
        replace_files(Path(staging), target)
