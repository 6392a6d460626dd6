"""What a stage works on: records with their pictures where the output's are, one by one."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from llmgen.artifacts import Record, RecordError
from llmgen.artifacts.entries import EntryReader
from llmgen.artifacts.foreign_prompts import Adoption, say
from llmgen.artifacts.io import ReadArtifact, records_from_prompts
from llmgen.artifacts.streams import EntryStream, open_entries
from llmgen.engine.pictures import bring
from llmgen.errors import InputError
from llmgen.formats.foreign import read_any, read_any_bytes
from llmgen.pipeline.reusing import noise_of
from llmgen.pipeline.sources import Source
from llmgen.vision.images import ImageStore

_END: Final = object()


@dataclass
class Incoming:
    """Records that come in."""

    records: Iterator[Record]
    """Those that cannot be worked on carry `error`. Read once; what is wrong with the input as a whole is raised as it is found."""
    name: str
    """Words for messages."""
    total: int | None
    """How many they are, where they were read at once."""
    dropped: list[str] = field(default_factory=list)
    """Lines about entries so far that could not even be named."""
    changed: bool = False
    """Whether something of a streamed input was said that each reading says again."""


@contextlib.contextmanager
def open_incoming(
    source: Source,
    target: ImageStore,
    *,
    stage: str,
    problem: Callable[[str], None],
    images_from: Path | None = None,
    reuse: str | None = None,
) -> Iterator[Incoming]:
    """Open the input of a stage.

    Args:
        source: A file, stdin, or prompts.
        target: Where the stage's pictures lie.
        stage: Its name.
        problem: Told about each record that cannot be worked on, one line each.
        images_from: Folder of the pictures that SLD's tasks name.
        reuse: Artifact whose records lend their noise.

    Raises:
        InputError: If nothing usable can be read.
    """
    reseeded = None if reuse is None else noise_of(reuse)
    with contextlib.ExitStack() as opened:
        read = _opened(source, images_from)
        if isinstance(read, EntryStream):
            incoming = Incoming(iter(()), read.name, None)
            records = _streamed(opened.enter_context(read), incoming, problem)
        else:
            incoming = Incoming(iter(()), read.name, len(read.records))
            for line in read.invalid:
                problem(line)
            for line in read.dropped:
                _drop(incoming, line, problem)
            records = iter(read.records)
        carry = _Carrier(ImageStore(read.base), target, read.name, stage, problem)
        brought = map(carry, records)
        incoming.records = brought if reseeded is None else map(reseeded, brought)
        yield incoming


def read_source(source: Source, images_from: Path | None = None) -> ReadArtifact:
    """What a source holds.

    Args:
        source: A file, stdin, or prompts.
        images_from: Folder of the pictures that SLD's tasks name.

    Raises:
        InputError: If nothing usable can be read.
    """
    if source.prompts:
        return records_from_prompts(source.prompts, "the prompts" if len(source.prompts) > 1 else "the prompt", Path())
    return read_any(source.path, images_from, source.read_as)


def brought(read: ReadArtifact, target: ImageStore, stage: str, problem: Callable[[str], None]) -> list[Record]:
    """The records with their pictures named relative to the target; those whose pictures cannot be had carry `error`."""
    for line in read.invalid:
        problem(line)
    return list(map(_Carrier(ImageStore(read.base), target, read.name, stage, problem), read.records))


def _opened(source: Source, images_from: Path | None) -> ReadArtifact | EntryStream:
    """A source, entry by entry where its form lets it."""
    if source.prompts or images_from is not None or source.read_as is not None:
        return read_source(source, images_from)
    found = open_entries(source.path)
    return found if isinstance(found, EntryStream) else read_any_bytes(found.data, found.name, found.base)


def _streamed(stream: EntryStream, incoming: Incoming, problem: Callable[[str], None]) -> Iterator[Record]:
    """Records of entries as they come, and at the end what is to be said of all."""
    reader = EntryReader(stream.kind, stream.name, invalid=problem, dropped=lambda line: _drop(incoming, line, problem))
    adoption = Adoption(Record.model_fields, records=stream.kind is not None)
    for entry in _adopted(stream, adoption):
        record = reader.record(entry)
        if record is not None:
            yield record
    notes = adoption.notes(reader.count)
    incoming.changed = bool(notes)
    say(stream.name, notes)
    reader.check_any_valid()


def _adopted(entries: EntryStream, adoption: Adoption) -> Iterator[Any]:
    """Prompts of other programs in our own form."""
    coming, position, known_all = iter(entries), 0, False
    while (entry := next(coming, _END)) is not _END:
        position += 1
        if adoption.stays(entry):
            yield entry
            continue
        adoption.know((entry,))
        if not known_all and adoption.gives_a_name(entry):
            # The name must be nobody else's: from here on, the ids of all that comes are needed.
            entries.limit_size()
            rest = list(coming)
            adoption.know(rest)
            coming, known_all = iter(rest), True
        yield adoption.adopted(entry, position)


def _drop(incoming: Incoming, line: str, problem: Callable[[str], None]) -> None:
    incoming.dropped.append(line)
    problem(f"left out: {line}")


class _Carrier:
    """Brings the pictures of records along; a record whose pictures cannot be had carries `error`."""

    def __init__(
        self, source: ImageStore, target: ImageStore, name: str, stage: str, problem: Callable[[str], None]
    ) -> None:
        self._source, self._target, self._name, self._stage, self._problem = source, target, name, stage, problem
        self._in_place = source.root.resolve() == target.root.resolve()

    def __call__(self, record: Record) -> Record:
        if self._in_place or record.error is not None:
            return record
        try:
            return bring(record, self._source, self._target)
        except InputError as error:
            self._problem(f"{self._name}: record {record.id!r}: {error}")
            return record.grown(error=RecordError(stage=self._stage, type="InputError", message=str(error)))
