"""Carrying out the edits of one depth: one object after another, each on the picture that the one before left."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llmgen.artifacts import EditOutcome, EditPlan, RepaintEdit
from llmgen.correct.context.acceptance import Acceptance, Verdict
from llmgen.correct.context.masks import weight_of
from llmgen.correct.context.settings import ContextConfig
from llmgen.correct.context.surroundings import Surroundings
from llmgen.correct.painters import framing
from llmgen.correct.regions import rectangle
from llmgen.diffusion.prompts import join_negatives
from llmgen.engine.seeds import derive_seed
from llmgen.errors import MissingRequirementError, ModelError
from llmgen.paint.compositing import Painted, Task, paint_tasks, window_xyxy
from llmgen.paint.inpainter import Inpainter
from llmgen.vision.masks import BoolMask, decode_mask


@dataclass
class Budget:
    """What one record may still cost."""

    edits: int | None
    """Pictures that may still be painted; None for any number."""
    deadline: float | None
    """Time of the monotonic clock after which no object is begun."""

    def spent(self) -> str | None:
        """Why nothing more is painted; None to go on."""
        if self.edits is not None and self.edits <= 0:
            return "the budget of edits is spent"
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return "the budget of seconds is spent"
        return None


@dataclass
class Step:
    """One object's turn."""

    edit: RepaintEdit
    outcome: EditOutcome
    after: Image.Image | None = None
    """What was painted, also where it was dropped; None where nothing was."""


@dataclass
class Carried:
    """A depth that was carried out."""

    image: Image.Image
    steps: list[Step] = field(default_factory=list)
    region: NDArray[np.float32] | None = None
    """Where pixels could change, `float32[h, w]`; None where nothing was kept."""


def carry_out(
    image: Image.Image,
    plan: EditPlan,
    inpainter: Inpainter,
    acceptance: Acceptance,
    config: ContextConfig,
    *,
    surroundings: Surroundings,
    scene: str,
    seed: int,
    number: int,
    budget: Budget,
) -> Carried:
    """Paint the objects of a plan.

    Args:
        image: RGB.
        plan: Edits of kind `repaint`; others are skipped, and it is said.
        inpainter: Who paints.
        acceptance: Who says what is kept.
        config: Settings.
        surroundings: All objects of the picture; what is kept is remembered in it.
        scene: What is around the objects; may be empty.
        seed: Of the record; each object has one of its own.
        number: Of the depth, from 1.
        budget: What may still be painted; it is counted down.

    Returns:
        The picture, and what became of each edit: a painter that fails or is not there costs objects, not the record.
    """
    done, gone = Carried(image), None
    shape = (image.height, image.width)
    for edit in plan.edits:
        if not isinstance(edit, RepaintEdit):
            edit = _as_repaint(edit.target, edit.box_xyxy)
            done.steps.append(_skipped(edit, "this mode carries out edits of kind repaint only"))
            continue
        reason = gone or budget.spent() or _unfit(edit, shape)
        if reason is not None:
            done.steps.append(_skipped(edit, reason))
            continue
        mask = _mask(edit, shape)
        weight = weight_of(mask, config, _protected(edit, plan, shape, config))
        if not (weight > 0).any():
            done.steps.append(_skipped(edit, "its mask is empty"))
            continue
        task = Task(
            image=done.image,
            mask=mask,
            weight=weight,
            phrase=edit.description,
            scene=scene,
            negative=join_negatives(", ".join(edit.negative_tags), config.negative_prompt),
            strength=edit.strength,
            seed=derive_seed(seed, f"context {number} {edit.target}"),
            objects=surroundings.after(edit),
            before=surroundings.now if config.depth(number).contrast else (),
        )
        if budget.edits is not None:
            budget.edits -= 1
        try:
            candidates = paint_tasks(inpainter, _seeded(task, config.candidates), framing(config))
        except (ModelError, MissingRequirementError) as error:
            done.steps.append(_skipped(edit, str(error)))
            # Nobody who is not there for one object is there for the next.
            gone = str(error) if isinstance(error, MissingRequirementError) else None
            continue
        for painted in candidates:
            _check_untouched(done.image, painted.image, weight)
        verdicts = [
            acceptance.judge(edit, surroundings.about(edit), done.image, painted.image) for painted in candidates
        ]
        if _take(done, edit, candidates, verdicts, weight):
            surroundings.paint(edit)
    return done


