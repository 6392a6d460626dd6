"""Recipes of the picture editors: the world's denoiser with input channels for the picture to edit, by three kinds of words.

`EditorRecipe` learns from instructions only: what whoever takes a public InstructPix2Pix has. `QuestionEditorRecipe` is the same editor
taught with the questions themselves; it is measured and not shipped. `LgdRecipe` learns from the answerer's states through a bridge.

Source: InstructPix2Pix (Brooks et al. 2023) for channels and dropout; Latent-Guided Diffusion (Li et al. 2023) for the bridge.
"""

import logging
import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from llmgen.diffusion.answering.bridge import Bridge, fill_slots
from llmgen.diffusion.answering.dropout import DROP, dropped_conditions
from llmgen.diffusion.answering.editor import EditSettings, PictureEditor
from llmgen.diffusion.answering.latents import LatentReader
from llmgen.diffusion.answering.saved import (
    BRIDGE_EMA,
    UNET_EMA,
    LgdSettings,
    load_bridge,
    read_settings,
    save_bridge,
    save_null,
    write_settings,
)
from llmgen.diffusion.answering.unet import widen_input
from llmgen.diffusion.answering.wording import clean_question
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.answerer import load_answerer
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.models.unet import PositionedUNet2DConditionModel
from llmgen.toybox.recipes.edit_error import edit_error
from llmgen.toybox.recipes.edit_words import instruction_for
from llmgen.toybox.recipes.growth import grow_from, read_weights
from llmgen.toybox.recipes.progress import paste_rows
from llmgen.toybox.recipes.question_files import sample_pairs
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.sampling import TextToImage, build_scheduler
from llmgen.toybox.recipes.shipping import tidy
from llmgen.toybox.recipes.vae import to_tensor
from llmgen.toybox.world.answers import answer_of, is_right_answer
from llmgen.toybox.world.pairs import CATEGORIES, Pair, sample_pair
from llmgen.toybox.world.scenes import render_image
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson, save_staged
from llmgen.training.loop import FitSettings

logger = logging.getLogger(__name__)

SAMPLING: Final = EditSettings(steps=20, text_guidance=3.0, image_guidance=1.5, batch_size=24)


@dataclass(frozen=True)
class EditorRecipe(Recipe):
    """Everything that shapes the training of an editor.

    Attributes:
        batch: Pairs a step and process.
        fit: Optimizer, schedule and rhythm.
        noisy_share: Share of the times drawn from the noisier part, where it is decided what is drawn.
        changed_weight: Weight of the cells that change, beside 1 of the others: see `edit_error`.
        categories: How often each kind of question is asked, in the order of `CATEGORIES`.
        pool: Pairs kept for reuse with their latents.
        fresh: New pairs a step.
        filled: Pairs that the pool holds before the first step.
        wider_share: Share of the pairs that are asked about in wider wordings: see `llmgen.toybox.world.questions`.
        sentence_drop: Share of the samples of LGD that lose the answer's sentence alone; see `generate/lgd_training`.
        look_s: Least seconds between contact sheets, which come with checkpoints.
        looks: Questions that a contact sheet answers.
        look_steps: Denoising steps of its pictures.
    """

    folder: ClassVar[str] = "editor/unet"
    minutes: ClassVar[float] = 60
    parallel: ClassVar[bool] = True
    batch: int = 24
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            learning_rate=4e-4,
            betas=(0.9, 0.99),
            decay_vectors=True,
            warmup_steps=50,
            hold=0.5,
            final_fraction=0.01,
            ema_decay=0.998,
            ema_every=2,
            checkpoint_every_s=150.0,
        )
    )
    noisy_share: float = 0.4
    changed_weight: float = 4.0
    categories: tuple[float, ...] = (0.12, 0.2, 0.15, 0.28, 0.25)
    pool: int = 8000
    fresh: int = 4
    filled: int = 400
    wider_share: float = 0.85
    sentence_drop: float = 0.5
    look_s: float = 600.0
    looks: int = 25
    look_steps: int = SAMPLING.steps

    def lesson(self, run: TrainingRun) -> "EditorLesson":
        """See `Recipe.lesson`; without a start the U-Net is the denoiser of `run.weights`, with new input channels that say nothing."""
        return InstructionLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> Any:
        """See `Recipe.load`."""
        unet = widened_denoiser(weights)
        states = load_averaged_weights(out_dir)
        unet.load_state_dict({n.removeprefix("unet."): v for n, v in states.items() if n.startswith("unet.")})
        return unet.eval()


