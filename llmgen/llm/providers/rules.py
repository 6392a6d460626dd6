"""Answers without a model: each question says how. Deterministic in what is asked."""

from typing import TypeVar

from llmgen.artifacts import Reply
from llmgen.llm.providers.provider import Answer
from llmgen.llm.questions.question import Question

T = TypeVar("T")


class Rules:
    """Asks the question itself. Its replies have the same form as a model's, so they can be recorded and replayed."""

    provider = "rules"
    model: str | None = None
    at_once = 1

    def ask(self, question: Question[T]) -> Answer[T]:
        """See `Provider.ask`."""
        remarks: list[str] = []
        value, text = question.by_rules(remarks.append)
        return Answer(value, Reply(call=question.name, provider=self.provider, text=text), tuple(remarks))
