"""Stages of a run that work at the same time: the files are those of stages that wait for each other, whatever comes in between."""

import _thread
import json
import threading
from pathlib import Path

import pytest
import tiny_stages

from llmgen.engine.journal import journal_path
from llmgen.engine.journal_lines import last_words
from llmgen.errors import MissingRequirementError

N = 12
STAGES = ("layout", "generate", "detect", "correct", "refine", "evaluate")
NAMES = ("layouts", "images", "detections", "corrections", "refinements", "scores")
PATIENCE_S = 60
_EXPECTED: dict[str, bytes] = {}


@pytest.fixture
def manifest(workplace):
    def write(*stages, prompts=N):
        entries = [
            stage if isinstance(stage, dict) else {"stage": stage, "method": "tiny"} for stage in stages or STAGES
        ]
        value = {"name": "t", "prompts": [f"thing {n}" for n in range(prompts)], "stages": entries}
        (workplace / "m.json").write_text(json.dumps(value))

    return write


@pytest.fixture
def run(llmgen):
    def start(folder, *arguments):
        return llmgen("run", "m.json", "-o", folder, "--batch-size", "2", *arguments)

    return start


@pytest.fixture
def expected(run, manifest):
    """What a run whose stages wait for each other leaves; it is made once."""
    manifest()
    if not _EXPECTED:
        assert run("barrier", "--barrier").code == 0
        _EXPECTED.update(contents("barrier"))
    return _EXPECTED


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and ".llmgen" not in path.parts
    }


def batches(folder):
    """What the journals of a folder say, without times."""
    return {
        path.name: [json.loads(line)["line"].get("records") for line in path.read_text().splitlines()]
        for path in sorted(Path(folder, ".llmgen").glob("*.journal"))
    }


def at_work():
    return [thread for thread in threading.enumerate() if thread.name.startswith("llmgen-stage")]


def patched(monkeypatch, method, before):
    """Have something done before a stage works on a record."""
    one = method.one

    def grow(self, record):
        before(record.id)
        return one(self, record)

    monkeypatch.setattr(method, "one", grow)


def test_one_record_is_planned_while_another_is_drawn(run, manifest, monkeypatch):
    """Each of two stages waits for the other, which stages that wait for each other's end would do for ever."""
    drawn, planned = threading.Event(), threading.Event()

    def plan(name):
        if name == "0010":
            assert drawn.wait(PATIENCE_S)
            planned.set()

    def draw(name):
        if name == "0002":
            drawn.set()
            assert planned.wait(PATIENCE_S)

    manifest()
    patched(monkeypatch, tiny_stages.TinyLayout, plan)
    patched(monkeypatch, tiny_stages.TinyGenerate, draw)
    done = run("flow")
    assert done.code == 0 and planned.is_set(), done.err
    assert [line.partition(":")[0] for line in done.err.splitlines()[:6]] == [f"{stage} tiny" for stage in STAGES]
    monkeypatch.undo()


def test_all_bytes_are_those_of_stages_that_wait(run, manifest):
    samples = {"stage": "generate", "method": "tiny", "config": {"samples": 2, "remark": "seed {seed}"}}
    manifest("layout", samples, *STAGES[2:])
    assert (run("flow").code, run("barrier", "--barrier").code) == (0, 0)
    assert contents("flow") == contents("barrier") and len(contents("flow")) > 3 * N
    assert batches("flow") == batches("barrier")
    assert not at_work()


def test_records_that_fail_go_on_as_ever(run, manifest):
    manifest()
    fail = ("--set", "generate.fail=0004", "--set", "correct.crash=0004,0009")
    flow, barrier = run("flow", *fail), run("barrier", "--barrier", *fail)
    assert flow.code == barrier.code == 6
    assert contents("flow") == contents("barrier") and batches("flow") == batches("barrier")
    assert sorted(line for line in flow.err.splitlines() if "warning" in line) == sorted(
        line for line in barrier.err.splitlines() if "warning" in line
    )
    assert flow.err.splitlines()[-1] == barrier.err.splitlines()[-1]
    # What failed is tried again, and what did not is not.
    again = run("flow", *fail)
    assert again.code == 6 and f"({N - 1} done before, 1 failed)" in again.err


def test_branches_flow_too(run, manifest):
    manifest(
        "layout",
        {"stage": "generate", "method": "tiny", "name": "plain"},
        {"stage": "generate", "method": "tiny", "from": "layouts", "name": "labelled", "config": {"label": "x"}},
        {"stage": "generate", "method": "tiny", "from": "prompts"},
        {"stage": "evaluate", "method": "tiny", "from": ["plain", "labelled", "images"]},
    )
    flow, barrier = run("flow"), run("barrier", "--barrier")
    assert flow.code == barrier.code == 0, flow.err
    assert contents("flow") == contents("barrier")
    assert flow.err.splitlines()[-4:-1] == barrier.err.splitlines()[-4:-1]


def test_a_shard_flows_too(run, expected, llmgen):
    for number in (1, 2):
        assert run("shards", "--shard", f"{number}/2").code == 0
    assert llmgen("merge", "shards", "-q").code == 0
    assert {name: data for name, data in contents("shards").items() if "-of-" not in name} == expected


