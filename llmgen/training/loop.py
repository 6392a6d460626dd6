"""The training loop of every recipe: budget, learning rate, averaged weights, log, checkpoint and resume.

A training is bounded by minutes or by steps, and the learning rate follows the share of the budget that is spent, so a run
that is stopped and resumed, or moved to a faster machine, still ends on a cooled-down learning rate.
"""

import contextlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from llmgen.artifacts.lock import locked
from llmgen.training.checkpoint import Counters, load_checkpoint, save_checkpoint

logger = logging.getLogger(__name__)

_LOG: Final = "log.jsonl"
_LOCK: Final = ".lock"


class Budget:
    """Progress of a training that ends after a time or a number of steps; of two bounds, the first that is met counts.

    Attributes:
        step: Steps done, over all resumed parts.
    """

    def __init__(self, minutes: float | None = None, steps: int | None = None) -> None:
        """Start the clock.

        Args:
            minutes: Time for the whole training, with its checkpoints, or None.
            steps: Steps of the whole training, or None.

        Raises:
            ValueError: If neither bound is set, or one is not positive.
        """
        bounds = [bound for bound in (minutes, steps) if bound is not None]
        if not bounds or min(bounds) <= 0:
            raise ValueError("a training budget needs positive minutes or steps")
        self._minutes, self._steps = minutes, steps
        self.step = 0
        self._begun = time.monotonic()

    def resume(self, step: int, elapsed_s: float) -> None:
        """Go on from what an earlier part has spent."""
        self.step = step
        self._begun = time.monotonic() - elapsed_s

    @property
    def elapsed_s(self) -> float:
        """Seconds spent, over all resumed parts."""
        return time.monotonic() - self._begun

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0..1 (above 1 when overdrawn)."""
        by_time = self.elapsed_s / (60 * self._minutes) if self._minutes is not None else 0.0
        by_steps = self.step / self._steps if self._steps is not None else 0.0
        return max(by_time, by_steps)


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Optimizer, schedule and rhythm of a training.

    Attributes:
        learning_rate: Peak of the schedule.
        optimizer: AdamW, or stochastic gradient descent with momentum.
        betas: Of AdamW.
        momentum: Of stochastic gradient descent.
        weight_decay: Of the optimizer.
        decay_vectors: Whether biases and norms decay too, not only matrices and kernels.
        warmup_steps: Steps of the linear rise.
        warmup_share: Share of the budget of a linear rise; the lower of the two rises counts.
        hold: Share of the budget after which the descent begins.
        final_fraction: Learning rate at the end, as a fraction of the peak.
        milestones: Shares of the budget at each of which the rate falls to a tenth, instead of along a cosine; none takes the cosine.
        gradient_clip: Greatest norm of the gradient.
        ema_decay: Weight of the past in the averaged weights.
        ema_every: Steps between updates of the average.
        log_every_s: Seconds between lines of the log.
        checkpoint_every_s: Seconds between checkpoints.
    """

    learning_rate: float = 1e-3
    optimizer: Literal["adamw", "sgd"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.98)
    momentum: float = 0.9
    weight_decay: float = 1e-2
    decay_vectors: bool = False
    warmup_steps: int = 0
    warmup_share: float = 0.0
    hold: float = 0.0
    final_fraction: float = 0.02
    milestones: tuple[float, ...] = ()
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    ema_every: int = 1
    log_every_s: float = 10.0
    checkpoint_every_s: float = 90.0

    def rate(self, progress: float, step: int) -> float:
        """Learning rate: a linear rise, an optional plateau, then a cosine over the rest of the budget, or falls at milestones.

        Args:
            progress: Share of the budget that is spent, 0..1.
            step: Steps done.

        Returns:
            Between 0 and `learning_rate`.
        """
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        if progress < self.warmup_share:
            warm = min(warm, max(progress / self.warmup_share, 1e-3))
        if self.milestones:
            return self.learning_rate * warm * 0.1 ** sum(progress >= milestone for milestone in self.milestones)
        down = min(max((progress - self.hold) / (1 - self.hold), 0.0), 1.0)
        cosine = 0.5 * (1 + math.cos(math.pi * down))
        return self.learning_rate * warm * (self.final_fraction + (1 - self.final_fraction) * cosine)


class Average:
    """Exponential moving average of the parameters and buffers of a module.

    The decay ramps up with the steps, ``min(decay, (1 + n) / (10 + n))``, so early averages are not dominated by the
    random start.

    Attributes:
        state: Averaged tensors by name.
        updates: Steps that went into them.
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        """Start from the weights of the module.

        Args:
            module: What is averaged.
            decay: Weight of the past.
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


def _make_optimizer(groups: list[dict[str, Any]], settings: FitSettings) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "sgd":
        # Not fused: that kernel fails when parameters begin to learn later than others of their group.
        return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, weight_decay=decay)
    return torch.optim.AdamW(groups, lr=rate, betas=settings.betas, weight_decay=decay, fused=True)


