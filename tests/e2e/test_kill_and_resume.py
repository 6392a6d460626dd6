"""Killing a run at any moment and starting it again gives the artifacts of an uninterrupted run, byte for byte."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = [sys.executable, str(Path(__file__).parents[1] / "tiny_stages.py")]
STAGES = ("layout", "generate", "detect", "correct", "refine")
N = 12


def manifest(folder, seconds=0.02, **changes):
    stages = [{"stage": stage, "method": "tiny", "config": {"seconds": seconds}} for stage in STAGES]
    value = {"name": "t", "seed": 3, "prompts": [f"thing {i}" for i in range(N)], "stages": stages, **changes}
    stages.append({"stage": "evaluate", "method": "tiny"})
    (folder / "m.json").write_text(json.dumps(value))


def start(folder, output, log=None, *more):
    environment = {**os.environ, **({"TINY_WORK_LOG": str(log)} if log else {})}
    command = [*PROGRAM, "run", "m.json", "-o", output, "--batch-size", "3", *more]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test suite in the background of a shell ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".llmgen" not in path.parts
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run, and how long it took."""
    folder = tmp_path_factory.mktemp("whole")
    manifest(folder)
    started = time.monotonic()
    code, out, err = finish(start(folder, "run"))
    assert code == 0 and out == "", err
    return folder / "run", time.monotonic() - started


def test_a_run_leaves_everything(whole):
    folder, _ = whole
    names = set(contents(folder))
    assert {n for n in names if "/" not in n} == {
        "manifest.json", "layouts.json", "images.json", "detections.json", "corrections.json", "refinements.json", "scores.json",
        "report.html",
    }  # fmt: skip
    assert sum(n.startswith("images/") for n in names) == 3 * N


@pytest.mark.slow
def test_killed_at_random_moments(whole, tmp_path):
    expected, seconds = whole
    manifest(tmp_path)
    log = tmp_path / "log"
    rng = random.Random(0)
    kills = 0
    for _ in range(6):
        process = start(tmp_path, "run", log)
        time.sleep(rng.uniform(0.3, 0.6) * seconds)
        process.send_signal(signal.SIGKILL)
        finish(process)
        kills += process.returncode == -signal.SIGKILL
    assert kills
    code, _, err = finish(start(tmp_path, "run", log))
    assert code == 0, err
    assert contents(tmp_path / "run") == contents(expected)
    # Only the batch of each stage that was under way when the process died is done again.
    assert len(log.read_text().splitlines()) <= 6 * N + 6 * 3 * kills


def test_interrupts_have_their_exit_codes_and_lose_nothing(tmp_path):
    # Slow enough that the signal finds the run at work, however busy the machine is.
    manifest(tmp_path, seconds=0.06)
    uninterrupted = start(tmp_path, "expected")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = start(tmp_path, "run")
        journal = tmp_path / "run/.llmgen/images.json.journal"
        before = journal.stat().st_size if journal.exists() else 0
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size > before):
            time.sleep(0.01)
        process.send_signal(number)
        returned, _, err = finish(process)
        assert returned == code, err
        assert "takes up from there" in err and "Traceback" not in err
    code, _, err = finish(start(tmp_path, "run"))
    assert code == 0 and "done before" in err
    code, _, err = finish(uninterrupted)
    assert code == 0, err
    assert contents(tmp_path / "run") == contents(tmp_path / "expected")


def test_a_finished_run_is_not_done_again(whole, tmp_path):
    manifest(tmp_path)
    folder, _ = whole
    before = contents(folder)
    log = tmp_path / "log"
    manifest(folder.parent)
    code, _, err = finish(start(folder.parent, "run", log))
    assert code == 0 and not log.exists()
    assert contents(folder) == before
    assert err.count(f"({N} done before)") == 6


def test_another_run_in_the_same_folder_is_refused(whole):
    folder, _ = whole
    before = contents(folder)
    manifest(folder.parent)
    code, _, err = finish(start(folder.parent, "run", None, "--seed", "9"))
    assert code == 1 and "--force" in err and contents(folder) == before


def test_two_at_once_are_refused(tmp_path):
    manifest(tmp_path, seconds=0.3)
    first = start(tmp_path, "run")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "run/manifest.json").exists():
        time.sleep(0.01)
    code, _, err = finish(start(tmp_path, "run"))
    first.kill()
    finish(first)
    assert code == 1 and "another llmgen is writing" in err


def test_a_single_stage_resumes_too(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps([f"thing {i}" for i in range(N)]))
    command = [*PROGRAM, "generate", "p.json", "--method", "tiny", "--set", "seconds=0.05", "--batch-size", "2"]
    subprocess.run([*command, "-o", "whole/i.json", "-q"], cwd=tmp_path, check=True)
    process = subprocess.Popen([*command, "-o", "cut/i.json", "-q"], cwd=tmp_path)
    journal = tmp_path / "cut/.llmgen/i.json.journal"
    # Its first line says how the stage was begun, the next ones hold finished records.
    while not journal.exists() or len(journal.read_bytes().splitlines()) < 2:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "cut/i.json").exists()
    done = subprocess.run([*command, "-o", "cut/i.json"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "done before" in done.stderr
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_records_flow_through_a_real_pipe(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps(["a Bär 🐻", "two cats"], ensure_ascii=False), encoding="utf-8")
    program = " ".join(PROGRAM)
    script = (
        "set -o pipefail\n"
        f"{program} layout p.json --method tiny | {program} generate - --method tiny | {program} detect --method tiny"
        f" | {program} correct --mode tiny | {program} evaluate tiny - --json"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["overall"]["n"] == 2


def test_a_reader_that_leaves_early_is_no_drama(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps([f"thing {i}" for i in range(200)]))
    script = f"{' '.join(PROGRAM)} layout p.json --method tiny --batch-size 1 | head -n 1"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr and "Broken pipe" not in done.stderr and "BrokenPipe" not in done.stderr
