"""The driver's half of a stage: order, seeds, journal, and what the run decides.

Records come one by one and go as their batch is done. Where this process does the work itself, no more of them is held than a batch and
what waits behind it; where a crew of workers does, as many batches as keep them busy while one of them takes its time.
"""

import functools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from llmgen.artifacts import Kind, Record, RecordError, Stage
from llmgen.engine.ahead import AskingAhead
from llmgen.engine.calling import CannotLoad
from llmgen.engine.context import StageContext
from llmgen.engine.crew import Crew, Errand, Told
from llmgen.engine.desk import Desk, summed
from llmgen.engine.fingerprint import StageFingerprint
from llmgen.engine.journal import Journal
from llmgen.engine.orders import Done, StageOrder, Task
from llmgen.engine.progress import Progress, Tally
from llmgen.engine.samples import missing_sections
from llmgen.engine.seeds import derive_seed
from llmgen.engine.stage import StageConfig
from llmgen.engine.working import BatchResult, StageWorker
from llmgen.errors import InputError, LlmgenError, MissingRequirementError, OutputError

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
_AHEAD: Final = 8
"""Batches for each worker that are at work, or are finished and wait for an earlier one."""


@dataclass
class _Portion:
    """Records that go on together: those of a batch that is worked on, and those in between for which nothing is to be done."""

    records: list[Record]
    todo: list[int]
    """Places of those that are worked on."""
    keys: list[str] = field(default_factory=list)
    """Of those that are worked on, where there is a journal."""
    done: Done | None = None
    """What was made of them."""
    saved: bool = False
    """Whether that is in the journal and in its place."""
    before: frozenset[str] = frozenset()
    """Ids of those that an earlier run finished, in a batch of which it did not finish all."""

    @property
    def asked(self) -> list[Record]:
        """The records that are worked on."""
        return [self.records[place] for place in self.todo]

    @property
    def ready(self) -> bool:
        """Whether nothing is left to wait for."""
        return not self.todo or self.saved or self.done is not None