@dataclass(frozen=True)
class QuestionEditorRecipe(EditorRecipe):
    """The editor, taught with questions; it starts from the one that knows instructions."""

    folder: ClassVar[str] = "question_editor/unet"

    def lesson(self, run: TrainingRun) -> "EditorLesson":
        """See `Recipe.lesson`."""
        start = run.start if run.start is not None else run.weights / EditorRecipe.folder
        return QuestionLesson(self, replace(run, start=start if start.is_dir() else None))


@dataclass(frozen=True)
class LgdRecipe(EditorRecipe):
    """The editor behind the bridge from the answerer's states."""

    folder: ClassVar[str] = f"lgd/{UNET_EMA}"

    def lesson(self, run: TrainingRun) -> "EditorLesson":
        """See `Recipe.lesson`; the answerer is that of `run.weights`."""
        return LatentLesson(self, run)

    def ship(self, out_dir: Path, weights: Path = WEIGHTS) -> None:
        """See `Recipe.ship`; bridge, empty text and settings go beside the U-Net."""
        super().ship(out_dir, weights)
        target = (weights / self.folder).parent
        states = load_averaged_weights(out_dir)
        parts = {n.removeprefix("bridge."): v for n, v in states.items() if n.startswith("bridge.")}
        context_width, width = parts["mlp.weight"].shape
        bridge = Bridge(width, context_width)
        bridge.load_state_dict(parts)
        reader = LatentReader(*load_answerer(weights / "answerer"))
        save_bridge(target, bridge, averaged=True)
        save_null(target, reader.sentences([""]))
        said = {"recipe": "llmgen train toybox lgd", "sentence_drop": self.sentence_drop}
        write_settings(
            target,
            LgdSettings(
                width=width, context_width=context_width, side=reader.side, answerer="toybox answerer", training=said
            ),
        )


def widened_denoiser(weights: Path) -> PositionedUNet2DConditionModel:
    """The denoiser with channels for a picture, which add nothing yet."""
    unet = PositionedUNet2DConditionModel.from_pretrained(weights / "text_to_image" / "unet", torch_dtype=torch.float32)
    widened: PositionedUNet2DConditionModel = widen_input(unet)
    return widened


@dataclass(frozen=True, slots=True)
class PooledPair:
    """A pair of the pool.

    Attributes:
        pair: Its words.
        latents: float16 [2, C, h, w], scaled, before and after.
        states: float16 [2, L, D], latent and sentence of LGD; None for editors of words.
    """

    pair: Pair
    latents: Tensor
    states: Tensor | None


