"""Latent-Guided Diffusion: what a multimodal language model makes of picture and question guides the editor, not its words.

BLIP-2's language model encodes the question about the picture; two linear layers bring these states into the editor's cross-attention.

Source: Latent-Guided Diffusion (Li et al., AAAI 2024), https://github.com/IEIT-AGI/MIX-Shannon, image-answering. Differences: README.md.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from PIL import Image
from torch import Tensor

from llmgen.artifacts import ModelUse, Record, Reply
from llmgen.diffusion.answering.bridge import Slots, fill_slots
from llmgen.diffusion.answering.sampling import ANCESTRAL
from llmgen.diffusion.answering.wording import TEXT_TOKENS, clean_question, lost_words, question_at_evaluation
from llmgen.engine.stage import Profile
from llmgen.generate.answering.answered import (
    REFERENCE,
    REFERENCE_FREE,
    AnsweredConfig,
    AnsweredGenerate,
    Condition,
    worded,
)
from llmgen.generate.answering.spoken import spoken_reply

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class LgdGenerateConfig(AnsweredConfig):
    """Settings of `generate lgd`."""

    slots: Slots | None = None
    """What the condition holds: `feat` the states, `sent` BLIP-2's own answer in words, `both`; the model's own by default."""
    wording: Literal["model", "cleaned", "raw", "evaluation"] = "model"
    """How the question is put: as in the model's training; `cleaned`; `raw`; or `evaluation`, untouched and with the original's suffix."""
    say_answer: bool = False
    """Also have BLIP-2 say its answer in words, for people to read; `sent` and `both` need it anyway."""

    profiles: ClassVar[Mapping[str, Profile]] = {
        "reference": Profile({**REFERENCE, "slots": "feat", "wording": "evaluation"}, (*REFERENCE_FREE, "slots"))
    }


class LgdGenerate(AnsweredGenerate):
    """Answer questions about pictures by an answerer's states."""

    name: ClassVar[str] = "lgd"
    Config = LgdGenerateConfig
    _config: LgdGenerateConfig

    def __init__(self, context: "StageContext", config: LgdGenerateConfig) -> None:
        self._lgd, self._reader = context.models.latent_editor()
        super().__init__(context, config, self._lgd)
        null = self._lgd.null
        with torch.no_grad():
            self._null = self._lgd.bridge(null, null)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use."""
        role = self._context.preset.role("answer_to_image")
        base = ModelUse(role="answer_to_image base", source=role.base or "", revision=role.base_revision)
        return (self._context.models.use("answer_to_image", ANCESTRAL), base, self._context.models.use("answerer"))

    @torch.no_grad()
    def condition(self, record: Record, picture: Image.Image) -> Condition:
        """The states of the question about the picture, through the bridge."""
        config, reader, lgd = self._config, self._reader, self._lgd
        asked = record.instruction or ""
        question = self._worded(asked)
        remarks = worded(question, reader.question_tokens, reader.num_tokens, "question")
        if question == clean_question(asked) and lost_words(asked):
            remarks += (
                f"the question is longer than the model's training reads: its last {lost_words(asked)} words are cut off",
            )
        slots = config.slots or lgd.settings.slots
        latent = reader.latents([picture], [question])
        sentence: Tensor | None = None
        replies: tuple[Reply, ...] = ()
        if slots != "feat" or config.say_answer:
            (answer,) = reader.answers([picture], [question])
            replies = (spoken_reply(answer, self._context.models.use("answerer")),)
            if slots != "feat":
                remarks += worded(answer, TEXT_TOKENS, reader.num_tokens, "answer")
                sentence = reader.sentences([answer])
        return Condition(lgd.bridge(*fill_slots(slots, latent, sentence, lgd.null)), self._null, replies, remarks)

    def _worded(self, question: str) -> str:
        wording = self._config.wording
        if wording == "model":
            wording = self._lgd.settings.question
        if wording == "evaluation":
            return question_at_evaluation(question)
        return clean_question(question) if wording == "cleaned" else question
