"""Recipe of the answerer: a BLIP-2 of the standard class that reads a picture and a question and answers in a sentence.

As in BLIP-2 the vision transformer is a CLIP's and frozen, so that its states are computed once a picture; the query transformer and,
as there is no pretrained language model of this size, the T5 learn together. Source of the architecture: Li et al. 2023, BLIP-2.
"""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Blip2ForConditionalGeneration, PreTrainedTokenizerFast

from llmgen.diffusion.answering.latents import LatentReader, question_pixels
from llmgen.diffusion.answering.wording import QUESTION_TOKENS, clean_question
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.answerer import build_answer_tokenizer, build_answerer, take_tower
from llmgen.toybox.recipes.contact_sheet import tile
from llmgen.toybox.recipes.growth import grow_from, read_weights, rows_by_token
from llmgen.toybox.recipes.question_files import HeldOut, sample_pairs
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.shipping import save_transformer
from llmgen.toybox.recipes.vae import to_tensor
from llmgen.toybox.world.pairs import sample_pair
from llmgen.toybox.world.scenes import Scene, render_image
from llmgen.toybox.world.vocabulary import object_phrase
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson
from llmgen.training.loop import FitSettings

logger = logging.getLogger(__name__)

DESCRIBE: Final = "what is in the picture?"
"""The question whose answer lists what there is: it teaches to see, since the other answers name one thing of a picture."""
FROZEN: Final = ("vision_model.embeddings.", "vision_model.encoder.")


@dataclass(frozen=True)
class Blip2Recipe(Recipe):
    """Everything that shapes the training of the answerer.

    Attributes:
        batch: Questions a step.
        fit: Optimizer, schedule and rhythm.
        described_share: Share of the questions that are `DESCRIBE`.
        pool: Questions kept for reuse with the vision states of their pictures.
        fresh: New questions a step once the pool is full.
        filled: Questions that the pool holds before the first step.
        wider_share: Share of the questions in wider wordings: see `llmgen.toybox.world.questions`.
        measured: Questions of each kind that a finished answerer is measured on.
        spelled_share: Share of a question's words that are spelled by letters, as words are that the tokenizer does not know: who
            has met spelled words reads past those that say nothing (as BPE-dropout does, Provilkov et al. 2020).
    """

    folder: ClassVar[str] = "answerer"
    minutes: ClassVar[float] = 30
    batch: int = 48
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            learning_rate=1.2e-3,
            warmup_steps=100,
            weight_decay=0.02,
            ema_decay=0.996,
            hold=0.3,
            checkpoint_every_s=120.0,
        )
    )
    described_share: float = 0.3
    pool: int = 4000
    fresh: int = 5
    filled: int = 320
    wider_share: float = 0.7
    measured: int = 25
    spelled_share: float = 0.06

    def lesson(self, run: TrainingRun) -> "Blip2Lesson":
        """See `Recipe.lesson`; without a start the vision transformer is that of the CLIP of `run.weights`."""
        return Blip2Lesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> Blip2ForConditionalGeneration:
        """See `Recipe.load`."""
        model = build_answerer(build_answer_tokenizer())
        model.load_state_dict(load_averaged_weights(out_dir))
        return model.eval()


@dataclass(frozen=True, slots=True)
class AskedPicture:
    """A question of the pool.

    Attributes:
        question: As it is cleaned for the model.
        answer: What is right.
        description: What the picture shows.
        states: float16 [257, D], the vision transformer's, before its last normalisation.
    """

    question: str
    answer: str
    description: str
    states: Tensor


def description_of(scene: Scene) -> str:
    """What a scene shows, from left to right, and where.

    Args:
        scene: Any scene.

    Returns:
        For example "a happy boy in red holding, a striped blue ball, night".
    """
    things = [
        object_phrase(o.noun, o.color, pattern=o.pattern, mood=o.mood, states=o.states, verb=o.verb)
        for o in sorted(scene.objects, key=lambda item: item.center[0])
    ]
    return ", ".join([*things, scene.background])


@torch.no_grad()
def vision_states(model: Blip2ForConditionalGeneration, pictures: Sequence[np.ndarray]) -> Tensor:
    """States of the frozen vision transformer, without the normalisation after it, which is trained.

    Args:
        model: The answerer.
        pictures: uint8 [H, W, 3] each.

    Returns:
        float32 [N, patches + 1, D].
    """
    tower = model.vision_model
    side = model.config.vision_config.image_size
    pixels = question_pixels([Image.fromarray(picture) for picture in pictures], side)
    embedded = tower.embeddings(pixels.to(tower.embeddings.class_embedding.device))
    return tower.encoder(inputs_embeds=embedded).last_hidden_state