class EditorLesson(Lesson[int]):
    """An editor in training; subclasses say what it is told."""

    def __init__(self, recipe: EditorRecipe, run: TrainingRun) -> None:
        """Make the editor and load the frozen parts around it.

        Args:
            recipe: Settings.
            run: Device, seed, start and the frozen parts.
        """
        self._recipe, self._run = recipe, run
        self._models = TextToImage.from_pretrained(run.weights / "text_to_image", run.device)
        self._models.vae.requires_grad_(False)
        unet = widened_denoiser(run.weights)
        if run.start is not None:
            grow_from(unet, read_weights(run.start), {})
        self._unet = unet.to(run.device, memory_format=run.memory_format)
        self.module = nn.ModuleDict({"unet": self._unet, **self.bridges()}).to(run.device)
        self._signal = build_scheduler().alphas_cumprod.to(run.device)
        self._pool: list[PooledPair] = []
        self._rng = random.Random()
        self._looked_at = 0.0

    def bridges(self) -> dict[str, nn.Module]:
        """What else is trained, by name."""
        return {}

    @abstractmethod
    def context(self, drawn: Sequence[PooledPair], dropped: Tensor) -> Tensor:
        """The U-Net's condition [B, L, D] of pairs, that of the empty text where dropped."""

    @abstractmethod
    def condition(self, module: nn.ModuleDict, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """The condition of questions as the methods give it, and that of the empty text [1, L, D]."""

    def states_of(self, pairs: Sequence[Pair], pictures: Sequence[np.ndarray]) -> list[Tensor | None]:
        """What is kept of new pairs beside their latents."""
        return [None] * len(pairs)

    def draw(self, step: int) -> int:
        """The step: the pool is on this process."""
        return step

    @torch.no_grad()
    def _add(self, count: int) -> None:
        vae = self._models.vae
        for start in range(0, count, 32):
            few = min(32, count - start)
            kinds = self._rng.choices(CATEGORIES, self._recipe.categories, k=few)
            pairs = [sample_pair(self._rng, kind, wider_share=self._recipe.wider_share) for kind in kinds]
            before = [render_image(pair.before) for pair in pairs]
            images = to_tensor([*before, *(render_image(pair.after) for pair in pairs)]).to(vae.device)
            with self._run.autocast():
                latents = vae.encoder(images)
            latents = (latents.float() * vae.config.scaling_factor).half().cpu()
            for i, (pair, states) in enumerate(zip(pairs, self.states_of(pairs, before), strict=True)):
                new = PooledPair(pair, latents[[i, len(pairs) + i]].clone(), states)
                if len(self._pool) < self._recipe.pool:
                    self._pool.append(new)
                else:
                    self._pool[self._rng.randrange(self._recipe.pool)] = new

    def losses(self, batch: int) -> dict[str, Tensor]:
        """See `Lesson.losses` and `edit_error`."""
        recipe, device = self._recipe, self._run.device
        self._rng.seed(self._run.key(batch))
        self._add(recipe.fresh if self._pool else recipe.filled)
        drawn = self._rng.choices(self._pool, k=recipe.batch)
        latents = torch.stack([item.latents for item in drawn]).float().to(device)
        source, target = latents[:, 0], latents[:, 1]
        dropped = dropped_conditions(torch.rand(len(drawn), device=device), DROP)
        # The picture's latents are not scaled, as the published editors have them.
        picture = source / self._models.vae.config.scaling_factor * (~dropped.picture)[:, None, None, None]
        context = self.context(drawn, dropped.text)
        times = torch.randint(0, 1000, (len(drawn),), device=device)
        noisy = torch.rand(len(drawn), device=device) < recipe.noisy_share
        times = torch.where(noisy, 550 + times * 450 // 1000, times)
        alpha = self._signal[times][:, None, None, None]
        noise = torch.randn_like(target)
        noised = alpha.sqrt() * target + (1 - alpha).sqrt() * noise
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * target
        with self._run.autocast():
            said = self._unet(torch.cat([noised, picture], dim=1), times, context).sample
        return edit_error(said, velocity, source, target, recipe.changed_weight)

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the editor, and now and then answer held-out questions: a contact sheet and the share of right answers."""
        budget, run = self.trainer.budget, self._run
        unet = self._recipe.load(run.out_dir, run.weights)

        def save(folder: Path) -> None:
            unet.half().save_pretrained(folder)
            tidy(folder / "config.json")
            unet.float()

        save_staged(save, run.out_dir / MODEL)
        if not ended and budget.elapsed_s - self._looked_at < self._recipe.look_s:
            return
        bridges = nn.ModuleDict(self.bridges())
        bridges.load_state_dict({n: v for n, v in average.items() if not n.startswith("unet.")})
        module = nn.ModuleDict({"unet": unet, **bridges}).to(run.device).eval()
        pairs = sample_pairs(self._recipe.looks, 7_000_000)
        right = self._answer(module, pairs, run.out_dir / "sheet.png")
        self._looked_at = budget.elapsed_s
        logger.info("step %d  right answers %.3f of %d", budget.step, right, len(pairs))

    @torch.no_grad()
    def _answer(self, module: nn.ModuleDict, pairs: Sequence[Pair], path: Path) -> float:
        text, null = self.condition(module, pairs)
        editor = PictureEditor(module["unet"], self._models.vae, build_scheduler())
        before = [render_image(pair.before) for pair in pairs]
        pictures, seeds = [Image.fromarray(image) for image in before], list(range(len(pairs)))
        drawn = editor.edit(pictures, text, null, seeds, replace(SAMPLING, steps=self._recipe.look_steps))
        verdicts: list[bool] | None = None
        folder = self._run.weights / "judge"
        if (folder / "config.json").is_file():
            seen = ToyboxJudge.from_pretrained(folder).look(drawn)
            verdicts = [
                is_right_answer(
                    answer_of(pair.before, pair.after), [item.sighting for item in one.objects], one.background
                )
                for pair, one in zip(pairs, seen, strict=True)
            ]
        shown = slice(0, 12)
        rows = [
            before[shown],
            [np.asarray(image) for image in drawn[shown]],
            [render_image(p.after) for p in pairs[shown]],
        ]
        paste_rows(rows, [None, verdicts, None], path)
        return sum(verdicts) / len(verdicts) if verdicts else 0.0


class InstructionLesson(EditorLesson):
    """Told by instructions; asked, like any public editor, by the raw question when it is looked at as a baseline."""

    def words(self, pair: Pair) -> str:
        """What the editor is told of a pair in training."""
        return instruction_for(self._rng, pair.answer)

    def context(self, drawn: Sequence[PooledPair], dropped: Tensor) -> Tensor:
        """See `EditorLesson.context`."""
        return self._models.states(["" if d else self.words(item.pair) for item, d in zip(drawn, dropped, strict=True)])

    def condition(self, module: nn.ModuleDict, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """See `EditorLesson.condition`; the sheet shows what an editor does that is told the right answer."""
        return self._models.states([pair.answer for pair in pairs]), self._models.states([""])


class QuestionLesson(InstructionLesson):
    """Told by the questions themselves."""

    def words(self, pair: Pair) -> str:
        """The question, as it is."""
        return pair.question

    def condition(self, module: nn.ModuleDict, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """See `EditorLesson.condition`."""
        return self._models.states([pair.question for pair in pairs]), self._models.states([""])


class LatentLesson(EditorLesson):
    """Told by the answerer's states through the bridge."""

    def __init__(self, recipe: EditorRecipe, run: TrainingRun) -> None:
        """As `EditorLesson`; the answerer is loaded too."""
        self._reader = LatentReader(*load_answerer(run.weights / "answerer"))
        self._reader.blip2.to(run.device)
        self._null = self._reader.sentences([""]).float().to(run.device)
        super().__init__(recipe, run)

    def bridges(self) -> dict[str, nn.Module]:
        """The bridge; that of the model to start from, if it is one of LGD."""
        start = self._run.start
        if start is not None and (start.parent / BRIDGE_EMA).is_file():
            bridge = load_bridge(start.parent, read_settings(start.parent)).requires_grad_(True)
            return {"bridge": bridge}
        weights = self._run.weights / "text_to_image"
        width = int(TextToImage.from_pretrained(weights).text_encoder.config.hidden_size)
        return {"bridge": Bridge(self._null.shape[-1], width)}

    def states_of(self, pairs: Sequence[Pair], pictures: Sequence[np.ndarray]) -> list[Tensor | None]:
        """Latent and sentence of each pair."""
        images = [Image.fromarray(picture) for picture in pictures]
        latent = self._reader.latents(images, [clean_question(pair.question) for pair in pairs])
        sentence = self._reader.sentences([pair.answer for pair in pairs])
        return list(torch.stack([latent, sentence], dim=1).half().cpu())

    def context(self, drawn: Sequence[PooledPair], dropped: Tensor) -> Tensor:
        """See `EditorLesson.context`; the sentence is also dropped alone."""
        states = torch.stack([item.states for item in drawn if item.states is not None]).float().to(self._run.device)
        silent = dropped | (torch.rand(len(drawn), device=dropped.device) < self._recipe.sentence_drop)
        latent = torch.where(dropped[:, None, None], self._null, states[:, 0])
        sentence = torch.where(silent[:, None, None], self._null, states[:, 1])
        context: Tensor = self.module["bridge"](latent, sentence)  # type: ignore[index]
        return context

    def condition(self, module: nn.ModuleDict, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """See `EditorLesson.condition`: the latent and no sentence, as LGD samples."""
        images = [Image.fromarray(render_image(pair.before)) for pair in pairs]
        latent = self._reader.latents(images, [clean_question(pair.question) for pair in pairs])
        slots = fill_slots("feat", latent, None, self._null)
        return module["bridge"](*slots), module["bridge"](self._null, self._null)
