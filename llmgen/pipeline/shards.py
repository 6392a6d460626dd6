"""Shards: one piece of work for many processes that know nothing of each other, each `i` of `n` writing a file of its own.

A shard is a row of whole batches: pictures may depend, in their last bits, on who shared their batch, so batches are those of a run in one
piece. Beside its records each shard leaves a note of what it is a part of; `llmgen merge` puts together only what belongs together.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from llmgen import __version__
from llmgen.artifacts import Kind, Record
from llmgen.artifacts.base import ArtifactModel
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.files import write_atomic
from llmgen.artifacts.hashing import digest, record_digest
from llmgen.artifacts.io import pretty_json
from llmgen.engine.fingerprint import run_settings
from llmgen.engine.samples import missing_sections
from llmgen.errors import InputError
from llmgen.pipeline.options import Choice

MOST_SHARDS = 100_000


@dataclass(frozen=True)
class Shard:
    """One of several processes that share the work."""

    index: int
    """From 1."""
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2/4`.

        Raises:
            ValueError: If it is no such thing.
        """
        index, slash, of = text.strip().partition("/")
        if not (slash and index.isdecimal() and of.isdecimal() and len(of) <= 6 and 1 <= int(index) <= int(of)):
            raise ValueError(
                f"{text!r} is not I/N, the shard and how many there are, such as 1/4; I counts from 1 to N"
            )
        if int(of) > MOST_SHARDS:
            raise ValueError(f"{of} shards are too many; at most {MOST_SHARDS}")
        return cls(int(index), int(of))

    def __str__(self) -> str:
        return f"{self.index}-of-{self.of}"

    def path(self, output: Path) -> Path:
        """Where this shard writes for an output: `layouts.2-of-4.jsonl` for `layouts.json`."""
        return output.with_name(f"{output.stem}.{self}.jsonl")

    def bounds(self, records: Sequence[Record], needs: Sequence[str], batch_size: int) -> tuple[int, int]:
        """First and last (not included) of the records that are this shard's.

        Args:
            records: All that came in.
            needs: Sections that the first stage needs; records without them, or with an error, are in no batch.
            batch_size: Most records of a batch.
        """
        todo = [n for n, r in enumerate(records) if r.error is None and not missing_sections(r, needs)]
        starts = todo[::batch_size]

        def cut(index: int) -> int:
            batch = len(starts) * index // self.of
            return len(records) if index == self.of else starts[batch] if batch else 0

        return cut(self.index - 1), cut(self.index)


class ShardNote(ArtifactModel):
    """What a shard says of itself, beside its records."""

    index: int = Field(ge=1)
    of: int = Field(ge=1)
    output: str
    """Name of the file that the shards are merged to."""
    kind: Kind
    input_sha256: str
    """Digest of all records that came in, for all shards together."""
    settings: dict[str, Any]
    """How the work was done."""
    start: int = Field(ge=0)
    """Place of the first record in the input."""
    stop: int = Field(ge=0)
    """Place after the last record in the input."""
    total: int = Field(ge=0)
    """Records that came in."""
    dropped: tuple[str, ...] = ()
    """Lines about entries of the input that could not be named; the first shard tells them."""
    sha256: str
    """Digest of the shard's file."""


@dataclass(frozen=True)
class Part:
    """A shard's own records, and what they are a part of."""

    shard: Shard
    input_sha256: str
    start: int
    stop: int
    total: int
    dropped: tuple[str, ...]
    """Lines about entries that could not be named; only the first shard has them."""

    def write_note(self, output: Path, choice: Choice) -> None:
        """Leave the note of a finished shard.

        Args:
            output: The file that all shards are merged to.
            choice: What was done.

        Raises:
            OutputError: If it cannot be written.
        """
        path = self.shard.path(output)
        context = choice.context
        note = ShardNote(
            index=self.shard.index,
            of=self.shard.of,
            output=output.name,
            kind=choice.method_class.makes,
            input_sha256=self.input_sha256,
            settings={
                **run_settings(context, choice.method_class, choice.config),
                # Another card of the same kind is the same way to do it.
                "device": context.device.partition(":")[0],
                "critic": context.critic_name,
                "batch_size": context.batch_size,
                "llmgen": __version__,
            },
            start=self.start,
            stop=self.stop,
            total=self.total,
            dropped=self.dropped,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        write_atomic(note_path(path), pretty_json(note.model_dump(mode="json")).encode())


def part_of(
    shard: Shard, records: Sequence[Record], dropped: Sequence[str], choice: Choice
) -> tuple[Part, list[Record]]:
    """A shard's part of the records that came in.

    Args:
        shard: Which.
        records: All that came in.
        dropped: Lines about entries that could not be named.
        choice: What is done first.

    Returns:
        The part, and its records.
    """
    start, stop = shard.bounds(records, choice.method_class.needs, choice.context.batch_size)
    own = tuple(dropped) if shard.index == 1 else ()
    whole = digest([record_digest(record) for record in records])
    return Part(shard, whole, start, stop, len(records), own), list(records[start:stop])


def note_path(shard_file: Path) -> Path:
    """Where the note of a shard's file lies."""
    return shard_file.parent / ".llmgen" / f"{shard_file.name}.shard"


def read_note(shard_file: Path) -> ShardNote:
    """The note of a shard's file, which is still as it was written.

    Raises:
        InputError: If there is no note, or the file is another one.
    """
    path = note_path(shard_file)
    try:
        found = hashlib.sha256(shard_file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{shard_file}: cannot be read: {error.strerror or error}") from error
    try:
        note = ShardNote.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{shard_file}: its note {path} cannot be read ({error.strerror or error}); it is written when a shard is done: "
            "let the shard finish with --resume, or copy the folder .llmgen along"
        ) from error
    except ValidationError as error:
        raise InputError(f"{path}: is no note of a shard: {describe(error)}; run the shard again") from error
    if note.sha256 != found:
        raise InputError(
            f"{shard_file}: is not what shard {note.index} of {note.of} wrote; run the shard again, or bring the right file"
        )
    return note
