"""What the language models of a run were paid: tokens in and out, as their servers tell them, and a budget that ends the asking."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from llmgen.errors import BudgetError, MissingRequirementError

_NAMES: Final = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
"""Of both counts: as chat completions call them, and as other servers do."""
_MOST_TOKENS: Final = 10**9
"""Of one answer; a larger number is none."""
_payer: ContextVar[str] = ContextVar("_payer", default="")
"""For whom this thread asks."""


@dataclass(frozen=True)
class Tokens:
    """What some answers cost. Answers from the cache cost nothing and are not counted."""

    given: int = 0
    """Tokens that were sent: prompts, examples, schemas, pictures."""
    got: int = 0
    """Tokens that were answered."""
    answers: int = 0
    untold: int = 0
    """Answers of which the server told no tokens."""

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.given + other.given,
            self.got + other.got,
            self.answers + other.answers,
            self.untold + other.untold,
        )

    def __sub__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.given - other.given,
            self.got - other.got,
            self.answers - other.answers,
            self.untold - other.untold,
        )

    def line(self) -> str:
        """In words, for people."""
        untold = f"; {self.untold} of the answers came without a count" if self.untold else ""
        what = "answer" if self.answers == 1 else "answers"
        return f"language model: {self.given:,} tokens in, {self.got:,} out, {self.answers} {what}{untold}"


class Ledger:
    """One for a run, shared by planner and critic and by all threads that ask."""

    def __init__(self, budget: int | None = None) -> None:
        """Nothing is spent yet.

        Args:
            budget: Tokens, in and out together, after which nothing more is asked; what is on its way by then is still answered.
        """
        self._budget = budget
        self._spent = Tokens()
        self._spent_by: dict[str, Tokens] = {}
        self._lock = threading.Lock()

    @property
    def spent(self) -> Tokens:
        """What was spent so far."""
        with self._lock:
            return self._spent

    @contextmanager
    def paid_by(self, payer: str) -> Iterator[None]:
        """What this thread asks from here on is for somebody."""
        token = _payer.set(payer)
        try:
            yield
        finally:
            _payer.reset(token)

    def spent_by(self, payer: str) -> Tokens:
        """What was spent so far for somebody."""
        with self._lock:
            return self._spent_by.get(payer, Tokens())

    def learn(self, spent: Tokens) -> None:
        """Take over what was spent so far by all workers of a run, as its driver knows it."""
        with self._lock:
            self._spent = spent

    def check(self) -> None:
        """Before a request.

        Raises:
            BudgetError: If the budget is spent.
        """
        spent = self.spent
        if self._budget is not None and spent.given + spent.got >= self._budget:
            raise BudgetError(
                f"not asked: the {self._budget} tokens of --budget-tokens are spent; the same command asks what is left "
                "(with --resume, where it has an output)"
            )

    def add(self, usage: Any, server: str) -> None:
        """After an answer.

        Args:
            usage: What the server tells of it, in any form.
            server: Its name, for the message.

        Raises:
            MissingRequirementError: If there is a budget, and the server does not tell what counts towards it.
        """
        given, got = (_count(usage, names) for names in _NAMES)
        untold = given is None or got is None
        cost, payer = Tokens(given or 0, got or 0, 1, int(untold)), _payer.get()
        with self._lock:
            self._spent += cost
            self._spent_by[payer] = self._spent_by.get(payer, Tokens()) + cost
        if untold and self._budget is not None:
            raise MissingRequirementError(
                f"server {server} does not tell the tokens of its answers (`usage`), so a budget cannot be kept; "
                "leave --budget-tokens away"
            )


def _count(usage: Any, names: tuple[str, ...]) -> int | None:
    for name in names if isinstance(usage, dict) else ():
        count = usage.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST_TOKENS:
            return count
    return None
