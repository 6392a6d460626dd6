"""Writing files so that a reader never sees half of one."""

import contextlib
import difflib
import errno
import itertools
import os
import tempfile
import threading
import time
from pathlib import Path

from llmgen.errors import OutputError
from llmgen.printable import printable

_PREFIX, _SUFFIX = ".llmgen-", ".tmp"
_MOST_COMPARED = 2000
"""Files of a folder whose names are held against one that is not there."""
_asking_umask = threading.Lock()


def cannot_write(path: Path, error: OSError) -> OutputError:
    """An `OutputError` that says which file and why."""
    reason, full = error.strerror or str(error), error.errno in (errno.ENOSPC, errno.EDQUOT)
    return OutputError(
        f"cannot write {path}: {reason}; {'free some space or ' if full else ''}choose another folder with -o"
    )


def why_unread(error: OSError | UnicodeDecodeError) -> str:
    """Why a text file cannot be read, in words for a message."""
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)


def near_names(path: Path) -> str:
    """Words for a message about a file that is not there: those beside it that are called alike, or nothing."""
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MOST_COMPARED)]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, sorted(names), n=2, cutoff=0.6)
    return (
        f" (did you mean {' or '.join(repr(printable(str(path.parent / name), 200)) for name in near)}?)"
        if near
        else ""
    )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents.

    Raises:
        OutputError: If it cannot be made, or a file is in the way.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        in_the_way = next((path for path in (folder, *folder.parents) if path.is_file()), None)
        if in_the_way is not None:
            raise OutputError(
                f"cannot write {folder}: {in_the_way} is a file, and a folder is needed there; choose another folder with -o"
            ) from error
        raise cannot_write(folder, error) from error


def check_writable(folder: Path) -> None:
    """Make sure, before any work, that files can be written to a folder; the folder is made if need be.

    Raises:
        OutputError: If not.
    """
    make_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write to a temporary file beside the target, bring it to the disk, rename it into place.

    Raises:
        OutputError: If the folder is full, read-only or gone; the old file, if any, is untouched.
    """
    make_folder(path.parent)
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f"{_PREFIX}{os.getpid()}-", suffix=_SUFFIX, delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(temporary, path)
        temporary = None
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a file that is whole and on the disk to what it shall be called, and make sure that the name survives a power cut.

    Raises:
        OSError: If it cannot be renamed; the old file, if any, is untouched.
    """
    # Temporary files may be made so that only the owner can read them; results are for sharing.
    os.chmod(temporary, 0o666 & ~_umask())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def write_named(path: Path, data: bytes) -> None:
    """Write the file that somebody named: of a link its target, into a pipe or a device as it is.

    Raises:
        OutputError: If it cannot be written.
    """
    if not is_stream(path):
        write_atomic(leads_to(path), data)
        return
    try:
        path.write_bytes(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from error


def leads_to(path: Path) -> Path:
    """The file behind a path: a link's target, also one that is not there yet.

    Raises:
        OutputError: If links lead round in a circle.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OutputError(
            f"cannot write {path}: links lead round in a circle; remove it or choose another file with -o"
        )
    return target


def is_stream(path: Path) -> bool:
    """Whether a path is a pipe, a terminal or another device, which takes what is written and keeps no file."""
    return path.exists() and not path.is_file() and not path.is_dir()


def sweep(folder: Path, process: int | None = None, *, older_than_s: float | None = None) -> None:
    """Remove what a killed process left half-written in a folder.

    Args:
        folder: The folder.
        process: Number of the process, on this machine; by default any, and the caller holds the folder's lock.
        older_than_s: Leave what is not so old: where nobody holds the folder's lock, somebody may be about to write it.
    """
    for path in folder.glob(f"{_PREFIX}{'' if process is None else f'{process}-'}*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # somebody else swept, or it is whole now
            if older_than_s is None or time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()


def _umask() -> int:
    # It can only be read by setting it, and it is the whole process's.
    with _asking_umask:
        mask = os.umask(0)
        os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """The rename itself must survive a power cut; Windows cannot open folders and does not need it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # Some network file systems refuse; the data itself is synced already.
    finally:
        os.close(descriptor)
