"""What the driver makes of workers that end, with workers that are objects of this process."""

import queue

from tiny_stages import TinyConfig, TinyGenerate

from llmgen.artifacts import Record
from llmgen.engine.bodies import WorkerDied
from llmgen.engine.crew import Crew, Errand
from llmgen.engine.orders import Done, Said, StageOrder, Task
from llmgen.engine.working import BatchResult
from llmgen.errors import LlmgenError, MissingRequirementError
from llmgen.llm.providers.ledger import Tokens


class Bodies:
    """An engine whose workers do what the test says."""

    name = "test"

    def __init__(self, work, learn=lambda stage: None, workers=1):
        self.work, self.learn, self.workers = work, learn, workers
        self.started, self.alive = 0, 0

    def start(self, place):
        self.started += 1
        self.alive += 1
        return _Body(self)

    def close(self):
        assert self.alive == 0


class _Body:
    def __init__(self, engine):
        self.engine = engine

    def learn(self, stage):
        self.engine.learn(stage)

    def work(self, task, hear):
        return self.engine.work(task, hear)

    def saved(self):
        pass

    def kill(self):
        pass

    def close(self):
        self.engine.alive -= 1


STAGE = StageOrder(TinyGenerate, TinyConfig(), {})
RECORDS = tuple(Record(id=f"r{n}", prompt="x", seed=n) for n in range(4))


def finished(task, hear=None):
    done = [record.grown(replies=()) for record in task.records]
    return Done(BatchResult(done, worked=True), tokens=Tokens(10, 1, len(done)))


def outcome(engine, task=None):
    """What becomes of one batch."""
    crew, told = Crew(engine), queue.SimpleQueue()
    crew.give(Errand(0, STAGE, task or Task(RECORDS), told))
    try:
        while not isinstance((heard := told.get(timeout=60)).what, Done):
            pass
        return heard.what
    finally:
        crew.close()


def deadly(*ids, times=100):
    left = dict.fromkeys(ids, times)

    def work(task, hear):
        for record in task.records:
            if left.get(record.id, 0):
                left[record.id] -= 1
                raise WorkerDied("SIGSEGV")
        return finished(task)

    return work


def test_a_batch_whose_worker_ends_is_given_again_as_it_is():
    engine = Bodies(deadly("r2", times=1))
    done = outcome(engine)
    assert done.result.records == list(RECORDS) and engine.started == 2


def test_a_batch_that_ends_two_is_taken_apart_and_the_record_to_blame_fails():
    engine = Bodies(deadly("r1"))
    done = outcome(engine)
    failed = done.result.records[1]
    assert failed.kind == "images" and failed.error.type == "ModelError" and "SIGSEGV" in failed.error.message
    others = [done.result.records[n] for n in (0, 2, 3)]
    assert all(r.error is None and "alone" in r.remarks[-1].text for r in others) and len(done.lines) == 3
    assert done.result.worked and done.tokens == Tokens(30, 3, 3) and engine.started == 5


def test_of_a_batch_that_is_tried_again_only_what_failed_is_worked_on_alone():
    old = tuple(finished(Task(RECORDS)).result.records[:3]) + (RECORDS[3].grown(error=None),)
    failed = outcome(Bodies(deadly("r0"))).result.records[0].error
    old = (old[0].grown(kind="images", error=failed), *old[1:])
    done = outcome(Bodies(deadly("r0")), Task(RECORDS, old))
    assert done.result.records[1:] == list(old[1:]) and done.result.records[0].error is not None


def test_what_all_lack_ends_the_stage():
    def learn(stage):
        raise MissingRequirementError("weights are missing")

    done = outcome(Bodies(finished, learn))
    assert done.result is None and isinstance(done.error, MissingRequirementError)


def test_workers_that_end_while_they_load_are_not_started_for_ever():
    def learn(stage):
        raise WorkerDied("SIGKILL")

    engine = Bodies(finished, learn)
    done = outcome(engine)
    assert isinstance(done.error, LlmgenError) and "loaded generate tiny" in str(done.error) and engine.started == 5


def test_workers_that_never_finish_anything_are_not_started_for_ever():
    many = tuple(Record(id=f"r{n}", prompt="x") for n in range(100))
    engine = Bodies(deadly(*(r.id for r in many)))
    done = outcome(engine, Task(many))
    assert done.result is None and "none finished anything" in str(done.error) and engine.started == 40


def test_a_fault_of_ours_is_told_and_not_waited_for():
    def work(task, hear):
        raise ZeroDivisionError("by design")

    assert isinstance(outcome(Bodies(work)).error, ZeroDivisionError)


def test_each_batch_is_told_what_all_have_spent():
    seen = []

    def work(task, hear):
        seen.append(task.spent.given)
        hear(Said("message", "step 1"))
        return finished(task)

    crew, told = Crew(Bodies(work)), queue.SimpleQueue()
    for number in range(3):
        crew.give(Errand(number, STAGE, Task(RECORDS), told))
    heard = [told.get(timeout=60) for _ in range(4)]
    # No more than two batches of a worker are finished and not in the journal.
    assert told.empty() and [h.number for h in heard] == [0, 0, 1, 1]
    heard[1].heard()
    assert told.get(timeout=60).number == 2
    crew.close()
    assert seen == [0, 10, 20]
