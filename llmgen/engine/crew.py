"""The driver's view of an engine: it gives batches to whichever worker is free, and sees to workers that end.

A batch whose worker ended is given again. A batch that ended two workers is taken apart: its records are worked on one by one, each in
turn by a worker of its own, and a record that ends two workers on its own fails; the others go on.
"""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from llmgen.artifacts import Record, RecordError, Remark
from llmgen.engine.bodies import Body, Engine, WorkerDied
from llmgen.engine.orders import Done, Said, StageOrder, Task
from llmgen.engine.working import BatchResult
from llmgen.errors import LlmgenError, ModelError
from llmgen.llm.providers.ledger import Tokens

logger = logging.getLogger(__name__)

_TRIES: Final = 2
"""Workers that a batch, or a record alone, may end before it is to blame."""
_MOST_STARTS: Final = 5
"""Workers that may end one after the other while they load a method."""
_MOST_DEATHS: Final = 40
"""Workers that may end one after the other while none finishes anything: a batch of 16 records, all of which end theirs, is survived."""
_UNHEARD: Final = 2
"""Batches of a worker that are at work or not in the journal yet: so many a driver that is killed can lose."""
_PATIENCE_S: Final = 0.2
"""Between two looks at a thread that is to end."""


@dataclass(frozen=True)
class Errand:
    """A batch on its way."""

    number: int
    """Of the batch in its stage."""
    stage: StageOrder
    task: Task
    tell: queue.SimpleQueue[Any]
    """Where the driver of the stage listens."""


@dataclass(frozen=True)
class Told:
    """What the driver of a stage is told."""

    number: int
    """Of the batch."""
    what: Done | Said
    worker: str
    """Who says so; another name for one that was started again."""
    heard: Callable[[], object] = lambda: None
    """Called once what became of a batch is safe."""


