"""The engine `process`: a fresh interpreter for each device, told what to do through a pipe.

A worker ends with its pipe, so none outlives the driver, however that ends. Ctrl-C is the driver's alone: workers are in a session of
their own. What libraries print goes to stderr, since stdout is the pipe.
"""

import contextlib
import json
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from llmgen.artifacts.files import sweep
from llmgen.engine.bodies import Body, WorkerDied
from llmgen.engine.hand import Hand
from llmgen.engine.orders import ContextOrder, Done, Said, StageOrder, Task
from llmgen.errors import LlmgenError

_LENGTH: Final = struct.Struct("<Q")
_MAIN: Final = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from llmgen.engine.process import main; main()"
_SAVED: Final = "saved"


class ProcessEngine:
    """Workers as processes on this machine.

    Args:
        order: How they make their collaborators.
        environments: Variables of each worker besides the driver's own: which device it sees.
    """

    name = "process"

    def __init__(self, order: ContextOrder, environments: Sequence[Mapping[str, str]]) -> None:
        self._order, self._environments = order, environments

    @property
    def workers(self) -> int:
        """How many there may be at the same time."""
        return len(self._environments)

    def start(self, place: int) -> Body:
        """Start a worker.

        Raises:
            LlmgenError: If the system starts no process.
        """
        try:
            return _Process(self._order, self._environments[place])
        except OSError as error:
            raise LlmgenError(f"no worker can be started: {error.strerror or error}; use fewer --workers") from error

    def close(self) -> None:
        """Nothing serves all of them."""


class _Process:
    """A worker's process, as the driver sees it."""

    def __init__(self, order: ContextOrder, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            # Without -P, what lies in the working directory would come before the modules of Python.
            [sys.executable, "-P", "-c", _MAIN, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._order, self._told = order, False

    def learn(self, stage: StageOrder) -> None:
        """Load a method."""
        if not self._told:
            self._send(self._order)
            self._told = True
        self._send(stage)
        missing = self._answer(lambda said: None)
        if missing is not None:
            raise missing

    def work(self, task: Task, hear: Callable[[Said], None]) -> Done:
        """Work on a batch."""
        self._send(task)
        done = self._answer(hear)
        assert isinstance(done, Done)
        return done

    def saved(self) -> None:
        """Tell it that all it worked on is in the journal."""
        self._send(_SAVED)
        self._answer(lambda said: None)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> None:
        """End it, and see to its remains."""
        self._process.kill()
        self._reap()

    def _send(self, value: object) -> None:
        assert self._process.stdin is not None
        try:
            _write(self._process.stdin, value)
        except OSError as error:
            raise WorkerDied(self._reap()) from error

    def _answer(self, hear: Callable[[Said], None]) -> Any:
        assert self._process.stdout is not None
        while True:
            try:
                value = _read(self._process.stdout)
            except (EOFError, OSError, ValueError) as error:
                raise WorkerDied(self._reap()) from error
            if not isinstance(value, Said):
                return value
            hear(value)

    def _reap(self) -> str:
        """Wait for its end, and say how it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self._process.kill()  # whoever closed its pipe and does not end is of no more use
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not sent yet has no reader
                    pipe.close()
        sweep(self._order.root / self._order.folder, self._process.pid)
        return _ending(code)


def _ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", which is also what the system sends when memory runs out" if name == "SIGKILL" else ""
    return f"{name}{hint}"


def main() -> None:
    """The worker's process: it does as it is told until its pipe ends."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox, told.put), name="llmgen-pipe", daemon=True).start()
    lock = threading.Lock()

    def say(value: object) -> None:
        with lock:
            try:
                _write(outbox, value)
            except OSError:
                os._exit(0)  # nobody listens

    hand: Hand | None = None
    while True:
        order = told.get()
        if isinstance(order, ContextOrder):
            hand = Hand(order, say)
        elif hand is None:
            raise RuntimeError("a worker was told what to do before how")
        elif isinstance(order, StageOrder):
            say(hand.learn(order))
        elif isinstance(order, Task):
            say(_sendable(hand.work(order)))
        else:
            hand.saved()
            say(None)


def _listen(inbox: IO[bytes], tell: Callable[[Any], None]) -> None:
    """Pass on what comes; at the end of the pipe nobody needs this process, whatever it is doing."""
    pictures: Path | None = None
    try:
        while True:
            told = _read(inbox)
            if isinstance(told, ContextOrder):
                pictures = told.place / told.root / told.folder
            tell(told)
    except (EOFError, OSError):
        if pictures is not None:
            sweep(pictures, os.getpid())
        os._exit(0)


def _sendable(done: Done) -> Done:
    """What became of a task; an error of a kind that cannot be sent is told in words."""
    try:
        pickle.loads(pickle.dumps(done.error))
    except (pickle.PicklingError, TypeError, AttributeError):
        return Done(None, RuntimeError(f"{type(done.error).__name__}: {done.error}"), done.lines)
    return done


def _write(pipe: IO[bytes], value: object) -> None:
    data = pickle.dumps(value)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> Any:
    """The next value; both ends are llmgen's own, so unpickling it is safe."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)
