"""The first baseline: the question itself is the instruction of a picture editor.

Source: Latent-Guided Diffusion (Li et al., AAAI 2024), the baseline QGD; the editor is InstructPix2Pix (Brooks et al. 2023).
"""

from typing import TYPE_CHECKING, ClassVar

from PIL import Image

from llmgen.artifacts import ModelUse, Record
from llmgen.diffusion.answering.sampling import ANCESTRAL
from llmgen.generate.answering.answered import AnsweredConfig, AnsweredGenerate, Condition, worded

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class QuestionGuidedConfig(AnsweredConfig):
    """Settings of `generate question-guided`."""


class QuestionGuided(AnsweredGenerate):
    """Answer questions about pictures by an editor that is given the question."""

    name: ClassVar[str] = "question-guided"
    Config = QuestionGuidedConfig

    def __init__(self, context: "StageContext", config: QuestionGuidedConfig) -> None:
        super().__init__(context, config, context.models.picture_editor())
        self._text = context.models.text("edit")

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The model in use."""
        return (self._context.models.use("edit", ANCESTRAL),)

    def condition(self, record: Record, picture: Image.Image) -> Condition:
        """The question, untouched."""
        question = record.instruction or ""
        limit = self._text.tokenizer.model_max_length
        remarks = worded(question, limit, self._text.num_tokens, "question")
        return Condition(self._text.hidden([question]), self._text.hidden([""]), remarks=remarks)
