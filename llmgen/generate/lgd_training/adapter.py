"""Stage A, `train lgd-adapter`: the part of BLIP-2 between picture and language model, by answers and causal features."""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from PIL import Image
from torch import Tensor, nn

from llmgen.diffusion.answering.causal import OTHERS, causal_rows, draw_others
from llmgen.diffusion.answering.latents import LatentReader, question_pixels, tokenize
from llmgen.diffusion.answering.saved import LgdSettings, save_adapter, save_null, write_settings
from llmgen.diffusion.answering.wording import (
    QUESTION_TOKENS,
    TEXT_TOKENS,
    clean_question,
    last_question_position,
    target_sentence,
)
from llmgen.formats.vqai import VqaiSample
from llmgen.generate.lgd_training.features import causal_features, joined, save_features
from llmgen.generate.lgd_training.fitting import Place, TrainingPlan, fit, generator_of
from llmgen.generate.lgd_training.order import EpochOrder
from llmgen.generate.lgd_training.steps import AdapterBatch, AdapterStep
from llmgen.vision.decoding import decode

logger = logging.getLogger(__name__)

FEATURES: Final = "causal_features.safetensors"
ANSWER_TOKENS: Final = 45
"""Tokens of an answer that the language model learns to say."""


@dataclass(frozen=True)
class AdapterSettings:
    """What is trained, besides the plan.

    Attributes:
        wired: Whether the predictive code shall fill the latent's slot of the editor, which makes the picture depend on it; the original
            trains the head and throws it away.
        language_dropout: Whether the frozen language model drops out in training, as the original's does.
        answerer: Name of the BLIP-2, for the saved settings.
        answerer_revision: Its revision.
    """

    wired: bool = False
    language_dropout: bool = False
    answerer: str = ""
    answerer_revision: str | None = None


class AdapterData:
    """Batches of questions with their answers.

    Args:
        samples: The data set.
        reader: Tokenizer and sizes of the answerer.
        features: Sample to its causal features.
        batch: Samples of a batch.
        seed: Of order and draws.
    """

    def __init__(
        self,
        samples: Sequence[VqaiSample],
        reader: LatentReader,
        features: Mapping[str, Tensor],
        batch: int,
        seed: int,
    ) -> None:
        self.samples, self._reader, self._features = samples, reader, features
        self._batch, self._seed = batch, seed
        self._names = list(features)
        self._queries = int(reader.blip2.config.num_query_tokens)
        self._orders: dict[Place, EpochOrder] = {}
        if len(self._names) < OTHERS:
            logger.warning(
                "%d samples have causal features; the contrast needs %d and is left out", len(self._names), OTHERS
            )

    def __call__(self, number: int, place: Place) -> AdapterBatch:
        """The batch of a backward pass."""
        order = self._orders.get(place)
        if order is None:
            kinds = [None] * len(self.samples)
            order = self._orders[place] = EpochOrder(kinds, self._batch, self._seed, place.rank, place.world)
        generator = generator_of(self._seed, place, number)
        return self.batch_of([self.samples[i] for i in order(number)], generator)

    def batch_of(self, samples: Sequence[VqaiSample], generator: torch.Generator) -> AdapterBatch:
        """The batch of some samples, with draws of a generator."""
        reader, rng = self._reader, random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        questions = [clean_question(sample.question) for sample in samples]
        told = [target_sentence(sample.answer) for sample in samples]
        ids, mask = tokenize(reader.tokenizer, questions, QUESTION_TOKENS)
        answers = reader.tokenizer(
            [text for text, _ in told], padding=True, truncation=True, max_length=ANSWER_TOKENS, return_tensors="pt"
        )
        rows = [self._rows(sample.name, rng) for sample in samples]
        images = [open_picture(sample.before) for sample in samples]
        return AdapterBatch(
            pixel_values=question_pixels(images, reader.side),
            question_ids=ids,
            question_mask=mask,
            ends=tuple(
                last_question_position(
                    min(reader.num_tokens(text), TEXT_TOKENS), self._queries, self._queries + ids.shape[1]
                )
                for text in questions
            ),
            answer_ids=answers.input_ids,
            answer_mask=answers.attention_mask,
            answer_weights=torch.tensor([float(weight) for _, weight in told]),
            rows=joined([own for own, _ in rows]),
            positives=tuple(count for _, count in rows),
            u_code=torch.rand(len(samples), generator=generator),
        )

    def _rows(self, name: str, rng: random.Random) -> tuple[Tensor, int]:
        if len(self._names) < OTHERS:
            return torch.zeros(1, self._reader.blip2.language_model.config.d_model), 0
        return causal_rows(name, self._features, draw_others(rng, self._names))


def open_picture(path: Path) -> Image.Image:
    """A picture of a data set, RGB.

    Raises:
        InputError: If it is no picture.
    """
    return decode(path.read_bytes(), path.name)


def train_adapter(
    samples: Sequence[VqaiSample],
    reader: LatentReader,
    plan: TrainingPlan,
    settings: AdapterSettings,
    features: Mapping[str, Tensor] | None = None,
) -> None:
    """Train the adapter and write it into `plan.out_dir`: `qformer_delta.safetensors`, `null_context.safetensors`, `lgd.json`.

    Args:
        samples: The data set.
        reader: The answerer; its adapter is trained in place.
        plan: Where and how long.
        settings: What is trained.
        features: Causal features; None makes them of the answers and keeps them in the folder.
    """
    plan.out_dir.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    if features is None:
        features = causal_features(reader, {sample.name: sample.answer for sample in samples})
        if features:
            save_features(plan.out_dir / FEATURES, features)
    width = int(reader.blip2.language_model.config.d_model)
    null = reader.sentences([""]).float()
    step = AdapterStep(reader.blip2, nn.Linear(width, width), null, language_dropout=settings.language_dropout)
    data = AdapterData(samples, reader, features, plan.batch, plan.seed)
    described = LgdSettings(
        width=width,
        context_width=width,
        wired=settings.wired,
        side=reader.side,
        answerer=settings.answerer,
        answerer_revision=settings.answerer_revision,
        training={
            "stage": "adapter",
            "steps": plan.steps,
            "batch": plan.batch * plan.rounds,
            "rate": plan.learning_rate,
        },
    )

    def save(_averaged: Mapping[str, Tensor]) -> None:
        save_adapter(plan.out_dir, step.adapter_weights(), step.head)
        save_null(plan.out_dir, null.cpu())
        write_settings(plan.out_dir, described)

    fit(step, data, plan, save=save, averaged=False)
