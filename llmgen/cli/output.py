"""The two streams: data to stdout, everything else to stderr. Nothing else in llmgen writes to a terminal."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from llmgen.errors import OutputError
from llmgen.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


_UNBROKEN = 240
"""Columns of a table that no terminal shows."""


class _PrintableFormatter(logging.Formatter):
    """Lines of the library's log, which hold names from outside too; a traceback keeps its lines.

    They name their module, or else are what they are: warnings, or how far a training is.
    """

    def __init__(self, *, named: bool) -> None:
        super().__init__()
        self._named = named

    def formatMessage(self, record: logging.LogRecord) -> str:
        level = "warning" if record.levelno >= logging.WARNING else ""
        before = record.name if self._named else level
        return printable(f"{before}: {record.message}" if before else record.message)


class Output:
    """Where messages go, and how many of them.

    Attributes:
        quiet: Errors only.
        verbose: Log lines of the library too.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.verbose = False

    def configure(self, *, quiet: bool, verbose: bool) -> None:
        """Set how much is said; called once, when the flags are known."""
        self.quiet, self.verbose = quiet, verbose
        logger = logging.getLogger("llmgen")
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_PrintableFormatter(named=verbose))
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING)

    @property
    def console(self) -> "Console":
        """A console on stderr as it is now; Rich honours NO_COLOR and its relatives."""
        from rich.console import Console

        return Console(file=sys.stderr, highlight=False)

    @property
    def watched(self) -> bool:
        """Whether a person watches stderr, so that bars may move on it."""
        return sys.stderr.isatty() and not self.quiet

    def data(self, text: str, to: TextIO | None = None) -> None:
        """Write to stdout, or to the pipe or device of -o, at once, so that the next stage of a pipe can start.

        Raises:
            BrokenPipeError: If the reader has gone.
            OutputError: If it takes nothing more, such as a file on a full disk.
        """
        with _written("stdout" if to is None else to.name):
            stream = to or sys.stdout
            stream.write(text)
            stream.flush()

    @contextlib.contextmanager
    def records(self, stream: Path | None) -> Iterator[Callable[[str], None]]:
        """Where records go that no file takes: stdout, or the pipe or device that was named."""
        if stream is None:
            yield self.data
            return
        opened = stream.open("w", encoding="utf-8", newline="\n")
        try:
            yield lambda text: self.data(text, opened)
        finally:
            # All was flushed: what was not taken would only be complained of once more, and without the name.
            with contextlib.suppress(OSError):
                opened.close()

    def json(self, value: Any) -> None:
        """Write a JSON value to stdout, for people and programs."""
        from llmgen.artifacts.io import pretty_json

        self.data(pretty_json(value))

    def note(self, text: str) -> None:
        """A line for people; not with -q."""
        if not self.quiet:
            self._line(text)

    def warn(self, text: str) -> None:
        """A line about something that went wrong for a part of the work; shown with -q too."""
        self._line(f"warning: {text}")

    def error(self, text: str) -> None:
        """The line that says why the command failed."""
        self._line(f"error: {text}")

    def table(
        self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, to_stdout: bool = False
    ) -> None:
        """A table for people.

        Args:
            title: Above it.
            columns: Heads; those that begin with `#` hold numbers.
            rows: Cells.
            to_stdout: Whether the table is what was asked for, and not a comment.
        """
        if self.quiet and not to_stdout:
            return
        from rich.console import Console

        # Nothing breaks the lines of a file or a pipe: there a cell is as wide as its text.
        width = None if sys.stdout.isatty() else _UNBROKEN
        console = Console(file=sys.stdout, highlight=False, width=width) if to_stdout else self.console
        with _written("stdout" if to_stdout else "stderr"):
            console.print(_table(title, columns, rows))

    def _line(self, text: str) -> None:
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()


@contextlib.contextmanager
def _written(name: str) -> Iterator[None]:
    """Say in one line that an output takes nothing more; a reader that has gone is none of ours."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write to {name}: {error.strerror or error}; free some space or write elsewhere with -o"
        ) from error


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=printable(title), box=box.SIMPLE, title_justify="left")
    for column in columns:
        # Names are to be read and copied whole: a narrow terminal breaks them over lines and never cuts them.
        table.add_column(
            column.removeprefix("#"), justify="right" if column.startswith("#") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def file_or_stream(output: Path | None) -> tuple[Path | None, Path | None]:
    """What -o names: a file, or a pipe or device that takes records line by line; neither for stdout."""
    from llmgen.artifacts.files import is_stream

    if output is None or str(output) == "-":
        return None, None
    return (None, output) if is_stream(output) else (output, None)


out = Output()
