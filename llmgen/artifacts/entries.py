"""Entries of a file to records, one after the other: each is checked as it comes, and what holds for all of them at the end."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, get_args

from pydantic import ValidationError

from llmgen.artifacts.base import SCHEMA_VERSION
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.hashing import as_json
from llmgen.artifacts.manifest import PromptEntry
from llmgen.artifacts.parsing import json_kind
from llmgen.artifacts.record import Kind, Record, RecordError, kept_prompt
from llmgen.errors import InputError

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: Older version to the function that lifts a plain record to the next one. Version 1 is the first.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


class EntryReader:
    """Makes records of entries. It remembers their ids, so that no two are called alike, and nothing else of them.

    Args:
        kind: Of the document, if it names one.
        name: Words for messages.
        invalid: Told of each entry that does not fit its schema and goes on with `error`, in one line.
        dropped: Told of each entry that could not even be named, and so cannot go on.
    """

    def __init__(
        self,
        kind: Kind | None,
        name: str,
        *,
        invalid: Callable[[str], None] = lambda line: None,
        dropped: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._kind, self._name, self._say_invalid, self._say_dropped = kind, name, invalid, dropped
        self._positions: dict[str, int] = {}
        self._first_invalid: str | None = None
        self._first_dropped: str | None = None
        self.count = 0
        #: Kinds of the records that fit their schema.
        self.kinds: Counter[Kind] = Counter()

    def record(self, entry: Any) -> Record | None:
        """The record of the next entry, or None if it cannot be named.

        Raises:
            InputError: If another one has its id, or a newer llmgen wrote it.
        """
        self.count += 1
        record, problem = _read_entry(entry, self.count, self._kind, self._name)
        if record is None:
            self._first_dropped = self._first_dropped or problem
            self._say_dropped(problem or "")
            return None
        if record.id in self._positions:
            raise InputError(
                f"{self._name}: two records are called {record.id!r} (positions {self._positions[record.id]} and {self.count}); "
                "ids name the pictures, so give each its own"
            )
        self._positions[record.id] = self.count
        if problem is None:
            self.kinds[record.kind] += 1
        else:
            self._first_invalid = self._first_invalid or problem
            self._say_invalid(problem)
        return record

    def check_any_valid(self) -> None:
        """Refuse, at the end, a file without any entry that fits its schema.

        Raises:
            InputError: If there is none.
        """
        if not self.count:
            raise InputError(f"{self._name}: holds no prompts or records; add at least one")
        if not self.kinds:
            count = f" (none of the {self.count} entries is valid)" if self.count > 1 else ""
            raise InputError(f"{self._first_invalid or self._first_dropped}{count}")


def check_version(version: Any, name: str) -> None:
    """Refuse a version that is none, or that of a newer llmgen.

    Raises:
        InputError: If so.
    """
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"{name}: /schema_version: {version!r} is no version; this llmgen writes {SCHEMA_VERSION}")
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{name}: /schema_version: {version} was written by a newer llmgen (this one reads up to {SCHEMA_VERSION}); "
            "update with `pip install -U llmgen`"
        )


def _read_entry(entry: Any, position: int, kind: Kind | None, name: str) -> tuple[Record | None, str | None]:
    """A record and, if the entry does not fit its schema, what is wrong with it."""
    where = f"{name}: record at position {position}"
    if isinstance(entry, str):
        entry = {"prompt": entry}
    if not isinstance(entry, dict):
        return None, f"{where}: expected a prompt or a record, found {json_kind(entry)}"
    if isinstance(entry.get("id"), str):
        where = f"{name}: record {entry['id']!r} (position {position})"
    is_prompt = entry.get("kind", kind) in (None, "prompts") and not set(entry) - set(PromptEntry.model_fields)
    values = dict(entry)
    if entry.get("id") is None:
        if "kind" in entry or "schema_version" in entry:
            return None, f"{where}: /id: missing; every record of an artifact has one"
        values["id"] = f"{position:04d}"
    if not is_prompt:
        check_version(values.get("schema_version", SCHEMA_VERSION), where)
        for version in range(values.get("schema_version", SCHEMA_VERSION), SCHEMA_VERSION):
            values = MIGRATIONS[version](values)
        values.setdefault("kind", kind or "prompts")
    try:
        return Record.model_validate_json(as_json(values)), None
    except ValidationError as error:
        fields = Record.model_fields if "kind" in entry or kind is not None else PromptEntry.model_fields
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
                "prompt": kept_prompt(values.get("prompt")),
                "type": values.get("type") if isinstance(values.get("type"), str) else None,
                "error": RecordError(stage="read", type="InputError", message=problem),
            }
        )
    except ValidationError:
        return None