class Trainer:
    """One training: what it fits, what it has spent and where it writes.

    Attributes:
        budget: Steps and time, over all resumed parts.
        average: The averaged weights of what ships.
    """

    def __init__(
        self,
        module: nn.Module,
        out_dir: Path,
        settings: FitSettings,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        resume: bool = False,
        shipped: nn.Module | None = None,
        share_gradients: Callable[[float], float] | None = None,
        leads: bool = True,
        rounds: int = 1,
    ) -> None:
        """Set up optimizer and average, or take them from a checkpoint.

        Args:
            module: What is trained, in place, on its device.
            out_dir: Where checkpoint and log go; made if need be.
            settings: Optimizer, schedule and rhythm.
            minutes: Time for the whole training.
            steps: Steps of the whole training; at least one of the two is needed.
            resume: Whether to go on from the checkpoint in `out_dir`, if there is one.
            shipped: The part of the module that is averaged, and whose gradient is clipped; None takes all of it.
            share_gradients: Averages gradients and the given progress over several processes and returns the shared
                progress, so that all end at the same step.
            leads: Whether this process averages the weights, logs and saves; one of several does.
            rounds: Backward passes whose mean gradient makes a step.

        Raises:
            ValueError: If the budget has no end.
        """
        self._module, self._out_dir, self._settings = module, out_dir, settings
        self._shipped = shipped if shipped is not None else module
        self._share_gradients, self._leads, self._rounds = share_gradients, leads, rounds
        self.budget, self.average = Budget(minutes, steps), Average(self._shipped, settings.ema_decay)
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        decayed = [parameter for parameter in trained if settings.decay_vectors or parameter.ndim > 1]
        spared = [] if settings.decay_vectors else [parameter for parameter in trained if parameter.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
        self._optimizer = _make_optimizer([group for group in groups if group["params"]], settings)
        self._measures: dict[str, float] = {}
        out_dir.mkdir(parents=True, exist_ok=True)
        saved = load_checkpoint(out_dir, module, self.average.state, self._optimizer) if resume else None
        if saved is not None:
            self.budget.resume(saved.step, saved.elapsed_s)
            self.average.updates, self._measures = saved.updates, saved.measures
            logger.info("resumed from %s at step %d after %.0f s", out_dir, saved.step, saved.elapsed_s)

    def fit(
        self, loss_of_step: Callable[[int], dict[str, Tensor]], on_checkpoint: Callable[[bool], None] | None = None
    ) -> dict[str, Tensor]:
        """Minimise the sum of the losses until the budget is spent.

        Args:
            loss_of_step: Draws the batch of the given backward pass, of which a step has one unless it was asked for more, and returns
                named scalars: losses with gradient, and measures without, which are only logged.
            on_checkpoint: Called after each checkpoint (contact sheets, scores) with whether it was the last.

        Returns:
            The averaged weights, keyed like the state of what ships.

        Raises:
            HeldElsewhereError: If another training writes to the same folder.
        """
        alone = locked(self._out_dir / _LOCK, str(self._out_dir)) if self._leads else contextlib.nullcontext()
        with alone:
            return self._fit(loss_of_step, on_checkpoint)

    def _fit(
        self, loss_of_step: Callable[[int], dict[str, Tensor]], on_checkpoint: Callable[[bool], None] | None
    ) -> dict[str, Tensor]:
        settings, budget = self._settings, self.budget
        saved_at = logged_at = budget.elapsed_s
        logged_step = budget.step
        progress = budget.progress
        self._module.train()
        while progress < 1:
            self._optimizer.zero_grad(set_to_none=True)
            for number in range(self._rounds):
                values = loss_of_step(budget.step * self._rounds + number)
                total = torch.stack([value for value in values.values() if value.requires_grad]).sum()
                (total / self._rounds if self._rounds > 1 else total).backward()
            if self._share_gradients is not None:
                progress = self._share_gradients(budget.progress)
            rate = settings.rate(progress, budget.step)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            norm = nn.utils.clip_grad_norm_(self._shipped.parameters(), settings.gradient_clip)
            sound = bool(torch.isfinite(norm))
            if sound:
                self._optimizer.step()
            budget.step += 1
            if self._share_gradients is None:
                progress = budget.progress
            if not self._leads:
                continue
            ended = progress >= 1
            if sound and budget.step % settings.ema_every == 0:
                self.average.update(self._shipped, steps=settings.ema_every)
            self._measure(values)
            if (since := budget.elapsed_s - logged_at) >= settings.log_every_s or ended:
                self._log(rate, (budget.step - logged_step) / max(since, 1e-9))
                logged_at, logged_step = budget.elapsed_s, budget.step
            if budget.elapsed_s - saved_at >= settings.checkpoint_every_s or ended:
                counters = Counters(budget.step, budget.elapsed_s, self.average.updates, self._measures)
                save_checkpoint(self._out_dir, self._module, self.average.state, self._optimizer, counters)
                if on_checkpoint is not None:
                    on_checkpoint(ended)
                    self._module.train()
                saved_at = budget.elapsed_s
        return self.average.state

    def _measure(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            number = value.item()
            if math.isfinite(number):
                self._measures[name] = 0.98 * self._measures.get(name, number) + 0.02 * number

    def _log(self, learning_rate: float, steps_per_s: float) -> None:
        line = {
            "step": self.budget.step,
            "elapsed_s": round(self.budget.elapsed_s, 1),
            "steps_per_s": round(steps_per_s, 3),
            "lr": learning_rate,
            **{name: round(value, 5) for name, value in self._measures.items()},
        }
        measured = "  ".join(f"{name} {value:.4g}" for name, value in self._measures.items())
        share = min(self.budget.progress, 1)
        logger.info("step %d, %.0f %% done, %.3g steps/s  %s", self.budget.step, 100 * share, steps_per_s, measured)
        with (self._out_dir / _LOG).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
