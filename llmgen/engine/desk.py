"""Where the driver of a stage listens to several sides at once: records that come in, and workers that tell what they have done."""

import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final

from llmgen.artifacts import Record
from llmgen.engine.crew import Told

_NUMBER: Final = re.compile(r"(?<![\w.'-])\d+(?![\w.'-])")


class Desk:
    """Hands on the records that come in, and meanwhile what workers tell: neither waits for the other.

    Args:
        coming: Records in their order; read by a thread.
        most: Records that are read before somebody takes them.
        hear: Told what workers tell, in the thread that takes the records.
    """

    def __init__(self, coming: Iterator[Record], most: int, hear: Callable[[Told], None]) -> None:
        self._coming, self._hear = coming, hear
        self.events: queue.SimpleQueue[Record | BaseException | Told | None] = queue.SimpleQueue()
        """What came: a record, what reading them ended with, or what a worker told; None at the end of the records."""
        self._here: deque[Record | BaseException | None] = deque()
        self._room = threading.Semaphore(most)
        self._over = False

    def __enter__(self) -> "Desk":
        """Begin to read."""
        # A daemon does not keep the process when somebody presses Ctrl-C while it waits for records.
        threading.Thread(target=self._read, name="llmgen-reader", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read no further."""
        self._over = True
        self._room.release()

    def records(self) -> Iterator[Record | None]:
        """The records, and None where only a worker has told something; what came of reading is raised in its turn."""
        while True:
            while not self._here:
                self.wait()
                if not self._here:
                    yield None
            record = self._here.popleft()
            if record is None:
                return
            if isinstance(record, BaseException):
                raise record
            self._room.release()
            yield record

    def wait(self) -> None:
        """Wait until something comes."""
        self._take(self.events.get())

    def drain(self) -> None:
        """Take in what has come, and wait for nothing."""
        while not self.events.empty():
            self._take(self.events.get())

    def _take(self, event: Record | BaseException | Told | None) -> None:
        if isinstance(event, Told):
            self._hear(event)
        else:
            self._here.append(event)

    def _read(self) -> None:
        try:
            while self._room.acquire() and not self._over and (record := next(self._coming, None)) is not None:
                self.events.put(record)
            self.events.put(None)
        except BaseException as error:  # the thread that takes the records is the one to be told
            self.events.put(error)


def summed(remarks: Iterable[str]) -> str:
    """One remark for several workers: where theirs differ in whole numbers only, those are summed up."""
    groups: dict[str, list[list[int]]] = {}
    for text in remarks:
        groups.setdefault(_NUMBER.sub("\0", text), []).append([int(number) for number in _NUMBER.findall(text)])
    said = []
    for form, counts in groups.items():
        sums = iter([sum(column) for column in zip(*counts, strict=True)])
        said.append("".join(part if part != "\0" else str(next(sums)) for part in re.split("(\0)", form)))
    return ", ".join(said)
