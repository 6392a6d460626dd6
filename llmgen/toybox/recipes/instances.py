"""Recipe of the toybox InstanceDiffusion: UniFusion, gated fusers and ScaleU on the frozen denoiser.

As in the original, everything but these three is frozen. Every step keeps some of the four formats and drops the others.

Source: InstanceDiffusion (Wang et al., CVPR 2024), sections 3.2 to 3.4.
"""

import logging
import os
import random
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.attention_processor import AttnProcessor
from torch import nn

from llmgen.diffusion.instances.fusers import attach_grounding
from llmgen.diffusion.instances.scaleu import ScaleU, backbone_widths
from llmgen.diffusion.instances.unifusion import Format, InstanceGrounding
from llmgen.toybox.models.unet import PositionedUNet2DConditionModel
from llmgen.toybox.models.unifusion import ToyboxUniFusion
from llmgen.toybox.recipes import workers
from llmgen.toybox.recipes.checkpoint import load_averaged_weights
from llmgen.toybox.recipes.diffusion import Conditioner, DiffusionRecipe, LatentPool, velocity_loss
from llmgen.toybox.recipes.instance_batches import ground_scenes
from llmgen.toybox.recipes.instance_progress import look
from llmgen.toybox.recipes.sampling import TextToImage, build_scheduler
from llmgen.toybox.recipes.training import FitSettings, Trainer
from llmgen.toybox.world.scenes import Scene

logger = logging.getLogger(__name__)

_USES: Final[tuple[tuple[tuple[Format, ...], float], ...]] = (
    (("point",), 0.24),
    (("box", "point"), 0.14),
    (("box",), 0.06),
    (("scribble",), 0.12),
    (("point", "scribble"), 0.08),
    (("mask",), 0.14),
    (("box", "point", "mask"), 0.10),
    (("box", "point", "scribble", "mask"), 0.12),
)
"""Formats that a step keeps, and how often: those of the original's test settings, and each alone."""


@dataclass(frozen=True, slots=True)
class InstanceRecipe:
    """Everything that shapes the training.

    Attributes:
        fit: Optimizer, schedule and rhythm.
        scenes: Batch, captions, latents, times and the jitter of boxes, as for the denoiser.
        point_jitter_px: Standard deviation of a point from the middle of its object.
        empty_share: Share of the pictures that are told nothing, as the unconditional branch is.
        unmarked_share: Share of the instances without scribble and mask.
        look_s: Least seconds between contact sheets, which come with checkpoints.
    """

    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            learning_rate=1e-3,
            betas=(0.9, 0.99),
            warmup_share=0.01,
            hold=0.5,
            final_fraction=0.01,
            ema_decay=0.998,
            ema_every=4,
            checkpoint_every_s=150.0,
        )
    )
    scenes: DiffusionRecipe = field(default_factory=lambda: DiffusionRecipe(noisy_share=0.6))
    point_jitter_px: float = 2.0
    empty_share: float = 0.12
    unmarked_share: float = 0.08
    look_s: float = 420.0


class InstanceParts(nn.Module):
    """What is trained: the fusers of a U-Net, UniFusion and ScaleU."""

    def __init__(self, unet: PositionedUNet2DConditionModel) -> None:
        """Take the fusers of a U-Net, and make the others; the U-Net is changed to take their tokens.

        Args:
            unet: The frozen denoiser.
        """
        super().__init__()
        unet.requires_grad_(False)
        self.fusers = nn.ModuleDict({name.replace(".", "/"): module for name, module in fusers_of(unet).items()})
        self.fusers.requires_grad_(True)
        self.unifusion = ToyboxUniFusion()
        self.unifusion.layout_painter.load_state_dict(unet.layout_painter.state_dict())
        self.scaleu = ScaleU(backbone_widths(unet))
        attach_grounding(unet)
        self.scaleu.attach(unet)


def fusers_of(unet: nn.Module) -> dict[str, nn.Module]:
    """The gated fusers of a U-Net by their names in it."""
    return {name: module for name, module in unet.named_modules() if isinstance(module, GatedSelfAttentionDense)}


class InstanceConditioner(Conditioner):
    """Draws captions, and instances in every format."""

    def instances(self, scenes: list[Scene], recipe: InstanceRecipe, config: Any) -> InstanceGrounding:
        """Say where the objects of a batch are.

        Args:
            scenes: One a sample.
            recipe: Jitter and shares.
            config: That of the UniFusion.
        """
        return ground_scenes(
            scenes,
            self.embed,
            self.rng,
            slots=config.max_objs,
            width=config.in_dim,
            scribble_points=config.n_scribble_points,
            polygon_points=config.n_polygon_points,
            box_jitter_px=recipe.scenes.box_jitter_px,
            point_jitter_px=recipe.point_jitter_px,
            empty_share=recipe.empty_share,
            unmarked_share=recipe.unmarked_share,
        )


