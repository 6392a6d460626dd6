"""Records pass in order whatever is asked about them, by whom, and however it ends."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_stages import TinyConfig, TinyLayout

from llmgen.artifacts import Record
from llmgen.engine.ahead import AskingAhead
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.errors import InputError, MissingRequirementError, ModelError
from llmgen.presets import load_preset
from llmgen.vision.images import ImageStore

RECORDS = [Record(id=f"r{n}", prompt="x") for n in range(200)]


class Asked:
    """Notes who was asked about, and fails as it is told to."""

    def __init__(self, error=None):
        self.ids, self.error, self.some = [], error, threading.Event()

    def __call__(self, record):
        self.ids.append(record.id)
        self.some.set()
        if self.error is not None:
            raise self.error


def test_records_come_in_order_and_are_asked_about_before_their_turn():
    asked = Asked()
    with AskingAhead(asked, lambda record: record.id != "r5", iter(RECORDS), 2) as ahead:
        turns = iter(ahead)
        assert next(turns) is RECORDS[0] and asked.some.wait(60)
        assert [RECORDS[0], *turns] == RECORDS
    assert "r5" not in asked.ids and len(set(asked.ids)) == len(asked.ids)


def test_no_more_wait_than_the_window_holds():
    read = []

    def coming():
        for record in RECORDS:
            read.append(record)
            yield record

    asked = Asked()
    with AskingAhead(asked, lambda record: True, coming(), 2) as ahead:
        turns = iter(ahead)
        next(turns)
        while len(asked.ids) < 32:
            asked.some.wait(1)
        assert len(read) <= 2 * 16 + 2
        assert len(list(turns)) == len(RECORDS) - 1


@pytest.fixture
def uncaught(monkeypatch: pytest.MonkeyPatch) -> list[threading.ExceptHookArgs]:
    """What ends a thread without being caught: it prints a traceback."""
    found: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", found.append)
    return found


@pytest.mark.parametrize(
    "error", [MissingRequirementError("nobody"), ModelError("nonsense"), ZeroDivisionError("a bug")]
)
def test_what_fails_ahead_loses_no_record_and_ends_no_thread(error, uncaught):
    asked = Asked(error)
    with AskingAhead(asked, lambda record: True, iter(RECORDS), 3) as ahead:
        ahead.about(RECORDS[:1])
        assert list(ahead) == RECORDS
    assert not uncaught
    if isinstance(error, MissingRequirementError):
        assert len(asked.ids) <= 3


def test_what_comes_of_reading_is_raised_in_its_turn():
    def coming():
        yield from RECORDS[:3]
        raise InputError("two are called alike")

    with AskingAhead(Asked(), lambda record: True, coming(), 2) as ahead:
        turns = iter(ahead)
        assert [next(turns).id for _ in range(3)] == ["r0", "r1", "r2"]
        with pytest.raises(InputError, match="called alike"):
            next(turns)


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
    records = run_stage(RECORDS[:6], method_class=Stumbling, config=TinyConfig(), given={}, context=context).records
    errors = {record.id: record.error for record in records if record.error is not None}
    assert errors.keys() == {"r3"} and errors["r3"].type == "ZeroDivisionError"
    assert errors["r3"].message == "unexpected ZeroDivisionError: a bug"
    assert not uncaught