def project_states(model: Blip2ForConditionalGeneration, states: Tensor) -> Tensor:
    """What the language model gets of a picture: [N, queries, D] of `vision_states`; differentiable."""
    seen = model.vision_model.post_layernorm(states)
    queries = model.query_tokens.expand(len(seen), -1, -1)
    found = model.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
    return model.language_projection(found)


class Asked(NamedTuple):
    """A question of a step."""

    tokens: list[int]
    """At most `QUESTION_TOKENS`, the end token included; some words by their letters."""
    answer: str
    is_description: bool
    """Whether it is `DESCRIBE`."""
    states: Tensor
    """float16 [257, D], the vision transformer's, before its last normalisation."""


class Blip2Lesson(Lesson[list[Asked]]):
    """The answerer in training."""

    def __init__(self, recipe: Blip2Recipe, run: TrainingRun) -> None:
        """Make the answerer.

        Args:
            recipe: Settings.
            run: Device, seed, start and the CLIP.
        """
        self._recipe, self._run = recipe, run
        self._tokenizer = build_answer_tokenizer()
        model = build_answerer(self._tokenizer)
        if run.start is not None:
            # One table of words stands under four names, of which a saved answerer has the first.
            rows = rows_by_token(self._tokenizer, PreTrainedTokenizerFast.from_pretrained(run.start))
            grow_from(model, read_weights(run.start), {"language_model.shared.weight": rows})
        elif (run.weights / "clip" / "config.json").is_file():
            rng = random.Random(f"spread:{run.seed}")
            pictures = [render_image(sample_pair(rng).before) for _ in range(8)]
            take_tower(model, read_weights(run.weights / "clip"), to_tensor(pictures))
        for name, parameter in model.named_parameters():
            parameter.requires_grad = not name.startswith(FROZEN)
        if run.on_cpu:
            # The fused attention kernel's backward pass is slow on a CPU at these sizes.
            model.set_attn_implementation("eager")
        self.module = self._model = model.to(run.device)
        self._pool: list[AskedPicture] = []
        self._rng = random.Random()

    def draw(self, step: int) -> list[Asked]:
        """Questions, answers and vision states from the pool, to which new ones are added."""
        recipe = self._recipe
        self._rng.seed(self._run.key(step))
        self._add(recipe.fresh if self._pool else recipe.filled)
        batch = []
        for asked in self._rng.choices(self._pool, k=recipe.batch):
            described = self._rng.random() < recipe.described_share
            question, answer = (DESCRIBE, asked.description) if described else (asked.question, asked.answer)
            batch.append(Asked(self._spelled(question), answer, described, asked.states))
        return batch

    def _add(self, count: int) -> None:
        pairs = [sample_pair(self._rng, wider_share=self._recipe.wider_share) for _ in range(count)]
        for start in range(0, count, 32):
            chunk = pairs[start : start + 32]
            with self._run.autocast():
                states = vision_states(self._model, [render_image(pair.before) for pair in chunk]).half().cpu()
            for pair, own in zip(chunk, states, strict=True):
                asked = AskedPicture(clean_question(pair.question), pair.answer, description_of(pair.before), own)
                if len(self._pool) < self._recipe.pool:
                    self._pool.append(asked)
                else:
                    self._pool[self._rng.randrange(self._recipe.pool)] = asked

    def _spelled(self, question: str) -> list[int]:
        tokenizer = self._tokenizer
        words = [
            [word[0], *(f"##{letter}" for letter in word[1:])]
            if self._rng.random() < self._recipe.spelled_share
            else tokenizer.tokenize(word)
            for word in question.split()
        ]
        pieces = [piece for word in words for piece in word][: QUESTION_TOKENS - 1]
        return tokenizer.convert_tokens_to_ids([*pieces, tokenizer.eos_token])

    def losses(self, batch: list[Asked]) -> dict[str, Tensor]:
        """See `Lesson.losses`; besides the loss, the share of answers that are right to the last word while they are told."""
        device, model = self._run.device, self._model
        asked = self._tokenizer.pad({"input_ids": [item.tokens for item in batch]}, return_tensors="pt").to(device)
        told = self._tokenizer([item.answer for item in batch], padding=True, return_tensors="pt").to(device)
        labels = told.input_ids.masked_fill(told.attention_mask == 0, -100)
        states = torch.stack([item.states for item in batch]).float().to(device)
        with self._run.autocast():
            projected = project_states(model, states)
            made = answer_loss(model, projected, asked.input_ids, asked.attention_mask, labels)
        right = ((made.logits.argmax(-1) == labels) | (labels == -100)).all(dim=1).float().detach()
        described = torch.tensor([item.is_description for item in batch], device=device)
        measures = {"loss": made.loss.float()}
        measures |= {"right": right[~described].mean()} if bool((~described).any()) else {}
        return measures | ({"described": right[described].mean()} if bool(described.any()) else {})

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the answerer and a sheet of questions with its answers."""
        model = self._recipe.load(self._run.out_dir)
        folder = self._run.out_dir / MODEL
        save_transformer(folder, model.config, stored(model), self._tokenizer, "Blip2ForConditionalGeneration")
        model.generation_config.save_pretrained(folder)
        if ended:
            count = self._recipe.measured
            shares = {which: exact_answers(model, count, which) for which in ("none", "templates", "scenes")}
            logger.info("exact answers: %s", "  ".join(f"{name} {share:.2f}" for name, share in shares.items()))
            save_answer_sheet(model, self._run.out_dir / "sheet.png")


def stored(model: Blip2ForConditionalGeneration) -> dict[str, Tensor]:
    """Its weights, each once: the embeddings that T5 shares go under one name."""
    kept: dict[int, str] = {}
    weights = model.state_dict()
    for name in sorted(weights, key=lambda name: ("shared" not in name, name)):
        kept.setdefault(weights[name].data_ptr(), name)
    return {name: weights[name] for name in sorted(kept.values())}


def answer_loss(model: Any, projected: Tensor, ids: Tensor, mask: Tensor, labels: Tensor) -> Any:
    """The language model's output on a picture and a question, with the cross-entropy of the answer.

    Args:
        model: A `Blip2ForConditionalGeneration` on a T5.
        projected: [N, queries, D] of the picture.
        ids: [N, L] tokens of the question.
        mask: [N, L], 1 for its tokens.
        labels: [N, M] tokens of the answer, -100 where there are none.
    """
    words = model.get_input_embeddings()(ids)
    inputs = torch.cat([projected.to(words.dtype), words], dim=1)
    attention = torch.cat([mask.new_ones(projected.shape[:2]), mask], dim=1)
    return model.language_model(inputs_embeds=inputs, attention_mask=attention, labels=labels)


@torch.no_grad()
def answers_of(model: Blip2ForConditionalGeneration, scenes: Sequence[Scene], questions: Sequence[str]) -> list[str]:
    """Greedy answers, as the methods ask for them."""
    reader = LatentReader(model, build_answer_tokenizer())
    found: list[str] = []
    for start in range(0, len(scenes), 25):
        images = [Image.fromarray(render_image(scene)) for scene in scenes[start : start + 25]]
        asked = [clean_question(question) for question in questions[start : start + 25]]
        found += reader.answers(images, asked, num_beams=1, max_new_tokens=40)
    return found


def exact_answers(model: Blip2ForConditionalGeneration, count: int, held_out: HeldOut, seed: int = 7_000_000) -> float:
    """Share of questions that are answered word by word as they should.

    Args:
        model: The answerer.
        count: How many questions, the categories in turn.
        held_out: What no training has seen of them.
        seed: Picks them; recipes train on others.
    """
    pairs = sample_pairs(count, seed, held_out)
    found = answers_of(model, [pair.before for pair in pairs], [pair.question for pair in pairs])
    return sum(answer == pair.answer for answer, pair in zip(found, pairs, strict=True)) / count


def save_answer_sheet(model: Blip2ForConditionalGeneration, path: Path, count: int = 10) -> None:
    """Pictures with what they are asked, and beside the file its text: question, answer, right answer."""
    pairs = sample_pairs(count, 7_000_000)
    found = answers_of(model, [pair.before for pair in pairs], [pair.question for pair in pairs])
    tile([Image.fromarray(render_image(pair.before)) for pair in pairs], columns=5).save(path)
    lines = [
        f"{'right' if answer == pair.answer else 'WRONG'}  {pair.question}  ->  {answer}  ({pair.answer})\n"
        for answer, pair in zip(found, pairs, strict=True)
    ]
    path.with_suffix(".txt").write_text("".join(lines), encoding="utf-8")
