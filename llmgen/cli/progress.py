"""Progress on stderr: bars for a person, plain lines for a log, nothing with -q."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from llmgen.cli.output import out
from llmgen.engine.progress import Progress
from llmgen.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from llmgen.artifacts import Record

_LINE_EVERY_S: Final = 30.0
"""Between two lines of a training that nobody watches."""


class StageProgress(Progress):
    """Shows how stages get on, and at once which records failed."""

    def __init__(self, board: "_Board | None" = None) -> None:
        self._board = board or _Board()
        self._board.shown.append(self)
        self._began = False
        self._task: TaskID | None = None
        self._label = self._remark = ""
        self._total: int | None = None
        self._count = self._reused = self._failed = 0
        self._started = 0.0

    def beside(self) -> "StageProgress":
        """Who is told of a stage that works while others do: a bar below theirs."""
        return StageProgress(self._board)

    @property
    def began(self) -> bool:
        """Whether any stage has begun."""
        return any(one._began for one in self._board.shown)

    @property
    def reached(self) -> str:
        """How far the stages have come, in words; of those that work one after the other, the last."""
        return ", ".join(one._own_words for one in self._board.shown if one._began)

    @property
    def _own_words(self) -> str:
        return f"{self._count} {'' if self._total is None else f'of {self._total} '}records of {self._label}"

    def start(self, stage: str, method: str, total: int | None) -> None:
        """A stage begins with `total` records; None where nobody knows how many come."""
        self._label, self._total, self._remark = f"{stage} {method}", total, ""
        self._count = self._reused = self._failed = 0
        self._started = time.perf_counter()
        self._began = True
        self._task = self._board.begin(self._label, total)

    def done(self, records: "Sequence[Record]", reused: bool) -> None:
        """Records are finished."""
        self._count += len(records)
        # A record that came in with an error is handed on, but nothing of it was done.
        self._reused += sum(record.error is None for record in records) if reused else 0
        for record in records:
            if record.error is not None:
                self._failed += 1
                if not reused:
                    self._board.say(f"{self._label}: record {record.id!r}: {record.error.message}")
        self._board.update(self._task, completed=self._count)

    def done_before(self, count: int) -> None:
        """Records were finished in an earlier run."""
        self._count += count
        self._reused += count
        self._board.update(self._task, completed=self._count)

    def message(self, text: str) -> None:
        """One line about a long step inside a batch."""
        self._board.update(self._task, detail=text)

    def remark(self, text: str) -> None:
        """What is said beside the numbers when the stage is over."""
        self._remark = text

    def problem(self, text: str) -> None:
        """One line about a record that failed before a stage began."""
        self._board.say(text)

    def notice(self, text: str) -> None:
        """One line about the whole work, for people; not with -q."""
        if not out.quiet:
            self._board.say(text)

    def finish(self) -> None:
        """The stage is over, well or not."""
        remarks = self._remarks()
        if self._task is None:
            seconds = time.perf_counter() - self._started
            self._board.note(
                f"{self._label}: {self._count}/{self._count if self._total is None else self._total} records in {seconds:.1f} s"
                + (f" ({remarks})" if remarks else "")
            )
        else:
            self._board.end(self._task, remarks)
            self._task = None

    def _remarks(self) -> str:
        parts = []
        if self._reused:
            parts.append(f"{self._reused} done before")
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._remark:
            parts.append(self._remark)
        return ", ".join(parts)


class _Board:
    """Where several stages show how they get on: bars while any is at work, or whole lines, from any thread."""

    def __init__(self) -> None:
        self.shown: list[StageProgress] = []
        self._bars: Bars | None = None
        self._at_work = 0
        self._lock = threading.RLock()

    def begin(self, label: str, total: int | None) -> "TaskID | None":
        """A bar, where a person watches."""
        if not out.watched:
            return None
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        with self._lock:
            if self._bars is None:
                columns = (
                    TextColumn("{task.description:<26}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeElapsedColumn(),
                    TextColumn("left"),
                    TimeRemainingColumn(),
                    TextColumn("[dim]{task.fields[detail]}"),
                )
                self._bars = Bars(*columns, console=out.console)
            task = self._bars.add_task(label, total=total, detail="")
            self._at_work += 1
            self._bars.start()
            return task

    def update(self, task: "TaskID | None", *, completed: int | None = None, detail: str | None = None) -> None:
        """Move a bar, or say what is done beside it."""
        with self._lock:
            if self._bars is not None and task is not None:
                from rich.markup import escape

                if detail is not None:
                    self._bars.update(task, detail=escape(printable(detail)))
                if completed is not None:
                    self._bars.update(task, completed=completed)

    def end(self, task: "TaskID", remarks: str) -> None:
        """A bar moves no more; with the last one, all stay as they are."""
        with self._lock:
            self.update(task, detail=remarks)
            self._at_work -= 1
            if self._bars is not None and not self._at_work:
                self._bars.stop()
                self._bars = None

    def say(self, text: str) -> None:
        """A line about something that went wrong."""
        with self._lock:
            if self._bars is not None:
                self._bars.console.print(printable(f"warning: {text}"), markup=False, soft_wrap=True)
            else:
                out.warn(text)

    def note(self, text: str) -> None:
        """A line for people."""
        with self._lock:
            out.note(text)


@contextlib.contextmanager
def training_bar(label: str) -> "Iterator[Callable[[int, int, Mapping[str, float]], None]]":
    """A bar for a training: steps done, the time that is left, the sum of the losses; a line now and then where nobody watches.

    Args:
        label: What is trained.

    Yields:
        What is told of each step: its number, all steps, its losses.
    """
    if not out.watched:
        said = [0.0]

        def line(step: int, steps: int, losses: Mapping[str, float]) -> None:
            if step == steps or time.perf_counter() - said[0] > _LINE_EVERY_S:
                said[0] = time.perf_counter()
                out.note(f"{label}: step {step} of {steps}, loss {sum(losses.values()):.3f}")

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
    )  # fmt: skip
    with Bars(*columns, console=out.console) as bars:
        task = bars.add_task(label, total=None, detail="")

        def move(step: int, steps: int, losses: Mapping[str, float]) -> None:
            bars.update(task, completed=step, total=steps, detail=f"loss {sum(losses.values()):.3f}")

        yield move
