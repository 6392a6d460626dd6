"""Where servers are found: a folder that nobody but its owner can open, with a socket and a note beside it for each server."""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from llmgen.errors import OutputError

_MOST_BYTES: Final = 2**20
"""Of a note."""
_MOST_PATH: Final = 100
"""Bytes of a socket's path that every system takes."""

Flags = Mapping[str, tuple[str, bool]]
"""A command's flags: each with the name of its parameter, and whether a value follows."""


@dataclass(frozen=True)
class ServerNote:
    """What a server says of itself."""

    preset: str
    """Name, or absolute path of a file."""
    device: str
    """Resolved, never `auto`."""
    is_auto: bool
    """Whether it is what `auto` means on this machine."""
    pid: int
    code: str
    """`identity.code_digest` as of its start."""
    environment: str
    """`identity.environment_digest` as of its start."""
    commands: Mapping[str, Flags]
    """The commands that it runs, with their flags."""


def folder() -> Path:
    """The user's folder of sockets; it may not be there."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        return Path(given) / "llmgen"
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"llmgen-{os.getuid()}"


def is_private(path: Path) -> bool:
    """Whether a folder is there, and is the user's own, and no one else can look into it.

    Raises:
        OutputError: If there is something else.
    """
    try:
        about = path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}; set XDG_RUNTIME_DIR to a folder of your own") from error
    mode = stat.S_IMODE(about.st_mode)
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or mode & 0o077:
        what = f"mode {mode:04o}" if stat.S_ISDIR(about.st_mode) else "no folder"
        raise OutputError(
            f"{path} is not a folder that you alone can open (owner {about.st_uid}, {what}), so no server is trusted there; "
            "remove it, or set XDG_RUNTIME_DIR to a folder of your own"
        )
    return True


def make_private(path: Path) -> None:
    """Make a folder that only its owner can open, or see that it is one.

    Raises:
        OutputError: If it cannot be made, or is another's or open to others.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            raise OutputError(
                f"{path} cannot be made: {error.strerror or error}; set XDG_RUNTIME_DIR to a folder of your own"
            ) from error
    is_private(path)


def preset_identity(preset: str) -> str:
    """What tells presets apart wherever they are named: the name of one that ships, the absolute path of a file."""
    return os.path.realpath(preset) if preset.endswith(".json") else preset


def socket_path(home: Path, preset: str, device: str) -> Path:
    """Where the socket of a preset on a device is.

    Raises:
        OutputError: If the path is longer than a system takes.
    """
    name = hashlib.sha256(f"{preset_identity(preset)}\0{device}".encode(errors="surrogateescape")).hexdigest()[:16]
    path = home / f"{name}.sock"
    if len(os.fsencode(path)) > _MOST_PATH:
        raise OutputError(f"{path} is too long for a socket; set XDG_RUNTIME_DIR to a shorter folder of your own")
    return path


def note_path(socket: Path) -> Path:
    """Where the note of a server is."""
    return socket.with_suffix(".json")


def write_note(socket: Path, note: ServerNote) -> None:
    """Say, beside its socket, what a server is; at once or not at all."""
    path = note_path(socket)
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(asdict(note)), encoding="utf-8")
    aside.replace(path)


def notes(home: Path) -> list[tuple[Path, ServerNote]]:
    """Sockets and what their servers say of themselves, also those of servers that were killed; nothing where there is no folder.

    Raises:
        OutputError: If the folder is open to others.
    """
    if not is_private(home):
        return []
    found = []
    for path in sorted(home.glob("*.json")):
        note = _read(path)
        if note is not None:
            found.append((path.with_suffix(".sock"), note))
    return found


def _read(path: Path) -> ServerNote | None:
    """A note, or None if it is none: of a server of another version, or gone meanwhile."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        value: Any = json.loads(path.read_bytes())
        return ServerNote(**{field.name: value[field.name] for field in fields(ServerNote)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
