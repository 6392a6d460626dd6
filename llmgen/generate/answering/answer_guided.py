"""The second baseline: somebody answers the question in words, and the answer is the instruction of a picture editor.

Who answers: the planner, who sees the picture where he can and is told what the detector finds in it, or BLIP-2.

Source: Latent-Guided Diffusion (Li et al., AAAI 2024), the baseline AGD; the editor is InstructPix2Pix (Brooks et al. 2023).
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from PIL import Image

from llmgen.artifacts import ModelUse, Record, Reply
from llmgen.diffusion.answering.sampling import ANCESTRAL
from llmgen.engine.seeds import derive_seed
from llmgen.errors import ModelError
from llmgen.generate.answering.answered import AnsweredConfig, AnsweredGenerate, Condition, worded
from llmgen.generate.answering.looking import PictureReader
from llmgen.generate.answering.spoken import spoken_reply
from llmgen.llm.questions.answer import AnswerQuestion
from llmgen.llm.questions.pictures import Picture

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class AnswerGuidedConfig(AnsweredConfig):
    """Settings of `generate answer-guided`."""

    answer_by: Literal["planner", "answerer"] = "planner"
    """Who answers: the planner, in a form that has an instruction for the editor, or BLIP-2 in its own words."""
    say: Literal["edit_instruction", "answer"] = "edit_instruction"
    """Which sentence of the planner's answer the editor is given: the order, or what is different afterwards."""
    look: bool = True
    """Tell the planner what the detector finds in the picture; rules see nothing else."""


class AnswerGuided(AnsweredGenerate):
    """Answer questions about pictures by an editor that is given an answer in words."""

    name: ClassVar[str] = "answer-guided"
    Config = AnswerGuidedConfig
    _config: AnswerGuidedConfig

    def __init__(self, context: "StageContext", config: AnswerGuidedConfig) -> None:
        super().__init__(context, config, context.models.picture_editor())
        self._text = context.models.text("edit")
        spoken, looks = config.answer_by == "answerer", config.answer_by == "planner" and config.look
        self._answerer = context.models.answerer() if spoken else None
        self._looking = PictureReader(context) if looks else None

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use."""
        models = self._context.models
        roles = [*(["answerer"] if self._answerer else []), *(["detector"] if self._looking else [])]
        return (models.use("edit", ANCESTRAL), *map(models.use, roles))

    def condition(self, record: Record, picture: Image.Image) -> Condition:
        """The answer's instruction, or the answer itself where BLIP-2 gave it."""
        question = record.instruction or ""
        instruction, reply, remarks = self._answered(record, question, picture)
        if not instruction:
            raise ModelError(f"the answer to {question!r} is empty, so there is nothing to draw; ask another answerer")
        remarks += worded(instruction, self._text.tokenizer.model_max_length, self._text.num_tokens, "answer")
        return Condition(self._text.hidden([instruction]), self._text.hidden([""]), (reply,), remarks)

    def _answered(self, record: Record, question: str, picture: Image.Image) -> tuple[str, Reply, tuple[str, ...]]:
        if self._answerer is not None:
            remarks = worded(question, self._answerer.question_tokens, self._answerer.num_tokens, "question")
            (answer,) = self._answerer.answers([picture], [question])
            return answer, spoken_reply(answer, self._context.models.use("answerer")), remarks
        seen = None
        if self._looking is not None:
            seen = self._looking.look(self._context.images.refer(record.source_image or ""), picture, question)
        seed = derive_seed(self._context.seed, f"{record.source_image}\0{question}")
        asked = self._context.planner.ask(AnswerQuestion(question, seed, (Picture(picture),), seen))
        return getattr(asked.value, self._config.say), asked.reply, asked.remarks
