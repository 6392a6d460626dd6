"""Recipe of the judge: centre heat map, colour and box on damaged renders.

``run`` is called by ``llmgen train toybox judge``.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from llmgen.toybox.models.judge import JudgeConfig, JudgeOutput, ToyboxJudge
from llmgen.toybox.recipes.contact_sheet import save_judged_sheet
from llmgen.toybox.recipes.scene_batches import SceneBatch, degrade, draw_scenes, zoom
from llmgen.toybox.recipes.training import FitSettings, Trainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JudgeRecipe:
    """Everything that shapes the judge's training."""

    model: JudgeConfig = field(default_factory=JudgeConfig)
    fit: FitSettings = field(default_factory=lambda: FitSettings(learning_rate=2e-3, warmup_steps=50, ema_decay=0.995))
    batch_size: int = 32
    box_weight: float = 2.0


def run(
    out_dir: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 20_011,
    device: str = "cpu",
    resume: bool = False,
    recipe: JudgeRecipe | None = None,
) -> ToyboxJudge:
    """Train the judge and leave it in ``out_dir/model``.

    Args:
        out_dir: working folder: checkpoint, log, contact sheet ``sheet.png``, and the model.
        minutes: time budget.
        steps: step budget; at least one of the two.
        seed: of the weights and of all data.
        device: a torch device.
        resume: continue from the checkpoint in ``out_dir``.
        recipe: settings; the default is what shipped.

    Returns:
        The judge with averaged weights, in evaluation mode.
    """
    recipe = recipe or JudgeRecipe()
    torch.manual_seed(seed)
    judge = ToyboxJudge(recipe.model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = ToyboxJudge(recipe.model).to(device)
    trainer = Trainer(judge, out_dir, recipe.fit, minutes=minutes, steps=steps, resume=resume)

    def loss_of_step(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([seed, step])
        batch = zoom(draw_scenes(rng, recipe.batch_size), rng)
        images = degrade(batch.images, rng).to(device, memory_format=torch.channels_last)
        # bf16 halves the time of a step, on a CPU too; the losses stay in fp32.
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            output = judge(images)
        return judge_losses(JudgeOutput(*(maps.float() for maps in output)), batch, recipe.box_weight)

    def on_checkpoint(_ended: bool) -> None:
        averaged.load_state_dict(trainer.average.state)
        averaged.save_pretrained(out_dir / "model")
        save_judged_sheet(averaged, out_dir / "sheet.png", seed=seed + 1)

    averaged.load_state_dict(trainer.fit(loss_of_step, on_checkpoint))
    return averaged.eval()


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
