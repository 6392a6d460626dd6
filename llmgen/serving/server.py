"""A process that holds models and runs the commands of its user, one after another, each at the place of who asked."""

import contextlib
import gc
import os
import queue
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from llmgen.artifacts.lock import HeldElsewhereError, locked
from llmgen.errors import INTERRUPTED, TERMINATED, OutputError
from llmgen.serving import place, wire
from llmgen.serving.workplace import at_place_of

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LULL_S: Final = 1.0
"""Without a command, after which rubbish is collected: beside loaded models that takes as long as planning a layout, and the next command
of a pipe would wait for it."""


@dataclass(eq=False)
class _Command:
    """One command that somebody asked for."""

    connection: socket.socket
    argv: list[str]
    environment: dict[str, str]
    umask: int
    files: list[int]
    signalled: bool = False
    """Whether who asked has sent a signal, or has gone."""

    @classmethod
    def of(cls, request: dict[str, Any], files: list[int], connection: socket.socket) -> "_Command | None":
        """What was asked for; None if that is no command."""
        argv, environment, umask = (request.get(name) for name in ("argv", "environment", "umask"))
        if len(files) != 4 or not isinstance(argv, list) or not argv or not isinstance(environment, dict):
            return None
        return cls(connection, argv, environment, umask, files) if isinstance(umask, int) else None

    def close(self) -> None:
        """Close the files that came along."""
        for number in self.files:
            os.close(number)
        self.files = []

    def refuse(self) -> None:
        """Leave the work to who asked."""
        self.close()
        with contextlib.suppress(OSError):
            wire.send(self.connection, {"begun": False})
            self.connection.shutdown(socket.SHUT_WR)