def test_a_stage_that_cannot_go_on_ends_all(run, expected, monkeypatch):
    """Also one that works and one that waits, and nothing that they finished is done again."""
    there, logged = threading.Event(), []

    def missing(self, context, config):
        assert there.wait(PATIENCE_S)
        raise MissingRequirementError("no weights; fetch them")

    with monkeypatch.context() as patch:
        patched(patch, tiny_stages.TinyGenerate, lambda name: there.set() if name == "0007" else None)
        patch.setattr(tiny_stages.TinyDetect, "__init__", missing)
        done = run("flow")
    assert done.code == 4 and done.err.count("error: ") == 1 and "error: no weights; fetch them" in done.err
    assert "takes up from there" in done.err and "of layout tiny, " in done.err and not at_work()
    assert not list(Path("flow/.llmgen").glob("*.part"))
    patched(monkeypatch, tiny_stages.TinyGenerate, logged.append)
    again = run("flow")
    assert again.code == 0 and not {"0001", "0002", "0003", "0004", "0005", "0006"} & {*logged}
    assert contents("flow") == expected


# Ctrl-C may come between the opening of a file and its `with`: the collector closes that one, and Python tells.
@pytest.mark.filterwarnings("ignore:.*journal:pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_keeps_what_is_finished(run, expected, monkeypatch):
    logged = []
    with monkeypatch.context() as patch:
        patched(patch, tiny_stages.TinyDetect, lambda name: _thread.interrupt_main() if name == "0005" else None)
        patched(patch, tiny_stages.TinyCorrect, lambda name: threading.Event().wait(0.2))
        done = run("flow")
    assert done.code == 130 and "of detect tiny, " in done.err.splitlines()[-1] and "takes up from there" in done.err
    assert not at_work()
    patched(monkeypatch, tiny_stages.TinyDetect, logged.append)
    assert run("flow").code == 0 and not {"0001", "0002", "0003", "0004"} & {*logged}
    assert contents("flow") == expected


def test_a_thread_that_is_late_leaves_the_next_run_alone(run, expected, monkeypatch):
    """It sits in a call that nothing can end, when its run does."""
    go_on = threading.Event()

    def sit(name):
        _thread.interrupt_main()
        assert go_on.wait(PATIENCE_S)

    with monkeypatch.context() as patch:
        patch.setattr("llmgen.pipeline.flow._PATIENCE_S", 0.05)
        patched(patch, tiny_stages.TinyDetect, sit)
        assert run("flow").code == 130
    (late,) = at_work()
    assert run("flow").code == 0 and contents("flow") == expected
    before = batches("flow")
    go_on.set()
    late.join(PATIENCE_S)
    assert not late.is_alive() and contents("flow") == expected and batches("flow") == before


def test_an_input_of_the_wrong_kind_is_refused_at_the_end(run, manifest):
    manifest("layout", "detect", "evaluate")
    for more in ((), ("--barrier",)):
        done = run("r", "--force", *more)
        assert done.code == 3 and "has no section 'image', which detect tiny needs; make it first with" in done.err
    assert not Path("r/detections.json").exists()


def test_ids_are_refused_before_any_work(run, workplace):
    prompts = [{"prompt": "a", "id": "same"}, {"prompt": "b", "id": "other"}, {"prompt": "c", "id": "same"}]
    stages = [{"stage": stage, "method": "tiny"} for stage in STAGES]
    (workplace / "m.json").write_text(json.dumps({"name": "t", "prompts": prompts, "stages": stages}))
    done = run("r")
    assert done.code == 3 and "two records are called 'same'" in done.err and not Path("r/layouts.json").exists()


def test_a_finished_run_is_told_by_a_line_of_each_stage(run, manifest, monkeypatch):
    manifest()
    assert run("r").code == 0
    before = contents("r")
    for name in NAMES:  # whoever reads a journal says that it is damaged
        path = journal_path(Path(f"r/{name}.json"))
        assert last_words(path)["count"] == N
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([lines[0], lines[1].replace(b"thing", b"thong"), *lines[2:]]))
    for more in ((), ("--barrier",)):
        done = run("r", *more)
        assert done.code == 0 and "damaged" not in done.err and contents("r") == before
        assert [line.split(" in ")[0] for line in done.err.splitlines()[:6]] == [
            f"{s} tiny: {N}/{N} records" for s in STAGES
        ]
        assert done.err.count(f"({N} done before)") == 6
        assert f"made {N} of {N} records with {3 * N} pictures" in done.err


def test_what_was_changed_by_hand_is_made_again(run, manifest):
    manifest()
    assert run("r").code == 0
    before = contents("r")
    Path("r/detections.json").write_bytes(before["detections.json"].replace(b'"ball"', b'"bowl"', 1))
    next(Path("r/images").glob("0003.refine*")).unlink()
    done = run("r")
    assert done.code == 0 and contents("r") == before
    # The batch of the lost picture is drawn anew; all others are in the journals.
    assert done.err.count(f"({N} done before)") == 5 and f"refine tiny: {N}/{N}" in done.err


def test_what_is_left_begins_with_what_is_there(run, manifest):
    manifest()
    assert run("r").code == 0
    before = contents("r")
    journal_path(Path("r/scores.json")).unlink()
    Path("r/scores.json").unlink()
    done = run("r")
    assert done.code == 0 and contents("r") == before and done.err.count(f"({N} done before)") == 5


def test_every_stage_has_a_bar(run, manifest, monkeypatch):
    from llmgen.cli.output import Output

    manifest()
    monkeypatch.setattr(Output, "watched", property(lambda self: True))
    done = run("r", "--set", "detect.fail=0002")
    assert done.code == 6 and all(f"{stage} tiny" in done.err for stage in STAGES)
    assert "warning: detect tiny: record '0002': cannot do 0002" in done.err
