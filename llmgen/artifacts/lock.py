"""One writer per output: a second process is refused instead of tearing the first one's journal."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from llmgen.artifacts.files import cannot_write, make_folder
from llmgen.errors import OutputError

_TAKEN: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
"""What systems say of a lock that another process holds; whatever else they say is about the place."""


class HeldElsewhereError(OutputError):
    """Another process holds a lock."""


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when the process ends, however it ends.

    Args:
        path: The lock file; made if need be, and left there.
        what: Words for the message.

    Raises:
        HeldElsewhereError: If another process holds it.
        OutputError: If there can be no lock at that place.
    """
    make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise OutputError(
                    f"{what} cannot be locked: {error.strerror or error}, so two at once would not be noticed; "
                    "use a folder on a file system that knows locks"
                ) from error
            raise HeldElsewhereError(
                f"another llmgen is writing {what}; wait for it or choose another output"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
