"""Recipe of the text encoder: a small `CLIPTextModel`, taught to keep what a caption says before the U-Net sees it.

A randomly initialised encoder gives nearly equal embeddings for all captions, and a small denoiser never recovers
from that. Two minutes of supervised training do: every noun token answers which thing in which colour and number it
names and how it lies to the other, and the pooled state answers for the whole caption.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.tokenizer import MAX_LENGTH, build_tokenizer
from llmgen.toybox.recipes.growth import grow_from, read_weights, rows_by_token
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.shipping import tidy
from llmgen.toybox.world.captions import sample_caption, sample_vague_caption
from llmgen.toybox.world.scenes import Scene, sample_scene
from llmgen.toybox.world.truth import OPPOSITES, Demand, Relation, Truth
from llmgen.toybox.world.vocabulary import (
    BACKGROUND_PHRASES,
    BACKGROUNDS,
    COLORS,
    MOODS,
    NOUNS,
    PART_STATES,
    PATTERNS,
    PLACE_PHRASES,
    PLURALS,
    STANDING,
    VERBS,
    object_phrase,
)
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson, replace_files, save_staged
from llmgen.training.loop import FitSettings

WIDTH: Final = 128
_COLOR_NAMES: Final[tuple[str | None, ...]] = (None, *COLORS)
_RELATIONS: Final[tuple[Relation | None, ...]] = (None, "left", "right", "above", "below")
_COUNTS: Final = 5
_IGNORED: Final = -100
_QUESTIONS: Final[dict[str, tuple[object, ...]]] = {
    "noun": NOUNS,
    "color": _COLOR_NAMES,
    "count": tuple(range(_COUNTS)),
    "relation": _RELATIONS,
    "pattern": (None, *PATTERNS),
    "mood": (None, *MOODS),
    "verb": (None, STANDING, *VERBS),
    "suffers": (None, *VERBS),
    **{part: (None, *states) for part, states in PART_STATES.items()},
}
"""What every noun of a caption is asked, and the answers; "suffers" is the verb that somebody does to it."""
_OF_PHRASES: Final = ("noun", "color", "pattern", "mood", "verb", *PART_STATES)
"""What the pooled state of a phrase is asked."""
_PLACES: Final = {name: (*BACKGROUND_PHRASES[name], *PLACE_PHRASES[name]) for name in BACKGROUNDS}


@dataclass(frozen=True)
class TextRecipe(Recipe):
    """Everything that shapes the training of the text encoder.

    Attributes:
        batch: Captions a step.
        fit: Optimizer, schedule and rhythm.
        phrase_share: Share of the batch that names a single object, as grounding phrases do.
    """

    folder: ClassVar[str] = "text_to_image/text_encoder"
    minutes: ClassVar[float] = 4
    batch: int = 128
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            learning_rate=1.5e-3,
            decay_vectors=True,
            warmup_share=0.02,
            hold=0.02,
            ema_decay=0.995,
            checkpoint_every_s=60.0,
        )
    )
    phrase_share: float = 0.25

    def lesson(self, run: TrainingRun) -> "TextLesson":
        """See `Recipe.lesson`."""
        return TextLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> CLIPTextModel:
        """See `Recipe.load`."""
        exam = Exam(build_text_encoder(build_tokenizer()))
        exam.load_state_dict(load_averaged_weights(out_dir))
        return exam.encoder.eval()

    def ship(self, out_dir: Path, weights: Path = WEIGHTS) -> None:
        """See `Recipe.ship`; the tokenizer goes beside the encoder."""
        replace_files(out_dir / MODEL, weights / self.folder)
        save_staged(build_tokenizer().save_pretrained, (weights / self.folder).parent / "tokenizer")


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Make the text encoder with fresh weights.

    Args:
        tokenizer: Gives the size of the vocabulary and the special tokens.

    Returns:
        128 wide, three layers of four heads.
    """
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class Exam(nn.Module):
    """The encoder with the heads that question it; the heads are thrown away afterwards."""

    def __init__(self, encoder: CLIPTextModel) -> None:
        """Question an encoder.

        Args:
            encoder: Is trained.
        """
        super().__init__()
        self.encoder = encoder
        self.tokens = nn.Linear(WIDTH, sum(map(len, _QUESTIONS.values())))
        bag = len(NOUNS) * len(_COLOR_NAMES) * _COUNTS
        # One head of two layers, but phrases are also asked linearly, because grounding reads the pooled state so.
        self.pooled = nn.Sequential(nn.Linear(WIDTH, 256), nn.GELU(), nn.Linear(256, bag + len(BACKGROUNDS) + 1))
        self.linear = nn.Linear(WIDTH, sum(len(_QUESTIONS[name]) for name in _OF_PHRASES))


