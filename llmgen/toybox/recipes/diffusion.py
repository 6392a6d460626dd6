"""Recipe of the denoiser: velocity prediction on latents of rendered scenes, with and without boxes.

One call trains text conditioning and grounding together. Several processes with one thread each and averaged gradients
use a CPU better than one process with several threads; a GPU needs one process.
"""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.unet import LATENT_CHANNELS, PositionedUNet2DConditionModel, build_unet
from llmgen.toybox.recipes.growth import grow_from, read_weights
from llmgen.toybox.recipes.localisation import Watch, localisation_loss, mass_inside, measure_localisation, targets_of
from llmgen.toybox.recipes.progress import look
from llmgen.toybox.recipes.run import Recipe, TrainingRun
from llmgen.toybox.recipes.sampling import STEPS, TextToImage, build_scheduler, write_model_index
from llmgen.toybox.recipes.shipping import tidy
from llmgen.toybox.recipes.vae import to_tensor
from llmgen.toybox.world.captions import Caption, sample_caption, sample_phrase, sample_vague_caption
from llmgen.toybox.world.scenes import SIZE, Scene, render_image, sample_scene
from llmgen.toybox.world.vocabulary import BACKGROUND_PHRASES, GENERIC_CAPTIONS
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson, save_staged
from llmgen.training.loop import FitSettings

logger = logging.getLogger(__name__)

_PHRASES_KEPT = 20_000


@dataclass(frozen=True)
class DiffusionRecipe(Recipe):
    """Everything that shapes the training of the denoiser.

    Attributes:
        batch: Samples a step and process.
        fit: Optimizer, schedule and rhythm.
        grounded_share: Share of the steps that see boxes.
        empty_text_share: Share of the captions that are dropped, for classifier-free guidance.
        noisy_share: Share of the time steps drawn from the noisier part, where the layout is decided.
        pool: Latents kept for reuse, a process.
        fresh_share: Share of a batch that is newly rendered and encoded until the pool is full.
        box_jitter_px: Standard deviation of the error of a box edge, because a planner's boxes never fit exactly.
        look_s: Least seconds between contact sheets, which come with checkpoints.
        looks: Prompts that a contact sheet draws.
        look_steps: Denoising steps of its pictures.
        measured: Scenes that localisation is measured on beside it.
        localisation_weight: Of the loss that brings the attention of words into the boxes of what they name.
    """

    folder: ClassVar[str] = "text_to_image/unet"
    minutes: ClassVar[float] = 90
    parallel: ClassVar[bool] = True
    batch: int = 32
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            learning_rate=8e-4,
            betas=(0.9, 0.99),
            decay_vectors=True,
            warmup_share=0.01,
            hold=0.5,
            final_fraction=0.01,
            ema_decay=0.999,
            ema_every=4,
            checkpoint_every_s=150.0,
        )
    )
    grounded_share: float = 0.55
    empty_text_share: float = 0.1
    noisy_share: float = 0.35
    pool: int = 60_000
    fresh_share: float = 0.25
    box_jitter_px: float = 1.0
    look_s: float = 600.0
    looks: int = 48
    look_steps: int = STEPS
    measured: int = 96
    localisation_weight: float = 0.1

    def lesson(self, run: TrainingRun) -> "DiffusionLesson":
        """See `Recipe.lesson`; encoder, text encoder and tokenizer are those of `run.weights`."""
        return DiffusionLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> PositionedUNet2DConditionModel:
        """See `Recipe.load`."""
        unet = build_unet()
        unet.load_state_dict(load_averaged_weights(out_dir))
        return unet.eval()

    def ship(self, out_dir: Path, weights: Path = WEIGHTS) -> None:
        """See `Recipe.ship`; scheduler and index go beside the denoiser."""
        unet = self.load(out_dir)

        def save(folder: Path) -> None:
            unet.half().save_pretrained(folder)
            tidy(folder / "config.json")

        pipeline = (weights / self.folder).parent
        save_staged(save, weights / self.folder)
        save_staged(build_scheduler().save_pretrained, pipeline / "scheduler")
        write_model_index(pipeline)


