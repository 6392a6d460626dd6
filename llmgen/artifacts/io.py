"""Reading and writing artifacts: a JSON document in a file, the same records as JSON Lines in a pipe.

Readers accept both, and prompts as a person writes them; the forms are told apart by content. A record that does not fit its schema
but can still be named goes on with `error`, so that the others are done; a file that says nothing usable is refused as a whole.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError

from llmgen.artifacts.base import SCHEMA_VERSION, ArtifactModel
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.files import near_names, write_named
from llmgen.artifacts.foreign_prompts import (
    adopt_prompts,
    plain_id,
    plain_seed,
    prompts_of_table,
    prompts_of_text,
    say,
    table_delimiter,
)
from llmgen.artifacts.hashing import canonical_json, plain_record
from llmgen.artifacts.manifest import Manifest, PromptEntry
from llmgen.artifacts.record import Kind, Record, RecordError
from llmgen.errors import InputError, OutputError

M = TypeVar("M", bound=BaseModel)

MAX_INPUT_BYTES = 512 * 2**20
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Older version to the function that lifts a plain record to the next one. Version 1 is the first.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

_TABLE_SUFFIXES = (".csv", ".tsv")
_TEXT_SUFFIXES = ("", ".txt", ".text", *_TABLE_SUFFIXES)
"""Endings of files that may hold prompts without JSON; stdin has none."""
_NUMBER_ROW = re.compile(r"\[\n\s*(-?[\d.eE+-]+(?:,\n\s*-?[\d.eE+-]+)*)\n\s*\]")


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
    value = parse_json(data, name)
    if not isinstance(value, dict):
        raise InputError(f"{name}: a manifest is a JSON object with `name`, `prompts` and `stages`, not a list")
    if value.get("kind", "manifest") != "manifest":
        raise InputError(f"{name}: is of kind {value['kind']!r}, not a manifest; give it to the stage that reads it")
    if isinstance(value.get("prompts"), list):
        value = {**value, "prompts": [_plain_prompt(entry) for entry in value["prompts"]]}
    return validate(Manifest, value, name)


def _plain_prompt(entry: Any) -> Any:
    """A prompt of a manifest whose id may be a number and whose seed may be a text."""
    if not isinstance(entry, dict):
        return entry
    plain = {"id": plain_id(entry.get("id")), "seed": plain_seed(entry.get("seed"))}
    return {**entry, **{key: value for key, value in plain.items() if key in entry}}


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


def pretty_json(value: Any) -> str:
    """JSON to be read and edited by people: two spaces, a row of numbers (a box) on one line, a newline at the end."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return _NUMBER_ROW.sub(lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text) + "\n"


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
    if str(source) == "-":
        name, base = "stdin", Path()
        data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    else:
        path = Path(source)
        name, base = str(source), path.parent
        try:
            with path.open("rb") as file:
                data = file.read(MAX_INPUT_BYTES + 1)
        except FileNotFoundError as error:
            prompt = "; a prompt with a / or an ending of files goes to --prompt" if " " in name.strip() else ""
            raise InputError(
                f"{name}: no such file{near_names(path)}; give the path of a JSON file, or - for stdin{prompt}"
            ) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise InputError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_INPUT_BYTES:
        raise InputError(f"{name}: larger than {MAX_INPUT_BYTES // 2**20} MiB; split it")
    if not data.strip():
        hint = "; the command before it in the pipe wrote nothing" if name == "stdin" else ""
        raise InputError(f"{name}: is empty{hint}")
    return name, base, data


def parse_json(data: bytes, name: str) -> Any:
    """A JSON value, or the list of values of JSON Lines.

    Raises:
        InputError: Naming line and column of what is not JSON.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 text (byte {error.start}); save it as UTF-8 JSON") from error
    try:
        return _loads(text, name)
    except json.JSONDecodeError as error:
        if not (error.msg == "Extra data" and len(text.splitlines()) > 1):
            raise _not_json(name, error.lineno, error) from error
    values = []
    # Only \n ends a line of JSON Lines: str.splitlines would also cut at separators that JSON strings may hold raw.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values.append(_loads(line, name))
            except json.JSONDecodeError as error:
                raise _not_json(name, number, error) from error
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
    if read_as is not None:
        found = prompts_of_text(text) if read_as == "txt" else prompts_of_table(text, name)
        say(name, found.notes)
        return found.entries
    if suffix not in _TEXT_SUFFIXES or text.lstrip()[:1] in ("{", "["):
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


def _loads(text: str, name: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
            raise InputError(f"{name}: an object has the field {_short(twice)} twice; remove one")
        return values

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise InputError(f"{name}: nested too deeply to be an artifact") from error
    except ValueError as error:  # An integer with thousands of digits.
        raise InputError(f"{name}: not JSON that can be read: {error}") from error


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _not_json(name: str, line: int, error: json.JSONDecodeError) -> InputError:
    return InputError(f"{name}: not JSON: {error.msg} at line {line}, column {error.colno}; mend it there")


def _entries(value: Any, name: str) -> tuple[list[Any], Kind | None]:
    """The entries of any accepted form, and the document's kind if it names one."""
    if isinstance(value, list):
        return value, None
    if isinstance(value, str):
        return [value], None
    if not isinstance(value, dict):
        raise InputError(f"{name}: expected prompts or records, found a bare {type(value).__name__}")
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
    _check_version(value.get("schema_version", SCHEMA_VERSION), name)
    for key in value:
        if key not in Artifact.model_fields:
            raise InputError(f"{name}: /{key}: unknown field {key!r}; an artifact has kind, schema_version, records")
    if not isinstance(value["records"], list):
        raise InputError(f"{name}: /records: should be a list of records")
    return value["records"], kind


