"""Recipe of the painter of details: a LoRA over the denoiser that is taught patterns and the states of parts.

Of what the denoiser was trained on, one thing in eight has a pattern or a lit window, and it draws a muddle of light and dark for them,
while the context loop asks for nothing else. A low rank over its layers learns them in a tenth of the denoiser's size.

Source: Hu et al. 2021, LoRA: low-rank adaptation of large language models; of convolutions as peft has it, a kernel and then a 1 x 1.
"""

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Final

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import parametrize

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.unet import PositionedUNet2DConditionModel, box_coverage
from llmgen.toybox.recipes.diffusion import Conditioner, DiffusionRecipe, LatentPool, velocity_loss
from llmgen.toybox.recipes.progress import look
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.recipes.sampling import TextToImage, build_scheduler
from llmgen.toybox.world.captions import PromptType
from llmgen.toybox.world.scenes import SIZE, Scene, sample_detailed_scene, sample_scene
from llmgen.toybox.world.vocabulary import MOODS, PATTERNS
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson, save_staged
from llmgen.training.loop import FitSettings
from llmgen.training.saving import to_half

logger = logging.getLogger(__name__)

ASKED: Final[tuple[PromptType, ...]] = ("pattern", "state")
"""Prompts that show how far it is."""
_FILE: Final = "pytorch_lora_weights.safetensors"
_SIDES: Final = {"down": "lora_A", "up": "lora_B"}
"""Of a change, here and in peft's files."""
_SPARED: Final = ("time_embedding", "layout_painter")
"""Layers that know nothing of looks."""


@dataclass(frozen=True)
class InpaintRecipe(DiffusionRecipe):
    """Everything that shapes the training of the painter of details.

    Attributes:
        rank: Of the change of each layer; a training that goes on from one has its rank.
        usual_share: Share of scenes as the denoiser has seen them, characters among them.
        detail_weight: Weight of the cells of things with a detail, beside 1 of the others.
    """

    folder: ClassVar[str] = "inpaint"
    minutes: ClassVar[float] = 75
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            learning_rate=2e-3,
            betas=(0.9, 0.99),
            warmup_steps=50,
            hold=0.4,
            final_fraction=0.01,
            ema_decay=0.998,
            ema_every=2,
            checkpoint_every_s=150.0,
        )
    )
    grounded_share: float = 0.85
    noisy_share: float = 0.2
    rank: int = 12
    usual_share: float = 0.25
    detail_weight: float = 4.0

    def lesson(self, run: TrainingRun) -> "InpaintLesson":  # type: ignore[override]
        """See `Recipe.lesson`; the denoiser, its autoencoder and text encoder are those of `run.weights`, and stay as they are."""
        return InpaintLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> PositionedUNet2DConditionModel:
        """The denoiser with its details; see `Recipe.load`."""
        return _merged(_denoiser(weights), load_averaged_weights(out_dir))

    def ship(self, out_dir: Path, weights: Path = WEIGHTS) -> None:
        """See `Recipe.ship`; the file is a LoRA as diffusers reads it."""
        layers = {}
        for name, value in to_half(load_averaged_weights(out_dir)).items():
            layer, _, side = name.rpartition(".")
            layers[f"{layer.replace('/', '.')}.{_SIDES[side]}.weight"] = value
        save_staged(lambda folder: StableDiffusionPipeline.save_lora_weights(folder, layers), weights / self.folder)


class LowRank(nn.Module):
    """A weight plus a product of two narrow matrices; as a parametrization it costs one small product a step, whatever the batch."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        """Begin as the weight itself.

        Args:
            weight: [O, I] of a linear layer or [O, I, h, w] of a convolution.
            rank: Of the change.
        """
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, *weight.shape[1:]))
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank, *(1,) * (weight.ndim - 2)))
        nn.init.kaiming_uniform_(self.down.view(rank, -1), a=5**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight, of the same shape."""
        return weight + (self.up.flatten(1) @ self.down.flatten(1)).view_as(weight)


def add_low_ranks(unet: nn.Module, rank: int) -> nn.ModuleDict:
    """Give the layers of a denoiser a change each; what they were stays as it is.

    Args:
        unet: Changed in place.
        rank: Of each change.

    Returns:
        The changes by name of their layer, with `/` for its dots.
    """
    unet.requires_grad_(False)
    changes = nn.ModuleDict()
    for name, module in list(unet.named_modules()):
        if isinstance(module, nn.Linear | nn.Conv2d) and not name.startswith(_SPARED):
            changes[name.replace(".", "/")] = change = LowRank(module.weight, rank)
            parametrize.register_parametrization(module, "weight", change, unsafe=True)
    return changes


