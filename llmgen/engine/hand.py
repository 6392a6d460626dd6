"""The worker's side of an engine, in whatever process it lives: it makes its own collaborators, loads a method, and works on batches."""

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from llmgen import settings
from llmgen.artifacts import Record
from llmgen.engine.ahead import AskingAhead
from llmgen.engine.calling import CannotLoad
from llmgen.engine.orders import ContextOrder, Done, Said, StageOrder, Task
from llmgen.engine.working import StageWorker
from llmgen.errors import LlmgenError


class Hand:
    """One worker.

    Args:
        order: How its collaborators are made.
        say: Told what it says while it works.
    """

    def __init__(self, order: ContextOrder, say: Callable[[Said], None]) -> None:
        self._order = order
        self._context = order.context()
        self._context.progress = lambda text: say(Said("message", text))
        self._context.remark = lambda text: say(Said("remark", text))
        self._worker: StageWorker | None = None
        self._lines: list[str] = []
        logger = logging.getLogger("llmgen")
        logger.setLevel(order.log_level)
        logger.propagate = False
        logger.handlers[:] = [_Sayer(say)]

    def learn(self, stage: StageOrder) -> LlmgenError | None:
        """Load a method.

        Returns:
            What is missing, and so for every record; None if nothing is.
        """
        self._worker = StageWorker(stage.method_class, stage.config, stage.given, self._context, self._lines.append)
        try:
            _ = self._worker.method
        except CannotLoad as error:
            return error.reason
        return None

    def work(self, task: Task) -> Done:
        """Work on a batch with the method that was loaded last. Errors of single records are in the records."""
        worker, ledger = self._worker, self._context.ledger
        if worker is None:
            raise RuntimeError("a worker was given records before a method")
        ledger.learn(task.spent)
        self._lines.clear()
        started = time.perf_counter()
        result, error = None, None
        try:
            with ExitStack() as threads:
                self._ask_ahead(worker, task.records, threads)
                result = worker.together(task.records) if task.old is None else worker.again(task.old, task.records)
        except Exception as raised:
            # The boundary of the process: the driver raises it again in the batch's turn.
            error = raised
            if settings.debug():  # its traceback stays in this process
                error.add_note("".join(traceback.format_exception(raised)))
        seconds = time.perf_counter() - started
        return Done(result, error, tuple(self._lines), seconds, ledger.spent - task.spent)

    def saved(self) -> None:
        """All that was worked on is in the journal: what was kept for an interruption can go."""
        while self._context.when_saved:
            self._context.when_saved.pop()()

    def _ask_ahead(self, worker: StageWorker, records: Sequence[Record], threads: ExitStack) -> None:
        """Let threads ask about all records of a batch, where the method lets them and the planner gains by it."""
        method: Any = worker.method
        if getattr(method, "ask_ahead", None) is None:
            return
        try:
            at_once = self._context.planner.at_once // self._order.share
        except LlmgenError:
            return  # the batch says so
        if at_once > 1:
            ahead = AskingAhead(method.ask_ahead, lambda record: False, iter(()), at_once)
            threads.enter_context(ahead).about(records)


class _Sayer(logging.Handler):
    """The driver says what a worker logs."""

    def __init__(self, say: Callable[[Said], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on."""
        self._say(Said("log", self.format(record), record.levelno, record.name))
