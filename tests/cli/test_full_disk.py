"""A disk that is full, for which a process that may write no larger files stands in: one line says so, and nothing finished is lost."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, str(Path(__file__).parents[1] / "tiny_stages.py")]
WORKERS = ("--engine", "process", "--workers", "2", "--device", "cpu")
N = 24


def limited(most, *arguments):
    """A command none of whose files may be larger than so many bytes, those of its workers included."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, "TINY_WORK_LOG": str(Path("log").resolve())},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )
    return done.returncode, done.stderr.splitlines()


def work():
    return Path("log").read_text().count("generate") if Path("log").exists() else 0


@pytest.mark.parametrize(("most", "full"), [(1000, "images/"), (20_000, ".llmgen/o.jsonl.journal")])
def test_workers_and_a_full_disk(llmgen, workplace, monkeypatch, most, full):
    """A picture of a worker, or the journal of the driver."""
    Path("p.json").write_text(json.dumps([f"thing {n}" for n in range(N)]))
    command = ("generate", "p.json", "--method", "tiny", "--batch-size", "2", "-o")
    code, said = limited(most, *command, "o.jsonl", *WORKERS)
    (error,) = [line for line in said if line.startswith("error: ")]
    assert code == 1 and error.startswith("error: cannot write ") and full in error and "choose another folder" in error
    assert not any("Traceback" in line for line in said) and not Path("o.jsonl").exists()
    monkeypatch.setenv("TINY_WORK_LOG", str(Path("log").resolve()))
    assert llmgen(*command, "o.jsonl", "--resume").code == 0
    # What two workers had in hand, or had finished and told, is done again: two batches each, one that each
    # begins before it hears of the end, and the one that met it.
    assert N <= work() <= N + 7 * 2
    monkeypatch.delenv("TINY_WORK_LOG")
    assert llmgen(*command, "w.jsonl").code == 0
    assert Path("w.jsonl").read_bytes() == Path("o.jsonl").read_bytes()


def test_stages_that_work_at_the_same_time_and_a_full_disk(llmgen, workplace):
    stages = [{"stage": stage, "method": "tiny"} for stage in ("layout", "generate", "detect")]
    Path("m.json").write_text(json.dumps({"name": "t", "prompts": [f"thing {n}" for n in range(N)], "stages": stages}))
    code, said = limited(40_000, "run", "m.json", "-o", "r", "--batch-size", "2")
    assert code == 1 and sum(line.startswith("error: cannot write r/.llmgen/") for line in said) == 1
    assert "takes up from there" in said[-2] and not any("Traceback" in line for line in said)
    again = llmgen("run", "m.json", "-o", "r", "--batch-size", "2")
    assert again.code == 0 and again.err.count("done before)") == 3
    assert llmgen("run", "m.json", "-o", "w", "--batch-size", "2", "--barrier").code == 0
    for name in ("layouts", "images", "detections"):
        assert Path(f"r/{name}.json").read_bytes() == Path(f"w/{name}.json").read_bytes()
