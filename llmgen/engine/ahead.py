"""Questions that are asked while earlier records are at work: a slow server answers many as fast as one.

The records themselves are grown one after the other as ever; their questions have been answered by then, since a provider gives
an equal question the answer that it gave before. So nothing of what comes out depends on how many are asked at once.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final

from llmgen.artifacts import Record
from llmgen.errors import LlmgenError, MissingRequirementError

logger = logging.getLogger(__name__)

_WINDOW: Final = 16
"""Records ahead of the one at work, for each that is asked for at once: bounds what waits in memory."""


class AskingAhead:
    """Lets a method ask about records before their turn has come.

    Args:
        ask: Asks what there is to ask about a record. What it raises is raised again in the record's own turn.
        records: In the order of their turns.
        at_once: How many are asked about at the same time; with one, nothing is asked ahead.
    """

    def __init__(self, ask: Callable[[Record], object], records: Iterable[Record], at_once: int) -> None:
        self._ask, self._at_once = ask, at_once
        self._coming: Iterator[Record] = iter(records)
        self._lock = threading.Lock()
        self._room = threading.Semaphore(_WINDOW * at_once)
        self._over = threading.Event()

    def __enter__(self) -> "AskingAhead":
        """Begin."""
        for number in range(self._at_once if self._at_once > 1 else 0):
            # A daemon does not keep the process when somebody presses Ctrl-C while a server takes its time.
            threading.Thread(target=self._work, name=f"llmgen-ahead-{number}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask about no further record."""
        self._over.set()
        self._room.release(self._at_once)

    def finished(self, count: int) -> None:
        """Some records have had their turn."""
        if count:
            self._room.release(count)

    def _work(self) -> None:
        while self._room.acquire() and not self._over.is_set():
            with self._lock:
                record = next(self._coming, None)
            if record is None:
                return
            try:
                self._ask(record)
            except MissingRequirementError:
                # Nobody is there to ask. The record's own turn says so.
                self._over.set()
            except Exception as error:
                # This is the end of a thread, where nobody could catch it: the record's own turn meets it again, bugs included.
                known = isinstance(error, LlmgenError)
                logger.debug("asked ahead of record %r: %s", record.id, error, exc_info=None if known else error)
