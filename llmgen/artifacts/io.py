"""Reading and writing artifacts: a JSON document in a file, the same records as JSON Lines in a pipe.

Readers accept both, and prompts as a person writes them; the forms are told apart by content. A record that does not fit its schema
but can still be named goes on with `error`, so that the others are done; a file that says nothing usable is refused as a whole.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, TypeVar

from pydantic import BaseModel, Field, ValidationError

from llmgen.artifacts.base import SCHEMA_VERSION, ArtifactModel
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.entries import KINDS as KINDS
from llmgen.artifacts.entries import EntryReader, check_version
from llmgen.artifacts.files import near_names, write_named
from llmgen.artifacts.foreign_prompts import (
    adopt_prompts,
    plain_seed,
    prompts_of_table,
    prompts_of_text,
    say,
    table_delimiter,
)
from llmgen.artifacts.hashing import canonical_json, plain_record
from llmgen.artifacts.manifest import Manifest, PromptEntry
from llmgen.artifacts.parsing import json_kind, loads, not_json, not_text, short
from llmgen.artifacts.pretty import pretty_json as pretty_json
from llmgen.artifacts.record import Kind, Record
from llmgen.errors import InputError, OutputError

M = TypeVar("M", bound=BaseModel)

MAX_INPUT_BYTES = 512 * 2**20
_READ_AT_ONCE = 2**24

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")
"""Beginnings of files that are often given by mistake."""

_TABLE_SUFFIXES = (".csv", ".tsv")
TEXT_SUFFIXES = ("", ".txt", ".text", *_TABLE_SUFFIXES)
"""Endings of files that may hold prompts without JSON; stdin has none."""


class Artifact(ArtifactModel):
    """What a stage writes: a kind, and records that all have the sections of that kind."""

    kind: Kind
    """Which sections every record has."""
    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this format."""
    records: tuple[Record, ...] = Field(min_length=1)
    """One entry for each picture, ids unique."""


@dataclass(frozen=True)
class ReadArtifact:
    """What was read."""

    kind: Kind
    records: tuple[Record, ...]
    """In the order of the file; those that did not fit their schema carry `error`."""
    base: Path
    """Folder that the records' picture paths are relative to."""
    name: str
    """Words for messages: the path, or `stdin`."""
    invalid: tuple[str, ...] = ()
    """One line for each record that did not fit its schema."""
    dropped: tuple[str, ...] = ()
    """One line for each entry that could not even be named, and so cannot go on."""


def read_records(source: str | Path) -> ReadArtifact:
    """Read an artifact, JSON Lines, or prompts in any of their forms.

    Args:
        source: A path, or `-` for stdin.

    Raises:
        InputError: If nothing usable can be read: no such file, not JSON, a manifest, a newer version, two equal ids, no valid record.
    """
    name, base, data = read_bytes(source)
    return read_value(parse_entries(data, name), name, base)


def read_value(value: Any, name: str, base: Path) -> ReadArtifact:
    """Records of a JSON value that is an artifact, a list of JSON Lines, or prompts.

    Args:
        value: As `parse_json` gives it.
        name: Words for messages.
        base: Folder that picture paths are relative to.

    Raises:
        InputError: As in `read_records`.
    """
    entries, kind = _entries(value, name)
    return _check_entries(entries, kind, name, base)