class Crew:
    """The workers of a run.

    Args:
        engine: Where they come from.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._errands: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()
        self._seats = [_Seat(self, place) for place in range(engine.workers)]
        self._lock = threading.Lock()
        self._deaths = 0
        self._spent = Tokens()
        self.closing = False

    @property
    def size(self) -> int:
        """How many workers there may be at the same time."""
        return len(self._seats)

    def give(self, errand: Errand) -> None:
        """Let a worker, once it is free, work on a batch; what comes of it is told where the errand says."""
        for seat in self._seats:
            seat.open()
        self._errands.put(errand)

    def next_errand(self) -> Errand | None:
        """Wait for something to do; None at the end."""
        return self._errands.get()

    def saved(self) -> None:
        """Tell the workers that all is in the journal."""
        for seat in self._seats:
            seat.saved()

    def close(self) -> None:
        """End all workers, whatever they do."""
        self.closing = True
        try:
            while True:
                self._errands.get_nowait()
        except queue.Empty:
            pass
        for _ in self._seats:
            self._errands.put(None)
        for seat in self._seats:
            seat.close()
        self.engine.close()

    @property
    def spent(self) -> Tokens:
        """What language models cost all workers so far."""
        with self._lock:
            return self._spent

    def survived(self, done: Done) -> None:
        """A worker has finished something."""
        with self._lock:
            self._deaths = 0
            self._spent += done.tokens

    def mourn(self, how: str, records: tuple[Record, ...]) -> None:
        """A worker has ended.

        Raises:
            LlmgenError: If too many have, and nothing gets done.
        """
        names = ", ".join(repr(record.id) for record in records[:3]) + (", ..." if len(records) > 3 else "")
        if not self.closing:
            logger.warning("a worker ended (%s) at work on %s; another one goes on", how, names)
        with self._lock:
            self._deaths += 1
            too_many = self._deaths >= _MOST_DEATHS
        if too_many:
            raise LlmgenError(
                f"{_MOST_DEATHS} workers ended one after the other and none finished anything, the last with {how}; "
                "find out why with --engine local"
            )


class _Seat:
    """One worker, and whoever takes its place when it ends; a thread that waits for it."""

    def __init__(self, crew: Crew, place: int) -> None:
        self._crew, self._place = crew, place
        self._body: Body | None = None
        self._stage: StageOrder | None = None
        """What the worker has loaded."""
        self._started = 0
        self._room = threading.Semaphore(_UNHEARD)
        self._at_work = threading.Lock()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begin to take errands; the worker itself is started for the first."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"llmgen-worker-{self._place}", daemon=True)
            self._thread.start()

    def saved(self) -> None:
        """Pass on that all is in the journal."""
        with self._at_work:
            if self._body is not None:
                try:
                    self._body.saved()
                except WorkerDied:
                    self._forget()

    def close(self) -> None:
        """End the worker, and wait for the thread."""
        while self._thread is not None and self._thread.is_alive():
            body = self._body
            if body is not None:
                body.kill()
            self._room.release()
            self._thread.join(_PATIENCE_S)  # it may have been about to start one

    def _run(self) -> None:
        while self._room.acquire() and (errand := self._crew.next_errand()) is not None:
            try:
                with self._at_work:
                    done = self._attend(errand)
            except BaseException as error:  # the driver's thread is the one to be told
                done = Done(None, error)
            if self._crew.closing:
                break
            errand.tell.put(Told(errand.number, done, self._name, self._room.release))
        self._forget()

    @property
    def _name(self) -> str:
        return f"{self._place}.{self._started}"

    def _attend(self, errand: Errand) -> Done:
        """Have a batch worked on, as often and in as many parts as it takes.

        Raises:
            LlmgenError: If the stage cannot go on.
        """
        how, task = "", errand.task
        for _ in range(_TRIES):
            body = self._ready(errand)
            try:
                task = replace(task, spent=self._crew.spent)
                done = body.work(task, lambda said: errand.tell.put(Told(errand.number, said, self._name)))
            except WorkerDied as died:
                how = str(died)
                self._forget()
                if self._crew.closing:
                    return Done(None)
                self._crew.mourn(how, task.records)
            else:
                self._crew.survived(done)
                return done
        if len(task.records) == 1:
            return _gave_up(errand.stage, task.records[0], how)
        return _put_together([self._part(errand, place) for place in range(len(task.records))])

    def _part(self, errand: Errand, place: int) -> Done:
        """What becomes of one record of a batch that is taken apart."""
        task = errand.task.one(place)
        if self._crew.closing:
            return Done(None)
        if task.old is not None and task.old[0].error is None:
            return Done(BatchResult(list(task.old), worked=True))
        done = self._attend(replace(errand, task=task))
        return _remarked(errand, done)

    def _ready(self, errand: Errand) -> Body:
        """A worker that has loaded what the errand needs.

        Raises:
            LlmgenError: If there is none to be had.
        """
        how = ""
        for _ in range(_MOST_STARTS):
            if self._body is None:
                self._started += 1
                self._body = self._crew.engine.start(self._place)
            if self._stage is errand.stage:
                return self._body
            try:
                self._body.learn(errand.stage)
            except WorkerDied as died:
                how = str(died)
                self._forget()
                if self._crew.closing:
                    break
                logger.warning("a worker ended (%s) before it was ready", how)
                continue
            self._stage = errand.stage
            return self._body
        method = errand.stage.method_class
        raise LlmgenError(
            f"{_MOST_STARTS} workers ended one after the other while they loaded {method.stage} {method.name}, the last with {how}; "
            "use fewer --workers, or find out why with --engine local"
        )

    def _forget(self) -> None:
        body, self._body, self._stage = self._body, None, None
        if body is not None:
            body.close()


def _gave_up(stage: StageOrder, record: Record, how: str) -> Done:
    """A record that no worker survives."""
    method = stage.method_class
    message = (
        f"{_TRIES} workers ended while they worked on this record alone, the last with {how}; the record was given up"
    )
    error = RecordError(stage=method.stage, type=ModelError.__name__, message=message)
    return Done(BatchResult([record.grown(kind=method.makes, error=error)], worked=False))


def _remarked(errand: Errand, done: Done) -> Done:
    """What became of a record of a batch that was taken apart, and why that may differ in the last bits of a picture."""
    if done.result is None or done.result.records[0].error is not None:
        return done
    method, record = errand.stage.method_class, done.result.records[0]
    text = f"worked on alone, because its batch of {len(errand.task.records)} records ended {_TRIES} workers"
    record = record.grown(remarks=(*record.remarks, Remark(stage=method.stage, text=text)))
    line = f"{method.stage} {method.name}: record {record.id!r}: {text}"
    return replace(done, result=BatchResult([record], done.result.worked), lines=(*done.lines, line))


def _put_together(parts: list[Done]) -> Done:
    """What became of a batch, from what became of its records alone."""
    results = [part.result for part in parts if part.result is not None]
    if len(results) < len(parts):
        return next(part for part in parts if part.result is None)
    return Done(
        BatchResult([record for result in results for record in result.records], any(r.worked for r in results)),
        lines=tuple(line for part in parts for line in part.lines),
        seconds=sum(part.seconds for part in parts),
        tokens=sum((part.tokens for part in parts), Tokens()),
    )
