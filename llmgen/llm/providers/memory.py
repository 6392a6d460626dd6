"""What was answered in this run: nothing is asked twice, whatever becomes of the batch that it was asked in."""

from collections import OrderedDict
from typing import Any, Final, TypeVar

from llmgen.errors import LlmgenError
from llmgen.llm.providers.provider import Answer, Provider
from llmgen.llm.questions.question import Question

T = TypeVar("T")
_MOST: Final = 4096
"""Answers in mind; a batch is far smaller, and a run may be endless."""


class Remembering:
    """Gives an equal question the same answer, or fails it for the same reason.

    A batch in which one record fails is run again, record by record. What failed once is not asked for once more: it would cost
    as much and fail again.
    """

    def __init__(self, other: Provider) -> None:
        """Nothing is asked yet.

        Args:
            other: Who is asked what was not asked before.
        """
        self._other = other
        self._known: OrderedDict[str, Answer[Any] | LlmgenError] = OrderedDict()

    @property
    def provider(self) -> str:
        """That of the other provider."""
        return self._other.provider

    @property
    def model(self) -> str | None:
        """That of the other provider."""
        return self._other.model

    def ask(self, question: Question[T]) -> Answer[T]:
        """See `Provider.ask`."""
        known = self._known.get(question.identity)
        if known is None:
            try:
                known = self._other.ask(question)
            except LlmgenError as error:
                known = error
            self._known[question.identity] = known
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        if isinstance(known, LlmgenError):
            raise known.with_traceback(None)
        return known