def _answers_of(truth: Truth, index: int | None, noun: str) -> list[int]:
    # What each question of `_QUESTIONS` is answered with for one noun of a caption; a denied noun counts zero.
    if index is None:
        given: dict[str, object] = {"noun": noun, "count": 0}
    else:
        demand = truth.demands[index]
        placed = [(p.relation, p.first) for p in truth.relations if p.first == index]
        placed += [(OPPOSITES[p.relation], p.second) for p in truth.relations if p.second == index]
        acts = [a.verb for a in truth.acts if a.second == index]
        given = {
            "noun": noun,
            "color": demand.color,
            "count": demand.count,
            "relation": placed[0][0] if placed else None,
            "pattern": demand.pattern,
            "mood": demand.mood,
            "verb": demand.verb,
            "suffers": acts[0] if acts else None,
            **dict(demand.states),
        }
    return [answers.index(given.get(name)) for name, answers in _QUESTIONS.items()]


@dataclass(slots=True)
class _Batch:
    ids: torch.Tensor
    tokens: torch.Tensor
    bag: torch.Tensor
    background: torch.Tensor
    phrase: torch.Tensor


def _sample_batch(rng: random.Random, tokenizer: CLIPTokenizer, noun_ids: dict[int, str], recipe: TextRecipe) -> _Batch:
    texts, answers, bags, backgrounds, phrases = [], [], [], [], []
    for _ in range(recipe.batch):
        scene = sample_scene(rng)
        phrase = [_IGNORED] * len(_OF_PHRASES)
        mentions: Sequence[int | None] = (0,)
        if rng.random() < recipe.phrase_share:
            demand = _phrase_demand(rng, scene)
            text = object_phrase(
                demand.noun,
                demand.color,
                demand.count,
                article=rng.random() < 0.7,
                pattern=demand.pattern,
                mood=demand.mood,
                states=demand.states,
                verb=demand.verb,
            )
            text = rng.choice(("", "", "", "image of ", "a picture of ")) + text
            truth: Truth | None = Truth((demand,))
            background = len(BACKGROUNDS)
            given = dict(zip(_QUESTIONS, _answers_of(Truth((demand,)), 0, demand.noun), strict=True))
            phrase = [given[name] for name in _OF_PHRASES]
        else:
            caption = sample_vague_caption(rng, scene) if rng.random() < 0.08 else sample_caption(rng, scene)
            text, truth, mentions = caption.text, caption.truth, caption.mentions
            named = [name for name, ways in _PLACES.items() if any(way in text for way in ways)]
            background = BACKGROUNDS.index(named[0]) if named else len(BACKGROUNDS)
        bag = [0] * (len(NOUNS) * len(_COLOR_NAMES))
        for demand in truth.demands if truth else ():
            place = NOUNS.index(demand.noun) * len(_COLOR_NAMES) + _COLOR_NAMES.index(demand.color)
            bag[place] = min(bag[place] + demand.count, _COUNTS - 1)
        texts.append(text)
        answers.append((truth, mentions))
        bags.append(bag)
        backgrounds.append(background)
        phrases.append(phrase)
    ids = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
    tokens = torch.full((*ids.shape, len(_QUESTIONS)), _IGNORED)
    for row, (truth, mentions) in enumerate(answers):
        if truth is None:
            continue
        places = [(i, noun_ids[token]) for i, token in enumerate(ids[row].tolist()) if token in noun_ids]
        # A caption of too many words is cut, and the nouns at its end with it.
        for (position, noun), index in zip(places, mentions, strict=False):
            tokens[row, position] = torch.tensor(_answers_of(truth, index, noun))
    return _Batch(ids, tokens, torch.tensor(bags), torch.tensor(backgrounds), torch.tensor(phrases))


