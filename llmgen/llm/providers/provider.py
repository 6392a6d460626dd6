"""The contract of whoever answers questions: rules, a model behind a server, recorded replies."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from llmgen.artifacts import Reply
from llmgen.artifacts.files import near_names
from llmgen.errors import InputError
from llmgen.llm.providers.ledger import Ledger
from llmgen.registry import unknown

if TYPE_CHECKING:  # with questions comes the grammar, which most stages never need
    from llmgen.llm.questions.question import Question

T = TypeVar("T")
PROVIDERS = ("rules", "openai", "replay:FILE")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a question came to."""

    value: T
    """The reply as the question reads it."""
    reply: Reply
    """The reply itself, verbatim."""
    remarks: tuple[str, ...] = ()
    """What was mended, cut, ignored or not understood, a line each."""

    @classmethod
    def read_from(cls, question: "Question[T]", reply: Reply) -> "Answer[T]":
        """Read a reply.

        Raises:
            ModelError: If nothing usable is in it.
        """
        remarks: list[str] = []
        return cls(question.read(reply.text, remarks.append), reply, tuple(dict.fromkeys(remarks)))


class Provider(Protocol):
    """Answers questions of any kind. Planner and critic of a run are providers."""

    @property
    def provider(self) -> str:
        """`rules`, `openai` or `replay`."""
        ...

    @property
    def model(self) -> str | None:
        """The model's name, None where there is none."""
        ...

    @property
    def at_once(self) -> int:
        """How many questions are answered faster together than one after the other; 1 where it makes no difference."""
        ...

    def ask(self, question: "Question[T]") -> Answer[T]:
        """Answer a question. May be called by several threads where `at_once` is more than one.

        Raises:
            InputError: If it is beyond whoever answers, for example objects that cannot be placed.
            ModelError: If no usable reply came.
            MissingRequirementError: If key, server or a model are missing.
        """
        ...


def load_provider(
    name: str, *, role: str = "planner", at_once: int | None = None, ledger: Ledger | None = None
) -> Provider:
    """Make a provider.

    Args:
        name: `rules`, `openai`, or `replay:` and the path of a file with recorded replies.
        role: `planner` or `critic`, for messages.
        at_once: How many questions a server is asked at the same time; its own measure by default.
        ledger: Where tokens are written down, and the budget for them.

    Raises:
        UnknownNameError: If there is none of that name.
        InputError: If the file of recorded replies cannot be read.
        MissingRequirementError: If the provider misses its key.
    """
    check_provider(name, role=role)
    kind, _, rest = name.partition(":")
    if kind == "rules":
        from llmgen.llm.providers.rules import Rules

        return Rules()
    if kind == "openai":
        from llmgen.llm.providers.memory import Remembering
        from llmgen.llm.providers.openai import OpenAI

        return Remembering(OpenAI(at_once=at_once, ledger=ledger))
    from llmgen.llm.providers.replay import Replay

    return Replay(rest)


def check_provider(name: str, *, role: str) -> None:
    """Refuse, before any work, a name that no provider has, and a file of replies that is not there.

    Raises:
        UnknownNameError: If there is none of that name.
        InputError: If there are no recorded replies of that name.
    """
    kind, _, rest = name.partition(":")
    if kind != "replay" and (rest or kind not in PROVIDERS):
        raise unknown(role, name, PROVIDERS)
    if kind == "replay" and not rest:
        raise InputError(f"{role} 'replay' needs a file: replay:replies.jsonl")
    if kind != "replay":
        return
    try:
        os.stat(rest)
    except (OSError, ValueError) as error:  # One that is longer than a name can be, or holds a NUL, too.
        reason = getattr(error, "strerror", None) or str(error)
        near = near_names(Path(rest)) if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"cannot read the recorded replies {rest[-200:]}: {reason}{near}") from error
