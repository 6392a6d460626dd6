"""What an engine is to the driver: workers of one kind, wherever they run, each of which can end at any moment."""

from collections.abc import Callable
from typing import Protocol

from llmgen.engine.orders import Done, Said, StageOrder, Task


class WorkerDied(Exception):
    """A worker ended in the middle of its work. The message says how, as far as that is known."""


class Body(Protocol):
    """One worker that has been started. Used by one thread, save for `kill`."""

    def learn(self, stage: StageOrder) -> None:
        """Load a method; the next tasks are for it.

        Raises:
            LlmgenError: If something is missing, and so for every record.
            WorkerDied: If it ended.
        """
        ...

    def work(self, task: Task, hear: Callable[[Said], None]) -> Done:
        """Work on a batch.

        Args:
            task: The batch.
            hear: Told what the worker says meanwhile.

        Raises:
            WorkerDied: If it ended.
        """
        ...

    def saved(self) -> None:
        """Tell it that all it worked on is in the journal.

        Raises:
            WorkerDied: If it ended.
        """
        ...

    def kill(self) -> None:
        """End it at once, whatever it does; may be called by any thread, and again."""
        ...

    def close(self) -> None:
        """End it, and see to its remains; may be called again."""
        ...


class Engine(Protocol):
    """Starts workers of one kind."""

    @property
    def name(self) -> str:
        """`process` or `ray`."""
        ...

    @property
    def workers(self) -> int:
        """How many there may be at the same time."""
        ...

    def start(self, place: int) -> Body:
        """Start a worker; it need not be ready.

        Args:
            place: Which device it is for, from 0.

        Raises:
            LlmgenError: If it cannot be started.
        """
        ...

    def close(self) -> None:
        """Let go of what serves all workers; they have been closed."""
        ...
