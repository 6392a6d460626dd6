"""Who asks a server: hands arguments, environment, working folder and streams over, forwards signals, and ends as the command ended.

Runs before anything else is imported, and imports next to nothing itself.
"""

import os
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

from llmgen import settings
from llmgen.errors import INTERRUPTED, TERMINATED, LlmgenError
from llmgen.serving import SERVED, place, wire
from llmgen.serving.arguments import Arguments
from llmgen.serving.identity import code_digest, environment_digest

_WAIT_S: Final = 5.0
"""For a server to take a connection, which takes no time where it is well."""


def answered(argv: Sequence[str]) -> int | None:
    """Let a server do the work, if there is one that fits.

    Args:
        argv: Arguments without the program's name.

    Returns:
        The exit code; None if the work is to be done here, of which nothing was begun then.
    """
    if not argv or argv[0] not in SERVED or not wire.is_possible():
        return None
    environment = dict(os.environ)
    settings.load_dotenv(Path(".env"))
    if settings.no_serve() or settings.debug():
        return None
    try:
        return _asked(argv, environment)
    except KeyboardInterrupt:
        return INTERRUPTED  # without a word, as a command whose stage has not begun


def _asked(argv: Sequence[str], environment: Mapping[str, str]) -> int | None:
    try:
        servers = place.notes(place.folder())
    except (LlmgenError, OSError):
        return None  # `llmgen serve` says what is wrong there
    code = None
    for path, note in servers:
        flags = note.commands.get(argv[0])
        words = None if flags is None else Arguments.read(argv, flags)
        if words is None or not words.is_for_models or not _fits(note, words):
            continue
        code = code or code_digest()
        if note.code != code or note.environment != environment_digest(os.environ) or not _is_servable(words):
            continue
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_WAIT_S)
            try:
                connection.connect(str(path))
            except OSError:
                continue  # it was killed
            if not wire.is_own(connection):
                continue
            connection.settimeout(None)
            return _handed_over(connection, words, note, {"argv": list(argv), "environment": dict(environment)})
    return None


def _fits(note: place.ServerNote, words: Arguments) -> bool:
    """Whether a server holds the models that a command asks for."""
    defaults = _own_defaults(words.command)
    if defaults.get("no_serve") or (words.value("engine", defaults) or "local") != "local":
        return False  # workers load their own
    shipped = Path(__file__).parent.parent / "_manifests"
    preset = words.preset(defaults, shipped if shipped.is_dir() else shipped.parent.parent / "manifests")
    device = words.value("device", defaults) or "auto"
    return note.preset == place.preset_identity(preset) and (
        device == note.device or (device == "auto" and note.is_auto)
    )


def _own_defaults(command: str) -> dict[str, Any]:
    """The person's own defaults for a command; of a file that cannot be read none, which the command itself says."""
    path, _ = settings.config_path()
    if path is None or not path.is_file():
        return {}
    import tomllib

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    own = values.get(command)
    found = {**values, **(own if isinstance(own, dict) else {})}
    return {name.replace("-", "_"): value for name, value in found.items()}


def _is_servable(words: Arguments) -> bool:
    """Whether the command's streams and files mean the same elsewhere."""
    try:
        for descriptor in (0, 1, 2):
            os.fstat(descriptor)
    except OSError:
        return False  # closed
    # Who types records is asked for them here.
    return words.names_only_files and not (words.reads_stdin and os.isatty(0))


def _handed_over(
    connection: socket.socket, words: Arguments, note: place.ServerNote, request: dict[str, Any]
) -> int | None:
    from llmgen.serving.streams import Streams

    try:
        streams = Streams(words.reads_stdin)
    except OSError as error:
        _say(f"what comes through stdin cannot be kept: {error.strerror or error}; free some space, or use --no-serve")
        return LlmgenError.exit_code
    umask = os.umask(0)
    os.umask(umask)
    request |= {"do": "run", "code": note.code, "may_wait": streams.may_wait, "umask": umask}
    try:
        here = os.open(".", os.O_RDONLY)
        wire.send_first(connection, request, (*streams.descriptors, here))
        os.close(here)
    except OSError:
        streams.taken_back()
        return None
    with _Forwarding(connection) as forwarding:
        if wire.receive(connection) != {"begun": True}:
            streams.taken_back()
            return None
        forwarding.has_begun = True
        streams.handed_over()
        return _followed(connection, streams, note)


class _Forwarding:
    """While it lasts, Ctrl-C and SIGTERM are the command's; one that has not begun ends here, and the server sees that."""

    def __init__(self, connection: socket.socket) -> None:
        self.has_begun = False
        self._connection = connection
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Forwarding":
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as of a command behind which nobody sits
                self._before[number] = signal.signal(number, self._forward)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _forward(self, number: int, frame: FrameType | None) -> None:
        if not self.has_begun:
            raise SystemExit(TERMINATED) if number == signal.SIGTERM else KeyboardInterrupt
        try:
            wire.send(self._connection, {"signal": number})
        except OSError:
            pass  # the command is over


def _followed(connection: socket.socket, streams: Any, note: place.ServerNote) -> int:
    """Bring on what is written until the command is over and all of it has been read."""
    outgoing = list(dict.fromkeys(streams.outgoing.values()))
    incoming = streams.incoming
    answer: Any = None
    over = False
    while not over or any(stream.has_more for stream in outgoing):
        reading = [stream.reader for stream in outgoing if stream.is_open]
        writing = [stream.target for stream in outgoing if stream.has_more]
        writing += [incoming.writer] if incoming is not None and incoming.is_open and not over else []
        readable, writable, _ = select.select(reading + ([] if over else [connection]), writing, [])
        for stream in outgoing:
            if stream.is_open and stream.reader in readable:
                stream.take()
            if stream.has_more and stream.target in writable:
                stream.bring()
        if incoming is not None and incoming.is_open and incoming.writer in writable:
            incoming.feed()
        if not over and connection in readable:
            answer, over = wire.receive(connection), True
            for stream in outgoing:
                stream.take_rest()
    if isinstance(answer, dict) and isinstance(answer.get("code"), int):
        # What a command would have heard that writes there itself.
        broken = any(stream.is_broken for stream in outgoing)
        return int(answer["code"]) or int(broken)
    _say(
        f"the server of {note.preset} (process {note.pid}) ended before the command did; what is finished is kept where -o or a run's "
        "folder was given: give the command again, with --resume where it has one"
    )
    return LlmgenError.exit_code


def _say(text: str) -> None:
    sys.stderr.write(f"error: {text}\n")
    sys.stderr.flush()
