"""Streams between stages, and the end of all when one cannot go on."""

import threading

import pytest

from llmgen.artifacts import Record
from llmgen.pipeline import flow
from llmgen.pipeline.flow import Flow

RECORDS = [Record(id=f"r{n}", prompt="x") for n in range(40)]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(flow, "MOST_WAITING", 8)


def test_records_go_from_one_to_the_next_in_their_order_and_not_too_far_ahead():
    work, ahead, taken = Flow[list[str]](), [], []
    stream = work.stream()

    def give():
        for record in RECORDS:
            stream.add([record])
            ahead.append(record.id)
        stream.end()
        return ahead

    def take():
        for record in stream:
            assert len(ahead) - len(taken) <= 8 + 2  # the one that is taken, and the one that is on its way
            taken.append(record.id)
        return taken

    work.add(give)
    work.add(take)
    came = []
    work.run(came.append)
    assert came[0] == came[1] == [record.id for record in RECORDS]


def test_what_ends_one_ends_all_and_is_raised_here():
    work, ended = Flow[None](), []
    full, empty = work.stream(), work.stream()

    def ends(name, stage):
        def go():
            try:
                stage()
            except SystemExit:
                ended.append(name)
                raise

        return go

    def busy():
        while True:  # as a computation that looks at nothing else
            pass

    def fails():
        while len(waits._waiting) < 1:
            pass
        raise KeyError("a fault")

    waits = work.turns
    waits.acquire(5)
    work.add(ends("gives", lambda: full.add(RECORDS)))
    work.add(ends("takes", lambda: list(empty)))
    work.add(ends("waits for its turn", lambda: waits.acquire(0)))
    work.add(ends("works", busy))
    work.add(fails)
    with pytest.raises(KeyError, match="a fault"):
        work.run(lambda done: None)
    assert sorted(ended) == ["gives", "takes", "waits for its turn", "works"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("llmgen-stage")]


def test_a_fault_of_whoever_listens_ends_all():
    work = Flow[int]()
    stream = work.stream()
    work.add(lambda: 1)
    work.add(lambda: len(list(stream)))

    def listen(done):
        raise OSError("no place to note it down")

    with pytest.raises(OSError, match="no place"):
        work.run(listen)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("llmgen-stage")]


def test_an_end_before_all_have_begun(monkeypatch):
    """Ctrl-C comes when the first stage works and the second is not there yet."""
    work, begun = Flow[None](), []
    stream = work.stream()
    work.add(lambda: begun.append("first"))
    work.add(lambda: [begun.append(record.id) for record in stream].clear())
    start = threading.Thread.start

    def interrupted(thread):
        if thread.name == "llmgen-stage-1":
            raise KeyboardInterrupt
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work.run(lambda done: None)
    assert set(begun) <= {"first"}
