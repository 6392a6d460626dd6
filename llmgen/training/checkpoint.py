"""Checkpoints of a training without pickles: safetensors for weights, average and optimizer, JSON for the counters.

Every file is replaced whole and the counters come last: a crash between two files costs at most the count of the steps
since the previous checkpoint.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from llmgen.training.saving import save_atomically

_MODEL: Final = "model.safetensors"
_AVERAGE: Final = "average.safetensors"
_OPTIMIZER: Final = "optimizer.safetensors"
_COUNTERS: Final = "state.json"


@dataclass(frozen=True)
class Counters:
    """What a resumed training must know besides tensors.

    Attributes:
        step: Steps done.
        elapsed_s: Seconds spent.
        updates: Steps that went into the average.
        measures: Running means of the losses, by name.
    """

    step: int
    elapsed_s: float
    updates: int
    measures: dict[str, float] = field(default_factory=dict)


def save_checkpoint(
    folder: Path, module: nn.Module, average: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, counters: Counters
) -> None:
    """Write a checkpoint that `load_checkpoint` resumes from.

    Args:
        folder: Where the files go.
        module: The model in training.
        average: Its averaged weights by name.
        optimizer: Its optimizer, whose state is tensors or numbers.
        counters: What is spent.
    """
    moments = {
        f"{index}.{key}": torch.as_tensor(value).detach().clone()
        for index, entries in optimizer.state_dict()["state"].items()
        for key, value in entries.items()
    }
    save_atomically(_apart(module.state_dict()), folder / _MODEL)
    save_atomically(average, folder / _AVERAGE)
    save_atomically(moments, folder / _OPTIMIZER)
    temporary = folder / f"{_COUNTERS}.partial"
    temporary.write_text(json.dumps(asdict(counters), indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, folder / _COUNTERS)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of which no two share memory, as tied embeddings do: the file format has no shared ones."""
    seen: set[int] = set()
    apart = {}
    for name, value in tensors.items():
        apart[name] = value.clone() if value.data_ptr() in seen else value
        seen.add(value.data_ptr())
    return apart


def load_checkpoint(
    folder: Path, module: nn.Module, average: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> Counters | None:
    """Resume from a checkpoint where there is one.

    Args:
        folder: Where `save_checkpoint` wrote.
        module: Gets the weights.
        average: Gets the averaged weights, in place.
        optimizer: A fresh optimizer over the same parameters; gets its state.

    Returns:
        What is spent, or None when there is no checkpoint.
    """
    if not (folder / _COUNTERS).is_file():
        return None
    module.load_state_dict(load_file(folder / _MODEL))
    for name, value in load_file(folder / _AVERAGE).items():
        average[name].copy_(value)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in load_file(folder / _OPTIMIZER).items():
        index, key = name.split(".", 1)
        moments.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    saved = json.loads((folder / _COUNTERS).read_text(encoding="utf-8"))
    return Counters(saved["step"], saved["elapsed_s"], saved["updates"], saved.get("measures", {}))


def load_averaged_weights(folder: Path) -> dict[str, Tensor]:
    """Read the averaged weights of a training, finished or still running.

    Raises:
        FileNotFoundError: If the folder has no checkpoint.
    """
    return load_file(folder / _AVERAGE)
