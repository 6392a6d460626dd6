import threading
from typing import Any

import pytest

from llmgen.errors import BudgetError, MissingRequirementError
from llmgen.llm.providers.ledger import Ledger, Tokens

HUNDRED = {"prompt_tokens": 80, "completion_tokens": 20, "total_tokens": 100}


def test_all_that_was_told_is_added_up() -> None:
    ledger = Ledger()
    for usage in (HUNDRED, {"input_tokens": 7, "output_tokens": 1}, HUNDRED):
        ledger.check()
        ledger.add(usage, "s")
    assert ledger.spent == Tokens(167, 41, 3, 0)
    assert ledger.spent - Tokens(80, 20, 1) == Tokens(87, 21, 2)
    assert ledger.spent.line() == "language model: 167 tokens in, 41 out, 3 answers"


@pytest.mark.parametrize(
    "usage",
    [None, 5, [], {}, {"prompt_tokens": 3}, {"prompt_tokens": True, "completion_tokens": 1},
     {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": "3", "completion_tokens": 1},
     {"prompt_tokens": 10**30, "completion_tokens": 1}, {"prompt_tokens": 1.5, "completion_tokens": 1}],
)  # fmt: skip
def test_what_a_server_does_not_tell_is_said_and_ends_a_budget(usage: Any) -> None:
    free, bound = Ledger(), Ledger(1000)
    free.add(usage, "s")
    assert free.spent.untold == free.spent.answers == 1
    assert "1 of the answers came without a count" in free.spent.line()
    with pytest.raises(MissingRequirementError, match="server s does not tell the tokens"):
        bound.add(usage, "s")


def test_a_budget_ends_the_asking_once_it_is_reached() -> None:
    ledger = Ledger(200)
    for _ in range(2):
        ledger.check()
        ledger.add(HUNDRED, "s")
    with pytest.raises(BudgetError, match="not asked: the 200 tokens of --budget-tokens are spent"):
        ledger.check()


def test_many_threads_write_into_one() -> None:
    ledger = Ledger()

    def work() -> None:
        for _ in range(200):
            ledger.add(HUNDRED, "s")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.spent == Tokens(128_000, 32_000, 1600)
