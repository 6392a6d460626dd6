"""Recipe of the autoencoder: diffusers' `AutoencoderTiny`, trained on 64-pixel crops around objects."""

import copy
import logging
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from torch import nn
from torch.nn import functional

from llmgen.errors import InputError
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.unet import LATENT_CHANNELS
from llmgen.toybox.recipes.growth import grow_from, read_weights
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.shipping import tidy
from llmgen.toybox.world.scenes import SIZE, Scene, render_image, sample_detailed_scene, sample_scene
from llmgen.toybox.world.vocabulary import CHARACTERS
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson, save_staged
from llmgen.training.loop import FitSettings

logger = logging.getLogger(__name__)

_FACES: Final = 0.75
"""How often a crop of a scene with characters is sure to be of one of them."""
_FLAT: Final = 0.02
"""Variance, in pictures of -1..1, that a plain area counts as."""


@dataclass(frozen=True)
class VaeRecipe(Recipe):
    """Everything that shapes the training of the autoencoder.

    Attributes:
        batch: Crops a step.
        crop: Side of a crop in pixels, a multiple of 8.
        fit: Optimizer, schedule and rhythm.
        latent_noise: Standard deviation of the noise on the latents, which are kept near unit scale.
        color_weight: Of the loss that reads the mean colour of each cell linearly from its latents. Without it the encoder
            lines all colours up along one axis, where halfway between red and purple lies green, and a denoiser that
            is unsure paints the wrong one.
        white_weight: Of the loss that ties the covariance of the latents to the identity, so that shape is not drowned
            by noise while colour is still clear.
        encoder_share: Share of the budget after which the encoder rests at its average and the decoder learns alone; the
            denoiser can be trained from then on.
        detailed_share: Share of the scenes in which most things have a pattern or an unusual part.
        contrast_weight: Of the loss that counts an error by how much the picture changes around it: pale stripes on yellow are
            a tenth of the contrast of an outline, and are all that tells striped from plain.
        anchor_weight: Of the loss that keeps the latents near those of the autoencoder it starts from, if there is one, so
            that what was trained on those goes on from where it is.
        measured: Held-out pictures that each checkpoint is measured on.
    """

    folder: ClassVar[str] = "text_to_image/vae"
    minutes: ClassVar[float] = 15
    batch: int = 24
    crop: int = 64
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            learning_rate=2.5e-3,
            weight_decay=1e-4,
            decay_vectors=True,
            warmup_share=0.02,
            hold=0.3,
            checkpoint_every_s=120.0,
        )
    )
    latent_noise: float = 0.12
    color_weight: float = 5.0
    white_weight: float = 0.1
    encoder_share: float = 0.6
    detailed_share: float = 0.5
    contrast_weight: float = 0.3
    anchor_weight: float = 0.3
    measured: int = 64

    def lesson(self, run: TrainingRun) -> "VaeLesson":
        """See `Recipe.lesson`."""
        return VaeLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> AutoencoderTiny:
        """See `Recipe.load`; `scaling_factor` is set so that scaled latents have unit standard deviation."""
        return averaged_vae(load_averaged_weights(out_dir), self.measured)


@dataclass(frozen=True)
class DecoderRecipe(VaeRecipe):
    """The decoder alone, taught more of what its encoder says; latents stay as they are, and so does every model trained on them."""

    minutes: ClassVar[float] = 45
    fit: FitSettings = field(default_factory=lambda: replace(VaeRecipe().fit, learning_rate=1.5e-3))
    encoder_share: float = 0.0

    def lesson(self, run: TrainingRun) -> "VaeLesson":
        """See `Recipe.lesson`.

        Raises:
            InputError: If there is no encoder to start from.
        """
        if run.start is None:
            raise InputError(
                "a decoder alone learns from an encoder that is there: leave --fresh, or name one by --from"
            )
        return super().lesson(run)


def build_vae() -> AutoencoderTiny:
    """Make the autoencoder with fresh weights.

    Returns:
        8 times smaller, 4 latent channels; pictures in -1..1.
    """
    return AutoencoderTiny(
        encoder_block_out_channels=(32, 32, 32, 32),
        decoder_block_out_channels=(32, 32, 32, 32),
        num_encoder_blocks=(0, 1, 2, 4),
        num_decoder_blocks=(4, 3, 2, 1),
        latent_channels=LATENT_CHANNELS,
    )


