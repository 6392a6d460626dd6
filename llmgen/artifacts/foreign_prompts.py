"""Prompts as people and other programs write them: one a line, tables, lists with fields of their own.

What is mended, renamed or not used is said in a line for the whole file; what may be meant for something else (a misspelt field, boxes) is
left to be refused.
"""

import csv
import difflib
import io
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from llmgen.artifacts.foreign_boxes import holds_boxes
from llmgen.artifacts.manifest import PromptEntry
from llmgen.artifacts.record import MOST_SEED
from llmgen.errors import InputError

logger = logging.getLogger(__name__)

_OWN: Final = frozenset(PromptEntry.model_fields)
_PROMPT_KEYS: Final = ("prompts", "caption", "text")
_TYPE_KEYS: Final = ("tag", "category")
_RANDOM_SEED: Final = -1
"""What other tools write for a seed to be drawn."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LEADS_AWAY: Final = re.compile(r"\x00|^[./\\]|^[A-Za-z]:[/\\]|[/\\]\.\.([/\\]|$)")
"""In an id: the beginning of a path from a root or of a hidden file, or a way upwards."""
_DELIMITERS: Final = (",", "\t", ";")
_MISSPELT: Final = 0.75
"""Likeness from which an unknown field is taken for one of ours."""
_MOST_COMPARED: Final = 100
"""Fields of an entry that are compared with ours."""


class FreeNames:
    """Valid names of records, each given once, in time that does not grow with their number."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def take(self, wished: str, fallback: str = "entry") -> str:
        """A valid name like the wished one that was not given yet: `a`, then `a-2`, `a-3`."""
        stem = _NOT_IN_NAMES.sub("_", wished).strip("._-")[:120] or fallback
        number = self._next.get(stem, 1)
        while (name := stem if number == 1 else f"{stem}-{number}") in self._taken:
            number += 1
        self._next[stem] = number + 1
        self._taken.add(name)
        return name


@dataclass
class Adopted:
    """Entries in our own form, and what was done to them."""

    entries: list[Any]
    notes: list[str] = field(default_factory=list)


def adopt_prompts(entries: Sequence[Any], known: Iterable[str], *, records: bool = False) -> Adopted:
    """Prompts of any program as prompt entries; whatever is no such prompt stays as it is.

    Fields are read in any case; `prompts`, `caption` and `text` stand for a missing `prompt`, `tag` and `category` for a missing `type`.
    An id may be a whole number; one with other characters than ours, such as `a b` or `set/7`, is mended, but one that leads out of its
    folder is not. A seed may be written as text or `42.0`; `-1` means that it is drawn, as in other tools. Other fields are not used,
    unless they look like one of ours that is misspelt, or hold boxes. Of records only the ids are mended.

    Args:
        entries: As a file holds them: texts, objects, anything.
        known: Fields of records, which are never renamed or left out.
        records: All entries are records, whatever they hold: they stand in an artifact.

    Returns:
        As many entries, and a line for each kind of change.
    """
    adoption = Adoption(known, records=records)
    adoption.know(entries)
    found = [adoption.adopted(entry, position) for position, entry in enumerate(entries, start=1)]
    return Adopted(found, adoption.notes(len(entries)))


