"""Running a stage: records in memory, or a stream of them. Who works is the context's: this process, or a crew of workers."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmgen.artifacts import Kind, Record
from llmgen.engine.context import StageContext
from llmgen.engine.driver import StageRun
from llmgen.engine.journal import Journal
from llmgen.engine.progress import Progress as Progress
from llmgen.engine.progress import Tally
from llmgen.engine.stage import StageConfig


@dataclass(frozen=True)
class StageResult:
    """What became of a stage."""

    makes: Kind
    records: list[Record]
    """As many as came in, in their order; those that failed carry `error`."""
    reused: int
    """How many were taken from the journal."""
    seconds: float
    """Time spent here, loading included."""

    @property
    def failed(self) -> list[Record]:
        """The records that carry `error`, those that came in with one included."""
        return [record for record in self.records if record.error is not None]


def run_stage(
    records: Sequence[Record],
    *,
    method_class: Any,
    config: StageConfig,
    given: Mapping[str, Any],
    context: StageContext,
    journal: Journal | None = None,
    progress: Progress | None = None,
    emit: Callable[[Sequence[Record]], None] = lambda records: None,
    name: str = "the input",
) -> StageResult:
    """Run one method over records that are in memory; see `stream_stage`.

    Returns:
        All records.

    Raises:
        LlmgenError: As of `stream_stage`; an input of another kind is refused before any work.
    """
    started = time.perf_counter()
    finished: list[Record] = []

    def keep(part: Sequence[Record]) -> None:
        finished.extend(part)
        emit(part)

    run = StageRun(method_class, config, given, context, progress, journal, name)
    run.check_needs(records)
    run.go(records, keep, len(records))
    return StageResult(run.makes, finished, run.tally.reused, time.perf_counter() - started)


def stream_stage(
    records: Iterable[Record],
    *,
    method_class: Any,
    config: StageConfig,
    given: Mapping[str, Any],
    context: StageContext,
    emit: Callable[[Sequence[Record]], None],
    journal: Journal | None = None,
    progress: Progress | None = None,
    total: int | None = None,
    name: str = "the input",
) -> Tally:
    """Run one method over records as they come.

    Batches are cut from the records that need work, in order, so an interrupted run that is started again cuts the same ones. Where a
    batch fails, its records are tried one by one and those that fail carry `error`.

    Args:
        records: What comes in; may be read in another thread.
        method_class: A class as in `llmgen.engine.context.StageMethod`.
        config: Its resolved settings.
        given: The settings that somebody gave, for the provenance.
        context: Preset, device, seed, pictures and models; what it is told goes to `progress`, where one is given.
        emit: Called with finished records, in the order of the input.
        journal: Finished records of an earlier run, and where to add new ones.
        progress: Told about each finished batch.
        total: How many records come, if that is known.
        name: Words for the input in messages.

    Returns:
        How many records there were, and how many of them failed.

    Raises:
        InputError: If no record has the sections that the method needs; whatever reading raises.
        MissingRequirementError: If what the method needs is not on this machine.
        OutputError: If the journal or a picture cannot be written.
    """
    run = StageRun(method_class, config, given, context, progress, journal, name)
    run.go(records, emit, total)
    return run.tally