@dataclass(frozen=True, slots=True)
class _Job:
    out_dir: Path
    minutes: float | None
    steps: int | None
    seed: int
    device: str
    resume: bool
    processes: int
    recipe: InstanceRecipe


def _work(rank: int, meeting: str, job: _Job) -> None:
    recipe = job.recipe
    workers.join(rank, job.processes, meeting)
    torch.manual_seed(job.seed)
    models = TextToImage.from_pretrained(device=job.device)
    models.vae.to(memory_format=torch.channels_last)
    unet = models.unet
    assert unet is not None
    # The plain processor is faster backwards on a CPU than the fused one at these sizes.
    unet.set_attn_processor(AttnProcessor())
    parts = InstanceParts(unet).to(job.device)
    trainer = Trainer(
        parts,
        job.out_dir,
        recipe.fit,
        minutes=job.minutes,
        steps=job.steps,
        resume=job.resume,
        share_gradients=workers.sharing(parts, job.processes),
        leads=rank == 0,
    )
    begun = trainer.budget.step
    torch.manual_seed(job.seed + 1000 * rank + begun)
    rng = random.Random(f"instances:{job.seed}:{rank}:{begun}")
    pool = LatentPool(models, recipe.scenes, rng)
    conditioner = InstanceConditioner(models, recipe.scenes, rng)
    signal = build_scheduler().alphas_cumprod.to(job.device)
    uses, shares = zip(*_USES, strict=True)
    looked_at = trainer.budget.elapsed_s

    def loss_of_step(_step: int) -> dict[str, torch.Tensor]:
        scenes, latents = pool.draw()
        use = rng.choices(uses, shares)[0]
        instances = conditioner.instances(scenes, recipe, parts.unifusion.config).to(job.device)
        states = conditioner.texts(scenes, True)
        with torch.autocast(job.device, torch.bfloat16):
            grounding = parts.unifusion.conditioning(instances, use)
        loss = velocity_loss(unet, latents.to(job.device), states, grounding, signal, recipe.scenes.noisy_share)
        return {"velocity": loss}

    def on_checkpoint(ended: bool) -> None:
        nonlocal looked_at
        if not ended and trainer.budget.elapsed_s - looked_at < recipe.look_s:
            return
        averaged, trained = load_average(job.out_dir)
        result = look(replace(models, unet=averaged), trained.unifusion, job.out_dir / "sheet.png")
        looked_at = trainer.budget.elapsed_s
        logger.info("step %d  %s", trainer.budget.step, "  ".join(f"{k} {v:.3f}" for k, v in result.items()))

    trainer.fit(loss_of_step, on_checkpoint)
    workers.part(job.processes)


def run(
    out_dir: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    resume: bool = False,
    recipe: InstanceRecipe | None = None,
    processes: int | None = None,
) -> InstanceParts:
    """Train the additions to the shipped denoiser.

    Args:
        out_dir: Gets the checkpoint and the contact sheets.
        minutes: Time for the whole training.
        steps: Steps of the whole training, instead of a time.
        seed: Of weights and data.
        device: Torch device.
        resume: Whether to go on from the checkpoint in `out_dir`.
        recipe: Settings; None takes the defaults.
        processes: Processes that average their gradients; None takes one for each CPU core, or one on a GPU.

    Returns:
        The averaged parts.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    processes = processes or (len(os.sched_getaffinity(0)) if device == "cpu" else 1)
    job = _Job(out_dir, minutes, steps, seed, device, resume, processes, recipe or InstanceRecipe())
    workers.run_workers(partial(_work, job=job), processes)
    return load_average(out_dir)[1]


def load_average(out_dir: Path) -> tuple[PositionedUNet2DConditionModel, InstanceParts]:
    """Load the averaged parts of a checkpoint, of a finished training or one that still runs.

    Args:
        out_dir: Where `run` works.

    Returns:
        The denoiser with the parts attached, and the parts; on the CPU, in evaluation mode.
    """
    unet = TextToImage.from_pretrained().unet
    assert unet is not None
    parts = InstanceParts(unet)
    parts.load_state_dict(load_averaged_weights(out_dir))
    return unet.eval(), parts.eval()