class Adoption:
    """`adopt_prompts` for entries that come one after the other.

    Args:
        known: Fields of records, which are never renamed or left out.
        records: All entries are records, whatever they hold: they stand in an artifact.
    """

    def __init__(self, known: Iterable[str], *, records: bool = False) -> None:
        self._fields = frozenset(known)
        self._records = records
        self._taken: set[str] = set()
        self._names: FreeNames | None = None
        self._done = _Changes()

    def know(self, entries: Iterable[Any]) -> None:
        """Keep the ids of some entries from being given to others."""
        self._taken.update(
            entry["id"]
            for entry in entries
            if isinstance(entry, dict) and isinstance(entry.get("id"), str) and _NAME.fullmatch(entry["id"])
        )

    def stays(self, entry: Any) -> bool:
        """Whether an entry surely stays as it is, as nearly all do; its id is kept from being given to others."""
        name = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(name, str) or _NAME.fullmatch(name) is None or self._is_foreign(entry):
            return False
        self._taken.add(name)
        return True

    def gives_a_name(self, entry: Any) -> bool:
        """Whether an entry's id will be mended, for which the ids of all entries must be known."""
        if not isinstance(entry, dict):
            return False
        other = None
        if self._is_foreign(entry):
            other = next((value for key, value in entry.items() if key.strip().casefold() == "id"), None)
        name = plain_id(entry.get("id", other))
        return isinstance(name, str) and _can_be_mended(name)

    def adopted(self, entry: Any, position: int) -> Any:
        """An entry in our own form, or as it is.

        Args:
            entry: A text, an object, anything.
            position: Its place in the file, from 1.
        """
        if not isinstance(entry, dict):
            return entry
        values = _adopted(entry, self._done) if self._is_foreign(entry) else entry
        name = plain_id(values.get("id"))
        if isinstance(name, str) and _can_be_mended(name):
            new = self._free_names().take(name, f"{position:04d}")
            self._done.ids.append((name, new))
            name = new
        return values if name is values.get("id") else {**values, "id": name}

    def notes(self, total: int) -> list[str]:
        """A line for each kind of change, once all entries are adopted."""
        return self._done.lines(total)

    def _is_foreign(self, entry: dict[str, Any]) -> bool:
        """Whether an entry is a prompt and nothing more: no record that a stage wrote."""
        return not self._records and not (set(entry) & (self._fields - _OWN))

    def _free_names(self) -> FreeNames:
        if self._names is None:
            self._names = FreeNames(self._taken)
        return self._names


def prompts_of_text(text: str) -> Adopted:
    """One prompt a line; empty lines and those that begin with `# ` are none."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    comments = sum(line == "#" or line.startswith("# ") for line in lines)
    prompts: list[Any] = [line for line in lines if line and not (line == "#" or line.startswith("# "))]
    notes = [f"read as text: {len(prompts)} prompts, one a line"]
    if comments:
        notes.append(f"{comments} lines begin with # and are no prompts")
    return Adopted(prompts, notes)


def prompts_of_table(text: str, name: str) -> Adopted:
    """A table with a column of prompts under its head, separated by commas, semicolons or tabs; or a single column without a head.

    Args:
        text: The table.
        name: The file, for messages.

    Raises:
        InputError: If no column is called prompt (or prompts, caption, text), or the table is broken.
    """
    delimiter = table_delimiter(text)
    rows = _rows(text, delimiter or ",", name)
    if delimiter is None:
        if any(len(row) > 1 for row in rows):
            shown = ", ".join(cell[:40] for cell in rows[0][:8])
            raise InputError(
                f"{name}: no column of the table is called prompt: its first line has {shown}; name one so"
            )
        return Adopted([row[0] for row in rows if row[0].strip()], ["read as a table of one column without a head"])
    head = [cell.strip() for cell in rows[0]]
    if len({cell.casefold() for cell in head}) < len(head):
        raise InputError(f"{name}: two columns of the table have the same name; rename one")
    entries: list[Any] = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > len(head):
            raise InputError(
                f"{name}: row {number} of the table has {len(row)} cells, its head {len(head)}; quote texts that hold the separator"
            )
        if any(cell.strip() for cell in row):
            entries.append({key: cell for key, cell in zip(head, row, strict=False) if key and cell.strip()})
    return Adopted(entries, [f"read as a table: {len(entries)} prompts"])


def table_delimiter(text: str, *, surely: bool = True) -> str | None:
    """What separates the columns of a table whose head names a column of prompts; None for any other text.

    Args:
        text: The text.
        surely: The text is a table. Otherwise its first line may be a prompt that holds one of the words, so it must have several
            cells and one of them be `prompt` or `prompts`.
    """
    first = text.lstrip("\r\n").partition("\n")[0].strip()
    names = ("prompt", *_PROMPT_KEYS) if surely else ("prompt", "prompts")
    for delimiter in _DELIMITERS:
        cells = [cell.strip().strip('"').casefold() for cell in first.split(delimiter)]
        if set(cells) & set(names) and (surely or len(cells) > 1):
            return delimiter
    return None


def say(name: str, notes: Iterable[str]) -> None:
    """Log what was changed in a file, a line each."""
    for note in notes:
        logger.warning("%s: %s", name, note)


def mended_ids(changed: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each kind of id that others were given for: those that cannot name a file, and those that are there twice.

    Args:
        changed: Each with the one that was given.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for old, new in changed:
        kinds.setdefault("is there twice" if _NAME.fullmatch(old) else "cannot name a file", []).append((old, new))
    return [
        f"id {ids[0][0][:60]!r} {reason} and becomes {ids[0][1]!r}"
        + (f" (and {len(ids) - 1} more)" if len(ids) > 1 else "")
        for reason, ids in kinds.items()
    ]


def plain_id(value: Any) -> Any:
    """An id that is a whole number as text; anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return str(value) if isinstance(value, int) and abs(value) < 10**18 else value


