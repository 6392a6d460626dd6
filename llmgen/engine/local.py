"""The local engine: one process, batches in order, one error boundary around every record."""

import functools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from llmgen import errors, settings
from llmgen.artifacts import Kind, Record, RecordError, Stage
from llmgen.artifacts.complaints import describe
from llmgen.engine.ahead import AskingAhead
from llmgen.engine.calling import CannotLoad, MethodCaller
from llmgen.engine.context import StageContext
from llmgen.engine.fingerprint import StageFingerprint
from llmgen.engine.journal import Journal
from llmgen.engine.samples import missing_sections
from llmgen.engine.seeds import derive_seed
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError, LlmgenError, MissingRequirementError, OutputError, PresetError
from llmgen.printable import printable

logger = logging.getLogger(__name__)

#: Section to the command that makes it.
MAKERS = {
    "layout": "llmgen layout",
    "image": "llmgen generate",
    "detections": "llmgen detect",
    "edits": "llmgen correct",
    "scores": "llmgen evaluate",
}


class Progress:
    """Told how a stage gets on. This one keeps it to itself; the command line draws bars."""

    def start(self, stage: str, method: str, total: int) -> None:
        """A stage begins with `total` records."""

    def done(self, records: Sequence[Record], reused: bool) -> None:
        """Records are finished; `reused` if they were taken from the journal."""

    def message(self, text: str) -> None:
        """One line about a long step inside a batch."""

    def remark(self, text: str) -> None:
        """What is to be said beside the numbers when the stage is over."""

    def problem(self, text: str) -> None:
        """One line about a record that failed before a stage began."""

    def notice(self, text: str) -> None:
        """One line about the whole work, for people."""

    def finish(self) -> None:
        """The stage is over, well or not."""


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
    """Run one method over records.

    Batches are cut from the records that need work, in order, so an interrupted run that is started again cuts the same ones. Where a
    batch fails, its records are tried one by one and those that fail carry `error`.

    Args:
        records: What came in.
        method_class: A class as in `llmgen.engine.context.StageMethod`.
        config: Its resolved settings.
        given: The settings that somebody gave, for the provenance.
        context: Preset, device, seed, pictures and models; what it is told goes to `progress`, where one is given.
        journal: Finished records of an earlier run, and where to add new ones.
        progress: Told about each finished batch.
        emit: Called with finished records, in the order of the input.
        name: Words for the input in messages.

    Raises:
        InputError: If no record has the sections that the method needs.
        MissingRequirementError: If what the method needs is not on this machine.
        OutputError: If the journal or a picture cannot be written.
    """
    started = time.perf_counter()
    if progress is not None:
        context.progress, context.remark = progress.message, progress.remark
    run = _StageRun(method_class, config, given, context, progress or Progress(), journal)
    incoming = [run.prepare(record) for record in records]
    run.check_needs(incoming, name)
    run.progress.start(run.stage, run.name, len(incoming))
    try:
        run.go(incoming, emit)
    finally:
        run.progress.finish()
    results = [record for record in run.results if record is not None]
    return StageResult(run.makes, results, run.reused, time.perf_counter() - started)