def records_from_prompts(prompts: Sequence[str | PromptEntry], name: str, base: Path) -> ReadArtifact:
    """Records of the prompts that a manifest holds.

    Args:
        prompts: Bare prompts, or entries.
        name: Words for messages, such as the manifest's path.
        base: Folder of the manifest.

    Raises:
        InputError: If two ids are equal or no prompt is valid.
    """
    entries = [p if isinstance(p, str) else p.model_dump(exclude_none=True) for p in prompts]
    return _check_entries(entries, "prompts", name, base)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: If the file cannot be read or is no valid manifest.
    """
    name, _, data = read_bytes(path)
    return manifest_of(parse_json(data, name), name)


def manifest_of(value: Any, name: str) -> Manifest:
    """The manifest that a JSON value is.

    Raises:
        InputError: If it is none, or not a valid one.
    """
    if not isinstance(value, dict):
        raise InputError(f"{name}: a manifest is a JSON object with `name`, `prompts` and `stages`, not a list")
    if value.get("kind", "manifest") != "manifest":
        raise InputError(f"{name}: is of kind {value['kind']!r}, not a manifest; give it to the stage that reads it")
    if isinstance(value.get("prompts"), list):
        adopted = adopt_prompts(value["prompts"], PromptEntry.model_fields, records=True)
        say(name, adopted.notes)
        value = {**value, "prompts": list(map(_with_plain_seed, adopted.entries))}
    return validate(Manifest, value, name)


def _with_plain_seed(entry: Any) -> Any:
    """A prompt of a manifest, whose seed may be a text."""
    return {**entry, "seed": plain_seed(entry["seed"])} if isinstance(entry, dict) and "seed" in entry else entry


def validate(model: type[M], value: Any, name: str) -> M:
    """Check a JSON value against a model.

    Raises:
        InputError: One line: name, JSON pointer, reason.
    """
    try:
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise InputError(f"{name}: {describe(error, model.model_fields)}") from error


def write_artifact(path: Path, kind: Kind, records: Iterable[Record]) -> None:
    """Write records atomically: as a JSON document, or as JSON Lines to a file whose name ends so.

    Raises:
        OutputError: If they cannot be written, or would be more than a reader takes.
    """
    text = "".join(map(record_line, records)) if path.suffix == ".jsonl" else artifact_text(kind, records)
    data = text.encode()
    if len(data) > MAX_INPUT_BYTES:
        raise OutputError(
            f"{path} would be {len(data) // 2**20} MiB, and no stage reads more than {MAX_INPUT_BYTES // 2**20}; "
            "split the input and run the parts: what is finished is kept in the journal of this output"
        )
    write_named(path, data)


def artifact_text(kind: Kind, records: Iterable[Record]) -> str:
    """Records as one JSON document."""
    return pretty_json(
        {"kind": kind, "schema_version": SCHEMA_VERSION, "records": [plain_record(record) for record in records]}
    )


def record_line(record: Record) -> str:
    """A record as one line of JSON Lines, newline included."""
    return json.dumps(plain_record(record), ensure_ascii=False, allow_nan=False, separators=(", ", ": ")) + "\n"


def read_bytes(source: str | Path) -> tuple[str, Path, bytes]:
    """Read a file or stdin, up to `MAX_INPUT_BYTES`.

    Returns:
        Name for messages, folder that relative paths refer to, content.

    Raises:
        InputError: If it is missing, unreadable, too large or empty.
    """
    name, base, file = open_bytes(source)
    try:
        return name, base, read_rest(file, b"", name)
    finally:
        close_bytes(file)


def open_bytes(source: str | Path) -> tuple[str, Path, BinaryIO]:
    """Open a file, or stdin, to be closed by `close_bytes`.

    Returns:
        Name for messages, folder that relative paths refer to, file.

    Raises:
        InputError: If it is missing or cannot be opened.
    """
    if str(source) == "-":
        # Without Python's buffer, whose lock a thread that waits for input would hold at the end of the process.
        return "stdin", Path(), getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    path = Path(source)
    name = str(source)
    try:
        return name, path.parent, path.open("rb")
    except FileNotFoundError as error:
        prompt = "; a prompt with a / or an ending of files goes to --prompt" if " " in name.strip() else ""
        raise InputError(
            f"{name}: no such file{near_names(path)}; give the path of a JSON file, or - for stdin{prompt}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(name, error) from error


def close_bytes(file: BinaryIO) -> None:
    """Close what `open_bytes` opened; stdin stays open."""
    if file not in (sys.stdin.buffer, getattr(sys.stdin.buffer, "raw", None)):
        file.close()


def read_rest(file: BinaryIO, head: bytes, name: str) -> bytes:
    """What was read of a file, and the rest of it.

    Args:
        file: Of `open_bytes`.
        head: What was read of it before.
        name: Words for messages.

    Raises:
        InputError: If it is unreadable, too large or empty.
    """
    parts, size = [head], len(head)
    try:
        while size <= MAX_INPUT_BYTES and (part := file.read(min(_READ_AT_ONCE, MAX_INPUT_BYTES + 1 - size))):
            parts.append(part)
            size += len(part)
    except OSError as error:
        raise _unreadable(name, error) from error
    data = b"".join(parts)
    if size > MAX_INPUT_BYTES:
        raise InputError(f"{name}: larger than {MAX_INPUT_BYTES // 2**20} MiB; split it")
    if not data.strip():
        hint = "; the command before it in the pipe wrote nothing" if name == "stdin" else ""
        raise InputError(f"{name}: is empty{hint or '; write something into it, or name another file'}")
    return data


def _unreadable(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}")


def parse_json(data: bytes, name: str) -> Any:
    """A JSON value, or the list of values of JSON Lines.

    Raises:
        InputError: Naming line and column of what is not JSON.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data.startswith(_PICTURES):
            raise InputError(
                f"{name}: is a picture, not JSON; `llmgen import png` makes a record of one that says its prompt"
            ) from error
        raise not_text(name, data, error.start) from error
    try:
        return loads(text, name)
    except json.JSONDecodeError as error:
        if not (error.msg == "Extra data" and len(text.splitlines()) > 1):
            raise not_json(name, error.lineno, error.colno, error.msg) from error
    values = []
    # Only \n ends a line of JSON Lines: str.splitlines would also cut at separators that JSON strings may hold raw.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values.append(loads(line, name))
            except json.JSONDecodeError as error:
                raise not_json(name, number, error.colno, error.msg) from error
    return values


