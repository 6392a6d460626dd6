"""What a stage works on: records with their pictures where the output's are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmgen.artifacts import Record, RecordError
from llmgen.artifacts.io import ReadArtifact
from llmgen.engine.pictures import bring
from llmgen.errors import InputError
from llmgen.formats.foreign import read_any
from llmgen.pipeline.reusing import with_noise_of
from llmgen.vision.images import ImageStore


@dataclass(frozen=True)
class Incoming:
    """Records that came in."""

    records: list[Record]
    """Those that cannot be worked on carry `error`."""
    name: str
    """Words for messages."""
    dropped: tuple[str, ...]
    """Lines about entries that could not even be named."""


def read_incoming(
    source: str,
    target: ImageStore,
    *,
    stage: str,
    problem: Callable[[str], None],
    images_from: Path | None = None,
    reuse: str | None = None,
) -> Incoming:
    """Read the input of a stage.

    Args:
        source: Path, or `-` for stdin.
        target: Where the stage's pictures lie.
        stage: Its name.
        problem: Told about each record that cannot be worked on, one line each.
        images_from: Folder of the pictures that SLD's tasks name.
        reuse: Artifact whose records lend their noise.

    Raises:
        InputError: If nothing usable can be read.
    """
    read = read_any(source, images_from)
    records = brought(read, target, stage, problem)
    return Incoming(records if reuse is None else with_noise_of(records, reuse), read.name, read.dropped)


def brought(read: ReadArtifact, target: ImageStore, stage: str, problem: Callable[[str], None]) -> list[Record]:
    """The records with their pictures named relative to the target; those whose pictures cannot be had carry `error`."""
    for line in read.invalid:
        problem(line)
    source = ImageStore(read.base)
    records = []
    for record in read.records:
        if record.error is None:
            try:
                record = bring(record, source, target)
            except InputError as error:
                problem(f"{read.name}: record {record.id!r}: {error}")
                record = record.grown(error=RecordError(stage=stage, type="InputError", message=str(error)))
        records.append(record)
    return records
