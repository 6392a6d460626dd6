"""What a stage works on: records with their pictures where the output's are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmgen.artifacts import Record, RecordError
from llmgen.artifacts.io import ReadArtifact, records_from_prompts
from llmgen.engine.pictures import bring
from llmgen.errors import InputError
from llmgen.formats.foreign import read_any
from llmgen.pipeline.reusing import with_noise_of
from llmgen.pipeline.sources import Source
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
    source: Source,
    target: ImageStore,
    *,
    stage: str,
    problem: Callable[[str], None],
    images_from: Path | None = None,
    reuse: str | None = None,
) -> Incoming:
    """Read the input of a stage.

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
    read = read_source(source, images_from)
    records = brought(read, target, stage, problem)
    return Incoming(records if reuse is None else with_noise_of(records, reuse), read.name, read.dropped)


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
