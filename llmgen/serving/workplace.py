"""A process at another's place: its streams, working folder, environment and file mode, for one command."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO


@contextlib.contextmanager
def at_place_of(files: Sequence[int], environment: Mapping[str, str], umask: int) -> Iterator[None]:
    """Read, write and look things up as another process would; for the one thread that works.

    Args:
        files: stdin, stdout, stderr and the working folder, open.
        environment: All variables.
        umask: Of new files.

    Raises:
        OSError: If the folder cannot be entered; nothing has changed then.
    """
    own_folder = os.open(".", os.O_RDONLY)
    own_files = [os.dup(number) for number in range(3)]
    own_environment, own_umask = dict(os.environ), os.umask(umask)
    own_streams = (sys.stdin, sys.stdout, sys.stderr)
    try:
        os.fchdir(files[3])
        _flush(own_streams[1:])
        for number in range(3):
            os.dup2(files[number], number)
        _set_environment(environment)
        sys.stdin, sys.stdout, sys.stderr = _fresh_streams()
        yield
    finally:
        _flush((sys.stdout, sys.stderr, *own_streams[1:]))
        sys.stdin, sys.stdout, sys.stderr = own_streams
        for number, own in enumerate(own_files):
            os.dup2(own, number)
            os.close(own)
        _set_environment(own_environment)
        os.umask(own_umask)
        os.fchdir(own_folder)
        os.close(own_folder)


def _fresh_streams() -> tuple[TextIO, TextIO, TextIO]:
    """Streams as the interpreter makes them at its start."""
    # A file that is let go of must not close the descriptor of the next one.
    errors = "strict" if os.isatty(0) or not sys.flags.utf8_mode else "surrogateescape"
    stdin = open(0, encoding=sys.__stdin__.encoding if sys.__stdin__ else None, errors=errors, closefd=False)
    stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding="utf-8", line_buffering=os.isatty(1))
    stderr = io.TextIOWrapper(
        open(2, "wb", closefd=False), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    return stdin, stdout, stderr


def _set_environment(environment: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def _flush(streams: Sequence[TextIO]) -> None:
    for stream in streams:
        # Its reader has gone or its disk is full: whoever wrote has heard of it.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