def _seeded(task: Task, count: int) -> list[Task]:
    """A task once for each candidate; the first is the one that is painted where there is one only."""
    others = (replace(task, seed=derive_seed(task.seed, f"candidate {number}")) for number in range(1, count))
    return [task, *others]


def _take(
    done: Carried,
    edit: RepaintEdit,
    candidates: Sequence[Painted],
    verdicts: Sequence[Verdict],
    weight: NDArray[np.float32],
) -> bool:
    """Keep the best of what was painted, or go back to what was before; whether it was kept."""
    before = done.image
    best = max(range(len(candidates)), key=lambda row: (verdicts[row].reason is None, verdicts[row].fit, -row))
    painted, verdict = candidates[best], verdicts[best]
    outcome = EditOutcome(
        target=edit.target,
        status="painted" if verdict.reason is None else "rolled_back",
        reason=verdict.reason,
        window_xyxy=window_xyxy(painted.window, before.size),
        painted_width=painted.window.size[0],
        painted_height=painted.window.size[1],
        steps=sum(one.steps for one in candidates),
        score_before=verdict.score_before,
        score_after=verdict.score_after,
        found_iou=verdict.found_iou,
    )
    done.steps.append(Step(edit, outcome, painted.image))
    if verdict.reason is None:
        done.image = painted.image
        done.region = weight if done.region is None else np.maximum(done.region, weight)
    return verdict.reason is None


def _mask(edit: RepaintEdit, shape: tuple[int, int]) -> BoolMask:
    return decode_mask(edit.mask) if edit.mask is not None else rectangle(edit.box_xyxy, *shape)


def _unfit(edit: RepaintEdit, shape: tuple[int, int]) -> str | None:
    """Why an edit cannot be carried out, such as one that was written by hand for another picture."""
    if edit.mask is None:
        x0, y0, x1, y1 = edit.box_xyxy
        inside = x1 > 0 and y1 > 0 and x0 < shape[1] and y0 < shape[0]
        return None if inside else "its box lies outside the picture"
    if edit.mask.size != shape:
        rows, columns = edit.mask.size
        return f"its mask is {columns}x{rows}, the picture {shape[1]}x{shape[0]}"
    return None if decode_mask(edit.mask).any() else "its mask is empty"


def _protected(edit: RepaintEdit, plan: EditPlan, shape: tuple[int, int], config: ContextConfig) -> BoolMask:
    """What of smaller objects a soft edge must not reach."""
    protected = np.zeros(shape, dtype=bool)
    if not config.subtract_front:
        return protected
    own = next((one for one in plan.target if one.id == edit.target), None)
    size = None if own is None or own.mask is None else np.count_nonzero(decode_mask(own.mask))
    for other in plan.target:
        if size is None or other.mask is None or other.id == edit.target or other.mask.size != shape:
            continue
        covered = decode_mask(other.mask)
        if np.count_nonzero(covered) < size:
            protected |= covered
    return protected


def _check_untouched(before: Image.Image, after: Image.Image, weight: NDArray[np.float32]) -> None:
    changed = (np.asarray(before.convert("RGB")) != np.asarray(after)).any(axis=-1)
    if (changed & (weight == 0)).any():
        raise RuntimeError("pixels changed outside the soft mask")


def _skipped(edit: RepaintEdit, reason: str) -> Step:
    return Step(edit, EditOutcome(target=edit.target, status="skipped", reason=reason))


def _as_repaint(target: str, box_xyxy: tuple[float, float, float, float]) -> RepaintEdit:
    return RepaintEdit(target=target, phrase=target, noun=target, box_xyxy=box_xyxy, strength=1.0)
