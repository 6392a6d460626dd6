"""Recipe of the judge: centre heat map, colour, box and details on damaged renders."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.judge import JudgeConfig, JudgeOutput, ToyboxJudge, read_config
from llmgen.toybox.recipes.contact_sheet import save_judged_sheet
from llmgen.toybox.recipes.growth import grow_from, read_weights, rows_by_name
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.scene_batches import OPEN, POSES, STATE_PARTS, SceneBatch, degrade, draw_scenes, zoom
from llmgen.toybox.world.vocabulary import BACKGROUNDS, CHARACTERS, MOODS, PART_STATES, PARTS, PATTERNS
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson
from llmgen.training.loop import FitSettings

TOYBOX_JUDGE: Final = JudgeConfig(
    details={"pattern": PATTERNS, "mood": MOODS, "verb": POSES, **PART_STATES},
    backgrounds=BACKGROUNDS,
    characters=CHARACTERS,
    parts={
        noun: tuple(part for part in parts if part in PART_STATES)
        for noun, parts in PARTS.items()
        if set(parts) & set(PART_STATES)
    },
)
"""What ships."""


@dataclass(frozen=True)
class JudgeRecipe(Recipe):
    """Everything that shapes the judge's training."""

    folder: ClassVar[str] = "judge"
    minutes: ClassVar[float] = 8
    seed: ClassVar[int] = 20_012
    model: JudgeConfig = TOYBOX_JUDGE
    fit: FitSettings = field(default_factory=lambda: FitSettings(learning_rate=2e-3, warmup_steps=50, ema_decay=0.995))
    batch_size: int = 48
    finding: int = 12
    """Scenes of a batch that finding objects is learned from; details, which are harder, from all."""
    detailed: float = 0.8
    """Share of the scenes that surely show a pattern, a mood, an action or a part in an unusual state."""
    box_weight: float = 2.0
    detail_weight: float = 1.0
    """Of the loss of each detail."""
    box_jitter: float = 0.06
    """Standard deviation of the error of a box that is looked at again, as a share of its size."""

    def lesson(self, run: TrainingRun) -> "JudgeLesson":
        """See `Recipe.lesson`."""
        return JudgeLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> ToyboxJudge:
        """See `Recipe.load`."""
        judge = ToyboxJudge(self.model)
        judge.load_state_dict(load_averaged_weights(out_dir))
        return judge.eval()


