"""Standard streams of a command that another process works on.

One process does one command after another. So it must wait for nobody: what comes through a pipe is read to its end here before the
server is asked, and what goes into one waits here until its reader takes it. Else the stages of a pipe would wait for each other.
"""

import os
import select
import stat
import tempfile
from typing import IO, Final

_MOST_IN_MEMORY: Final = 2**20
_CHUNK: Final = 2**16
_SURE: Final = min(getattr(select, "PIPE_BUF", 512), 4096)
"""Bytes that a pipe takes at once when it takes any."""


def is_pipe(descriptor: int) -> bool:
    """Whether other processes are at the other end."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class _Kept:
    """Bytes that wait, first in, first out; many of them on the disk."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY)
        self._begin = self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    def add(self, data: bytes) -> None:
        self._file.seek(self._end)
        self._file.write(data)
        self._end += len(data)

    def first(self, count: int) -> bytes:
        self._file.seek(self._begin)
        return self._file.read(min(count, len(self)))

    def drop(self, count: int) -> None:
        self._begin += count
        if self._begin == self._end:
            self._file.seek(0)
            self._file.truncate()
            self._begin = self._end = 0

    def close(self) -> None:
        self._file.close()


class Incoming:
    """What came through a pipe, to its end, and a new pipe through which it goes on.

    Args:
        descriptor: Read here, to its end.

    Raises:
        OSError: If it cannot be read, or not kept.
    """

    def __init__(self, descriptor: int) -> None:
        self._kept = _Kept()
        while data := os.read(descriptor, _CHUNK):
            self._kept.add(data)
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        self.is_open = True

    def feed(self) -> None:
        """Write what fits; at the end, or when nobody reads any more, close."""
        try:
            self._kept.drop(os.write(self.writer, self._kept.first(_CHUNK)) if self._kept else 0)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._kept.drop(len(self._kept))
        if not self._kept:
            self.close()

    def feed_all(self) -> None:
        """Write all, for a reader in this process: run in a thread of its own."""
        os.set_blocking(self.writer, True)
        while self.is_open:
            self.feed()

    def close(self) -> None:
        """Write no more."""
        if self.is_open:
            self.is_open = False
            os.close(self.writer)
            self._kept.close()


class Outgoing:
    """A pipe that always takes what is written into it, and brings it on as fast as its reader takes it.

    Args:
        target: Where it goes.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self._kept = _Kept()
        self.is_open = True
        self.is_broken = False
        """Whether its reader has gone before all was brought."""

    @property
    def has_more(self) -> bool:
        """Whether something waits."""
        return bool(self._kept)

    def take(self) -> None:
        """Take what was written."""
        try:
            data = os.read(self.reader, _CHUNK)
        except BlockingIOError:
            return
        self._kept.add(data)
        if not data:
            self.close()

    def take_rest(self) -> None:
        """Take all that was written by now, and nothing later."""
        while self.is_open:
            before = len(self._kept)
            self.take()
            if len(self._kept) == before:
                self.close()

    def bring(self) -> None:
        """Bring on what the reader surely takes without a wait; if it is gone, so is this."""
        try:
            self._kept.drop(os.write(self.target, self._kept.first(_SURE)))
        except BrokenPipeError:
            self.is_broken = True
            self._kept.drop(len(self._kept))
            self.close()

    def close(self) -> None:
        """Take no more: who writes is told that nobody reads."""
        if self.is_open:
            self.is_open = False
            os.close(self.reader)


class Streams:
    """The three streams as another process gets them.

    Args:
        reads_stdin: Whether the command reads it.

    Raises:
        OSError: If stdin cannot be read to its end.
    """

    def __init__(self, reads_stdin: bool) -> None:
        self.incoming = Incoming(0) if reads_stdin and is_pipe(0) else None
        #: Whether the command may wait for others: what it does not read may be written by a command that others wait for.
        self.may_wait = self.incoming is not None or not is_pipe(0)
        self.outgoing: dict[int, Outgoing] = {}
        pipes: dict[tuple[int, int], Outgoing] = {}
        for descriptor in (1, 2):
            about = os.fstat(descriptor)
            if stat.S_ISFIFO(about.st_mode):
                pipe = (about.st_dev, about.st_ino)
                if pipe not in pipes:  # both into one pipe stay in one order
                    pipes[pipe] = Outgoing(descriptor)
                self.outgoing[descriptor] = pipes[pipe]

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """What the server gets as its three streams."""
        first = self.incoming.reader if self.incoming is not None else 0
        second, third = (self.outgoing[n].writer if n in self.outgoing else n for n in (1, 2))
        return first, second, third

    def handed_over(self) -> None:
        """Close here what is the server's now, so that its end is seen."""
        if self.incoming is not None:
            os.close(self.incoming.reader)
        for outgoing in set(self.outgoing.values()):
            os.close(outgoing.writer)

    def taken_back(self) -> None:
        """Be this process's own again: nobody has used them."""
        for outgoing in set(self.outgoing.values()):
            os.close(outgoing.writer)
            outgoing.close()
        if self.incoming is not None:
            import threading

            os.dup2(self.incoming.reader, 0)
            threading.Thread(target=self.incoming.feed_all, daemon=True).start()
