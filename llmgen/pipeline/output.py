"""Where a stage writes: its file, its pictures, its journal and its lock."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmgen.artifacts import Kind, Record
from llmgen.artifacts.files import check_writable, leads_to
from llmgen.artifacts.hashing import plain_record
from llmgen.artifacts.io import read_records, write_artifact
from llmgen.artifacts.lock import locked
from llmgen.artifacts.writing import ArtifactWriter
from llmgen.engine.fingerprint import run_settings
from llmgen.engine.journal import Journal, journal_path, lock_path, old_journal_path
from llmgen.engine.journal_lines import made_by
from llmgen.errors import InputError, OutputError
from llmgen.pipeline.options import Choice

DRAWN: tuple[Kind, ...] = ("images", "corrections", "refinements")
"""Kinds of artifacts that are made with new pictures."""


@dataclass(frozen=True)
class Output:
    """The file of a stage, or none: then records go to whoever listens, and nothing is kept for another time."""

    path: Path | None = None
    resume: bool | None = None
    """Complete what is there; None where nothing can be completed."""
    force: bool = False
    """Make anew what is there."""

    def check(self) -> None:
        """Refuse, before any work, what cannot be written.

        Raises:
            OutputError: If the file exists and is neither to be completed nor made anew, is a folder, or cannot be written.
        """
        if self.path is None:
            return
        if self.path.is_dir():
            raise OutputError(f"{self.path} is a folder; give -o the name of a file in it")
        if self.path.exists() and not (self.resume or self.force):
            remedy = "--force" if self.resume is None else "--resume to complete it or --force"
            raise OutputError(f"{self.path} exists; use {remedy} to make it anew")
        check_writable(leads_to(self.path).parent)
        check_writable(self.path.parent)

    @contextlib.contextmanager
    def opened(self, choice: Choice) -> Iterator[Journal | None]:
        """Hold the file's lock, and its journal.

        Args:
            choice: What is going to be done.

        Raises:
            OutputError: If another process writes it, or if it is to be completed and was begun with other settings.
        """
        if self.path is None:
            yield None
            return
        with self.held():
            yield open_journal(self.path, choice, goes_on=bool(self.resume), anew=self.force)

    def held(self) -> contextlib.AbstractContextManager[None]:
        """Hold the file's lock; nothing where there is no file.

        Raises:
            OutputError: If another process writes it.
        """
        return contextlib.nullcontext() if self.path is None else locked(lock_path(self.path), str(self.path))

    def writer(self, kind: Kind) -> contextlib.AbstractContextManager[ArtifactWriter | None]:
        """What writes the file, record by record, within `opened`; None where there is no file.

        Raises:
            OutputError: If it cannot be written.
        """
        return contextlib.nullcontext() if self.path is None else ArtifactWriter(self.path, kind)

    def write(self, kind: Kind, records: Sequence[Record]) -> None:
        """Write the file, once, whole.

        Raises:
            OutputError: If it cannot be written, or would be more than a reader takes.
        """
        if self.path is not None:
            write_artifact(self.path, kind, records)


def open_journal(path: Path, choice: Choice, *, goes_on: bool, anew: bool) -> Journal:
    """The journal of an output.

    Args:
        path: The output.
        choice: What is going to be done.
        goes_on: Whether somebody asked to complete what is there; else what was begun otherwise is forgotten.
        anew: Forget what is there in any case.

    Raises:
        OutputError: If it is to go on and was begun with other settings.
    """
    settings = run_settings(choice.context, choice.method_class, choice.config)
    old = old_journal_path(path)
    journal = Journal(journal_path(path), settings, old=old, otherwise="refuse" if goes_on else "forget", anew=anew)
    if goes_on and not anew and not len(journal) and path.is_file():
        # The journal is lost, but the records say for themselves how they were made; a file that cannot be read says nothing.
        with contextlib.suppress(InputError):
            known = filter(None, (made_by(plain_record(record)) for record in read_records(path).records))
            journal.compare(next(known, {}))
    return journal
