"""What is told of a stage as it gets on, and what is counted of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from llmgen.artifacts import Record, RecordError
from llmgen.errors import BudgetError

_MOST_NAMED = 10
"""Ids of failed records that are kept."""


class Progress:
    """Told how a stage gets on. This one keeps it to itself; the command line draws bars."""

    def beside(self) -> "Progress":
        """Who is told of a stage that works while others do, in a thread of its own; by default this one, which then hears of all."""
        return self

    def start(self, stage: str, method: str, total: int | None) -> None:
        """A stage begins with `total` records; None where they come one by one and nobody knows how many."""

    def done(self, records: Sequence[Record], reused: bool) -> None:
        """Records are finished; `reused` if they were taken from the journal."""

    def done_before(self, count: int) -> None:
        """So many records were finished in an earlier run; nobody looks at them again."""

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


@dataclass
class Tally:
    """Finished records, counted."""

    count: int = 0
    failed: int = 0
    """Those that carry `error`; those that came in with one included."""
    reused: int = 0
    """Those taken from the journal."""
    named: list[str] = field(default_factory=list)
    """Ids of the first that failed."""
    first_error: RecordError | None = None
    """Of those that failed the first; where a budget was spent, that, since it is no fault of the records."""
    first_failed: str = ""
    """Id of the record with that error."""

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Tally":
        """The tally of some records."""
        tally = cls()
        tally.add(records)
        return tally

    def add(self, records: Iterable[Record]) -> None:
        """Count some more."""
        for record in records:
            self.count += 1
            if record.error is not None:
                self.failed += 1
                spent = record.error.type == BudgetError.__name__
                if self.first_error is None or (spent and self.first_error.type != BudgetError.__name__):
                    self.first_error, self.first_failed = record.error, record.id
                if len(self.named) < _MOST_NAMED:
                    self.named.append(record.id)