class _StageRun:
    """State of one `run_stage`."""

    def __init__(
        self,
        method_class: Any,
        config: StageConfig,
        given: Mapping[str, Any],
        context: StageContext,
        progress: Progress,
        journal: Journal | None,
    ) -> None:
        self.method_class = method_class
        self.caller = MethodCaller(method_class, config, given, context)
        self.stage: Stage = method_class.stage
        self.name: str = method_class.name
        self.makes: Kind = method_class.makes
        self.config = config
        self.context = context
        self.progress = progress
        self.journal = journal
        self.results: list[Record | None] = []
        self.reused = 0
        self._any_success = False
        self._paid = context.ledger.spent

    @functools.cached_property
    def fingerprint(self) -> StageFingerprint:
        """Keys of the journal; it reads the weights of the preset, so only where there is a journal."""
        return StageFingerprint(self.context, self.stage, self.name, self.config)

    def prepare(self, record: Record) -> Record:
        """The record with its seed filled in."""
        if record.seed is not None or record.error is not None:
            return record
        return record.grown(seed=derive_seed(self.context.seed, record.id))

    def missing(self, record: Record) -> list[str]:
        """Sections that the method needs and the record lacks."""
        return missing_sections(record, self.method_class.needs)

    def check_needs(self, records: Sequence[Record], name: str) -> None:
        """Refuse an input of which no record has what is needed: it is of the wrong kind."""
        sound = [r for r in records if r.error is None]
        if sound and all(self.missing(r) for r in sound):
            raise InputError(f"{name}: {self._lack(sound[0])}")

    def go(self, incoming: Sequence[Record], emit: Callable[[Sequence[Record]], None]) -> None:
        """Fill `results`, batch by batch."""
        self.results = [None] * len(incoming)
        emitted = 0

        def flush() -> None:
            nonlocal emitted
            end = emitted
            while end < len(self.results) and self.results[end] is not None:
                end += 1
            if end > emitted:
                emit([r for r in self.results[emitted:end] if r is not None])
                emitted = end

        todo = []
        for index, record in enumerate(incoming):
            if record.error is not None:
                self.results[index] = record.grown(kind=self.makes)
                self.progress.done([record], reused=True)
            elif self.missing(record):
                error = RecordError(stage=self.stage, type=InputError.__name__, message=self._lack(record))
                self.results[index] = lacking = record.grown(kind=self.makes, error=error)
                self.progress.done([lacking], reused=False)
            else:
                todo.append(index)
        flush()
        size = max(1, self.context.batch_size)
        with self._asking_ahead([incoming[index] for index in todo]) as ahead:
            for start in range(0, len(todo), size):
                chosen = todo[start : start + size]
                for index, result in zip(chosen, self.batch([incoming[i] for i in chosen]), strict=True):
                    self.results[index] = result
                ahead.finished(len(chosen))
                flush()

    def _asking_ahead(self, records: Sequence[Record]) -> AskingAhead:
        """Threads that ask about records before their turn, where the method lets them and the planner gains by it."""
        journal = self.journal
        if getattr(self.method_class, "ask_ahead", None) is not None:
            records = [r for r in records if journal is None or self.fingerprint.key(r) not in journal]
            try:
                if records and self.context.planner.at_once > 1:
                    method: Any = self.caller.method
                    return AskingAhead(method.ask_ahead, records, self.context.planner.at_once)
            except (CannotLoad, LlmgenError) as error:
                logger.debug("nobody to ask ahead: %s", error)  # the first batch says so
        return AskingAhead(lambda record: record, (), 1)

    def batch(self, records: list[Record]) -> list[Record]:
        """One batch, from the journal or anew."""
        journal = self.journal
        keys = [self.fingerprint.key(record) for record in records] if journal is not None else []
        known = [journal.find(key, self.context.images) for key in keys] if journal is not None else []
        found = [record for record in known if record is not None]
        if len(found) == len(records) and all(record.error is None for record in found):
            self.reused += len(found)
            self._any_success = True
            self.progress.done(found, reused=True)
            return found
        started = time.perf_counter()
        if len(found) == len(records):
            # The batch as a whole failed last time and its records were run alone: so again, and only those that failed.
            results = [old if old.error is None else self._alone(new) for old, new in zip(found, records, strict=True)]
        else:
            results = self._together(records)
        if journal is not None:
            paid, before = self.context.ledger.spent, self._paid
            self._paid = paid
            tokens = (paid.given - before.given, paid.got - before.got)
            journal.append(list(zip(keys, results, strict=True)), time.perf_counter() - started, tokens)
        while self.context.when_saved:
            self.context.when_saved.pop()()
        self.progress.done(results, reused=False)
        return results

    def _together(self, records: list[Record]) -> list[Record]:
        try:
            return self._call(records)
        except OutputError:
            raise
        except Exception as error:
            self._notice(error)
            if len(records) == 1:
                results = [self._failed(records[0], error)]
            else:
                results = [self._alone(record) for record in records]
        if not self._any_success and all(r.error and r.error.type == "MissingRequirementError" for r in results):
            # Nothing has worked yet and all of a batch lacked the same thing: the next one would too.
            raise MissingRequirementError(results[0].error.message if results[0].error else "")
        return results

    def _alone(self, record: Record) -> Record:
        try:
            return self._call([record])[0]
        except OutputError:
            raise
        except Exception as error:
            self._notice(error)
            return self._failed(record, error)

    def _call(self, records: list[Record]) -> list[Record]:
        finished = self.caller(records)
        self._any_success = True
        for old, new in zip(records, finished, strict=True):
            self._say_remarks(old, new)
        return finished

    def _failed(self, record: Record, error: Exception) -> Record:
        kind = type(error).__name__ if isinstance(error, LlmgenError) else _kind_of(error)
        text = describe(error) if isinstance(error, ValidationError) else printable(str(error))
        message = (
            text if isinstance(error, LlmgenError) else f"{_advice(error)}{type(error).__name__}: {text}".rstrip(": ")
        )
        # A record fails alone, so what was said in the last call was said about it.
        failed = self.caller.remarked(0, record)
        self._say_remarks(record, failed)
        return failed.grown(kind=self.makes, error=RecordError(stage=self.stage, type=kind, message=printable(message)))

    def _say_remarks(self, old: Record, new: Record) -> None:
        for remark in new.remarks[len(old.remarks) :]:
            self.progress.problem(f"{self.stage} {self.name}: record {new.id!r}: {remark.text}")

    def _notice(self, error: Exception) -> None:
        if isinstance(error, CannotLoad):
            raise error.reason from error
        if isinstance(error, PresetError):
            raise error
        if not isinstance(error, LlmgenError):
            if settings.debug() and not _out_of_memory(error):
                raise error
            logger.debug("%s %s failed", self.stage, self.name, exc_info=error)

    def _lack(self, record: Record) -> str:
        section = self.missing(record)[0]
        maker = MAKERS.get(section)
        return (
            f"record {record.id!r} (of kind {record.kind!r}) has no section {section!r}, which {self.stage} {self.name} needs"
            + (f"; make it first with `{maker}`" if maker else "")
        )


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _kind_of(error: Exception) -> str:
    return errors.ModelError.__name__ if _out_of_memory(error) else type(error).__name__


def _advice(error: Exception) -> str:
    return "out of memory; use a smaller --batch-size: " if _out_of_memory(error) else "unexpected "
