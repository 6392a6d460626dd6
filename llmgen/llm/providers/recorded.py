"""What was said about a record before: replies that came with it answer instead of a planner."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from llmgen.artifacts import Record, Reply
from llmgen.llm.providers.provider import Answer, Provider
from llmgen.llm.providers.relay import Relay
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.llm.questions.question import Question

T = TypeVar("T")


def replies_in_wait(record: Record) -> tuple[Reply, ...]:
    """The replies that came with a record and still hold.

    What a prompt names stays what it is; but once a correction has run, what was said about the old picture is history.
    """
    corrected = any(made.stage == "correct" for made in record.provenance)
    return tuple(
        reply
        for reply in record.replies
        if reply.call == ParseQuestion.name or (reply.provider == "replay" and not corrected)
    )


class Recorded(Relay):
    """Gives a record's own replies where there are any, and asks another provider else.

    A suggestion of what should be where answers as often as it is asked for: it says what the picture should come to, and
    is compared anew with what is seen.
    """

    def __init__(self, replies: Sequence[Reply], other: Callable[[], Provider]) -> None:
        """Nothing is asked yet.

        Args:
            replies: Those of one record.
            other: Gives the provider that is asked for what they do not answer.
        """
        super().__init__(other)
        self._replies = replies

    def ask(self, question: Question[T]) -> Answer[T]:
        """See `Provider.ask`."""
        for name in (question.name, *question.like):
            for reply in self._replies:
                if reply.call == name:
                    return Answer.read_from(question, reply)
        return self._other().ask(question)
