"""Actors of a Ray of its own; where Ray is installed (`pip install 'llmgen[ray]'`)."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_stages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]
PROGRAM = [sys.executable, str(Path(__file__).parents[2] / "tiny_stages.py")]
N = 64


def test_two_actors_give_the_bytes_of_one_process_also_when_one_is_killed(tmp_path):
    lines = (json.dumps({"id": f"r{n}", "prompt": f"thing {n}"}) + "\n" for n in range(N))
    (tmp_path / "p.jsonl").write_text("".join(lines))
    command = [*PROGRAM, "generate", "p.jsonl", "--method", "tiny", "--device", "cpu", "-o"]
    run = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 290}
    subprocess.run([*command, "local/o.jsonl"], check=True, **run)
    environment = {
        **os.environ,
        tiny_stages.WORK_LOG: str(tmp_path / "log"),
        tiny_stages.TOGETHER: "2",
        tiny_stages.KILL: "r21",
        tiny_stages.KILLED: str(tmp_path),
    }
    done = subprocess.run([*command, "ray/o.jsonl", "--engine", "ray", "--workers", "2"], env=environment, **run)
    assert done.returncode == 0 and done.stdout == "" and "another one goes on" in done.stderr, done.stderr
    assert (tmp_path / "ray/o.jsonl").read_bytes() == (tmp_path / "local/o.jsonl").read_bytes()
    pictures = [
        {path.name: path.read_bytes() for path in (tmp_path / name / "images").iterdir()} for name in ("local", "ray")
    ]
    assert pictures[0] == pictures[1]
    worked = [line.split()[1:] for line in (tmp_path / "log").read_text().splitlines()]
    assert len({pid for _, pid in worked}) == 3 and len(worked) <= N + 8
