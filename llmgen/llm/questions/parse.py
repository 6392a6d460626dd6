"""Which objects does a prompt want, or an instruction speak of? The answer is what `detect` looks for."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from llmgen.llm.english.instructions import read_instruction
from llmgen.llm.english.parsed_instruction import parsed_from_instruction
from llmgen.llm.questions.bounds import bounded_schema, most_things
from llmgen.llm.questions.question import Question, one_line, understood
from llmgen.llm.replies.bounds import Remark, log_remark
from llmgen.llm.replies.parse_reply import read_parse_reply
from llmgen.llm.replies.wire import parsed_from_meaning
from llmgen.llm.schemas import ParsedPrompt


@dataclass(frozen=True)
class ParseQuestion(Question[ParsedPrompt]):
    """Takes a text apart.

    Attributes:
        subject: What the picture should show, or what should change.
        instruction: Whether it is the latter.
    """

    name: ClassVar[str] = "parse"
    about: ClassVar[tuple[Literal["prompt", "instruction"], ...]] = ("prompt", "instruction")

    subject: str
    instruction: bool = False
    seed: int = field(default=0, init=False)

    @property
    def text(self) -> str:
        """The text, and which of the two it is."""
        return f"{'Instruction' if self.instruction else 'Description'}: {one_line(self.subject)}"

    def schema(self) -> dict[str, Any]:
        """Of a `ParsedPrompt`."""
        return bounded_schema(ParsedPrompt, items={"instances": most_things(self.subject)})

    def read(self, text: str, remark: Remark = log_remark) -> ParsedPrompt:
        """JSON, or SLD's text."""
        return read_parse_reply(text, remark=remark)

    def by_rules(self, remark: Remark = log_remark) -> tuple[ParsedPrompt, str]:
        """By grammar."""
        if self.instruction:
            parsed = parsed_from_instruction(read_instruction(self.subject))
        else:
            parsed = parsed_from_meaning(understood(self.subject, remark))
        return parsed, parsed.model_dump_json()
