"""Artifacts written record by record, so that they may be larger than memory; readers see the old file or the new one, never a half."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from llmgen.artifacts.base import SCHEMA_VERSION
from llmgen.artifacts.files import cannot_write, leads_to, make_folder, put_in_place
from llmgen.artifacts.hashing import plain_record, record_json
from llmgen.artifacts.io import record_line
from llmgen.artifacts.pretty import INDENT, arranged, indented
from llmgen.artifacts.record import Kind, Record
from llmgen.artifacts.streams import MAX_ENTRY_BYTES
from llmgen.errors import OutputError

_BUFFER: Final = 2**20
"""Bytes that are handed to the system at once."""


class RecordTexts:
    """The text of an artifact, part by part: a JSON document, or JSON Lines.

    Args:
        kind: Of the records.
        lines: Whether it is JSON Lines.
    """

    def __init__(self, kind: Kind, *, lines: bool) -> None:
        self._kind, self._lines, self._count = kind, lines, 0

    def record(self, record: Record) -> str:
        """The next record, with what stands before it."""
        if self._lines:
            return record_line(record)
        self._count += 1
        front = ",\n    " if self._count > 1 else self._head() + "\n    "
        text = arranged(record_json(record, INDENT), 2)
        return front + (indented(plain_record(record), 2) if text is None else text)

    def end(self) -> str:
        """What stands behind the last record."""
        if self._lines:
            return ""
        return "\n  ]\n}\n" if self._count else self._head() + "]\n}\n"

    def _head(self) -> str:
        return f'{{\n  "kind": "{self._kind}",\n  "schema_version": {SCHEMA_VERSION},\n  "records": ['


class ArtifactWriter:
    """Writes an artifact beside its place and puts it there when it is whole.

    Used as a context; what was written is dropped unless `finish` was called. The caller holds the lock of the output.

    Args:
        path: The file that somebody named: JSON Lines where its name ends so. Of a link, its target is written.
        kind: Of the records.

    Raises:
        OutputError: If it cannot be written.
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        self._named, self._target = path, leads_to(path)
        self._part = self._target.parent / ".llmgen" / f"{self._target.name}.part"
        self._texts = RecordTexts(kind, lines=path.suffix == ".jsonl")
        self._file: BinaryIO | None = None
        self._total = hashlib.sha256()
        self.size = 0
        """Bytes that were written."""

    @property
    def sha256(self) -> str:
        """Digest of what was written."""
        return self._total.hexdigest()

    def __enter__(self) -> "ArtifactWriter":
        """Begin."""
        make_folder(self._part.parent)
        with self._written():
            self._file = self._part.open("wb", buffering=_BUFFER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what was not finished."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # what cannot be flushed was of no use
                self._file.close()
            self._file = None
            self._part.unlink(missing_ok=True)

    def add(self, records: Sequence[Record]) -> None:
        """Write the next records.

        Raises:
            OutputError: If they cannot be written, or one would be more than a reader takes.
        """
        with self._written():
            for record in records:
                data = self._texts.record(record).encode()
                if len(data) > MAX_ENTRY_BYTES:
                    raise OutputError(
                        f"{self._named}: record {record.id!r} would be {len(data) // 2**20} MiB, and no stage reads more than "
                        f"{MAX_ENTRY_BYTES // 2**20}; make fewer pictures of it, or without masks"
                    )
                self._write(data)

    def finish(self) -> None:
        """Bring it to the disk and to its place.

        Raises:
            OutputError: If it cannot be written; the old file, if any, is untouched.
        """
        with self._written():
            self._write(self._texts.end().encode())
            self._open_file.flush()
            os.fsync(self._open_file.fileno())
            self._open_file.close()
            put_in_place(self._part, self._target)
        self._file = None

    def _write(self, data: bytes) -> None:
        self._open_file.write(data)
        self._total.update(data)
        self.size += len(data)

    @property
    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("an artifact is written within its context")
        return self._file

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self._named, error) from error
