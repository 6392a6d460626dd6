"""The half of a stage that works: a batch in, finished records out, one error boundary around every record.

It knows neither order nor journal, and decides nothing about the run as a whole: that is the driver's (`llmgen.engine.local`). So one
object of this kind can work in the driver's process or in another.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from llmgen import errors, settings
from llmgen.artifacts import Kind, Record, RecordError, Remark, Stage
from llmgen.artifacts.complaints import describe
from llmgen.engine.calling import CannotLoad, MethodCaller
from llmgen.engine.context import StageContext, StageMethod
from llmgen.engine.stage import StageConfig
from llmgen.errors import LlmgenError, OutputError, PresetError
from llmgen.printable import printable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch."""

    records: list[Record]
    """As many as came in, in their order; those that failed carry `error`."""
    worked: bool
    """Whether the method finished any call."""


class StageWorker:
    """Grows batches of records by one method, which is loaded on first use.

    Args:
        method_class: A class as in `llmgen.engine.context.StageMethod`.
        config: Its resolved settings.
        given: The settings that somebody gave, for the provenance.
        context: Preset, device, seed, pictures and models.
        say: Told of what was remarked on a record, one line each.
    """

    def __init__(
        self,
        method_class: Any,
        config: StageConfig,
        given: Mapping[str, Any],
        context: StageContext,
        say: Callable[[str], None],
    ) -> None:
        self.stage: Stage = method_class.stage
        self.name: str = method_class.name
        self.makes: Kind = method_class.makes
        self._caller = MethodCaller(method_class, config, given, context)
        self._say = say
        self._worked = False

    @property
    def method(self) -> StageMethod:
        """The method.

        Raises:
            CannotLoad: If what it needs is missing.
        """
        return self._caller.method

    def together(self, records: Sequence[Record]) -> BatchResult:
        """One batch in one call; where that fails, its records one by one; where memory runs out, in halves.

        Raises:
            LlmgenError: What holds for every record: something cannot be loaded or written.
        """
        self._worked = False
        return BatchResult(self._in_halves(records), self._worked)

    def _in_halves(self, records: Sequence[Record]) -> list[Record]:
        """Some records in one call, or in two where memory runs out."""
        try:
            return self._call(records)
        except OutputError:
            raise
        except Exception as error:
            self._notice(error)
            if len(records) == 1:
                return [self._failed(records[0], error)]
            if not _out_of_memory(error):
                return [self._alone(record) for record in records]
        # Here the error is gone, and what its traceback held in memory with it.
        half = (len(records) + 1) // 2
        remark = Remark(
            stage=self.stage, text=f"out of memory with {len(records)} records at once; tried again in halves"
        )
        done: list[Record] = []
        for part in (records[:half], records[half:]):
            done += [self._remarked(record, remark) for record in self._in_halves(part)]
        return done

    def _remarked(self, record: Record, remark: Remark) -> Record:
        remarked = record.grown(remarks=(*record.remarks, remark))
        self._say_remarks(record, remarked)
        return remarked

    def again(self, old: Sequence[Record], new: Sequence[Record]) -> BatchResult:
        """A batch that failed as a whole the last time and was run record by record: so again, and only those that failed.

        Args:
            old: What became of its records.
            new: The records that are to be worked on.

        Raises:
            LlmgenError: As of `together`.
        """
        self._worked = False
        results = [done if done.error is None else self._alone(record) for done, record in zip(old, new, strict=True)]
        return BatchResult(results, self._worked)

    def _alone(self, record: Record) -> Record:
        try:
            return self._call([record])[0]
        except OutputError:
            raise
        except Exception as error:
            self._notice(error)
            return self._failed(record, error)

    def _call(self, records: Sequence[Record]) -> list[Record]:
        finished = self._caller(records)
        self._worked = True
        for old, new in zip(records, finished, strict=True):
            self._say_remarks(old, new)
        return finished

    def _failed(self, record: Record, error: Exception) -> Record:
        kind = type(error).__name__ if isinstance(error, LlmgenError) else _kind_of(error)
        text = describe(error) if isinstance(error, ValidationError) else printable(str(error))
        message = (
            text if isinstance(error, LlmgenError) else f"{_advice(error)}{type(error).__name__}: {text}".rstrip(": ")
        )
        # Whoever reads the error knows whose it is, and says so: a method's own words about it need not.
        message = message.removeprefix(f"record {record.id!r}").removeprefix(":").lstrip()
        # A record fails alone, so what was said in the last call was said about it.
        failed = self._caller.remarked(0, record)
        self._say_remarks(record, failed)
        return failed.grown(kind=self.makes, error=RecordError(stage=self.stage, type=kind, message=printable(message)))

    def _say_remarks(self, old: Record, new: Record) -> None:
        for remark in new.remarks[len(old.remarks) :]:
            self._say(f"{self.stage} {self.name}: record {new.id!r}: {remark.text}")

    def _notice(self, error: Exception) -> None:
        if isinstance(error, CannotLoad):
            raise error.reason from error
        if isinstance(error, PresetError):
            raise error
        if not isinstance(error, LlmgenError):
            if settings.debug() and not _out_of_memory(error):
                raise error
            logger.debug("%s %s failed", self.stage, self.name, exc_info=error)


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, also where a method says so in words of its own."""
    cause = error.__cause__ if isinstance(error, LlmgenError) else None
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (cause is not None and _out_of_memory(cause))
    )


def _kind_of(error: Exception) -> str:
    return errors.ModelError.__name__ if _out_of_memory(error) else type(error).__name__


def _advice(error: Exception) -> str:
    return "out of memory; use a smaller --batch-size: " if _out_of_memory(error) else "unexpected "
