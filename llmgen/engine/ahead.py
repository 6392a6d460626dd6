"""Questions that are asked while earlier records are at work: a slow server answers many as fast as one.

The records themselves are grown one after the other as ever; their questions have been answered by then, since a provider gives
an equal question the answer that it gave before. So nothing of what comes out depends on how many are asked at once.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final

from llmgen.artifacts import Record
from llmgen.errors import LlmgenError, MissingRequirementError

logger = logging.getLogger(__name__)

_WINDOW: Final = 16
"""Records ahead of the one at work, for each that is asked for at once: bounds what waits in memory."""


class AskingAhead:
    """Hands records on in their order, and lets a method ask about them before their turn has come.

    Args:
        ask: Asks what there is to ask about a record. What it raises is raised again in the record's own turn.
        wanted: Whether there is something to ask about a record.
        coming: Records in the order of their turns; read by a thread, as far ahead as the window reaches.
        at_once: How many are asked about at the same time.
    """

    def __init__(
        self,
        ask: Callable[[Record], object],
        wanted: Callable[[Record], bool],
        coming: Iterator[Record],
        at_once: int,
    ) -> None:
        self._ask, self._wanted, self._coming, self._at_once = ask, wanted, coming, at_once
        self._turns: queue.SimpleQueue[Record | BaseException | None] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_WINDOW * at_once)
        self._over = threading.Event()
        self._nobody_there = threading.Event()

    def __enter__(self) -> "AskingAhead":
        """Begin."""
        # A daemon does not keep the process when somebody presses Ctrl-C while a server takes its time.
        threading.Thread(target=self._read, name="llmgen-ahead-reader", daemon=True).start()
        for number in range(self._at_once):
            threading.Thread(target=self._work, name=f"llmgen-ahead-{number}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask about no further record."""
        self._over.set()
        self._room.release()
        for _ in range(self._at_once):
            self._asked.put(None)

    def about(self, records: Sequence[Record]) -> None:
        """Ask about records whose turn it is."""
        for record in records:
            self._asked.put(record)

    def __iter__(self) -> Iterator[Record]:
        """The records; what came of reading them is raised in its turn."""
        while (record := self._turns.get()) is not None:
            if isinstance(record, BaseException):
                raise record
            self._room.release()
            yield record

    def _read(self) -> None:
        try:
            while self._room.acquire() and not self._over.is_set() and (record := next(self._coming, None)) is not None:
                self._turns.put(record)
                if self._wanted(record):
                    self._asked.put(record)
            self._turns.put(None)
        except BaseException as error:  # the thread at work is the one to be told
            self._turns.put(error)

    def _work(self) -> None:
        while (record := self._asked.get()) is not None and not self._over.is_set():
            if self._nobody_there.is_set():
                continue
            try:
                self._ask(record)
            except MissingRequirementError:
                self._nobody_there.set()  # the record's own turn says so
            except Exception as error:
                # This is the end of a thread, where nobody could catch it: the record's own turn meets it again, bugs included.
                known = isinstance(error, LlmgenError)
                logger.debug("asked ahead of record %r: %s", record.id, error, exc_info=None if known else error)
