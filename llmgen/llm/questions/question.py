"""What one question to a language model is. Every other file of this folder holds one.

A new question is a frozen data class here and no line elsewhere: providers know this contract only.
"""

import functools
import hashlib
import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

from llmgen.errors import InputError, MissingRequirementError
from llmgen.llm.english.grammar import PromptMeaning, read_prompt
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.replies.bounds import Remark, log_remark

T = TypeVar("T")
MOST_PICTURES: Final = 8
"""In one question."""
_EMPTY: Final = {
    "prompt": "the prompt is empty; say what the picture should show",
    "instruction": "the instruction is empty; begin with a verb and say what should change",
}


class Question(ABC, Generic[T]):
    """One question: what is sent, how the reply is read and checked, and what the rules answer.

    `T` is what a reply is read as. Questions do not change; equal ones have equal answers wherever a provider can see to it.
    """

    name: ClassVar[str]
    """What `Reply.call` holds: lower-case letters, digits and underscores."""
    about: ClassVar[tuple[Literal["prompt", "instruction"], ...]] = ("prompt",)
    """Which of a record's texts `subject` may be. Recorded replies are found by it."""
    like: ClassVar[tuple[str, ...]] = ()
    """Other questions whose recorded replies will do where there are none to this one: they have the same form."""
    repeatable: ClassVar[bool] = True
    """Whether one recorded reply may answer several questions about one subject: a plan for a prompt may, a comparison
    with one picture may not."""
    reasks: ClassVar[int] = 2
    """How often a server is asked again after an answer of no use; at most twice, three requests being the limit of all questions."""
    subject: str
    """The prompt or the instruction that it is about."""
    seed: int
    """Chooses among equally good answers."""
    pictures: tuple[Picture, ...] = ()
    """What is shown with the question, to models that see."""

    @property
    def prompt(self) -> "Prompt":
        """What the model is told before: its task, the form of the answer, examples. `<name>.txt` beside the question's file."""
        return package_prompt(self.name)

    @property
    @abstractmethod
    def text(self) -> str:
        """The question itself."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the answer, fit for constrained decoding: every key required, nothing unknown."""

    @abstractmethod
    def read(self, text: str, remark: Remark = log_remark) -> T:
        """Read and check a reply.

        Args:
            text: The reply, verbatim.
            remark: Told of all that was mended, cut or ignored, a line each.

        Raises:
            ModelError: If nothing usable is in it; the message says what is wrong, fit to be sent back.
        """

    def by_rules(self, remark: Remark = log_remark) -> tuple[T, str]:
        """The answer without a model, and the reply that says it in the question's own form.

        Args:
            remark: Told of all that was not understood, a line each.

        Raises:
            InputError: If it is beyond the rules.
            MissingRequirementError: If this question needs a model.
        """
        raise MissingRequirementError(
            f"no rule answers the question {self.name!r}; ask a model: --planner openai, or replay:FILE"
        )

    @functools.cached_property
    def identity(self) -> str:
        """Digest of all that is asked; questions that differ in anything differ here."""
        pictures = [picture.sha256 for picture in self.pictures]
        asked = [self.name, self.prompt.system, self.prompt.examples, self.text, self.seed, self.schema(), pictures]
        return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()

    def __post_init__(self) -> None:
        """Refuse what cannot be asked.

        Raises:
            InputError: If the subject is empty, or there are too many pictures.
        """
        if not self.subject.strip():
            raise InputError(_EMPTY[self.about[0]])
        if len(self.pictures) > MOST_PICTURES:
            raise InputError(f"{len(self.pictures)} pictures in one question; at most {MOST_PICTURES} can be shown")


@dataclass(frozen=True)
class Prompt:
    """What goes before every question of a kind."""

    system: str
    """The task and the form of the answer."""
    examples: tuple[tuple[str, str], ...] = ()
    """Questions and their answers, sent as turns of the chat: small models follow what they seem to have said before."""


@functools.cache
def package_prompt(name: str) -> Prompt:
    """The prompt in a file beside the questions: the task, then examples after lines `=== question` and `=== answer`."""
    text = (files("llmgen.llm.questions") / f"{name}.txt").read_text(encoding="utf-8")
    system, *turns = (part.strip() for part in re.split(r"^=== (?:question|answer)$", text, flags=re.MULTILINE))
    return Prompt(system, tuple(zip(turns[::2], turns[1::2], strict=True)))


def one_line(text: str) -> str:
    """A text of the user's in one line."""
    return " ".join(text.split())


def understood(prompt: str, remark: Remark) -> PromptMeaning:
    """What a prompt means to the grammar; what it does not understand it says to `remark`."""
    meaning = read_prompt(prompt)
    for line in meaning.remarks:
        remark(line)
    return meaning
