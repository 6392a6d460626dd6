"""A provider as one of several stages has it that ask at the same time: what its questions cost is told apart."""

from typing import TypeVar

from llmgen.llm.providers.ledger import Ledger
from llmgen.llm.providers.provider import Answer, Provider
from llmgen.llm.providers.relay import Relay
from llmgen.llm.questions.question import Question

T = TypeVar("T")


class Paying(Relay):
    """Asks another provider, and has the ledger write down for whom.

    Args:
        other: Who answers.
        ledger: Of the run.
        payer: Name of the stage.
    """

    def __init__(self, other: Provider, ledger: Ledger, payer: str) -> None:
        super().__init__(lambda: other)
        self._ledger, self._payer = ledger, payer

    def ask(self, question: Question[T]) -> Answer[T]:
        """See `Provider.ask`."""
        with self._ledger.paid_by(self._payer):
            return self._other().ask(question)
