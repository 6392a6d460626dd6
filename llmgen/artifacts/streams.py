"""Large files and pipes of records, read entry by entry: an artifact, a list, or JSON Lines.

Of the text, one entry and what was read with it is in memory. What a file holds is told by its beginning, up to its first entry.
Anything else than prompts and records in one of these forms (texts, tables, files of other programs) is read whole, and so is a small
file, all of whose faults are then said before any work.
"""

import codecs
import contextlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

from llmgen.artifacts.base import SCHEMA_VERSION
from llmgen.artifacts.entries import KINDS, check_version
from llmgen.artifacts.io import MAX_INPUT_BYTES, TEXT_SUFFIXES, close_bytes, open_bytes, read_rest
from llmgen.artifacts.parsing import ValueDecoder, loads, not_json, not_text
from llmgen.artifacts.record import Kind, Record
from llmgen.errors import InputError

MAX_ENTRY_BYTES: Final = 64 * 2**20
"""Most of a single entry."""
_WHOLE_BYTES: Final = 2**20
"""What is no larger is read whole, unless it comes line by line through a pipe."""
_CHUNK: Final = 2**16
_LARGE: Final = 2**20
_SPACE: Final = " \t\n\r"
_FIELDS: Final = frozenset(Record.model_fields)
_NAMING: Final = frozenset({"prompt", "instruction", "id"})


@dataclass(frozen=True)
class WholeFile:
    """A file that was read whole."""

    data: bytes
    name: str
    """Words for messages."""
    base: Path
    """Folder that paths in it are relative to."""


def open_entries(source: str | Path) -> "EntryStream | WholeFile":
    """Open a file for reading, entry by entry where that can be done.

    Args:
        source: A path, or `-` for stdin.

    Returns:
        The entries, to be closed, or the content.

    Raises:
        InputError: If it is missing, unreadable or empty.
    """
    name, base, file = open_bytes(source)
    with contextlib.ExitStack() as closed_unless_handed_on:
        closed_unless_handed_on.callback(close_bytes, file)
        size = _size(file)
        head = b""
        if size is None or not (size <= _WHOLE_BYTES or Path(name).suffix.lower() in TEXT_SUFFIXES[1:]):
            text = _Text(file, name)
            stream = EntryStream.begin(text, name, base)
            small = stream is not None and not stream.by_line and size is None and text.ends_within(_WHOLE_BYTES)
            if stream is not None and not small:
                text.forget()
                closed_unless_handed_on.pop_all()
                return stream
            head = bytes(text.read_so_far)
        return WholeFile(read_rest(file, head, name), name, base)