def parse_entries(data: bytes, name: str, read_as: Literal["txt", "csv", "tsv"] | None = None) -> Any:
    """The JSON value of a file, or the prompts of a table or of a text with one a line, told apart by content.

    Only a file that does not call itself JSON, and does not begin as JSON does, can be a text or a table.

    Args:
        data: The content.
        name: The file, whose ending counts where the content leaves a choice.
        read_as: What it is, where somebody says so: a text with one prompt a line, or a table.

    Raises:
        InputError: If it is none of these.
    """
    suffix = Path(name).suffix.lower() if name != "stdin" else ""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return parse_json(data, name)
    if "\0" in text and (read_as is not None or suffix in TEXT_SUFFIXES):
        raise InputError(f"{name}: holds NUL characters, as UTF-16 text without its mark does; save it as UTF-8")
    if read_as is not None:
        found = prompts_of_text(text) if read_as == "txt" else prompts_of_table(text, name)
        say(name, found.notes)
        return found.entries
    if suffix not in TEXT_SUFFIXES or text.lstrip()[:1] in ("{", "["):
        return parse_json(data, name)
    if suffix not in _TABLE_SUFFIXES:
        try:
            return parse_json(data, name)
        except InputError:
            pass  # words are no JSON
    is_table = suffix in _TABLE_SUFFIXES or table_delimiter(text, surely=False) is not None
    found = prompts_of_table(text, name) if is_table else prompts_of_text(text)
    say(name, found.notes)
    return found.entries


def _entries(value: Any, name: str) -> tuple[list[Any], Kind | None]:
    """The entries of any accepted form, and the document's kind if it names one."""
    if isinstance(value, list):
        return value, None
    if isinstance(value, str):
        return [value], None
    if not isinstance(value, dict):
        raise InputError(f"{name}: expected prompts or records, found {json_kind(value)}")
    if value.get("kind") == "manifest" or "stages" in value:
        raise InputError(f"{name}: is a manifest; run it with `llmgen run {name}`")
    if set(value) == {"prompts"} and isinstance(value["prompts"], list):
        return value["prompts"], None
    if "records" not in value:
        if not {"prompt", "instruction", "id"} & set(value):
            _refuse_object(value, name)
        return [value], None
    kind = value.get("kind")
    if kind not in KINDS:
        raise InputError(f"{name}: /kind: {kind!r} is no kind of artifact; one of {', '.join(KINDS)}")
    check_version(value.get("schema_version", SCHEMA_VERSION), name)
    for key in value:
        if key not in Artifact.model_fields:
            raise InputError(f"{name}: /{key}: unknown field {key!r}; an artifact has kind, schema_version, records")
    if not isinstance(value["records"], list):
        raise InputError(f"{name}: /records: should be a list of records")
    return value["records"], kind


def _refuse_object(value: dict[str, Any], name: str) -> NoReturn:
    found = ", ".join(short(key)[1:-1] for key in sorted(value)[:5]) or "nothing"
    raise InputError(
        f"{name}: neither prompts nor an artifact: found an object with {found}; expected a list of prompts, or `records`"
    )


def _check_entries(entries: list[Any], kind: Kind | None, name: str, base: Path) -> ReadArtifact:
    adopted = adopt_prompts(entries, Record.model_fields, records=kind is not None)
    say(name, adopted.notes)
    invalid: list[str] = []
    dropped: list[str] = []
    reader = EntryReader(kind, name, invalid=invalid.append, dropped=dropped.append)
    read = [reader.record(entry) for entry in adopted.entries]
    records = tuple(record for record in read if record is not None)
    reader.check_any_valid()
    (common, _), *_ = reader.kinds.most_common(1)
    return ReadArtifact(kind or common, records, base, name, tuple(invalid), tuple(dropped))


def same_json(first: BaseModel, second: BaseModel) -> bool:
    """Whether two models say the same."""
    return canonical_json(first.model_dump(mode="json")) == canonical_json(second.model_dump(mode="json"))
