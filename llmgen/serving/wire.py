"""What goes through the socket: values of JSON, each with its length in front; the first one may bring open files along."""

import json
import os
import socket
import struct
from typing import Any, Final

MAX_BYTES: Final = 32 * 2**20
"""Of one message: arguments and environment of a process are less."""
_LENGTH: Final = struct.Struct(">I")
_MOST_FILES: Final = 4


def is_possible() -> bool:
    """Whether this system has sockets that pass open files on."""
    return hasattr(socket, "AF_UNIX") and hasattr(socket, "send_fds")


def is_own(connection: socket.socket) -> bool:
    """Whether at the other end is a process of this user, as far as the system says."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the folder's mode says so
    about = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", about)[1] == os.getuid())


def send_first(connection: socket.socket, value: Any, files: tuple[int, ...] = ()) -> None:
    """Send the first message, with open files."""
    if files:
        socket.send_fds(connection, [b"F"], list(files))
    else:
        connection.sendall(b"N")
    send(connection, value)


def receive_first(connection: socket.socket) -> tuple[Any, list[int]]:
    """The first message, and the open files that came with it; None if there is none."""
    mark, files, _, _ = socket.recv_fds(connection, 1, _MOST_FILES, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    return (receive(connection) if mark else None), files


def send(connection: socket.socket, value: Any) -> None:
    """Send a value."""
    data = json.dumps(value).encode()
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> Any:
    """The next value, or None at the end, be it that of a process that was killed."""
    try:
        head = _exactly(connection, _LENGTH.size)
        if head is None or _LENGTH.unpack(head)[0] > MAX_BYTES:
            return None
        data = _exactly(connection, _LENGTH.unpack(head)[0])
        return None if data is None else json.loads(data)
    except (OSError, ValueError):
        return None


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        part = connection.recv(min(count - len(data), 2**16))
        if not part:
            return None
        data += part
    return bytes(data)
