"""What every recipe of the toybox shares: a clock with a budget, checkpoints without pickles, an averaged copy."""

import json
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

logger = logging.getLogger(__name__)


class Budget:
    """Progress of a training that ends after a time or a number of steps, whichever is named.

    Attributes:
        step: Steps done, over all resumed parts.
        elapsed_s: Seconds spent, over all resumed parts.
    """

    def __init__(self, minutes: float | None, steps: int | None) -> None:
        """Name the budget.

        Args:
            minutes: Time for the whole training, or None.
            steps: Steps of the whole training, or None.

        Raises:
            ValueError: When neither is named.
        """
        if minutes is None and steps is None:
            raise ValueError("a training needs minutes or steps")
        self.minutes, self.steps = minutes, steps
        self.step, self.elapsed_s = 0, 0.0
        self._tick = time.monotonic()

    def advance(self) -> None:
        """Count one step and the time since the last one."""
        now = time.monotonic()
        self.elapsed_s += now - self._tick
        self._tick = now
        self.step += 1

    def pause(self) -> None:
        """Leave the time since the last step out, for what is not training (contact sheets, evaluation)."""
        self._tick = time.monotonic()

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0..1 (above 1 when overdrawn)."""
        if self.steps is not None:
            return self.step / max(self.steps, 1)
        return self.elapsed_s / ((self.minutes or 0) * 60 + 1e-9)

    @property
    def done(self) -> bool:
        """Whether the budget is spent."""
        return self.progress >= 1


def one_cycle(progress: float, warmup: float = 0.02, floor: float = 0.02, hold: float = 0.0) -> float:
    """Learning-rate factor: a short linear warm-up, an optional plateau, then a cosine down to the floor.

    Args:
        progress: Share of the budget that is spent, 0..1.
        warmup: Share of the budget that warms up.
        floor: Factor at the end.
        hold: Share of the budget, after which the descent begins.

    Returns:
        Factor in 0..1.
    """
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    start = max(warmup, hold)
    down = min(max((progress - start) / (1 - start), 0.0), 1.0)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * down))


class Average:
    """Exponential moving average of the weights of a module, kept in float32.

    Attributes:
        state: Averaged tensors by name.
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        """Start from the weights of the module.

        Args:
            module: What is averaged.
            decay: Weight of the past; a young average uses a smaller one.
        """
        self.decay, self.updates = decay, 0
        self.state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, steps: int = 1) -> None:
        """Move towards the weights of the module.

        Args:
            module: What is averaged.
            steps: How many training steps this update stands for.
        """
        self.updates += steps
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) ** steps
        averaged, current = [], []
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                averaged.append(self.state[name])
                current.append(tensor)
            else:
                self.state[name].copy_(tensor)
        torch._foreach_lerp_(averaged, current, 1 - decay)


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Turn the state of an optimizer into named tensors that safetensors can hold.

    Args:
        optimizer: Any optimizer whose state is tensors or numbers.

    Returns:
        Tensors named "index.key".
    """
    packed = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            packed[f"{index}.{key}"] = torch.as_tensor(value).detach().clone().contiguous()
    return packed


def unpack_optimizer(optimizer: torch.optim.Optimizer, packed: Mapping[str, torch.Tensor]) -> None:
    """Give an optimizer the state that `pack_optimizer` took.

    Args:
        optimizer: A fresh optimizer over the same parameters.
        packed: Tensors named "index.key".
    """
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in packed.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    whole = optimizer.state_dict()
    whole["state"] = state
    optimizer.load_state_dict(whole)


def save_checkpoint(
    folder: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    budget: Budget,
    average: Average | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint that `load_checkpoint` resumes from; a crash in between leaves the old one.

    Args:
        folder: Where the files go.
        module: The model in training.
        optimizer: Its optimizer.
        budget: What is spent.
        average: The averaged copy, if there is one.
        extra: Further JSON values to keep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"model": module.state_dict(), "optimizer": pack_optimizer(optimizer)}
    if average is not None:
        parts["average"] = average.state
    for name, tensors in parts.items():
        temporary = folder / f"{name}.safetensors.tmp"
        save_file({key: tensor.detach().contiguous() for key, tensor in tensors.items()}, temporary)
        os.replace(temporary, folder / f"{name}.safetensors")
    state = {"step": budget.step, "elapsed_s": budget.elapsed_s, **(extra or {})}
    if average is not None:
        state["updates"] = average.updates
    temporary = folder / "state.json.tmp"
    temporary.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, folder / "state.json")


def load_checkpoint(
    folder: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    budget: Budget,
    average: Average | None = None,
) -> dict[str, Any] | None:
    """Resume from a checkpoint where there is one.

    Args:
        folder: Where `save_checkpoint` wrote.
        module: Gets the weights.
        optimizer: Gets its state.
        budget: Gets what is spent.
        average: Gets the averaged copy.

    Returns:
        The saved JSON values, or None when there is no checkpoint.
    """
    if not (folder / "state.json").is_file():
        return None
    state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    module.load_state_dict(load_file(folder / "model.safetensors"))
    unpack_optimizer(optimizer, load_file(folder / "optimizer.safetensors"))
    if average is not None:
        average.state = load_file(folder / "average.safetensors")
        average.updates = int(state.get("updates", 0))
    budget.step, budget.elapsed_s = int(state["step"]), float(state["elapsed_s"])
    budget.pause()
    logger.info("resumed from %s at step %d", folder, budget.step)
    return state