def _refuse_object(value: dict[str, Any], name: str) -> NoReturn:
    found = ", ".join(_short(key)[1:-1] for key in sorted(value)[:5]) or "nothing"
    raise InputError(
        f"{name}: neither prompts nor an artifact: found an object with {found}; expected a list of prompts, or `records`"
    )


def _check_version(version: Any, name: str) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"{name}: /schema_version: {version!r} is no version; this llmgen writes {SCHEMA_VERSION}")
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{name}: /schema_version: {version} was written by a newer llmgen (this one reads up to {SCHEMA_VERSION}); "
            "update with `pip install -U llmgen`"
        )


def _check_entries(entries: list[Any], kind: Kind | None, name: str, base: Path) -> ReadArtifact:
    if not entries:
        raise InputError(f"{name}: holds no prompts or records; add at least one")
    if kind is None:
        adopted = adopt_prompts(entries, Record.model_fields)
        entries = adopted.entries
        say(name, adopted.notes)
    records: list[Record] = []
    dropped: list[str] = []
    invalid: list[str] = []
    fresh: list[Record] = []
    positions: dict[str, int] = {}
    for position, entry in enumerate(entries, start=1):
        record, problem = _read_entry(entry, position, kind, name)
        if record is None:
            dropped.append(problem or "")
            continue
        if problem is None:
            fresh.append(record)
        else:
            invalid.append(problem)
        if record.id in positions:
            raise InputError(
                f"{name}: two records are called {record.id!r} (positions {positions[record.id]} and {position}); "
                "ids name the pictures, so give each its own"
            )
        positions[record.id] = position
        records.append(record)
    if not fresh:
        count = f" (none of the {len(entries)} entries is valid)" if len(entries) > 1 else ""
        raise InputError(f"{(invalid + dropped)[0]}{count}")
    (common, _), *_ = Counter(r.kind for r in fresh).most_common(1)
    return ReadArtifact(kind or common, tuple(records), base, name, tuple(invalid), tuple(dropped))


def _read_entry(entry: Any, position: int, kind: Kind | None, name: str) -> tuple[Record | None, str | None]:
    """A record and, if the entry does not fit its schema, what is wrong with it."""
    where = f"{name}: record at position {position}"
    if isinstance(entry, str):
        entry = {"prompt": entry}
    if not isinstance(entry, dict):
        return None, f"{where}: expected a prompt or a record, found {type(entry).__name__}"
    if isinstance(entry.get("id"), str):
        where = f"{name}: record {entry['id']!r} (position {position})"
    is_prompt = entry.get("kind", kind) in (None, "prompts") and not set(entry) - set(PromptEntry.model_fields)
    values = dict(entry)
    if entry.get("id") is None:
        if "kind" in entry or "schema_version" in entry:
            return None, f"{where}: /id: missing; every record of an artifact has one"
        values["id"] = f"{position:04d}"
    if not is_prompt:
        _check_version(values.get("schema_version", SCHEMA_VERSION), where)
        for version in range(values.get("schema_version", SCHEMA_VERSION), SCHEMA_VERSION):
            values = MIGRATIONS[version](values)
        values.setdefault("kind", kind or "prompts")
    fields = Record.model_fields if "kind" in entry or kind is not None else PromptEntry.model_fields
    try:
        return Record.model_validate_json(json.dumps(values)), None
    except ValidationError as error:
        problem = f"{where}: {describe(error, fields)}"
    return _salvage(values, problem, kind), problem


def _salvage(values: dict[str, Any], problem: str, kind: Kind | None) -> Record | None:
    """What is left of a record that does not fit: its name and prompt, so that it is not lost on the way."""
    own = values.get("kind")
    try:
        return Record.model_validate(
            {
                "kind": own if own in KINDS else kind or "prompts",
                "id": values.get("id"),
                "prompt": values.get("prompt") or ("" if isinstance(values.get("instruction"), str) else None),
                "type": values.get("type") if isinstance(values.get("type"), str) else None,
                "error": RecordError(stage="read", type="InputError", message=problem),
            }
        )
    except ValidationError:
        return None


def same_json(first: BaseModel, second: BaseModel) -> bool:
    """Whether two models say the same."""
    return canonical_json(first.model_dump(mode="json")) == canonical_json(second.model_dump(mode="json"))
