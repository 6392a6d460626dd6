"""Recipe of the toybox InstanceDiffusion: UniFusion, gated fusers and ScaleU on the frozen denoiser.

As in the original, everything but these three is frozen. Every step keeps some of the four formats and drops the others.

Source: InstanceDiffusion (Wang et al., CVPR 2024), sections 3.2 to 3.4.
"""

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file
from torch import nn

from llmgen.diffusion.instances.fusers import attach_grounding
from llmgen.diffusion.instances.scaleu import ScaleU, backbone_widths
from llmgen.diffusion.instances.unifusion import Format, InstanceGrounding
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.unet import PositionedUNet2DConditionModel
from llmgen.toybox.models.unifusion import ToyboxUniFusion
from llmgen.toybox.recipes.diffusion import Conditioner, DiffusionRecipe, LatentPool, velocity_loss
from llmgen.toybox.recipes.instance_batches import ground_scenes
from llmgen.toybox.recipes.instance_progress import look
from llmgen.toybox.recipes.run import Recipe, TrainingRun
from llmgen.toybox.recipes.sampling import STEPS, TextToImage, build_scheduler
from llmgen.toybox.recipes.shipping import tidy
from llmgen.toybox.world.scenes import Scene
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson, save_staged
from llmgen.training.loop import FitSettings

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


@dataclass(frozen=True)
class InstanceRecipe(Recipe):
    """Everything that shapes the training.

    Attributes:
        fit: Optimizer, schedule and rhythm.
        scenes: Batch, captions, latents, times and the jitter of boxes, as for the denoiser.
        point_jitter_px: Standard deviation of a point from the middle of its object.
        empty_share: Share of the pictures that are told nothing, as the unconditional branch is.
        unmarked_share: Share of the instances without scribble and mask.
        look_s: Least seconds between contact sheets, which come with checkpoints.
        looks: Prompts that a contact sheet draws.
        look_steps: Denoising steps of its pictures.
    """

    folder: ClassVar[str] = "instancediffusion"
    minutes: ClassVar[float] = 50
    parallel: ClassVar[bool] = True
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
    looks: int = 32
    look_steps: int = STEPS

    def lesson(self, run: TrainingRun) -> "InstanceLesson":
        """See `Recipe.lesson`; the frozen denoiser is that of `run.weights`."""
        return InstanceLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> "InstanceParts":
        """See `Recipe.load`; the frozen denoiser is that of `weights`."""
        return load_average(out_dir, weights)[1]

    def ship(self, out_dir: Path, weights: Path = WEIGHTS) -> None:
        """See `Recipe.ship`: `fusers`, `unifusion` and `scaleu`."""
        parts = self.load(out_dir, weights)
        fusers = {
            f"{name.replace('/', '.')}.{key}": value.half().contiguous()
            for name, module in parts.fusers.items()
            for key, value in module.state_dict().items()
        }
        target = weights / self.folder
        save_staged(lambda folder: save_file(fusers, folder / "diffusion_pytorch_model.safetensors"), target / "fusers")
        for name in ("unifusion", "scaleu"):
            part = getattr(parts, name).half()

            def save(folder: Path, part: Any = part) -> None:
                part.save_pretrained(folder)
                tidy(folder / "config.json")

            save_staged(save, target / name)


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


class InstanceLesson(Lesson[int]):
    """The additions to the frozen denoiser in training."""

    def __init__(self, recipe: InstanceRecipe, run: TrainingRun) -> None:
        """Attach them to the denoiser.

        Args:
            recipe: Settings.
            run: Device, seed, start and the frozen parts.
        """
        self._recipe, self._run = recipe, run
        self._models = models = TextToImage.from_pretrained(run.weights / "text_to_image", run.device)
        models.vae.to(memory_format=torch.channels_last)
        unet = models.unet
        assert unet is not None
        # The plain processor is faster backwards on a CPU than the fused one at these sizes.
        unet.set_attn_processor(AttnProcessor())
        self._unet, self._parts = unet, InstanceParts(unet)
        if run.start is not None:
            self._parts.unifusion = ToyboxUniFusion.from_pretrained(run.start / "unifusion", torch_dtype=torch.float32)
        self.module = self._parts.to(run.device)
        self._rng = random.Random()
        self._pool = LatentPool(models, recipe.scenes, self._rng)
        self._conditioner = InstanceConditioner(models, recipe.scenes, self._rng)
        self._signal = build_scheduler().alphas_cumprod.to(run.device)
        self._looked_at = 0.0

    def draw(self, step: int) -> int:
        """The step; latents of earlier steps are used again, so nothing can be drawn ahead."""
        return step

    def losses(self, batch: int) -> dict[str, torch.Tensor]:
        """See `Lesson.losses`; each step keeps some of the formats."""
        self._rng.seed(self._run.key(batch))
        uses, shares = zip(*_USES, strict=True)
        use = self._rng.choices(uses, shares)[0]
        recipe, device = self._recipe, self._run.device
        scenes, latents = self._pool.draw()
        instances = self._conditioner.instances(scenes, recipe, self._parts.unifusion.config).to(device)
        captions = self._conditioner.captions(scenes, True)
        states = self._models.states([caption.text for caption in captions])
        with self._run.autocast():
            grounding = self._parts.unifusion.conditioning(instances, use)
        noisy = recipe.scenes.noisy_share
        return {"velocity": velocity_loss(self._unet, latents.to(device), states, grounding, self._signal, noisy)}

    def look(self, average: Mapping[str, torch.Tensor], ended: bool) -> None:
        """Draw held-out prompts by each format and log how many are right; now and then, since it takes a while."""
        budget = self.trainer.budget
        if not ended and budget.elapsed_s - self._looked_at < self._recipe.look_s:
            return
        averaged, trained = load_average(self._run.out_dir, self._run.weights)
        # The loop that draws these sheets runs on the CPU.
        models = replace(TextToImage.from_pretrained(self._run.weights / "text_to_image"), unet=averaged)
        recipe, path = self._recipe, self._run.out_dir / "sheet.png"
        result = look(models, trained.unifusion, path, count=recipe.looks, steps=recipe.look_steps)
        self._looked_at = budget.elapsed_s
        logger.info("step %d  %s", budget.step, "  ".join(f"{k} {v:.3f}" for k, v in result.items()))


def load_average(out_dir: Path, weights: Path = WEIGHTS) -> tuple[PositionedUNet2DConditionModel, InstanceParts]:
    """Load the averaged parts of a checkpoint, of a finished training or one that still runs.

    Args:
        out_dir: Working folder of a run.
        weights: Folder of weights, which gives the frozen denoiser.

    Returns:
        The denoiser with the parts attached, and the parts; on the CPU, in evaluation mode.
    """
    unet = TextToImage.from_pretrained(weights / "text_to_image").unet
    assert unet is not None
    parts = InstanceParts(unet)
    parts.load_state_dict(load_averaged_weights(out_dir))
    return unet.eval(), parts.eval()