def read_changes(folder: Path) -> dict[str, Tensor]:
    """A shipped LoRA as the state of `add_low_ranks`, in float32."""
    state = {}
    for name, value in load_file(folder / _FILE).items():
        layer, side, _ = name.removeprefix("unet.").rsplit(".", 2)
        (ours,) = (key for key, theirs in _SIDES.items() if theirs == side)
        state[f"{layer.replace('.', '/')}.{ours}"] = value.float()
    return state


def with_details(unet: PositionedUNet2DConditionModel, folder: Path) -> PositionedUNet2DConditionModel:
    """A denoiser with a shipped LoRA in its weights.

    Args:
        unet: Changed in place.
        folder: Of the LoRA.
    """
    return _merged(unet, read_changes(folder))


def _rank_of(changes: Mapping[str, Tensor]) -> int:
    return next(len(value) for name, value in changes.items() if name.endswith(".down"))


def _merged(unet: PositionedUNet2DConditionModel, changes: Mapping[str, Tensor]) -> PositionedUNet2DConditionModel:
    add_low_ranks(unet, _rank_of(changes)).load_state_dict(changes)
    for module in unet.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return unet.eval()


def _denoiser(weights: Path) -> PositionedUNet2DConditionModel:
    folder = weights / DiffusionRecipe.folder
    unet: PositionedUNet2DConditionModel = PositionedUNet2DConditionModel.from_pretrained(
        folder, torch_dtype=torch.float32
    )
    return unet


class InpaintLesson(Lesson[tuple[int, bool]]):
    """The painter of details in training."""

    def __init__(self, recipe: InpaintRecipe, run: TrainingRun) -> None:
        """Load the denoiser and the frozen parts around it.

        Args:
            recipe: Settings.
            run: Device, seed, start and the frozen parts.
        """
        self._recipe, self._run = recipe, run
        self._models = models = TextToImage.from_pretrained(run.weights / "text_to_image", run.device)
        models.vae.to(memory_format=torch.channels_last)
        self._unet = _denoiser(run.weights).to(run.device, memory_format=run.memory_format)
        begun = read_changes(run.start) if run.start is not None else None
        rank = recipe.rank if begun is None else _rank_of(begun)
        self.module = add_low_ranks(self._unet, rank).to(run.device)
        if begun is not None:
            self.module.load_state_dict(begun)
        self._rng = random.Random()
        self._pool = LatentPool(models, recipe, self._rng, self._scene)
        self._conditioner = Conditioner(models, recipe, self._rng)
        self._signal = build_scheduler().alphas_cumprod.to(run.device)
        self._looked_at = 0.0

    def _scene(self, rng: random.Random) -> Scene:
        return sample_scene(rng) if rng.random() < self._recipe.usual_share else sample_detailed_scene(rng)

    def draw(self, step: int) -> tuple[int, bool]:
        """The step, and whether it sees boxes; all processes must agree, or one would wait for the other."""
        return step, random.Random(f"{self._run.seed}:{step}").random() < self._recipe.grounded_share

    def losses(self, batch: tuple[int, bool]) -> dict[str, Tensor]:
        """See `Lesson.losses`."""
        step, grounded = batch
        self._rng.seed(self._run.key(step))
        device, conditioner = self._run.device, self._conditioner
        scenes, latents = self._pool.draw()
        grounding = None
        if grounded:
            grounding = {key: value.to(device) for key, value in conditioner.grounding(scenes).items()}
        states = self._models.states([caption.text for caption in conditioner.captions(scenes, grounded)])
        latents = latents.to(device, memory_format=self._run.memory_format)
        cells = self._cells(scenes, latents.shape[-1]).to(device)
        loss = velocity_loss(self._unet, latents, states, grounding, self._signal, self._recipe.noisy_share, cells)
        return {"velocity": loss}

    def _cells(self, scenes: list[Scene], side: int) -> Tensor:
        """Weights of the latents' cells, [B, 1, side, side], with a mean of one."""
        cells = torch.ones(len(scenes), 1, side, side)
        for row, scene in enumerate(scenes):
            boxes = [o.box_xyxy for o in scene.objects if (o.pattern, o.mood, o.states) != (PATTERNS[0], MOODS[0], ())]
            if boxes:
                covered, _, _ = box_coverage(torch.tensor([boxes]).float() / SIZE, side, side)
                cells[row] += (self._recipe.detail_weight - 1) * covered.amax(1)
        return cells / cells.mean()

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Draw held-out patterns and states and log how many are right; now and then, since it takes a while."""
        budget, recipe = self.trainer.budget, self._recipe
        if not ended and budget.elapsed_s - self._looked_at < recipe.look_s:
            return
        models = replace(self._models, unet=recipe.load(self._run.out_dir, self._run.weights).to(self._run.device))
        sheet = self._run.out_dir / "sheet.png"
        result = look(models, sheet, count=recipe.looks, types=ASKED, steps=recipe.look_steps)
        self._looked_at = budget.elapsed_s
        logger.info("step %d  %s", budget.step, "  ".join(f"{k} {v:.3f}" for k, v in result.items()))
