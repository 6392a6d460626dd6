"""The training loop that judge, detector and segmenter share: budget, checkpoint, resume, log.

A fit is bounded by minutes or by steps; the learning rate follows the share of the budget that is used, so a run that is
stopped and resumed, or moved to a faster machine, still ends on a cooled-down learning rate. Checkpoints are safetensors
(weights, moving average, optimizer moments) with the counters in the file's metadata: nothing is pickled.
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

logger = logging.getLogger(__name__)

_CHECKPOINT = "checkpoint.safetensors"
_LOG = "log.jsonl"


@dataclass(frozen=True)
class Budget:
    """How long a fit may run: whichever of the two bounds that are set is met first."""

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        """Refuse a budget without an end.

        Raises:
            ValueError: if neither bound is set, or one is not positive.
        """
        bounds = [bound for bound in (self.minutes, self.steps) if bound is not None]
        if not bounds or min(bounds) <= 0:
            raise ValueError("a training budget needs positive minutes or steps")

    def used(self, elapsed_s: float, step: int) -> float:
        """Share of the budget that is used, 0 to 1 and beyond."""
        by_time = elapsed_s / (60 * self.minutes) if self.minutes is not None else 0.0
        by_steps = step / self.steps if self.steps is not None else 0.0
        return max(by_time, by_steps)


@dataclass(frozen=True)
class FitSettings:
    """Optimizer settings of a fit."""

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 50
    final_fraction: float = 0.02
    """Learning rate at the end of the budget, as a fraction of the peak."""
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    log_every_s: float = 10.0
    checkpoint_every_s: float = 90.0


@dataclass
class FitState:
    """Counters that survive a restart."""

    step: int = 0
    elapsed_s: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)


class MovingAverage:
    """Exponential moving average of a module's parameters and float buffers.

    The decay ramps up with the step, ``min(decay, (1 + n) / (10 + n))``, so early averages are not dominated by the
    random start.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.shadow = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the module's present values."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.shadow[name].lerp_(value, 1 - decay)
            else:
                self.shadow[name].copy_(value)


def learning_rate_factor(step: int, used: float, settings: FitSettings) -> float:
    """Linear warm-up in steps, then a cosine over the budget down to ``final_fraction``."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, used)))
    return warm * (settings.final_fraction + (1 - settings.final_fraction) * cosine)


def fit(
    model: nn.Module,
    loss_of_step: Callable[[int], dict[str, Tensor]],
    out_dir: Path,
    *,
    budget: Budget,
    settings: FitSettings,
    resume: bool = False,
    on_checkpoint: Callable[[FitState, dict[str, Tensor]], None] | None = None,
) -> dict[str, Tensor]:
    """Minimise the sum of the losses within a budget and return the averaged weights.

    Args:
        model: the module whose trainable parameters are fitted, in place.
        loss_of_step: draws the batch of the given step (a function of the step, so that a resumed run sees new data) and
            returns its named losses, each a scalar with gradient.
        out_dir: where ``checkpoint.safetensors`` and ``log.jsonl`` go.
        budget: when to stop.
        settings: optimizer settings.
        resume: continue from the checkpoint in ``out_dir`` if there is one; its used time and steps count.
        on_checkpoint: called with the counters and the averaged weights after each checkpoint (contact sheets, scores).

    Returns:
        The moving average of the weights, keyed like ``model.state_dict()``.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    matrices = [parameter for _, parameter in named if parameter.ndim > 1]
    vectors = [parameter for _, parameter in named if parameter.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=settings.learning_rate,
        betas=(0.9, 0.98),
    )
    average = MovingAverage(model, settings.ema_decay)
    state = FitState()
    if resume and (out_dir / _CHECKPOINT).exists():
        state = _load_checkpoint(out_dir / _CHECKPOINT, model, average, optimizer, [name for name, _ in named])
        logger.info("resumed at step %d after %.0f s", state.step, state.elapsed_s)

    model.train()
    begun = time.monotonic() - state.elapsed_s
    logged_at = saved_at = state.elapsed_s
    logged_step = state.step
    while (used := budget.used(state.elapsed_s, state.step)) < 1:
        factor = learning_rate_factor(state.step, used, settings)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor
        losses = loss_of_step(state.step)
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_([parameter for _, parameter in named], settings.gradient_clip)
        if torch.isfinite(norm):
            optimizer.step()
            average.update(model)
        state.step += 1
        state.elapsed_s = time.monotonic() - begun
        for name, value in losses.items():
            before = state.losses.get(name, value.item())
            state.losses[name] = 0.98 * before + 0.02 * value.item()
        if state.elapsed_s - logged_at >= settings.log_every_s:
            speed = (state.step - logged_step) / (state.elapsed_s - logged_at)
            _log(out_dir, state, speed, settings.learning_rate * factor)
            logged_at, logged_step = state.elapsed_s, state.step
        if state.elapsed_s - saved_at >= settings.checkpoint_every_s:
            _save_checkpoint(out_dir / _CHECKPOINT, model, average, optimizer, named, state)
            if on_checkpoint is not None:
                on_checkpoint(state, average.shadow)
                model.train()
            saved_at = state.elapsed_s
    _save_checkpoint(out_dir / _CHECKPOINT, model, average, optimizer, named, state)
    if on_checkpoint is not None:
        on_checkpoint(state, average.shadow)
    return average.shadow


