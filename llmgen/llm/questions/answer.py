"""What answers a question about a picture, in words that a picture editor can follow?"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from llmgen.errors import ModelError
from llmgen.llm.planning.answering import answer_question
from llmgen.llm.planning.seen import SeenPicture
from llmgen.llm.questions.bounds import bounded_schema
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.questions.question import Question, one_line
from llmgen.llm.replies.bounds import Remark, log_remark
from llmgen.llm.replies.extract import find_json
from llmgen.llm.schemas import PictureAnswer

_KEYS: Final = ("reasoning", "answer", "edit_instruction")
MOST_LETTERS: Final = 300
"""Of answer and instruction: CLIP reads 77 tokens of them."""


@dataclass(frozen=True)
class AnswerQuestion(Question[PictureAnswer]):
    """Answers a causal question about a picture.

    Attributes:
        subject: The question.
        seed: Chooses among equally good answers.
        pictures: The picture.
        seen: What a detector found in it, for who cannot see.
    """

    name: ClassVar[str] = "answer"
    about: ClassVar[tuple[Literal["prompt", "instruction"], ...]] = ("instruction",)
    repeatable: ClassVar[bool] = False

    subject: str
    seed: int
    pictures: tuple[Picture, ...] = ()
    seen: SeenPicture | None = None

    @property
    def text(self) -> str:
        """The question, and what was found."""
        lines = [f"Question: {one_line(self.subject)}"]
        return "\n".join((*lines, self.seen.line) if self.seen is not None else lines)

    def schema(self) -> dict[str, Any]:
        """Of a `PictureAnswer`."""
        return bounded_schema(PictureAnswer)

    def read(self, text: str, remark: Remark = log_remark) -> PictureAnswer:
        """One JSON object; a missing instruction is the answer, and the other way round."""
        found = find_json(text, _KEYS)
        if found is None:
            raise ModelError("the reply holds no JSON object; answer with one, and with nothing else")
        values = {key: one_line(found[key]) for key in _KEYS if isinstance(found.get(key), str)}
        for key in sorted(found.keys() - set(_KEYS)):
            remark(f"the answer has the unknown key {key[:40]!r}; it is not read")
        said = values.get("edit_instruction") or values.get("answer")
        if not said:
            raise ModelError("neither `answer` nor `edit_instruction` says anything; give both, in one sentence each")
        for key in ("answer", "edit_instruction"):
            if not values.get(key):
                remark(f"the answer has no {key!r}; the other sentence stands in for it")
                values[key] = said
            if len(values[key]) > MOST_LETTERS:
                remark(f"{key!r} of the answer has {len(values[key])} letters; all beyond {MOST_LETTERS} are left out")
                values[key] = values[key][:MOST_LETTERS]
        return PictureAnswer(**{"reasoning": "", **values})

    def by_rules(self, remark: Remark = log_remark) -> tuple[PictureAnswer, str]:
        """By a table of causes and what the detector found."""
        effect = answer_question(self.subject, self.seen)
        made = PictureAnswer(reasoning=effect.reasoning, answer=effect.answer, edit_instruction=effect.instruction)
        return made, made.model_dump_json()