class EntryStream:
    """The entries of a file in their order; a context that closes the file, and an iterator, once.

    Attributes:
        kind: The document's, if it names one.
        by_line: Whether it is JSON Lines.
        name: Words for messages.
        base: Folder that paths in it are relative to.
    """

    def __init__(self, text: "_Text", name: str, base: Path, kind: Kind | None, *, by_line: bool) -> None:
        self.kind, self.by_line, self.name, self.base = kind, by_line, name, base
        self._text = text

    @classmethod
    def begin(cls, text: "_Text", name: str, base: Path) -> "EntryStream | None":
        """Read up to the first entry; None where this is no such file."""
        first = text.skip_space()
        try:
            if first == "[":
                text.at += 1
                return cls(text, name, base, None, by_line=False) if _is_ours(text.peek()) else None
            if first == "{":
                return cls._of_object(text, name, base)
        except (_NotJsonError, InputError):
            pass  # whoever reads it whole says what is wrong with it
        return None

    @classmethod
    def _of_object(cls, text: "_Text", name: str, base: Path) -> "EntryStream | None":
        """A document up to its first record, or JSON Lines of objects."""
        start = text.at
        head: dict[str, Any] = {}
        text.at += 1
        while text.skip_space() == '"':
            key = text.value()
            if text.skip_space() != ":":
                return None
            text.at += 1
            if text.skip_space() == "[" and key == "records" and not head.keys() & _NAMING and "stages" not in head:
                kind = next((kind for kind in KINDS if kind == head.get("kind")), None)
                if kind is None or head.keys() - {"kind", "schema_version"}:
                    return None
                text.at += 1
                check_version(head.get("schema_version", SCHEMA_VERSION), name)
                return cls(text, name, base, kind, by_line=False) if _is_ours(text.peek()) else None
            head[key] = text.value()
            if text.skip_space() == ",":
                text.at += 1
        if text.skip_space() != "}" or "\n" in text.text[start : text.at]:
            return None
        text.at = start
        text.line_number = text.text.count("\n", 0, start)
        entry = head.keys() & _NAMING and _is_ours(head) and head.get("kind") != "manifest"
        return cls(text, name, base, None, by_line=True) if entry else None

    def limit_size(self) -> None:
        """From now on, refuse more than a file may have that is read whole."""
        self._text.most_bytes = self._text.bytes_read + MAX_INPUT_BYTES

    def __enter__(self) -> "EntryStream":
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        close_bytes(self._text.file)

    def __iter__(self) -> Iterator[Any]:
        """The entries.

        Raises:
            InputError: Where the text is no JSON, or an entry is too large.
        """
        try:
            yield from self._lines() if self.by_line else self._values()
        except _NotJsonError as error:
            raise not_json(self.name, error.line, error.column, error.reason) from error

    def _lines(self) -> Iterator[Any]:
        while (line := self._text.line()) is not None:
            if line.strip():
                try:
                    value = loads(line, self.name)
                except json.JSONDecodeError as error:
                    raise not_json(self.name, self._text.line_number, error.colno, error.msg) from error
                yield value

    def _values(self) -> Iterator[Any]:
        text = self._text
        if text.skip_space() != "]":
            yield text.value()
            while text.skip_space() == ",":
                text.at += 1
                text.skip_space()
                yield text.value()
            if text.skip_space() != "]":
                raise text.wrong("Expecting ',' delimiter")
        text.at += 1
        if self.kind is not None:
            self._end_of_document()
        if text.skip_space():
            raise text.wrong("Extra data")

    def _end_of_document(self) -> None:
        """What a document says behind its records."""
        text = self._text
        while text.skip_space() == ",":
            text.at += 1
            text.skip_space()
            key = text.value()
            if text.skip_space() != ":":
                raise text.wrong("Expecting ':' delimiter")
            text.at += 1
            text.skip_space()
            value = text.value()
            if key != "schema_version":
                raise InputError(f"{self.name}: /{key}: an artifact has kind, schema_version, records, each once")
            check_version(value, self.name)
        if text.skip_space() != "}":
            raise text.wrong("Expecting ',' delimiter")
        text.at += 1