class Server:
    """Runs commands until it is told to stop, or nothing was asked for a while.

    Args:
        note: What it says of itself.
        path: Its socket.
        run: Runs a command line in this process and gives its exit code; called in the main thread.
        idle_s: Seconds without work after which it ends.
    """

    def __init__(self, note: place.ServerNote, path: Path, run: Callable[[Sequence[str]], int], idle_s: float) -> None:
        self._note, self._path, self._run, self._idle_s = note, path, run, idle_s
        self._waiting: queue.Queue[_Command | None] = queue.Queue()
        self._lock = threading.Lock()
        self._current: _Command | None = None
        self._open = 0
        """Commands that wait or are worked on."""
        self._began = time.monotonic()
        self._last = time.monotonic()
        self._done = 0
        self._ends = False
        self._is_at_work = self._is_alone = False
        self._is_littered = False
        """Whether commands may have left rubbish."""
        self._deaf_to: set[int] = set()
        """Signals that whoever started it wants ignored: `nohup`, a shell's `&`."""

    def serve(self, ready: Callable[[], None]) -> None:
        """Serve, while `only_one` holds.

        Args:
            ready: Called once when commands are taken.

        Raises:
            OutputError: If the socket cannot be made.
            KeyboardInterrupt: As Ctrl-C ends it.
            SystemExit: As SIGTERM does.
        """
        with self._listening() as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            self._deaf_to = {number for number in _SIGNALS if signal.getsignal(number) == signal.SIG_IGN}
            before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
            # Started with & in the terminal of who asks, it writes there all the same.
            before[signal.SIGTTOU] = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            try:
                self._is_alone = True
                place.write_note(self._path, self._note)
                self._last = time.monotonic()
                ready()
                self._work()
            finally:
                self._ends = True
                for number, handler in before.items():
                    signal.signal(number, handler)
                for path in (place.note_path(self._path), self._path):
                    path.unlink(missing_ok=True)
                self._refuse_all()

    @contextlib.contextmanager
    def only_one(self) -> Iterator[None]:
        """Be the only server of its preset and device.

        Raises:
            OutputError: If there is one.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self._path.with_suffix(".lock"), str(self._path.parent)))
            except HeldElsewhereError as error:
                raise OutputError(
                    f"a server of {self._note.preset} on {self._note.device} runs already; `llmgen serve --status` shows it, `llmgen serve "
                    "--stop` ends it"
                ) from error
            yield

    @contextlib.contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        self._path.unlink(missing_ok=True)  # of one that was killed: the lock is ours
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            mask = os.umask(0o177)
            try:
                listener.bind(str(self._path))
            except OSError as error:
                raise OutputError(f"{self._path}: {error.strerror or error}") from error
            finally:
                os.umask(mask)
            listener.listen()
            yield listener

    def _work(self) -> None:
        while not self._ends:
            rest = self._last + self._idle_s - time.monotonic()
            if rest <= 0:
                return
            try:
                lull = _LULL_S if self._is_littered else threading.TIMEOUT_MAX
                command = self._waiting.get(timeout=min(rest, lull))
            except queue.Empty:
                if self._is_littered:
                    gc.collect()
                    self._is_littered = False
                continue
            if command is not None:
                self._do(command)
                self._last = time.monotonic()

    def _do(self, command: _Command) -> None:
        """One command, from its first to its last byte."""
        with self._lock:
            refused = command.signalled or self._ends
            self._current, self._is_alone = None if refused else command, refused
        code = None if refused else self._called(command)
        with self._lock:
            self._current = None
            self._open -= 1
        # By now, a signal that was passed on has come; what comes from here on is for the server.
        self._is_alone = True
        if code is None:
            command.refuse()
            return
        if code in (INTERRUPTED, TERMINATED) and not command.signalled:
            self._ends = True
        self._done += 1
        command.close()
        with contextlib.suppress(OSError):
            wire.send(command.connection, {"code": code})
            command.connection.shutdown(socket.SHUT_WR)
        self._is_littered = True

    def _called(self, command: _Command) -> int:
        try:
            wire.send(command.connection, {"begun": True})
            # Warnings are said once in a process: each command is one.
            with at_place_of(command.files, command.environment, command.umask), warnings.catch_warnings():
                try:
                    self._is_at_work = True
                    if command.signalled:
                        return INTERRUPTED
                    return self._run(command.argv)
                finally:
                    self._is_at_work = False
        except KeyboardInterrupt:
            return INTERRUPTED
        except SystemExit:
            return TERMINATED
        except OSError:
            return OutputError.exit_code  # nobody is there any more
        finally:
            self._is_at_work = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        passed_on = self._current is not None and self._current.signalled
        if not (self._is_at_work or self._is_alone) or (number in self._deaf_to and not passed_on):
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(TERMINATED)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if not wire.is_own(connection):
                return
            request, files = wire.receive_first(connection)
            asked = request.get("do") if isinstance(request, dict) else None
            command = _Command.of(request, files, connection) if asked == "run" else None
            if command is not None:
                self._take(command, request)
                return
            for number in files:
                os.close(number)
            if asked == "status":
                wire.send(connection, self._state())
            elif asked == "stop":
                wire.send(connection, self._state())
                self._ends = True
                self._waiting.put(None)
                wire.receive(connection)  # who asked waits until this process has ended

    def _take(self, command: _Command, request: dict[str, Any]) -> None:
        """Put a command in its place, and listen to who asked for it until it is over."""
        with self._lock:
            fits = request.get("code") == self._note.code and (request.get("may_wait") or not self._open)
            if fits and not self._ends:
                self._open += 1
                self._waiting.put(command)
            else:
                command.refuse()
                return
        while (message := wire.receive(command.connection)) is not None:
            self._pass_on(command, message.get("signal"))
        self._pass_on(command, signal.SIGTERM)

    def _pass_on(self, command: _Command, number: Any) -> None:
        """A signal for a command; one that waits is not begun any more."""
        main = threading.main_thread().ident
        if number not in (signal.SIGINT, signal.SIGTERM) or main is None:
            return
        with self._lock:
            command.signalled = True
            if command is self._current:
                signal.pthread_kill(main, number)

    def _refuse_all(self) -> None:
        with self._lock, contextlib.suppress(queue.Empty):
            while True:
                command = self._waiting.get_nowait()
                if command is not None:
                    command.refuse()

    def _state(self) -> dict[str, Any]:
        """What `--status` shows; no word of any environment."""
        with self._lock:
            current = self._current
            waiting = self._open - (current is not None)
        return {
            "preset": self._note.preset,
            "device": self._note.device,
            "pid": self._note.pid,
            "state": "idle" if current is None else current.argv[0],
            "waiting": waiting,
            "done": self._done,
            "up_s": round(time.monotonic() - self._began),
            "idle_s": round(time.monotonic() - self._last) if current is None else 0,
            "ends_after_s": self._idle_s,
        }