def to_tensor(images: list[np.ndarray]) -> torch.Tensor:
    """Stack pictures for the autoencoder.

    Args:
        images: uint8 [H, W, 3] each.

    Returns:
        float32 [B, 3, H, W] in -1..1.
    """
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _crops(rng: random.Random, recipe: VaeRecipe) -> torch.Tensor:
    crops: list[np.ndarray] = []
    while len(crops) < recipe.batch:
        scene = sample_detailed_scene(rng) if rng.random() < recipe.detailed_share else sample_scene(rng)
        image = render_image(scene)
        for cx, cy in (*(_interesting(rng, scene) for _ in range(3)), (rng.uniform(0, SIZE), rng.uniform(0, SIZE))):
            left = min(max(int(cx + rng.uniform(-20, 20)) - recipe.crop // 2, 0), SIZE - recipe.crop)
            top = min(max(int(cy + rng.uniform(-20, 20)) - recipe.crop // 2, 0), SIZE - recipe.crop)
            crops.append(image[top : top + recipe.crop, left : left + recipe.crop])
    return to_tensor(crops[: recipe.batch])


def _interesting(rng: random.Random, scene: Scene) -> tuple[float, float]:
    """Where to look: at a thing, or, where there is one, more often at a face, whose two pixels of eye and mouth say the mood."""
    people = [item for item in scene.objects if item.noun in CHARACTERS]
    item = rng.choice(people if people and rng.random() < _FACES else scene.objects)
    x, y = item.center
    return (x, item.box_xyxy[1] + 0.2 * (item.box_xyxy[3] - item.box_xyxy[1])) if item.noun in CHARACTERS else (x, y)


def _loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    difference = output - target
    edges = (difference.diff(dim=-1)).abs().mean() + (difference.diff(dim=-2)).abs().mean()
    # The square is what small bright details weigh by: an eye is a handful of pixels, each far off when it is missing.
    return difference.abs().mean() + 4.0 * difference.square().mean() + 0.3 * edges


def contrast_error(output: torch.Tensor, target: torch.Tensor, side: int = 7) -> torch.Tensor:
    """Squared error beside the variance of the picture around each pixel.

    Args:
        output: [B, 3, H, W] in -1..1.
        target: Likewise.
        side: Of the neighbourhood in pixels.

    Returns:
        Scalar.
    """
    near = partial(functional.avg_pool2d, kernel_size=side, stride=1, padding=side // 2, count_include_pad=False)
    variance = near((target - near(target)).square()).mean(1)
    return ((output - target).square().mean(1) / (variance + _FLAT)).mean()


def _drift(anchor: nn.Module, images: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16):
        before = anchor(images)
    return (latents - before.float()).square().mean()


def opponent_colors(images: torch.Tensor) -> torch.Tensor:
    """Mean colour of each cell of 8 x 8 pixels on the axes red-green and blue-yellow.

    Args:
        images: [B, 3, H, W] in -1..1.

    Returns:
        [B, 2, H / 8, W / 8] in -2..2.
    """
    red, green, blue = functional.avg_pool2d(images, 8).unbind(1)
    return torch.stack([red - green, blue - (red + green) / 2], dim=1)


def covariance_error(latents: torch.Tensor) -> torch.Tensor:
    """How far latents are from zero mean and unit covariance.

    Args:
        latents: [B, C, h, w].

    Returns:
        Scalar, 0 for white latents.
    """
    cells = latents.movedim(1, -1).flatten(0, -2)
    mean = cells.mean(0)
    covariance = (cells - mean).T @ (cells - mean) / len(cells)
    identity = torch.eye(cells.shape[1], device=cells.device)
    return (covariance - identity).square().sum() + mean.square().sum()


@torch.no_grad()
def psnr_on_renders(
    vae: AutoencoderTiny, seeds: range, sample: Callable[[random.Random], Scene] = sample_scene
) -> float:
    """Mean PSNR of reconstructions of whole held-out pictures.

    Args:
        vae: The autoencoder.
        seeds: One picture a seed.
        sample: Draws the scenes.

    Returns:
        Decibels, against the range 0..255.
    """
    device = next(vae.parameters()).device
    total = 0.0
    for seed in seeds:
        image = to_tensor([render_image(sample(random.Random(seed)))]).to(device, vae.dtype)
        output = vae.decoder(vae.encoder(image)).clamp(-1, 1)
        total += 10 * math.log10(4 / float((output - image).float().square().mean()))
    return total / len(seeds)


@torch.no_grad()
def latent_statistics(vae: AutoencoderTiny, seeds: range) -> tuple[float, float]:
    """Mean and standard deviation of the latents of whole pictures.

    Args:
        vae: The autoencoder.
        seeds: One picture a seed.

    Returns:
        Mean and standard deviation over all channels and cells.
    """
    images = to_tensor([render_image(sample_scene(random.Random(seed))) for seed in seeds])
    latents = vae.encoder(images.to(next(vae.parameters()).device, vae.dtype)).float()
    return float(latents.mean()), float(latents.std())


@torch.no_grad()
def contact_sheet(vae: AutoencoderTiny, path: Path, seeds: range) -> None:
    """Save pictures above their reconstructions.

    Args:
        vae: The autoencoder.
        path: PNG to write.
        seeds: One column a seed.
    """
    images = to_tensor([render_image(sample_scene(random.Random(seed))) for seed in seeds])
    outputs = vae.decoder(vae.encoder(images.to(next(vae.parameters()).device))).float().cpu().clamp(-1, 1)
    rows = torch.cat([torch.cat(list(images), dim=2), torch.cat(list(outputs), dim=2)], dim=1)
    Image.fromarray(((rows + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()).save(path)


class VaeLesson(Lesson[torch.Tensor]):
    """The autoencoder in training; from a share of the budget on, its encoder rests."""

    def __init__(self, recipe: VaeRecipe, run: TrainingRun) -> None:
        """Make the autoencoder.

        Args:
            recipe: Settings.
            run: Device, seed and start.
        """
        self._recipe, self._run = recipe, run
        self._vae = build_vae()
        self._anchor: nn.Module | None = None
        if run.start is not None:
            grow_from(self._vae, read_weights(run.start), {})
            self._anchor = copy.deepcopy(self._vae.encoder).requires_grad_(False)
            self._anchor.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._vae = self._vae.to(run.device).to(memory_format=torch.channels_last)
        self._reader = nn.Conv2d(LATENT_CHANNELS, 2, 1).to(run.device)
        self.module, self.shipped = nn.ModuleDict({"vae": self._vae, "reader": self._reader}), self._vae

    def draw(self, step: int) -> torch.Tensor:
        """Crops, [B, 3, side, side] in -1..1."""
        return _crops(random.Random(self._run.key(step)), self._recipe)

    def losses(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """See `Lesson.losses`."""
        vae, recipe = self._vae, self._recipe
        resting = not next(vae.encoder.parameters()).requires_grad
        if not resting and self.trainer.budget.progress >= recipe.encoder_share:
            vae.load_state_dict(self.trainer.average.state)
            vae.encoder.requires_grad_(False)
            logger.info("step %d  the encoder rests", self.trainer.budget.step)
        images = batch.to(self._run.device).contiguous(memory_format=torch.channels_last)
        with self._run.autocast():
            latents = vae.encoder(images).float()
            output = vae.decoder(latents + recipe.latent_noise * torch.randn_like(latents)).float()
        drift = {}
        if self._anchor is not None and not resting:
            drift = {"anchor": _drift(self._anchor, images, latents) * recipe.anchor_weight}
        return drift | {
            "picture": _loss(output, images) + recipe.contrast_weight * contrast_error(output, images),
            "color": recipe.color_weight * (self._reader(latents) - opponent_colors(images)).square().mean(),
            "white": recipe.white_weight * covariance_error(latents),
        }

    def look(self, average: Mapping[str, torch.Tensor], ended: bool) -> None:
        """Save the autoencoder, pictures above their reconstructions, and log the quality."""
        averaged = averaged_vae(average, self._recipe.measured)
        contact_sheet(averaged, self._run.out_dir / "sheet.png", range(900_000, 900_008))

        def save(folder: Path) -> None:
            averaged.half().save_pretrained(folder)
            # diffusers derives this entry and then warns about it on loading.
            tidy(folder / "config.json", "block_out_channels")

        held_out = range(900_000, 900_000 + self._recipe.measured)
        quality, latents = psnr_on_renders(averaged, held_out), latent_statistics(averaged, held_out)
        save_staged(save, self._run.out_dir / MODEL)
        logger.info("step %d  psnr %.2f dB  latents %s", self.trainer.budget.step, quality, latents)


def averaged_vae(average: Mapping[str, torch.Tensor], measured: int = 256) -> AutoencoderTiny:
    """Make a model of averaged weights, its latents scaled to unit standard deviation.

    Args:
        average: Averaged weights of a `build_vae` model.
        measured: Pictures that the scale of the latents is measured on.

    Returns:
        The model on the CPU, in evaluation mode.
    """
    vae = build_vae()
    vae.load_state_dict({name: tensor.cpu() for name, tensor in average.items()})
    vae.eval()
    _, deviation = latent_statistics(vae, range(800_000, 800_000 + measured))
    vae.register_to_config(scaling_factor=round(1 / deviation, 4))
    return vae
