"""Turns at the models: one at a time, the furthest stage first, and only for whoever needs them."""

import threading

import pytest

from llmgen.engine.context import StageContext
from llmgen.engine.turns import Turn, Turns
from llmgen.presets import load_preset
from llmgen.vision.images import ImageStore


@pytest.fixture
def context(tmp_path):
    return StageContext(load_preset("toybox"), ImageStore(tmp_path), "cpu", "float32")


def waiting(turns, count):
    """Wait until so many wait."""
    while len(turns._waiting) < count:
        threading.Event().wait(0.001)


def test_of_those_that_wait_the_furthest_is_next():
    turns, order = Turns(), []

    def work(place):
        with Turn(turns, place) as turn:
            turn.take()
            order.append(place)

    with Turn(turns, 9) as first:
        first.take()
        threads = [threading.Thread(target=work, args=(place,)) for place in (0, 2, 1)]
        for number, thread in enumerate(threads):
            thread.start()
            waiting(turns, number + 1)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == [2, 1, 0]


def test_who_asks_for_no_models_needs_no_turn():
    turns = Turns()
    with Turn(turns, 0) as drawing, Turn(turns, 1):
        drawing.take()
        drawing.take()
        with Turn(turns, 2):
            pass


def test_who_needed_a_turn_once_waits_for_it_before_the_next_batch():
    turns = Turns()
    turn, other = Turn(turns, 0), Turn(turns, 1)
    turn.take()  # between two batches: known, and not held
    with other:
        other.take()
        begun = threading.Event()
        thread = threading.Thread(target=lambda: turn.__enter__() and begun.set())
        thread.start()
        waiting(turns, 1)
        assert not begun.is_set()
    thread.join()
    assert begun.is_set()


def test_the_end_of_a_run_ends_whoever_waits():
    turns, ended = Turns(), []

    def work():
        try:
            with Turn(turns, 0) as turn:
                turn.take()
        except SystemExit:
            ended.append(True)

    with Turn(turns, 1) as turn:
        turn.take()
        thread = threading.Thread(target=work)
        thread.start()
        waiting(turns, 1)
        turns.stop()
        thread.join()
    assert ended == [True]


def test_models_are_asked_for_in_turn_and_shared(context):
    turns, context._models = Turns(), object()
    one, other = (context.beside(Turn(turns, place), f"stage {place}") for place in (0, 1))
    with one.at_work(), other.at_work():  # who has not asked yet needs no turn
        pool = one.models
        assert turns._taken
    assert not turns._taken
    with other.at_work():
        assert not turns._taken and other.models is pool is context.models
    with one.at_work():  # it has asked before
        assert turns._taken


def test_what_is_told_is_a_stages_own(context):
    one, other = (context.beside(Turn(Turns(), 0), name) for name in ("one", "other"))
    one.images.describe = lambda name, size: {}
    one.when_saved.append(lambda: None)
    assert other.images.describe is None and not other.when_saved and not context.when_saved
    assert one.images.root == context.images.root and one.collaborator("evaluate", "lmd") is not other.collaborator(
        "evaluate", "lmd"
    )


def test_who_paid_is_told_apart(context):
    one, other = (context.beside(Turn(Turns(), 0), name) for name in ("one", "other"))
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    assert one.planner.provider == "rules" and one.planner is one.planner is not other.planner
    with one.ledger.paid_by("one"):
        context.ledger.add(usage, "s")
    context.ledger.add(usage, "s")
    assert (one.spent.given, other.spent.given, context.spent.given, context.ledger.spent.got) == (5, 0, 10, 4)
