"""PLMS and DDIM over many runs at once, and the multi-instance sampler that makes one picture of several runs.

Sampling begins with a run for each picture as a whole and one for each of its instances alone. All are rows of one batch
and start from the picture's noise. After the first steps the runs of a picture are merged into one, which goes on alone.

Source: InstanceDiffusion (Wang et al., CVPR 2024), section 3.4; PLMS is that of Liu et al. 2022.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor

from llmgen.diffusion.instances.masked_attention import Orientation
from llmgen.errors import InputError
from llmgen.vision.boxes import BoxTuple

Sampler = Literal["plms", "ddim"]
SCHEDULERS: Final[dict[Sampler, str]] = {"plms": "pndm", "ddim": "ddim"}
"""What each is called among the schedulers."""
Merge = Literal["mean", "crop-paste"]
LEAST_COVER = 0.85
"""Share of the training steps that a schedule must span, so that it begins where pictures still are noise."""


@dataclass(frozen=True)
class Runs:
    """What R runs of B pictures are told. The whole of a picture comes before its instances.

    Attributes:
        noise: `float32[B, c, h, w]`.
        negative: `[B, L, D]`, what no run of the picture should show.
        picture: For each run its picture, rising.
        boxes: For each run the unit box of its instance, None for the whole of a picture.
        text: `[R, L, D]`.
        conditioning: Values of `UniFusion.conditioning` for the runs, `[R, ...]`.
        null: The same for the unconditional branch of any run, `[1, ...]`.
    """

    noise: Tensor
    negative: Tensor
    picture: Sequence[int]
    boxes: Sequence[BoxTuple | None]
    text: Tensor
    conditioning: Mapping[str, Tensor]
    null: Mapping[str, Tensor]


@dataclass(frozen=True)
class Plan:
    """How the steps go.

    Attributes:
        guidance_scale: Classifier-free guidance; 1 leaves the unconditional branch out.
        grounded_steps: The fusers run during the first of the steps, so many, and are skipped in the others.
        joint_steps: After so many steps the runs of a picture are merged; 0 means that instances have no runs.
        merge: `mean` of all runs; `crop-paste` puts the box of each instance, from its run, onto the whole.
        orientation: `reference` pastes with x counting rows, as the original does.
        batch_size: Most runs in one call of the U-Net; a run is two rows under guidance.
    """

    guidance_scale: float
    grounded_steps: int
    joint_steps: int
    merge: Merge = "mean"
    orientation: Orientation = "corrected"
    batch_size: int = 8


@dataclass
class Evaluations:
    """What sampling cost.

    Attributes:
        calls: Of the U-Net.
        grounded_rows: Rows of these calls with fusers.
        plain_rows: Rows without.
    """

    calls: int = 0
    grounded_rows: int = 0
    plain_rows: int = 0

    @property
    def rows(self) -> int:
        """All rows: what the original counts as evaluations."""
        return self.grounded_rows + self.plain_rows

    def add(self, other: "Evaluations") -> None:
        """Count what another sampling cost, too."""
        self.calls += other.calls
        self.grounded_rows += other.grounded_rows
        self.plain_rows += other.plain_rows


class Solver:
    """A stock scheduler that steps all runs at once, and can go on with some of them.

    Args:
        name: `plms` or `ddim`.
        base: Scheduler of the model; its betas and its prediction type are kept.
        steps: S. With c training steps in 1000 // S, the U-Net is asked at 1, 1 + c, ..., 1 + (S - 1) c. If S does not divide
            1000, the first of these comes earlier: 958 for 30 steps, 981 for 50.

    Raises:
        InputError: If the first of the times is so early that noise is no start.

    Source: the original's schedule, which for such S takes more than S steps.
    """

    def __init__(self, name: Sampler, base: Any, steps: int) -> None:
        from diffusers import DDIMScheduler, PNDMScheduler

        total = int(base.config.num_train_timesteps)
        spanned = total // steps * steps
        if spanned < LEAST_COVER * total:
            raise InputError(
                f"{steps} steps would span {spanned} of {total} and not begin at noise; take a number that divides {total}"
            )
        options = {
            "num_train_timesteps": total,
            "trained_betas": base.betas.tolist(),
            "set_alpha_to_one": False,
            "steps_offset": 1,
            "timestep_spacing": "leading",
            # The multistep formula then mixes outputs of the model's own kind. Mixing the noises that velocities mean would magnify
            # their errors where there is little signal.
            "prediction_type": base.config.prediction_type,
        }
        self._scheduler = (
            PNDMScheduler(**options, skip_prk_steps=True)
            if name == "plms"
            else DDIMScheduler(**options, clip_sample=False)
        )
        self._scheduler.set_timesteps(steps)
        self.times: tuple[int, ...] = tuple(self._scheduler.timesteps.tolist())
        again = len(self.times) - steps
        self.steps: tuple[int, ...] = tuple(max(0, i - again) for i in range(len(self.times)))
        """For each of `times` the step it belongs to; PLMS asks twice for the first."""

    def step(self, output: Tensor, latents: Tensor, time: int) -> Tensor:
        """Latents at the next level."""
        moved: Tensor = self._scheduler.step(output, time, latents, return_dict=False)[0]
        return moved

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the runs and their histories."""
        if getattr(self._scheduler, "ets", None):
            self._scheduler.ets = [output[list(rows)] for output in self._scheduler.ets]


def grounded_steps(alpha: float, steps: int) -> int:
    """Steps with fusers, from the first.

    The product is rounded down as the original's floating point rounds it: 0.58 of 50 steps are 28, not 29.
    """
    return int(alpha * steps)