class JudgeLesson(Lesson[SceneBatch]):
    """The judge in training."""

    def __init__(self, recipe: JudgeRecipe, run: TrainingRun) -> None:
        """Make the judge.

        Args:
            recipe: Settings.
            run: Device, seed and start.
        """
        self._recipe, self._run = recipe, run
        judge = ToyboxJudge(recipe.model)
        if run.start is not None:
            weights, earlier = read_weights(run.start), read_config(run.start)
            rows = {"heat": rows_by_name(recipe.model.nouns, earlier.nouns)}
            rows["color"] = rows_by_name(recipe.model.colors, earlier.colors)
            rows["background"] = rows_by_name(recipe.model.backgrounds, earlier.backgrounds)
            for name, answers in recipe.model.details.items():
                rows[f"second_look.answers.{name}"] = rows_by_name(answers, earlier.details.get(name, ()))
            tensors = {f"{name}.{part}": same for name, same in rows.items() for part in ("weight", "bias")}
            grow_from(judge, weights, tensors)
        judge = judge.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module = self._judge = judge

    def draw(self, step: int) -> SceneBatch:
        """Damaged scenes."""
        rng = self._run.numpy_rng(step)
        batch = zoom(draw_scenes(rng, self._recipe.batch_size, detailed=self._recipe.detailed), rng)
        return batch.with_images(degrade(batch.images, rng))

    def losses(self, batch: SceneBatch) -> dict[str, Tensor]:
        """See `Lesson.losses`."""
        recipe, batch = self._recipe, batch.to(self._run.device)
        some = batch.first(recipe.finding)
        owner, slot = torch.nonzero(batch.present, as_tuple=True)
        boxes = batch.boxes[owner, slot]
        extent = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        boxes = boxes + recipe.box_jitter * torch.randn_like(boxes) * extent
        with self._run.autocast():
            output = self._judge(some.images.contiguous(memory_format=torch.channels_last))
            details = self._judge.look_again(batch.images, boxes, owner)
        found = judge_losses(JudgeOutput(*(maps.float() for maps in output)), some, recipe.box_weight)
        if output.background.shape[1]:
            found["background"] = F.cross_entropy(output.background.float(), some.backgrounds)
        return found | detail_losses(details, batch, recipe.detail_weight)

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the judge and what it finds in held-out scenes."""
        averaged = self._recipe.load(self._run.out_dir)
        averaged.save_pretrained(self._run.out_dir / MODEL)
        save_judged_sheet(averaged, self._run.out_dir / "sheet.png", seed=(self._run.seed or 0) + 1)


def detail_losses(details: Mapping[str, Tensor], batch: SceneBatch, weight: float) -> dict[str, Tensor]:
    """Losses of what is read of each object.

    Args:
        details: By name, logits ``[N, answers]`` of the objects that are present, in the order of ``nonzero``.
        batch: the truth.
        weight: of each loss.

    Returns:
        A scalar for each detail that some object has.
    """
    truths = {"pattern": batch.patterns, "mood": batch.moods, "verb": batch.verbs}
    truths |= {part: batch.states[..., index] for index, part in enumerate(STATE_PARTS)}
    losses = {}
    for name, logits in details.items():
        wanted = truths[name][batch.present]
        if bool((wanted != OPEN).any()):
            losses[name] = weight * F.cross_entropy(logits.float(), wanted, ignore_index=OPEN)
    return losses


def judge_losses(output: JudgeOutput, batch: SceneBatch, box_weight: float) -> dict[str, Tensor]:
    """Losses of a batch.

    The heat map's target is a Gaussian bump on each centre, its loss the focal loss of Law and Deng 2018 (equation 1) with
    their exponents 2 and 4. Colour and box are learned in the cells within 0.3 of the half size of a centre.

    Args:
        output: the judge's maps.
        batch: the truth, for pictures of ``4 S`` pixels.
        box_weight: weight of the box term.

    Returns:
        ``heat``, ``color`` and ``box``, each a scalar.
    """
    device = output.heat.device
    side = output.heat.shape[-1]
    boxes, present, ignored = batch.boxes.to(device), batch.present.to(device), batch.ignored.to(device)
    middle = (torch.arange(side, device=device) + 0.5) * 4
    x, y = middle[None, None, None, :], middle[None, None, :, None]
    left, top, right, bottom = (boxes[..., axis, None, None] for axis in range(4))
    half_w, half_h = ((right - left) / 2).clamp(min=4), ((bottom - top) / 2).clamp(min=4)
    # Distance from the centre in units of the object's half size: [B, slots, S, S].
    radius = ((x - (left + right) / 2) / half_w) ** 2 + ((y - (top + bottom) / 2) / half_h) ** 2
    bump = torch.exp(-radius / (2 * 0.25**2)) * present[..., None, None]
    # The cell that holds the centre counts as exactly 1, wherever in the cell the centre lies.
    nearest = ((x - (left + right) / 2).abs() <= 2) & ((y - (top + bottom) / 2).abs() <= 2) & present[..., None, None]
    bump = torch.where(nearest, torch.ones_like(bump), bump)
    noun = F.one_hot(batch.nouns.to(device), output.heat.shape[1]).to(bump.dtype)
    target = (bump[:, :, None] * noun[..., None, None]).amax(dim=1)
    cut = ((x >= left) & (x < right) & (y >= top) & (y < bottom) & ignored[..., None, None]).any(dim=1)

    probability = output.heat.sigmoid().clamp(1e-5, 1 - 1e-5)
    hit = (target == 1).float()
    gain = hit * (1 - probability) ** 2 * probability.log()
    rest = (1 - hit) * (1 - target) ** 4 * probability**2 * (1 - probability).log() * ~cut[:, None]
    heat_loss = -(gain + rest).sum() / hit.sum().clamp(min=1)

    near = (radius < 0.3**2) & present[..., None, None] | nearest
    example, slot, row, column = torch.nonzero(near, as_tuple=True)
    if example.numel() == 0:
        nothing = output.sides.sum() * 0
        return {"heat": heat_loss, "color": nothing, "box": nothing}
    color_loss = F.cross_entropy(output.color[example, :, row, column], batch.colors.to(device)[example, slot])
    truth = boxes[example, slot]
    here_x, here_y = middle[column], middle[row]
    sides = torch.stack([here_x - truth[:, 0], here_y - truth[:, 1], truth[:, 2] - here_x, truth[:, 3] - here_y], dim=1)
    box_loss = F.smooth_l1_loss(output.sides[example, :, row, column] / 16, sides / 16, beta=0.1)
    return {"heat": heat_loss, "color": color_loss, "box": box_weight * box_loss}
