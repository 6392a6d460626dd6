"""What the readers of foreign files share: names, boxes, and what becomes of broken entries."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmgen.artifacts import Kind, Record, RecordError, Remark
from llmgen.artifacts.foreign_prompts import FreeNames, mended_ids
from llmgen.artifacts.io import ReadArtifact
from llmgen.artifacts.record import kept_prompt
from llmgen.errors import InputError
from llmgen.printable import printable

logger = logging.getLogger(__name__)


@dataclass
class Collected:
    """Entries as they are read, good and bad.

    Attributes:
        name: The file, for messages.
        records: In the order of the file; bad ones carry `error`.
        invalid: One line for each bad one.
        dropped: One line for each entry that could not even be named.
        notes: One line for each thing that was mended.
        warnings: One line for each thing that somebody should decide.
        unused: Fields of entries that nothing was made of, and in how many.
    """

    name: str
    records: list[Record] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)
    _names: FreeNames = field(default_factory=FreeNames)
    _renamed: list[tuple[str, str]] = field(default_factory=list)
    _remarks: dict[str, list[str]] = field(default_factory=dict)

    def free_id(self, wished: str, *, given: bool = False) -> str:
        """A valid record id like the wished one that was not given yet.

        Args:
            wished: What it should be.
            given: Whether the file calls its entry so; another id is then said.
        """
        taken = self._names.take(wished)
        if given and taken != wished:
            self._renamed.append((wished, taken))
        return taken

    def mended(self, record_id: str, text: str) -> None:
        """Say what was mended in an entry, and keep it for the remarks of its record."""
        self._told(self.notes, record_id, text)

    def decided(self, record_id: str, text: str) -> None:
        """Warn of what was decided about an entry and somebody should look at, and keep it for the remarks of its record."""
        self._told(self.warnings, record_id, text)

    def _told(self, lines: list[str], record_id: str, text: str) -> None:
        lines.append(printable(f"{record_id}: {text}"))
        self._remarks.setdefault(record_id, []).append(printable(text))

    def _with_remarks(self, record: Record) -> Record:
        texts = self._remarks.get(record.id)
        if not texts:
            return record
        return record.grown(remarks=(*record.remarks, *(Remark(stage="read", text=text) for text in texts)))

    def fail(self, kind: Kind, record_id: str, prompt: str, position: int, reason: str) -> None:
        """Keep a bad entry as a record with `error`, with its prompt where it has one that a record can hold."""
        line = printable(f"{self.name}: record {record_id!r} (position {position}): {reason}")
        self.invalid.append(line)
        error = RecordError(stage="read", type="InputError", message=line)
        self.records.append(Record(kind=kind, id=record_id, prompt=kept_prompt(prompt), error=error))

    def artifact(self, kind: Kind, base: Path, *, level: int = logging.INFO) -> ReadArtifact:
        """All of it, as if read from an artifact.

        Args:
            kind: Kind of the records.
            base: Folder that the pictures' paths are relative to.
            level: How loudly the notes are said.

        Raises:
            InputError: If no entry is any good.
        """
        if all(record.error is not None for record in self.records):
            problems = [*self.invalid, *self.dropped]
            if not problems:
                raise InputError(f"{self.name}: holds no entries; add at least one")
            more = f" (none of the {len(problems)} entries is valid)" if len(problems) > 1 else ""
            raise InputError(problems[0] + more)
        if self.unused:
            shown = ", ".join(f"{key[:40]!r}" for key in list(self.unused)[:8])
            more = f" and {len(self.unused) - 8} more" if len(self.unused) > 8 else ""
            self.warnings.append(f"not used: {shown}{more}, in up to {max(self.unused.values())} entries")
        self.warnings.extend(mended_ids(self._renamed))
        for warning in self.warnings:
            logger.warning("%s: %s", self.name, warning)
        for note in self.notes:
            logger.log(level, "%s: %s", self.name, note)
        records = tuple(map(self._with_remarks, self.records))
        return ReadArtifact(kind, records, base, self.name, tuple(self.invalid), tuple(self.dropped))


def record_id_of(value: Any) -> str | None:
    """The id of an entry as text, whether it is a text or a number; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, int) and abs(value) < 10**30:
        return str(value)
    return value if isinstance(value, str) and value else None


def four_numbers(value: Any) -> tuple[float, float, float, float] | None:
    """A list of four finite JSON numbers as floats, else None."""
    if not isinstance(value, list | tuple) or len(value) != 4:
        return None
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not abs(v) < 1e9 for v in value):
        return None
    a, b, c, d = (float(v) for v in value)
    return a, b, c, d


def named_boxes(value: Any, what: str) -> list[tuple[str, tuple[float, float, float, float]]]:
    """A list of `[name, [x, y, w, h]]`.

    Args:
        value: The JSON value.
        what: Words for the message.

    Raises:
        InputError: If it is anything else.
    """
    if not isinstance(value, list):
        raise InputError(f"{what} is no list of [name, [x, y, w, h]]")
    found = []
    for entry in value:
        if not isinstance(entry, list | tuple) or len(entry) != 2 or not isinstance(entry[0], str):
            raise InputError(f"{what}: an entry is not [name, [x, y, w, h]]")
        box = four_numbers(entry[1])
        if box is None:
            raise InputError(f"{what}: the box of {entry[0][:60]!r} is not four numbers")
        found.append((entry[0], box))
    return found


def texts(values: Iterable[Any]) -> bool:
    """Whether all are texts."""
    return all(isinstance(value, str) for value in values)


def as_list(value: Any) -> Sequence[Any]:
    """A list, or the one value as a list of it."""
    return value if isinstance(value, list) else [value]
