"""What was answered in this run: nothing is asked twice, whatever becomes of the batch that it was asked in."""

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from llmgen.errors import LlmgenError
from llmgen.llm.providers.provider import Answer, Provider
from llmgen.llm.providers.relay import Relay
from llmgen.llm.questions.question import Question

T = TypeVar("T")
_MOST: Final = 4096
"""Answers in mind; a batch is far smaller, and a run may be endless."""


class Remembering(Relay):
    """Gives an equal question the same answer, or fails it for the same reason.

    A batch in which one record fails is run again, record by record. What failed once is not asked for once more: it would cost
    as much and fail again. Who asks while the same question is on its way waits for that answer.
    """

    def __init__(self, other: Provider) -> None:
        """Nothing is asked yet.

        Args:
            other: Who is asked what was not asked before.
        """
        super().__init__(lambda: other)
        self._known: OrderedDict[str, Future[Answer[Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, question: Question[T]) -> Answer[T]:
        """See `Provider.ask`."""
        with self._lock:
            known = self._known.get(question.identity)
            if known is None:
                mine = self._known[question.identity] = Future()
                if len(self._known) > _MOST:
                    self._known.popitem(last=False)
        if known is None:
            known = self._asked(question, mine)
        error = known.exception()
        if error is not None:
            raise error.with_traceback(None)
        return known.result()

    def _asked(self, question: Question[Any], answer: "Future[Answer[Any]]") -> "Future[Answer[Any]]":
        try:
            answer.set_result(self._other().ask(question))
        except LlmgenError as error:
            answer.set_exception(error)
        except BaseException as error:
            # A fault of ours or Ctrl-C: no answer, and whoever waits for it must not wait for ever.
            with self._lock:
                self._known.pop(question.identity, None)
            answer.set_exception(error)
            raise
        return answer