def plain_seed(value: Any) -> Any:
    """A seed that is written as text or as a decimal fraction of nothing as a whole number; anything else as it is."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,20}(\.0{1,20})?\s*", value):
        return int(value.strip().partition(".")[0])
    if isinstance(value, float) and value.is_integer() and abs(value) <= MOST_SEED:
        return int(value)
    return value


class _Changes:
    """What was done to the entries of a file, counted."""

    def __init__(self) -> None:
        self.unused: Counter[str] = Counter()
        self.renamed: Counter[tuple[str, str]] = Counter()
        self.drawn = 0
        self.ids: list[tuple[str, str]] = []

    def lines(self, total: int) -> list[str]:
        notes = [f"{old!r} is read as {new!r} in {n} of {total} entries" for (old, new), n in self.renamed.items()]
        if self.unused:
            shown = ", ".join(f"{key[:40]!r}" for key in list(self.unused)[:8]) + (
                f" and {len(self.unused) - 8} more" if len(self.unused) > 8 else ""
            )
            notes.append(f"not used: {shown}, in {max(self.unused.values())} of {total} entries")
        if self.drawn:
            notes.append(f"seed -1 is drawn from the run's seed and the id, in {self.drawn} of {total} entries")
        return notes + mended_ids(self.ids)


def _adopted(entry: dict[str, Any], done: _Changes) -> dict[str, Any]:
    values: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for key, value in entry.items():
        name = key.strip().casefold()
        if key in _OWN:
            values[key] = value
        elif name in _OWN and name not in entry and name not in values:
            values[name] = value
        else:
            others[key] = value
    for wanted, keys in (("prompt", _PROMPT_KEYS), ("type", _TYPE_KEYS)):
        _stand_in(wanted, keys, values, others, done)
    for number, (key, value) in enumerate(others.items()):
        if (number < _MOST_COMPARED and _meant(key) not in (None, *values)) or holds_boxes(value):
            values[key] = value
        else:
            done.unused[key] += 1
    values["seed"] = plain_seed(values.get("seed"))
    if values["seed"] == _RANDOM_SEED:
        done.drawn += 1
        values["seed"] = None
    return {key: value for key, value in values.items() if value is not None or key == "prompt"}


def _stand_in(wanted: str, keys: Iterable[str], values: dict[str, Any], others: dict[str, Any], done: _Changes) -> None:
    if values.get(wanted) is not None:
        return
    for name in keys:
        key = next((k for k, v in others.items() if k.strip().casefold() == name and isinstance(v, str)), None)
        if key is not None:
            values[wanted] = others.pop(key)
            done.renamed[key, wanted] += 1
            return


@lru_cache(maxsize=1024)
def _meant(key: str) -> str | None:
    """The field of ours that an unknown one very likely is: `promt`, `sed`; none for `prompt_id` and `pid`."""
    name = key.strip().casefold()[:40]
    near = next(iter(difflib.get_close_matches(name, sorted(_OWN), n=1, cutoff=_MISSPELT)), "id")
    return None if len(near) < 3 or name.startswith(near + "_") or name.endswith("_" + near) else near


def _can_be_mended(name: str) -> bool:
    return bool(name.strip()) and not _NAME.fullmatch(name) and not _LEADS_AWAY.search(name)


def _rows(text: str, delimiter: str, name: str) -> list[list[str]]:
    def read() -> Iterator[list[str]]:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)

    try:
        rows = [row for row in read() if row]
    except csv.Error as error:
        raise InputError(f"{name}: the table cannot be read: {error}; mend it, or give one prompt a line") from error
    if not rows:
        raise InputError(f"{name}: the table is empty")
    return rows