class StageRun:
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
        self._order = StageOrder(method_class, config, dict(given))
        self._crew: Crew | None = context.crew
        self._any_success = False
        self._sound = 0
        self._lacking = 0
        self._first_lack: InputError | None = None
        self._lack_here: set[str] = set()
        self._began = False
        self._stack = ExitStack()
        self._coming: Iterator[Record] = iter(())
        self._ahead: AskingAhead | None = None
        self._desk: Desk | None = None
        self._held: deque[_Portion] = deque()
        self._released = 0
        """Portions that were let go of."""
        self._remarks: dict[str, str] = {}
        """What each worker remarked last."""
        if progress is not None:
            context.progress, context.remark = progress.message, progress.remark
        self._paid = context.spent

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
            raise self._lacks(sound[0])

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
            if self._crew is not None:
                self._stack.callback(self._keep_finished)
                self._desk = self._stack.enter_context(Desk(self._coming, 2 * size * self._crew.size, self._hear))
            for record in self._turns(emit):
                passed_on = self._passed_on(record)
                if passed_on is None:
                    todo.append(len(waiting))
                waiting.append(passed_on or record)
                if len(todo) == size or (not todo and len(waiting) == _MOST_HELD):
                    self._hand_on(_Portion(waiting, todo), emit, total)
                    waiting, todo = [], []
            if self._first_lack is not None and self._lacking == self._sound:
                raise self._first_lack
            self._hand_on(_Portion(waiting, todo), emit, total)
            self._release(emit, most=0)
            if self._crew is not None:
                self._crew.saved()

    def _hand_on(self, portion: _Portion, emit: Callable[[Sequence[Record]], None], total: int | None) -> None:
        """Have what is to be worked on of some records worked on, and let go of them in their turn."""
        if not self._began:
            self._began = True
            self.progress.start(self.stage, self.name, total)
            self._stack.callback(self.progress.finish)
        for place in sorted(set(range(len(portion.records))) - set(portion.todo)):
            record = portion.records[place]
            self.progress.done([record], reused=record.id not in self._lack_here)
        self._lack_here.clear()
        if portion.records:
            self._held.append(portion)
            if portion.todo:
                self._begin(portion)
            self._release(emit, most=0 if self._crew is None else _AHEAD * self._crew.size)

    def _release(self, emit: Callable[[Sequence[Record]], None], most: int) -> None:
        """Let go of the portions whose turn it is, and wait until no more than `most` are left."""
        while self._held:
            portion = self._held[0]
            if portion.ready:
                self._decide(portion)
                self._held.popleft()
                self._released += 1
                self.tally.add(portion.records)
                emit(portion.records)
            elif len(self._held) > most and self._desk is not None:
                self._desk.wait()
            else:
                return

    def _turns(self, emit: Callable[[Sequence[Record]], None]) -> Iterator[Record]:
        """The records as they come; from the first batch that is worked on, they may be asked about ahead."""
        if self._desk is not None:
            for record in self._desk.records():
                if record is not None:
                    yield record
                else:  # a worker told something: what is finished need not wait for the next record
                    self._release(emit, most=len(self._held))
            return
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
        self._lacking += 1
        self._first_lack = self._first_lack or self._lacks(record)
        error = RecordError(stage=self.stage, type=InputError.__name__, message=self._lack(record))
        self._lack_here.add(record.id)
        return record.grown(kind=self.makes, error=error)

    def _missing(self, record: Record) -> list[str]:
        """Sections that the method needs and the record lacks."""
        return missing_sections(record, self.method_class.needs)

    def _begin(self, portion: _Portion) -> None:
        """One batch: from the journal, or anew, here or by a worker."""
        journal, records = self.journal, portion.asked
        portion.keys = [self.fingerprint.key(record) for record in records] if journal is not None else []
        known = [journal.find(key, self.context.images) for key in portion.keys] if journal is not None else []
        found = [record for record in known if record is not None]
        if len(found) == len(records) and all(record.error is None for record in found):
            self.tally.reused += len(found)
            self._any_success = True
            self._take(portion, found, reused=True)
            return
        # Where the batch as a whole failed last time, its records were run alone: so again, and only those that failed.
        old = tuple(found) if len(found) == len(records) else None
        portion.before = frozenset(record.id for record in old or () if record.error is None)
        if self._crew is not None and self._desk is not None:
            number = self._released + len(self._held) - 1
            self._crew.give(Errand(number, self._order, Task(tuple(records), old), self._desk.events))
            return
        started = time.perf_counter()
        with self.context.at_work():
            self._ask_ahead(records)
            result = self._worker.together(records) if old is None else self._worker.again(old, records)
        seconds = time.perf_counter() - started - (self.context.turn.waited if self.context.turn is not None else 0.0)
        paid, before = self.context.spent, self._paid
        self._paid = paid
        portion.done = Done(result, seconds=seconds, tokens=paid - before)

    def _hear(self, told: Told) -> None:
        """Take in what a worker says."""
        said = told.what
        if isinstance(said, Done):
            self.context.ledger.learn(self.context.ledger.spent + said.tokens)
            portion = self._held[told.number - self._released]
            portion.done = said
            # Kept at once, whoever's turn it is, so that nothing of it is lost; unless it may end the run.
            if said.result is not None and not _lacks_all(said.result):
                self._save(portion, said.result)
            told.heard()
        elif said.how == "message":
            self.progress.message(said.text)
        elif said.how == "remark":
            self._remarks[told.worker] = said.text
            self.progress.remark(summed(self._remarks.values()))
        else:
            logging.getLogger(said.logger).log(said.level, "%s", said.text)

    def _decide(self, portion: _Portion) -> None:
        """Take over what was made of a batch, in its turn, unless it shows that there is no sense in going on.

        Raises:
            MissingRequirementError: If nothing has worked yet and all of the batch lacked something: the next one would too.
        """
        done = portion.done
        if done is None:
            return
        if done.result is None:
            raise done.error or RuntimeError("a worker came back with nothing")
        self._any_success = self._any_success or done.result.worked
        if not self._any_success and (lack := _lacks_all(done.result)):
            raise MissingRequirementError(lack)
        self._save(portion, done.result)

    def _save(self, portion: _Portion, result: BatchResult) -> None:
        """Bring what was made of a batch into the journal and into its place."""
        done = portion.done
        if portion.saved or done is None:
            return
        if self.journal is not None:
            tokens = (done.tokens.given, done.tokens.got)
            self.journal.append(list(zip(portion.keys, result.records, strict=True)), done.seconds, tokens)
        while self.context.when_saved:
            self.context.when_saved.pop()()
        for line in done.lines:
            self.progress.problem(line)
        self._take(portion, result.records, reused=False)
        self.tally.reused += len(portion.before)

    def _take(self, portion: _Portion, records: Sequence[Record], *, reused: bool) -> None:
        """Put finished records in their places."""
        for place, record in zip(portion.todo, records, strict=True):
            portion.records[place] = record
        portion.saved = True
        if portion.before:
            self.progress.done([record for record in records if record.id in portion.before], reused=True)
        self.progress.done([record for record in records if record.id not in portion.before], reused=reused)

    def _keep_finished(self) -> None:
        """When the stage is over before its end, keep what workers have finished, and send them home."""
        if not self._held or self._crew is None or self._desk is None:
            return
        with suppress(OutputError):  # what ended the stage is what is said
            self._desk.drain()
        self._crew.close()

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

    def _lacks(self, record: Record) -> InputError:
        """What is said where no record has what the method needs."""
        return InputError(f"{self._input}: record {record.id!r} (of kind {record.kind!r}) {self._lack(record)}")

    def _lack(self, record: Record) -> str:
        section = self._missing(record)[0]
        maker = MAKERS.get(section)
        return f"has no section {section!r}, which {self.stage} {self.name} needs; " + (
            f"make it first with `{maker}`" if maker else f"give the record its `{section}`"
        )


def _lacks_all(result: BatchResult) -> str:
    """What is missing on this machine, if that is what all of a batch failed by; else nothing."""
    errors = [record.error for record in result.records if record.error is not None]
    lacking = [error.message for error in errors if error.type == MissingRequirementError.__name__]
    return lacking[0] if lacking and len(lacking) == len(result.records) else ""
