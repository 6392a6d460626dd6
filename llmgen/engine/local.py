"""The local engine: one process, batches in order. Here is the driver's half of a stage: order, seeds, journal, and what the run decides.

Records come one by one and go as their batch is done; no more of them is held than a batch and what waits behind it.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from llmgen.artifacts import Kind, Record, RecordError, Stage
from llmgen.engine.ahead import AskingAhead
from llmgen.engine.calling import CannotLoad
from llmgen.engine.context import StageContext
from llmgen.engine.fingerprint import StageFingerprint
from llmgen.engine.journal import Journal
from llmgen.engine.progress import Progress as Progress
from llmgen.engine.progress import Tally
from llmgen.engine.samples import missing_sections
from llmgen.engine.seeds import derive_seed
from llmgen.engine.stage import StageConfig
from llmgen.engine.working import BatchResult, StageWorker
from llmgen.errors import InputError, LlmgenError, MissingRequirementError

logger = logging.getLogger(__name__)

#: Section to the command that makes it.
MAKERS = {
    "layout": "llmgen layout",
    "image": "llmgen generate",
    "detections": "llmgen detect",
    "edits": "llmgen correct",
    "scores": "llmgen evaluate",
}
_MOST_HELD: Final = 256
"""Records that nothing is to be done for and that wait until the first comes that is worked on: an input of another kind is then
refused before anything of it was handed on."""


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

    run = _StageRun(method_class, config, given, context, progress, journal, name)
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
    run = _StageRun(method_class, config, given, context, progress, journal, name)
    run.go(records, emit, total)
    return run.tally


class _StageRun:
    """State of one stage."""

    def __init__(
        self,
        method_class: Any,
        config: StageConfig,
        given: Mapping[str, Any],
        context: StageContext,
        progress: Progress | None,
        journal: Journal | None,
        name: str,
    ) -> None:
        self.method_class = method_class
        self.stage: Stage = method_class.stage
        self.name: str = method_class.name
        self.makes: Kind = method_class.makes
        self.config = config
        self.context = context
        self.progress = progress or Progress()
        self.journal = journal
        self.tally = Tally()
        self._input = name
        self._worker = StageWorker(method_class, config, given, context, self.progress.problem)
        self._any_success = False
        self._sound = 0
        self._lacking = 0
        self._first_lack: InputError | None = None
        self._lack_here: set[str] = set()
        self._began = False
        self._stack = ExitStack()
        self._coming: Iterator[Record] = iter(())
        self._ahead: AskingAhead | None = None
        if progress is not None:
            context.progress, context.remark = progress.message, progress.remark
        self._paid = context.ledger.spent

    @functools.cached_property
    def fingerprint(self) -> StageFingerprint:
        """Keys of the journal; it reads the weights of the preset, so only where there is a journal."""
        return StageFingerprint(self.context, self.stage, self.name, self.config)

    def check_needs(self, records: Sequence[Record]) -> None:
        """Refuse an input of which no record has what is needed: it is of the wrong kind.

        Raises:
            InputError: If so.
        """
        sound = [record for record in records if record.error is None]
        if sound and all(self._missing(record) for record in sound):
            raise InputError(f"{self._input}: {self._lack(sound[0])}")

    def go(self, incoming: Iterable[Record], emit: Callable[[Sequence[Record]], None], total: int | None) -> None:
        """Work on all records, batch by batch.

        Args:
            incoming: As they came in.
            emit: Called with finished records, in order.
            total: How many come, if that is known.
        """
        waiting: list[Record] = []
        todo: list[int] = []
        size = max(1, self.context.batch_size)
        self._coming = map(self._prepared, incoming)
        with self._stack:
            if self.journal is not None:
                self._stack.callback(self.journal.sync)
            for record in self._turns():
                passed_on = self._passed_on(record)
                if passed_on is None:
                    todo.append(len(waiting))
                waiting.append(passed_on or record)
                if len(todo) == size or (not todo and len(waiting) == _MOST_HELD):
                    self._hand_on(waiting, todo, emit, total)
                    waiting, todo = [], []
            if self._first_lack is not None and self._lacking == self._sound:
                raise self._first_lack
            self._hand_on(waiting, todo, emit, total)

    def _hand_on(
        self, waiting: list[Record], todo: list[int], emit: Callable[[Sequence[Record]], None], total: int | None
    ) -> None:
        """Work on what is to be worked on of some records, and let go of them all."""
        if not self._began:
            self._began = True
            self.progress.start(self.stage, self.name, total)
            self._stack.callback(self.progress.finish)
        for place in sorted(set(range(len(waiting))) - set(todo)):
            self.progress.done([waiting[place]], reused=waiting[place].id not in self._lack_here)
        self._lack_here.clear()
        if todo:
            for place, record in zip(todo, self._batch([waiting[place] for place in todo]), strict=True):
                waiting[place] = record
        if waiting:
            self.tally.add(waiting)
            emit(waiting)

    def _turns(self) -> Iterator[Record]:
        """The records as they come; from the first batch that is worked on, they may be asked about ahead."""
        while self._ahead is None:
            record = next(self._coming, None)
            if record is None:
                return
            yield record
        yield from self._ahead

    def _prepared(self, record: Record) -> Record:
        """The record with its seed filled in."""
        if record.seed is not None or record.error is not None:
            return record
        return record.grown(seed=derive_seed(self.context.seed, record.id))

    def _passed_on(self, record: Record) -> Record | None:
        """The record as it goes on where nothing can be done for it: it failed before, or lacks something."""
        if record.error is not None:
            return record.grown(kind=self.makes)
        self._sound += 1
        if not self._missing(record):
            return None
        lack = self._lack(record)
        self._lacking += 1
        self._first_lack = self._first_lack or InputError(f"{self._input}: {lack}")
        error = RecordError(stage=self.stage, type=InputError.__name__, message=lack)
        self._lack_here.add(record.id)
        return record.grown(kind=self.makes, error=error)

    def _missing(self, record: Record) -> list[str]:
        """Sections that the method needs and the record lacks."""
        return missing_sections(record, self.method_class.needs)

    def _batch(self, records: list[Record]) -> list[Record]:
        """One batch, from the journal or anew."""
        journal = self.journal
        keys = [self.fingerprint.key(record) for record in records] if journal is not None else []
        known = [journal.find(key, self.context.images) for key in keys] if journal is not None else []
        found = [record for record in known if record is not None]
        if len(found) == len(records) and all(record.error is None for record in found):
            self.tally.reused += len(found)
            self._any_success = True
            self.progress.done(found, reused=True)
            return found
        self._ask_ahead(records)
        started = time.perf_counter()
        # Where the batch as a whole failed last time, its records were run alone: so again, and only those that failed.
        again = len(found) == len(records)
        result = self._decided(self._worker.again(found, records) if again else self._worker.together(records))
        if journal is not None:
            paid, before = self.context.ledger.spent, self._paid
            self._paid = paid
            tokens = (paid.given - before.given, paid.got - before.got)
            journal.append(list(zip(keys, result, strict=True)), time.perf_counter() - started, tokens)
        while self.context.when_saved:
            self.context.when_saved.pop()()
        self.progress.done(result, reused=False)
        return result

    def _decided(self, result: BatchResult) -> list[Record]:
        """The records of a batch, unless it shows that there is no sense in going on.

        Raises:
            MissingRequirementError: If nothing has worked yet and all of the batch lacked something: the next one would too.
        """
        self._any_success = self._any_success or result.worked
        errors = [record.error for record in result.records if record.error is not None]
        lacking = [error for error in errors if error.type == MissingRequirementError.__name__]
        if not self._any_success and len(lacking) == len(result.records):
            raise MissingRequirementError(lacking[0].message)
        return result.records

    def _ask_ahead(self, records: Sequence[Record]) -> None:
        """Let threads ask about this batch and what comes after, where the method lets them and the planner gains by it."""
        if self._ahead is not None or getattr(self.method_class, "ask_ahead", None) is None:
            return
        try:
            at_once = self.context.planner.at_once
            if at_once > 1:
                method: Any = self._worker.method
                self._ahead = AskingAhead(method.ask_ahead, self._is_to_do, self._coming, at_once)
                self._stack.enter_context(self._ahead).about(records)
        except (CannotLoad, LlmgenError) as error:
            logger.debug("nobody to ask ahead: %s", error)  # the batch says so

    def _is_to_do(self, record: Record) -> bool:
        """Whether a record will be worked on."""
        if record.error is not None or self._missing(record):
            return False
        return self.journal is None or self.fingerprint.key(record) not in self.journal

    def _lack(self, record: Record) -> str:
        section = self._missing(record)[0]
        maker = MAKERS.get(section)
        return (
            f"record {record.id!r} (of kind {record.kind!r}) has no section {section!r}, which {self.stage} {self.name} needs"
            + (f"; make it first with `{maker}`" if maker else "")
        )
