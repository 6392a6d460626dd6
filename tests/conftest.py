"""What every test gets: no network, no caches of the user, one thread."""

import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from llmgen.cli.output import out

# No test is judged by its time: on a busy machine a first call takes seconds.
settings.register_profile("llmgen", deadline=None)
settings.load_profile("llmgen")

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TERM"] = "dumb"

# A suite in the background is deaf to Ctrl-C, and so would every process be that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LOCAL = ("127.0.0.1", "::1", "localhost")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: begun last, one of them would keep one core busy while the others have nothing left to do."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """How much is said is the whole process's: a command with -q in one test must not hush the next."""
    yield
    out.quiet = out.verbose = False
    logger = logging.getLogger("llmgen")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.fixture(autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches in a temporary folder, no keys, no debug switch, no server of the user's, no connection beyond this machine."""
    monkeypatch.setenv("LLMGEN_CONFIG", "")
    monkeypatch.setenv("LLMGEN_NO_SERVE", "1")
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    for name in (
        "LLMGEN_DEBUG", "LLMGEN_OPENAI_MODEL", "LLMGEN_OPENAI_TIMEOUT", "LLMGEN_OPENAI_MAX_TOKENS", "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOCAL:
            raise RuntimeError(f"a test tried to reach {address[0]}; tests use no network")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tiny_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that need no model, in place of the real ones."""
    import tiny_stages

    monkeypatch.setattr("llmgen.registry.methods", tiny_stages.methods)