class _NotJsonError(Exception):
    """The text is no JSON."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.column, self.reason = line, column, reason


class _Text:
    """A file's text as it is read: `text` is what is at hand, `at` the place in it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file, self._name = file, name
        self.text, self.at = "", 0
        self.line_number = 0
        self.read_so_far = bytearray()
        self._remember = True
        self._over = False
        self.bytes_read = 0
        self.most_bytes: int | None = None
        self._dropped_lines, self._dropped_columns = 0, 0
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._decode = ValueDecoder(name)

    def forget(self) -> None:
        """From now on, what was read is not kept."""
        self._remember, self.read_so_far = False, bytearray()

    def ends_within(self, most: int) -> bool:
        """Whether the file has no more bytes than so many; it is read as far."""
        while self.bytes_read <= most and self._more():
            pass
        return self._over and self.bytes_read <= most

    def skip_space(self) -> str:
        """The character after any space, where the place is then; nothing at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in _SPACE:
                    return self.text[self.at]
                self.at += 1
            if not self._more():
                return ""

    def line(self) -> str | None:
        """The rest of the line, and the place behind it; None at the end. Only a newline ends it: JSON may hold other separators raw."""
        looked = self.at
        while (end := self.text.find("\n", looked)) < 0:
            looked = len(self.text)
            kept = looked - self.at
            if kept > MAX_ENTRY_BYTES:
                raise self._too_large()
            if not self._more():
                break
            looked = self.at + kept
        if end < 0:
            end = len(self.text)
            if self.at >= end:
                return None
        line, self.at = self.text[self.at : end], end + 1
        self.line_number += 1
        return line

    def peek(self) -> Any:
        """The value that comes next, or None at the end of a list; the place stays."""
        if self.skip_space() == "]":
            return None
        start = self.at
        value = self.value()
        self.at = start
        return value

    def value(self) -> Any:
        """The value that begins here, and the place behind it.

        Raises:
            _NotJsonError: If there is none.
            InputError: If it is too large, or cannot be trusted.
        """
        while True:
            try:
                value, end = self._decode(self.text, self.at)
                # A number at the end of what is at hand may go on.
                if end < len(self.text) or isinstance(value, str | list | dict) or not self._more():
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                # Perhaps the value only goes on behind what is at hand. Each try has twice as much, so that all take no longer than two.
                behind = error.pos - self.at
                wanted = 2 * max(len(self.text) - self.at, _CHUNK)
                if len(self.text) - self.at > MAX_ENTRY_BYTES:
                    raise self._too_large() from error
                if not self._more():
                    raise self._located(self.at + behind, error.msg) from error
                while len(self.text) - self.at < wanted and self._more():
                    pass

    def wrong(self, reason: str) -> _NotJsonError:
        """The error that says what is wrong at this place."""
        return self._located(self.at, reason)

    def _located(self, position: int, reason: str) -> _NotJsonError:
        before = self.text[:position]
        lines = before.count("\n")
        column = len(before) - before.rfind("\n") if lines else self._dropped_columns + len(before) + 1
        return _NotJsonError(self._dropped_lines + lines + 1, column, reason)

    def _too_large(self) -> InputError:
        return InputError(
            f"{self._name}: an entry is larger than {MAX_ENTRY_BYTES // 2**20} MiB; split the file, or make it smaller"
        )

    def _more(self) -> bool:
        """Read on; False at the end. What lies before the place is dropped, unless it is still remembered."""
        if self._over:
            return False
        try:
            # What a pipe has at hand, not as much as would fit. Of a very large entry, as much again as is there: each time all is copied.
            most = max(_CHUNK, len(self.text) - self.at if len(self.text) - self.at > _LARGE else 0)
            data: bytes = getattr(self.file, "read1", self.file.read)(most)
        except OSError as error:
            raise InputError(f"{self._name}: cannot be read: {error.strerror or error}") from error
        self._over = not data
        try:
            new = self._decoder.decode(data, final=self._over)
        except UnicodeDecodeError as error:
            raise not_text(self._name, b"" if self.bytes_read else data, self.bytes_read + error.start) from error
        self.bytes_read += len(data)
        if self.most_bytes is not None and self.bytes_read > self.most_bytes:
            raise InputError(
                f"{self._name}: larger than {MAX_INPUT_BYTES // 2**20} MiB where ids must be mended; mend them, or split it"
            )
        if self._remember:
            self.read_so_far += data
            if len(self.read_so_far) > MAX_INPUT_BYTES:
                raise self._too_large()
        elif self.at:
            dropped = self.text[: self.at]
            lines = dropped.count("\n")
            self._dropped_lines += lines
            self._dropped_columns = len(dropped) - dropped.rfind("\n") - 1 if lines else self._dropped_columns + self.at
            self.text, self.at = self.text[self.at :], 0
        self.text += new
        return bool(data) or bool(new)


def _is_ours(entry: Any) -> bool:
    """Whether an entry is surely a prompt or a record: a text, or an object without any field that a record lacks."""
    return isinstance(entry, str) or (isinstance(entry, dict) and entry.keys() <= _FIELDS)


def _size(file: BinaryIO) -> int | None:
    """Of a regular file, its bytes."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):  # no file of the system
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
