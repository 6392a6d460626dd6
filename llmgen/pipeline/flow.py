"""Stages that work at the same time, each in a thread: records go from one to the next as they are finished, in their order.

The language model plans one record while another is drawn. Between two stages wait no more than so many records; batches, and so
pictures, are those of stages that run one after the other. Where one stage cannot go on, or somebody presses Ctrl-C, all end as soon
as they can, and what they have finished is in their journals.
"""

import contextlib
import ctypes
import queue
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

from llmgen.artifacts import Record
from llmgen.engine.turns import Turns

T = TypeVar("T")

MOST_WAITING: Final = 256
"""Records between two stages: so far is a fast stage ahead of a slow one, which bounds memory and what a language model is paid early."""
_PATIENCE_S: Final = 1.0
"""How long the end of a run waits for its threads, so that they tidy up. One that waits for a server is left behind."""


class Stream:
    """Records on their way from one stage to another. One thread adds them, one takes them."""

    def __init__(self) -> None:
        self._records: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(MOST_WAITING)
        self._over = False

    def add(self, records: Sequence[Record]) -> None:
        """Pass records on; waits while too many are on their way.

        Raises:
            SystemExit: If the run is over; it ends the thread.
        """
        for record in records:
            self._room.acquire()
            if self._over:
                raise SystemExit
            self._records.put(record)

    def end(self) -> None:
        """No more will come."""
        self._records.put(None)

    def stop(self) -> None:
        """The run is over: whoever adds or takes is told."""
        self._over = True
        self._room.release()
        self._records.put(None)

    def __iter__(self) -> Iterator[Record]:
        """The records, once.

        Raises:
            SystemExit: If the run is over; it ends the thread.
        """
        while (record := self._records.get()) is not None and not self._over:
            self._room.release()
            yield record
        if self._over:
            raise SystemExit


class Flow(Generic[T]):
    """Stages at work at the same time."""

    def __init__(self) -> None:
        self.turns = Turns()
        self._streams: list[Stream] = []
        self._works: list[Callable[[], T]] = []
        self._ends: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()

    def stream(self) -> Stream:
        """A way from one stage to another."""
        self._streams.append(Stream())
        return self._streams[-1]

    def add(self, work: Callable[[], T]) -> None:
        """A stage; it is begun with all others.

        Args:
            work: All that it does, from its first record to its artifact.
        """
        self._works.append(work)

    def run(self, done: Callable[[T], object]) -> None:
        """Run all stages.

        Args:
            done: Told what each came to, as soon as it is over, in the thread of the caller.

        Raises:
            BaseException: What ended the first stage that could not go on, or this thread while it waited.
        """
        threads = [
            threading.Thread(target=self._work, args=(work,), name=f"llmgen-stage-{place}", daemon=True)
            for place, work in enumerate(self._works)
        ]
        # Filters of warnings are the whole process's: of two threads that change them, each restores what the other had set.
        with warnings.catch_warnings():
            try:
                for thread in threads:
                    thread.start()
                for _ in threads:
                    done(self._ends.get()())
            except BaseException:
                self._stop(threads)
                raise

    def _work(self, work: Callable[[], T]) -> None:
        """One thread; what it came to is told in the thread that waits for it."""
        # The end of the run may come when the work is over and nobody listens any more.
        with contextlib.suppress(SystemExit):
            try:
                done = work()
            except BaseException as error:
                failed = error

                def told() -> T:
                    raise failed

                self._ends.put(told)
            else:
                self._ends.put(lambda: done)

    def _stop(self, threads: Sequence[threading.Thread]) -> None:
        """End all stages, wherever they are."""
        for stream in self._streams:
            stream.stop()
        self.turns.stop()
        for thread in threads:
            if thread.is_alive() and thread.ident is not None:
                # As Ctrl-C ends what the main thread does: at the next line of Python, also in the middle of a batch.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        end = time.monotonic() + _PATIENCE_S
        for thread in threads:
            if thread.is_alive():  # The end may come before all have begun.
                thread.join(max(0.0, end - time.monotonic()))
