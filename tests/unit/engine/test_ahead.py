"""Questions ahead of their turn: all are asked, and what goes wrong in a thread is met again in the record's own turn."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_stages import TinyConfig, TinyLayout

from llmgen.artifacts import Record
from llmgen.engine.ahead import AskingAhead
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.errors import MissingRequirementError, ModelError
from llmgen.presets import load_preset
from llmgen.vision.images import ImageStore

RECORDS = [Record(id=f"r{i}", prompt="x") for i in range(6)]


def asked_ahead(ask: Callable[[Record], None], wanted: int) -> list[str]:
    """Ids that were asked about, once there are so many."""
    asked: list[str] = []
    enough = threading.Event()

    def noted(record: Record) -> None:
        asked.append(record.id)
        if len(asked) == wanted:
            enough.set()
        ask(record)

    with AskingAhead(noted, RECORDS, 2):
        assert enough.wait(30)
    return sorted(asked)


@pytest.fixture
def uncaught(monkeypatch: pytest.MonkeyPatch) -> list[threading.ExceptHookArgs]:
    """What ends a thread without being caught: it prints a traceback."""
    found: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", found.append)
    return found


@pytest.mark.parametrize("error", [ModelError("no"), ZeroDivisionError("a bug")])
def test_what_goes_wrong_ends_no_thread(
    error: Exception, uncaught: list[threading.ExceptHookArgs], caplog: pytest.LogCaptureFixture
) -> None:
    def ask(record: Record) -> None:
        raise error

    with caplog.at_level(logging.DEBUG, "llmgen.engine.ahead"):
        assert asked_ahead(ask, len(RECORDS)) == [record.id for record in RECORDS]
    assert not uncaught
    assert any("asked ahead of record 'r0'" in line for line in caplog.messages)


def test_where_nobody_answers_nobody_is_asked_on(uncaught: list[threading.ExceptHookArgs]) -> None:
    asked: list[str] = []

    def ask(record: Record) -> None:
        asked.append(record.id)
        raise MissingRequirementError("nobody is there")

    with AskingAhead(ask, RECORDS * 50, 2):
        limit = time.monotonic() + 30
        while not asked and time.monotonic() < limit:
            time.sleep(0.01)
    assert 1 <= len(asked) <= 2 and not uncaught


class Stumbling(TinyLayout):
    """Has a bug at one record, in its turn and ahead of it."""

    def one(self, record: Record) -> Record:
        if record.id == "r3":
            raise ZeroDivisionError("a bug")
        return super().one(record)

    def ask_ahead(self, record: Record) -> None:
        self.one(record)


def test_a_bug_is_the_records_own(tmp_path: Path, uncaught: list[threading.ExceptHookArgs]) -> None:
    context = StageContext(load_preset("toybox"), ImageStore(tmp_path), device="cpu", dtype="float32", batch_size=1)
    context._planner = SimpleNamespace(at_once=3, model=None)  # type: ignore[assignment]
    records = run_stage(RECORDS, method_class=Stumbling, config=TinyConfig(), given={}, context=context).records
    errors = {record.id: record.error for record in records if record.error is not None}
    assert errors.keys() == {"r3"} and errors["r3"].type == "ZeroDivisionError"
    assert errors["r3"].message == "unexpected ZeroDivisionError: a bug"
    assert not uncaught
