import queue

import pytest

from llmgen.artifacts import Record
from llmgen.engine.crew import Told
from llmgen.engine.desk import Desk, summed
from llmgen.engine.orders import Said
from llmgen.errors import InputError


def test_records_and_workers_are_heard_in_one_place():
    heard, gate = [], queue.SimpleQueue()

    def coming():
        yield Record(id="a", prompt="x")
        gate.get()
        yield Record(id="b", prompt="x")
        raise InputError("broken")

    with Desk(coming(), 8, heard.append) as desk:
        records = desk.records()
        assert next(records).id == "a"
        desk.events.put(Told(0, Said("message", "done"), "0.1"))
        # Nothing comes in, but somebody has spoken.
        assert next(records) is None and heard[0].what.text == "done"
        gate.put(1)
        assert next(records).id == "b"
        with pytest.raises(InputError, match="broken"):
            next(records)


def test_no_more_is_read_than_there_is_room_for():
    read = []

    def coming():
        for n in range(9):
            read.append(n)
            yield Record(id=f"r{n}", prompt="x")

    with Desk(coming(), 2, lambda told: None) as desk:
        records = desk.records()
        for n in range(9):
            assert len(read) <= n + 3
            assert next(records).id == f"r{n}"
        assert next(records, None) is None


def test_remarks_of_workers_are_one():
    calls = "{} calls of the U-Net for {} pictures"
    assert summed([calls.format(20, 8), calls.format(22, 5)]) == calls.format(42, 13)
    lacking = "preset 'sd15' fills no role clip: no such scores"
    assert summed([lacking, lacking, "12"]) == f"{lacking}, 12"
    assert summed([]) == ""