def _log(out_dir: Path, state: FitState, steps_per_s: float, learning_rate: float) -> None:
    line = {
        "step": state.step,
        "elapsed_s": round(state.elapsed_s, 1),
        "steps_per_s": round(steps_per_s, 3),
        "lr": learning_rate,
        **{name: round(value, 5) for name, value in state.losses.items()},
    }
    logger.info("%s", line)
    with (out_dir / _LOG).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def save_atomically(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file under a temporary name and rename it, so that no reader meets half a file."""
    temporary = path.with_name(path.name + ".partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)
    os.replace(temporary, path)


def _save_checkpoint(
    path: Path,
    model: nn.Module,
    average: MovingAverage,
    optimizer: torch.optim.Optimizer,
    named: list[tuple[str, nn.Parameter]],
    state: FitState,
) -> None:
    tensors = {f"model.{name}": value.detach().clone() for name, value in model.state_dict().items()}
    tensors |= {f"ema.{name}": value.clone() for name, value in average.shadow.items()}
    for name, parameter in named:
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value).detach().clone()
    counters = {"step": state.step, "elapsed_s": state.elapsed_s, "updates": average.updates, "losses": state.losses}
    save_atomically(tensors, path, {"counters": json.dumps(counters)})


def _load_checkpoint(
    path: Path, model: nn.Module, average: MovingAverage, optimizer: torch.optim.Optimizer, names: list[str]
) -> FitState:
    with safe_open(path, framework="pt") as stream:
        counters = json.loads(stream.metadata()["counters"])
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}
    model.load_state_dict(_under(tensors, "model."))
    for name, value in _under(tensors, "ema.").items():
        average.shadow[name].copy_(value)
    average.updates = counters["updates"]
    parameters = dict(model.named_parameters())
    for name in names:
        moments = {
            key: tensors[f"optimizer.{key}.{name}"].to(parameters[name].device if key != "step" else "cpu")
            for key in ("step", "exp_avg", "exp_avg_sq")
            if f"optimizer.{key}.{name}" in tensors
        }
        if moments:
            optimizer.state[parameters[name]] = moments
    return FitState(step=counters["step"], elapsed_s=counters["elapsed_s"], losses=counters["losses"])


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def load_averaged_weights(checkpoint_dir: Path) -> dict[str, Tensor]:
    """Read the moving average of the weights out of a training folder.

    Raises:
        FileNotFoundError: if the folder has no checkpoint.
    """
    with safe_open(checkpoint_dir / _CHECKPOINT, framework="pt") as stream:
        return {name.removeprefix("ema."): stream.get_tensor(name) for name in stream.keys() if name.startswith("ema.")}


def to_half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Float tensors in fp16, whole-number tensors (batch-norm counters) as they are."""
    return {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
