"""The training loop of both stages: the toybox's, on accelerate, in one process or in those of `torchrun`.

Everything that a step draws follows from seed, process and step, so a training that is stopped and resumed is the one that was never
stopped, to the bit.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

from llmgen.training.loop import FitSettings, Trainer

logger = logging.getLogger(__name__)

REFERENCE_RATE: Final = 3e-5


@dataclass(frozen=True)
class TrainingPlan:
    """Where and how long a stage is trained.

    Attributes:
        out_dir: Working folder: checkpoint, log, curves, and the finished model.
        steps: Steps of the whole training.
        batch: Samples of a backward pass and process.
        rounds: Backward passes of a step.
        learning_rate: Constant, of AdamW with torch's defaults. The original has 3e-5 at 8 samples a step.
        gradient_clip: Greatest norm of the gradient; None does not clip, as in the original.
        seed: Of order and noise.
        device: `cpu` or an accelerator's name.
        resume: Whether to go on from the checkpoint in `out_dir`, if there is one.
        checkpoint_every_s: Seconds between checkpoints.
        watch: Told after each step its number and its losses.
    """

    out_dir: Path
    steps: int
    batch: int = 2
    rounds: int = 1
    learning_rate: float = REFERENCE_RATE
    gradient_clip: float | None = None
    seed: int = 41
    device: str = "cpu"
    resume: bool = False
    checkpoint_every_s: float = 600.0
    watch: Callable[[int, dict[str, float]], None] = lambda step, losses: None

    @property
    def fit(self) -> FitSettings:
        """The same for the loop; the average is that of the original, min(0.9999, (1 + n) / (10 + n))."""
        return FitSettings(
            learning_rate=self.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=0.01,
            decay_vectors=True,
            final_fraction=1.0,
            gradient_clip=float("inf") if self.gradient_clip is None else self.gradient_clip,
            ema_decay=0.9999,
            log_every_s=10.0,
            checkpoint_every_s=self.checkpoint_every_s,
        )


class Drawn(Protocol):
    """A batch that moves to a device."""

    def to(self, device: torch.device | str) -> Any: ...  # noqa: D102


@dataclass(frozen=True)
class Place:
    """Which of several processes this is."""

    rank: int
    world: int


def accelerated(device: str) -> Any:
    """The accelerator of a device: data-parallel under `torchrun`, bf16 arithmetic on a GPU."""
    from accelerate import Accelerator

    on_cpu = torch.device(device).type == "cpu"
    return Accelerator(cpu=on_cpu, mixed_precision="no" if on_cpu else "bf16")


def fit(
    step: nn.Module,
    draw: Callable[[int, Place], Drawn],
    plan: TrainingPlan,
    *,
    save: Callable[[dict[str, Tensor]], None],
    averaged: bool = True,
) -> None:
    """Train a step's module.

    Args:
        step: Gives losses of a batch.
        draw: Batch of a backward pass, counted over the whole training, and process; it draws from its own seed.
        plan: Where and how long.
        save: Writes the finished model, given the averaged weights by name; called by one process, with each checkpoint.
        averaged: Whether the weights are averaged; without, the average is the weights.
    """
    accelerator = accelerated(plan.device)
    place = Place(accelerator.process_index, accelerator.num_processes)
    if plan.device == "cpu" and place.world > 1:
        torch.set_num_threads(1)
    step.to(accelerator.device)
    trainer = Trainer(
        step,
        plan.out_dir,
        plan.fit if averaged else replace(plan.fit, ema_decay=0.0),
        steps=plan.steps,
        resume=plan.resume,
        leads=accelerator.is_main_process,
        rounds=plan.rounds,
    )
    if trainer.budget.step >= plan.steps:
        if accelerator.is_main_process:
            save(trainer.average.state)
        return
    wrapped = accelerator.prepare_model(step)

    def losses_of(number: int) -> dict[str, Tensor]:
        torch.manual_seed(_seed_of(plan.seed, place.rank, number))
        with accelerator.autocast():
            losses: dict[str, Tensor] = wrapped(draw(number, place).to(accelerator.device))
        if accelerator.is_main_process:
            plan.watch(number // plan.rounds + 1, {name: float(value.detach()) for name, value in losses.items()})
        return losses

    def on_checkpoint(_ended: bool) -> None:
        save(trainer.average.state)
        draw_curves(plan.out_dir)

    trainer.fit(losses_of, on_checkpoint)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def generator_of(seed: int, place: Place, number: int) -> torch.Generator:
    """Source of chance of a backward pass."""
    return torch.Generator("cpu").manual_seed(_seed_of(seed, place.rank, number))


def _seed_of(seed: int, rank: int, number: int) -> int:
    return (seed * 1_000_003 + rank * 7_919 + number) * 2 % 2**62


def draw_curves(folder: Path, width: int = 720, height: int = 160) -> None:
    """Draw the losses of `log.jsonl` into `curves.svg`, one strip each.

    Args:
        folder: Working folder of a training.
        width: Of the drawing in pixels.
        height: Of a strip.
    """
    path = folder / "log.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    names = [name for name in (lines[-1] if lines else {}) if name not in ("step", "elapsed_s", "steps_per_s", "lr")]
    parts = []
    for row, name in enumerate(names):
        points = [(line["step"], line[name]) for line in lines if name in line]
        last, top = max(points[-1][0], 1), max(max(value for _, value in points), 1e-9)
        shown = " ".join(
            f"{40 + x / last * (width - 60):.1f},{(row + 1) * height - 20 - y / top * (height - 50):.1f}"
            for x, y in points
        )
        parts.append(f'<polyline fill="none" stroke="#26d" points="{shown}"/>')
        parts.append(f'<text x="40" y="{row * height + 18}">{name}: {points[-1][1]:.4g} at step {points[-1][0]}</text>')
    body = "\n".join(parts)
    (folder / "curves.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height * max(len(names), 1)}" font-family="sans-serif" '
        f'font-size="13">\n{body}\n</svg>\n',
        encoding="utf-8",
    )