class LatentPool:
    """Scenes with their latents: new ones are added all the time, old ones are used again."""

    def __init__(
        self,
        models: TextToImage,
        recipe: DiffusionRecipe,
        rng: random.Random,
        sample: Callable[[random.Random], Scene] = sample_scene,
    ) -> None:
        """Start empty.

        Args:
            models: Give the frozen encoder.
            recipe: Sizes and shares.
            rng: Source of randomness.
            sample: Draws a scene.
        """
        self._models, self._recipe, self._rng, self._sample = models, recipe, rng, sample
        self._scenes: list[Scene] = []
        self._latents = torch.empty(recipe.pool, LATENT_CHANNELS, SIZE // 8, SIZE // 8, dtype=torch.float16)
        self._cursor, self._owed = 0, 0.0

    @torch.no_grad()
    def _add(self, count: int) -> None:
        scenes = []
        for _ in range(count):
            # A few bare backgrounds teach that naming only a place means an empty place.
            bare = self._rng.random() < 0.04
            scene = self._sample(self._rng)
            scenes.append(replace(scene, objects=()) if bare else scene)
        vae = self._models.vae
        images = to_tensor([render_image(scene) for scene in scenes]).to(vae.device)
        with torch.autocast(vae.device.type, torch.bfloat16):
            latents = vae.encoder(images.contiguous(memory_format=torch.channels_last))
        latents = (latents.float() * vae.config.scaling_factor).half().cpu()
        for scene, latent in zip(scenes, latents, strict=True):
            if len(self._scenes) < self._recipe.pool:
                self._scenes.append(scene)
            else:
                self._scenes[self._cursor] = scene
            self._latents[self._cursor] = latent
            self._cursor = (self._cursor + 1) % self._recipe.pool

    def draw(self) -> tuple[list[Scene], torch.Tensor]:
        """Take a batch.

        Returns:
            The scenes and their scaled latents, float32 [B, 8, 16, 16].
        """
        recipe = self._recipe
        full = len(self._scenes) == recipe.pool
        self._owed += recipe.batch * (recipe.fresh_share / 4 if full else recipe.fresh_share)
        if not self._scenes:
            self._add(min(512, recipe.pool))
        elif self._owed >= 64:
            self._add(64)
            self._owed -= 64
        picks = [self._rng.randrange(len(self._scenes)) for _ in range(recipe.batch)]
        return [self._scenes[i] for i in picks], self._latents[picks].float()


class Conditioner:
    """Draws captions and boxes for scenes."""

    def __init__(self, models: TextToImage, recipe: DiffusionRecipe, rng: random.Random) -> None:
        """Start with no phrase known; each is encoded once.

        Args:
            models: Give the frozen text encoder.
            recipe: Shares.
            rng: Source of randomness.
        """
        self._models, self._recipe, self.rng = models, recipe, rng
        self._phrases: dict[str, torch.Tensor] = {}

    def _caption(self, scene: Scene, grounded: bool) -> Caption:
        rng = self.rng
        if rng.random() < self._recipe.empty_text_share:
            return Caption("", None)
        if not scene.objects:
            return Caption(rng.choice(BACKGROUND_PHRASES[scene.background]), None)
        if grounded and rng.random() < 0.15:
            return sample_vague_caption(rng, scene)
        if rng.random() < 0.03:
            return Caption(rng.choice(GENERIC_CAPTIONS), None)
        return sample_caption(rng, scene)

    def captions(self, scenes: list[Scene], grounded: bool) -> list[Caption]:
        """Caption a batch.

        Args:
            scenes: One a sample.
            grounded: Whether boxes come with them, so that a caption may leave the content out.

        Returns:
            One a scene.
        """
        return [self._caption(scene, grounded) for scene in scenes]

    def embed(self, scene: Scene, index: int) -> torch.Tensor:
        """Pooled state [128] of a phrase for an object, which mostly says everything about it."""
        phrase = sample_phrase(self.rng, scene, index)
        if phrase not in self._phrases:
            if len(self._phrases) >= _PHRASES_KEPT:
                self._phrases.clear()
            self._phrases[phrase] = self._models.pooled([phrase])[0].cpu()
        return self._phrases[phrase]

    def grounding(self, scenes: list[Scene]) -> dict[str, torch.Tensor]:
        """Name the boxes of a batch, all boxes of a scene or none.

        Args:
            scenes: One a sample.

        Returns:
            GLIGEN's arguments; the number of slots varies as callers pad to different lengths.
        """
        rng, count = self.rng, len(scenes)
        slots = rng.choice((4, 8, 30))
        boxes, masks = torch.zeros(count, slots, 4), torch.zeros(count, slots)
        embeddings = torch.zeros(count, slots, 128)
        for row, scene in enumerate(scenes):
            if rng.random() < 0.12:
                continue
            for slot, index in enumerate(rng.sample(range(len(scene.objects)), len(scene.objects))):
                item = scene.objects[index]
                edges = [edge + rng.gauss(0, self._recipe.box_jitter_px) for edge in item.box_xyxy]
                boxes[row, slot] = torch.tensor(edges).div(SIZE).clamp(0, 1)
                embeddings[row, slot] = self.embed(scene, index)
                masks[row, slot] = 1
        return {"boxes": boxes, "positive_embeddings": embeddings, "masks": masks}


def velocity_loss(
    unet: PositionedUNet2DConditionModel,
    latents: torch.Tensor,
    states: torch.Tensor,
    grounding: dict[str, torch.Tensor] | None,
    signal: torch.Tensor,
    noisy_share: float,
    cells: torch.Tensor | None = None,
) -> torch.Tensor:
    """Error of the predicted velocity at random times.

    Args:
        unet: In training.
        latents: [B, C, H, W] clean ones.
        states: [B, L, D] token states of the captions.
        grounding: What the U-Net takes as "gligen", or None.
        signal: [1000] cumulative alphas.
        noisy_share: Share of the times drawn from the noisier part.
        cells: [B, 1, H, W] weights of the latents' cells with a mean of about one; None weighs all alike.

    Returns:
        A scalar.
    """
    count, device = len(latents), latents.device
    timesteps = torch.randint(0, 1000, (count,), device=device)
    noisy = torch.rand(count, device=device) < noisy_share
    timesteps = torch.where(noisy, 550 + timesteps * 450 // 1000, timesteps)
    alpha = signal[timesteps][:, None, None, None]
    noise = torch.randn_like(latents)
    noised = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
    kwargs = {"gligen": grounding} if grounding is not None else None
    with torch.autocast(device.type, torch.bfloat16):
        output = unet(noised, timesteps, states, cross_attention_kwargs=kwargs).sample
    # Weight 5 / (SNR + 1) below one only where little noise is left: min-SNR would starve the noisy steps.
    ratio = signal[timesteps] / (1 - signal[timesteps])
    weight = (5 / (ratio + 1)).clamp(max=1)
    errors = (output.float() - velocity).square()
    return ((errors if cells is None else errors * cells).mean((1, 2, 3)) * weight).mean()


class DiffusionLesson(Lesson[tuple[int, bool]]):
    """The denoiser in training."""

    def __init__(self, recipe: DiffusionRecipe, run: TrainingRun) -> None:
        """Make the denoiser and load the frozen parts around it.

        Args:
            recipe: Settings.
            run: Device, seed, start and the frozen parts.
        """
        self._recipe, self._run = recipe, run
        self._models = models = TextToImage.from_pretrained(run.weights / "text_to_image", run.device)
        models.vae.to(memory_format=torch.channels_last)
        unet = build_unet() if run.start is None else grown_unet(run.start)
        self.module = self._unet = unet.to(run.device, memory_format=run.memory_format)
        self._watch = Watch(unet)
        self._rng = random.Random()
        self._pool, self._conditioner = LatentPool(models, recipe, self._rng), Conditioner(models, recipe, self._rng)
        self._signal = build_scheduler().alphas_cumprod.to(run.device)
        self._looked_at = 0.0

    def draw(self, step: int) -> tuple[int, bool]:
        """The step, and whether it sees boxes; all processes must agree, or one would wait for the other."""
        return step, random.Random(f"{self._run.seed}:{step}").random() < self._recipe.grounded_share

    def losses(self, batch: tuple[int, bool]) -> dict[str, torch.Tensor]:
        """See `Lesson.losses`."""
        step, grounded = batch
        self._rng.seed(self._run.key(step))
        device, conditioner = self._run.device, self._conditioner
        scenes, latents = self._pool.draw()
        grounding = conditioner.grounding(scenes) if grounded else None
        if grounding is not None:
            grounding = {key: value.to(device) for key, value in grounding.items()}
        captions = conditioner.captions(scenes, grounded)
        states = self._models.states([caption.text for caption in captions])
        latents = latents.to(device, memory_format=self._run.memory_format)
        velocity = velocity_loss(self._unet, latents, states, grounding, self._signal, self._recipe.noisy_share)
        targets = targets_of(captions, scenes, latents.shape[-1], states.shape[1])
        maps, inside = self._watch.maps(targets), targets.inside.to(device)
        return {
            "velocity": velocity,
            "localisation": self._recipe.localisation_weight * localisation_loss(maps, inside),
            "mass": torch.stack([mass_inside(each.detach(), inside).mean() for each in maps]).mean(),
        }

    def look(self, average: Mapping[str, torch.Tensor], ended: bool) -> None:
        """Draw held-out prompts and log how many are right; now and then, since it takes a while."""
        budget = self.trainer.budget
        if not ended and budget.elapsed_s - self._looked_at < self._recipe.look_s:
            return
        averaged = self._recipe.load(self._run.out_dir).to(self._run.device)
        models = replace(self._models, unet=averaged)
        recipe = self._recipe
        result = look(models, self._run.out_dir / "sheet.png", count=recipe.looks, steps=recipe.look_steps)
        result |= {k: v for k, v in measure_localisation(models, recipe.measured).items() if k.count("/") == 1}
        self._looked_at = budget.elapsed_s
        logger.info("step %d  %s", budget.step, "  ".join(f"{k} {v:.3f}" for k, v in result.items()))


def grown_unet(folder: Path) -> PositionedUNet2DConditionModel:
    """Make the denoiser from an earlier one that may lack some of its layers.

    Args:
        folder: A saved denoiser of the same widths.

    Returns:
        The earlier weights; transformers that are new add nothing at first, since their last projection is zero.
    """
    unet = build_unet()
    lacking = grow_from(unet, read_weights(folder), {})
    for name, module in unet.named_modules():
        if name.endswith("proj_out") and f"{name}.weight" in lacking:
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
    return unet