def joint_steps(mis: float, steps: int) -> int:
    """Steps after which the runs of a picture are merged, rounded likewise."""
    return int(steps * mis)


@torch.no_grad()
def sample_runs(
    unet: Any, runs: Runs, plan: Plan, solver: Solver, *, after_step: Callable[[int, Tensor], None] | None = None
) -> tuple[Tensor, Evaluations]:
    """Sample pictures.

    Args:
        unet: That of an `InstanceDiffusion`.
        runs: What the runs are told.
        plan: How the steps go.
        solver: A fresh one.
        after_step: Told the number of the step and its latents, those of all runs before they are merged.

    Returns:
        Clean latents `float32[B, c, h, w]`, and what they cost.
    """
    model = _Guided(unet, runs, plan)
    whole = [run for run, box in enumerate(runs.boxes) if box is None]
    active = list(range(len(runs.picture))) if plan.joint_steps else whole
    latents = runs.noise[[runs.picture[run] for run in active]]
    last = len(solver.times) - 1
    for i, (time, step) in enumerate(zip(solver.times, solver.steps, strict=True)):
        # At first the runs of a picture are equal but for what they are told, so they share what they are not to show.
        output = model(latents, active, time, grounded=step < plan.grounded_steps, equal=i == 0)
        latents = solver.step(output, latents, time)
        if i < last and solver.steps[i + 1] == step:
            continue
        if after_step is not None:
            after_step(step, latents)
        if step + 1 == plan.joint_steps:
            latents = merge_runs(latents, runs, plan)
            solver.keep(whole)
            active = whole
    return latents, model.evaluations


class _Guided:
    """The U-Net under guidance, on any of the runs."""

    def __init__(self, unet: Any, runs: Runs, plan: Plan) -> None:
        self.evaluations = Evaluations()
        self._unet, self._plan, self._picture, self._count = unet, plan, runs.picture, len(runs.picture)
        # Conditional rows first: the text of run r is row r, what picture p should not show is row R + p.
        self._text = torch.cat([runs.text, runs.negative])
        self._conditioning = {name: torch.cat([value, runs.null[name]]) for name, value in runs.conditioning.items()}

    def __call__(self, latents: Tensor, active: Sequence[int], time: int, *, grounded: bool, equal: bool) -> Tensor:
        """Guided output for the latents of the active runs, `[len(active), c, h, w]`."""
        wanted = [(i, run, run) for i, run in enumerate(active)]
        if self._plan.guidance_scale == 1:
            return self._evaluate(latents, wanted, time, grounded)
        free, source = [], []
        for i, run in enumerate(active):
            picture = self._picture[run]
            if not (equal and i and self._picture[active[i - 1]] == picture):
                free.append((i, self._count + picture, self._count))
            source.append(len(free) - 1)
        outputs = self._evaluate(latents, [*free, *wanted], time, grounded)
        unwanted = outputs[: len(free)][source]
        return unwanted + self._plan.guidance_scale * (outputs[len(free) :] - unwanted)

    def _evaluate(self, latents: Tensor, rows: Sequence[tuple[int, int, int]], time: int, grounded: bool) -> Tensor:
        """Outputs for rows, each a place among the latents, one among the texts and one among the conditioning."""
        size = self._plan.batch_size * (1 if self._plan.guidance_scale == 1 else 2)
        outputs = []
        for start in range(0, len(rows), size):
            places, texts, told = (list(column) for column in zip(*rows[start : start + size], strict=True))
            # Without tokens the fusers are skipped.
            gligen = {"gligen": {name: value[told] for name, value in self._conditioning.items()}} if grounded else None
            text = self._text[texts]
            output = self._unet(
                latents[places].to(text.dtype), time, text, cross_attention_kwargs=gligen, return_dict=False
            )[0]
            outputs.append(output.to(latents.dtype))
            self.evaluations.add(Evaluations(1, len(places) * grounded, len(places) * (not grounded)))
        return torch.cat(outputs)


def merge_runs(latents: Tensor, runs: Runs, plan: Plan) -> Tensor:
    """One latent of all runs of a picture.

    Args:
        latents: `[R, c, h, w]`.
        runs: Pictures and boxes of the runs.
        plan: The way to merge.

    Returns:
        `[B, c, h, w]`.
    """
    merged = []
    for picture in range(len(runs.noise)):
        own = [run for run, of in enumerate(runs.picture) if of == picture]
        if plan.merge == "mean":
            merged.append(latents[own].mean(dim=0))
            continue
        whole = latents[own[0]].clone()
        for run in own[1:]:
            rows, columns = _cells(runs.boxes[run], whole.shape[-2:], plan.orientation)
            whole[:, rows, columns] = latents[run][:, rows, columns]
        merged.append(whole)
    return torch.stack(merged)


def _cells(box: BoxTuple | None, size: Sequence[int], orientation: Orientation) -> tuple[slice, slice]:
    """Rows and columns of a unit box, at least one of each."""
    x0, y0, x1, y1 = box or (0.0, 0.0, 1.0, 1.0)
    ends = ((x0, x1), (y0, y1)) if orientation == "reference" else ((y0, y1), (x0, x1))
    slices = []
    for (low, high), cells in zip(ends, size, strict=True):
        first = min(max(int(low * cells), 0), cells - 1)
        slices.append(slice(first, max(int(high * cells), first + 1)))
    return slices[0], slices[1]
