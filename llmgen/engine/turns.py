"""Turns at the models: of the stages that work at the same time, one computes with models, the others wait for records or for a server.

So no more is in the memory of a device than the models of the run and what one batch of one stage needs.
"""

import threading
import time
from types import TracebackType


class Turns:
    """Whose turn it is. Of the stages that wait, the one furthest down the chain is next: what is begun is finished first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = self._over = False
        self._waiting: set[int] = set()

    def acquire(self, place: int) -> None:
        """Wait for a turn.

        Args:
            place: Of the stage in its chain.

        Raises:
            SystemExit: If the run is over; it ends the thread.
        """
        with self._changed:
            self._waiting.add(place)
            self._changed.wait_for(lambda: self._over or (not self._taken and max(self._waiting) == place))
            self._waiting.discard(place)
            if self._over:
                raise SystemExit
            self._taken = True

    def release(self) -> None:
        """Let the next one have its turn."""
        with self._changed:
            self._taken = False
            self._changed.notify_all()

    def stop(self) -> None:
        """The run is over: nobody has a turn any more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()


class Turn:
    """A stage's turn; a context around the work on a batch. It begins when the batch first asks for models and ends with the batch.

    A stage that has asked for models once holds them, so its later turns begin with the batch. One that never asks has none.

    Args:
        turns: Shared by all stages of a run.
        place: Of the stage in its chain.
    """

    def __init__(self, turns: Turns, place: int) -> None:
        self._turns, self._place = turns, place
        self._needed = self._at_work = self._held = False
        self.waited = 0.0
        """Seconds that the batch waited for its turn."""

    def __enter__(self) -> "Turn":
        """A batch begins."""
        self._at_work, self.waited = True, 0.0
        if self._needed:
            self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """It ends."""
        self._at_work = False
        if self._held:
            self._held = False
            self._turns.release()

    def take(self) -> None:
        """Models are asked for."""
        self._needed = True
        if self._at_work and not self._held:
            started = time.perf_counter()
            self._turns.acquire(self._place)
            self._held = True
            self.waited += time.perf_counter() - started