def _phrase_demand(rng: random.Random, scene: Scene) -> Demand:
    # A phrase as a layout names its boxes: one object of a scene, or several of a plain kind.
    item = rng.choice(scene.objects)
    if rng.random() < 0.3:
        return Demand(item.noun, rng.choice(_COLOR_NAMES), rng.choice((1, 2, 3, 4)))
    said = [rng.random() < 0.85 for _ in range(5)]
    return Demand(
        item.noun,
        item.color if said[0] else None,
        1,
        pattern=item.pattern if said[1] and item.pattern != PATTERNS[0] else None,
        mood=item.mood if said[2] and item.mood != MOODS[0] else None,
        verb=item.verb if said[3] else None,
        states=item.states if said[4] else (),
    )


def _examine(exam: Exam, batch: _Batch) -> dict[str, torch.Tensor]:
    # The loss, and the share of right answers to each question.
    output = exam.encoder(batch.ids)
    states, pooled = output.last_hidden_state, output.pooler_output
    loss = states.new_zeros(())
    right: dict[str, torch.Tensor] = {}
    parts = exam.tokens(states).split([len(answers) for answers in _QUESTIONS.values()], dim=-1)
    for index, (name, logits) in enumerate(zip(_QUESTIONS, parts, strict=True)):
        target = batch.tokens[..., index]
        loss = loss + functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=_IGNORED)
        kept = target != _IGNORED
        right[name] = (logits.argmax(-1) == target)[kept].float().mean()
    bag_logits, background_logits = exam.pooled(pooled).split(
        [len(NOUNS) * len(_COLOR_NAMES) * _COUNTS, len(BACKGROUNDS) + 1], dim=-1
    )
    bag_logits = bag_logits.unflatten(-1, (-1, _COUNTS))
    # Most of the bag is empty, so its mean is small; the weight brings it level with the others.
    loss = loss + 20 * functional.cross_entropy(bag_logits.flatten(0, 1), batch.bag.flatten())
    loss = loss + functional.cross_entropy(background_logits, batch.background)
    right["bag"] = (bag_logits.argmax(-1) == batch.bag).all(-1).float().mean()
    right["background"] = (background_logits.argmax(-1) == batch.background).float().mean()
    sizes = [len(_QUESTIONS[name]) for name in _OF_PHRASES]
    for index, (name, logits) in enumerate(zip(_OF_PHRASES, exam.linear(pooled).split(sizes, dim=-1), strict=True)):
        target = batch.phrase[:, index]
        loss = loss + functional.cross_entropy(logits, target, ignore_index=_IGNORED)
        right[f"phrase/{name}"] = (logits.argmax(-1) == target)[target != _IGNORED].float().mean()
    return {"loss": loss, **right}


class TextLesson(Lesson[_Batch]):
    """The text encoder under examination."""

    def __init__(self, recipe: TextRecipe, run: TrainingRun) -> None:
        """Make the encoder.

        Args:
            recipe: Settings.
            run: Device, seed and start.
        """
        self._recipe, self._run = recipe, run
        self._tokenizer = build_tokenizer()
        self._noun_ids = {
            self._tokenizer.convert_tokens_to_ids(f"{word}</w>"): noun
            for noun in NOUNS
            for word in (noun, PLURALS[noun])
        }
        encoder = build_text_encoder(self._tokenizer)
        if run.start is not None:
            weights, old = read_weights(run.start), CLIPTokenizer.from_pretrained(run.start.parent / "tokenizer")
            rows = {"embeddings.token_embedding.weight": rows_by_token(self._tokenizer, old)}
            grow_from(encoder, weights, rows)
        self.module = self._exam = Exam(encoder).to(run.device)

    def draw(self, step: int) -> _Batch:
        """Captions with their answers."""
        return _sample_batch(random.Random(self._run.key(step)), self._tokenizer, self._noun_ids, self._recipe)

    def losses(self, batch: _Batch) -> dict[str, torch.Tensor]:
        """See `Lesson.losses`; besides the loss, the share of right answers to each question."""
        for name in _Batch.__slots__:
            setattr(batch, name, getattr(batch, name).to(self._run.device))
        # On a CPU these small products gain nothing from half precision.
        with self._run.autocast(enabled=not self._run.on_cpu):
            return _examine(self._exam, batch)

    def look(self, average: Mapping[str, torch.Tensor], ended: bool) -> None:
        """Save the encoder."""
        encoder = self._recipe.load(self._run.out_dir)

        def save(folder: Path) -> None:
            encoder.half().save_pretrained(folder)
            tidy(folder / "config.json")

        save_staged(save, self._run.out_dir / MODEL)
