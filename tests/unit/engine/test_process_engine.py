"""Real workers: what comes out does not depend on who works, how many they are, or which of them end."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tiny_stages
from tiny_stages import TinyGenerate

from llmgen.artifacts import Record
from llmgen.artifacts.io import record_line
from llmgen.engine.context import StageContext
from llmgen.engine.engines import make_crew
from llmgen.engine.journal import Journal, journal_path
from llmgen.engine.local import stream_stage
from llmgen.engine.process import _ending
from llmgen.presets import load_preset
from llmgen.vision.images import ImageStore

PROGRAM = [sys.executable, str(Path(__file__).parents[2] / "tiny_stages.py")]
N, SIZE = 64, 6
REMARK = "seed {seed}"


def go(root, *, workers=None, coming=None, emit=lambda records: None):
    """Run 64 records; the lines of the artifact."""
    context = StageContext(load_preset("toybox"), ImageStore(root), "cpu", "float32", seed=5, batch_size=SIZE)
    if workers:
        context.crew = make_crew("process", workers, context)
    done = []

    def take(records):
        done.extend(map(record_line, records))
        emit(records)

    try:
        stream_stage(
            coming or (Record(id=f"r{n}", prompt=f"thing {n}") for n in range(N)),
            method_class=TinyGenerate,
            config=TinyGenerate.Config(remark=REMARK),
            given={"remark": REMARK},
            context=context,
            emit=take,
            journal=Journal(journal_path(root / "o.jsonl")),
        )
    finally:
        context.close()
    return done


def batches(root):
    """What the journal says, without times and whatever the order."""
    lines = journal_path(root / "o.jsonl").read_text().splitlines()
    return sorted(json.dumps(json.loads(line)["line"].get("records"), sort_keys=True) for line in lines)


def pictures(root):
    return {path.name: path.read_bytes() for path in (root / "images").iterdir()}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """What one process makes of the records."""
    root = tmp_path_factory.mktemp("local")
    return root, go(root)


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setenv(tiny_stages.WORK_LOG, str(tmp_path / "log"))
    return lambda: [line.split()[1:] for line in (tmp_path / "log").read_text().splitlines()]


def test_two_workers_ten_of_which_are_killed_give_the_bytes_of_one_process(local, log, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv(tiny_stages.TOGETHER, "2")
    # In each of ten batches another place.
    kills = [f"r{SIZE * k + k % SIZE}" for k in range(10)]
    monkeypatch.setenv(tiny_stages.KILL, ",".join(kills))
    monkeypatch.setenv(tiny_stages.KILLED, str(tmp_path))
    first_out = threading.Event()

    def coming():
        for n in range(N):
            if n == 24:
                assert first_out.wait(120), "what is finished waits for the end of the input"
            yield Record(id=f"r{n}", prompt=f"thing {n}")

    made = go(tmp_path, workers=2, coming=coming(), emit=lambda records: first_out.set())
    assert made == local[1] and pictures(tmp_path) == pictures(local[0]) and batches(tmp_path) == batches(local[0])
    done = log()
    # Both were at work, ten were killed and replaced, and what was begun in their batches was begun twice.
    names = [name for name, _ in done]
    assert len({pid for _, pid in done}) == 12
    assert {name: names.count(name) for name in kills} == dict.fromkeys(kills, 2)
    assert len(names) == N + sum(k % SIZE + 1 for k in range(10))
    assert capfd.readouterr().out == ""


def test_a_record_that_kills_its_workers_fails_alone(local, log, tmp_path, monkeypatch):
    monkeypatch.setenv(tiny_stages.KILL, "r11")
    # What lies in the working directory is data, and no module of ours.
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    made = [json.loads(line) for line in go(tmp_path, workers=1)]
    expected = [json.loads(line) for line in local[1]]
    error = made[11]["error"]
    assert error["type"] == "ModelError" and "record alone" in error["message"] and "SIGKILL" in error["message"]
    for n in set(range(N)) - {11}:
        # Those of its batch were worked on alone, and say so.
        said = [r["text"] for r in made[n].pop("remarks") if "alone" in r["text"]]
        assert len(said) == (SIZE <= n < 2 * SIZE), n
        expected[n].pop("remarks", None)
        assert made[n] == expected[n]
    assert [name for name, _ in log()].count("r11") == 4


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_driver_that_ends_takes_its_workers_along_and_is_resumed(local, log, tmp_path, number):
    lines = (json.dumps({"id": f"r{n}", "prompt": f"thing {n}"}) + "\n" for n in range(N))
    (tmp_path / "p.jsonl").write_text("".join(lines))
    command = [*PROGRAM, "generate", "p.jsonl", "--method", "tiny", "-o", "o.jsonl", "--seed", "5", "--device", "cpu"]
    command += ["--batch-size", str(SIZE)]
    killed = subprocess.run(
        [*command, "--set", f"remark={REMARK}", "--engine", "process", "--workers", "2"],
        cwd=tmp_path,
        env={**os.environ, tiny_stages.KILL_PARENT: f"r40:{int(number)}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        capture_output=True,
        text=True,
        timeout=200,
    )
    # It comes back once nobody holds stderr: no worker is left.
    assert killed.returncode == (130 if number == signal.SIGINT else -number) and "Traceback" not in killed.stderr
    assert number == signal.SIGKILL or "takes up from there" in killed.stderr
    assert not (tmp_path / "o.jsonl").exists()
    assert go(tmp_path) == local[1] and pictures(tmp_path) == pictures(local[0])
    # Two batches of each worker were under way, at most.
    worked = [name for name, _ in log()]
    assert len(worked) <= N + 4 * SIZE and set(worked) == {f"r{n}" for n in range(N)}


def test_a_worker_imports_nothing_that_only_models_need():
    heavy = "torch numpy diffusers transformers typer rich"
    code = f"import sys, llmgen.engine.process as p; sys.exit(' '.join(set({heavy.split()}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_how_a_process_ended():
    assert _ending(3) == "exit code 3" and "memory" in _ending(-9) and _ending(-11) == "SIGSEGV"
    assert _ending(-200) == "signal 200"
