"""The lines of a journal: their form, and what they tell of a run without the journal being opened."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

_FRONT, _MIDDLE, _BACK = b'{"sha256": "', b'", "line": ', b"}\n"
_TEXT_AT = len(_FRONT) + 64 + len(_MIDDLE)
BEGUN, ENDED = b'{"begun": ', b'{"ended": '
"""How the first line begins, and the last where a run is over."""
_MOST_LAST_WORDS: Final = 2**16
"""Bytes of the line that a run ends with."""
#: What of a run's settings is also written into the provenance of its records.
_KNOWN_BY_RECORDS = ("stage", "method", "preset", "seed", "device", "dtype", "config")


def text_of(value: Mapping[str, Any]) -> bytes:
    """What a line says, in bytes."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def sealed(text: bytes) -> bytes:
    """A line that says a text, with the digest of it."""
    return _FRONT + hashlib.sha256(text).hexdigest().encode() + _MIDDLE + text + _BACK


def unsealed(line: bytes) -> bytes | None:
    """What a line says, or None if it is not as it was written."""
    text = line[_TEXT_AT : -len(_BACK)]
    return text if line == sealed(text) else None


def value_of(text: bytes) -> dict[str, Any] | None:
    """What a line says, if it says what a line of a journal can say."""
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            return None
        if "records" in value:
            value = {"seconds": 0.0, "finished_at": "", **value}
            float(value["seconds"])
            sound = all(isinstance(e["key"], str) and isinstance(e["record"], dict) for e in value["records"])
        else:
            sound = isinstance(value.get("begun"), dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return value if sound else None


def old_batches(path: Path) -> Iterator[dict[str, Any]]:
    """Batches of a journal without digests, up to the first line that is not whole."""
    with path.open("rb") as file:
        for line in file:
            batch = value_of(line)
            if batch is None or "records" not in batch or not line.endswith(b"\n"):
                return
            yield batch


def last_words(path: Path) -> dict[str, Any] | None:
    """What a journal says at its end of a run that is over; None if it does not, or is not there."""
    try:
        with path.open("rb") as file:
            file.seek(-min(_MOST_LAST_WORDS, path.stat().st_size), os.SEEK_END)
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return None
    text = unsealed(lines[-1]) if lines else None
    if text is None or not text.startswith(ENDED):
        return None
    words = json.loads(text)["ended"]
    return words if isinstance(words, dict) else None


def begun_with(path: Path) -> dict[str, Any]:
    """The settings that a journal was begun with; none if there is no journal, or it does not say."""
    try:
        with path.open("rb") as file:
            text = unsealed(file.readline())
    except OSError:
        return {}
    value = value_of(text) if text is not None and text.startswith(BEGUN) else None
    return {} if value is None else dict(value["begun"])


def summed_up(path: Path) -> tuple[dict[str, Any], int, float]:
    """What a journal tells of the run that it is of: its settings, the records that were finished without an error, the seconds they took.

    Nothing is thrown: of a journal that cannot be read nothing was finished.
    """
    begun: dict[str, Any] = {}
    finished, seconds = 0, 0.0
    try:
        with path.open("rb") as file:
            for line in file:
                text = unsealed(line)
                value = None if text is None else value_of(text)
                if value is None:
                    break
                if "begun" in value:
                    begun = value["begun"]
                else:
                    finished += sum(entry["record"].get("error") is None for entry in value["records"])
                    seconds += float(value["seconds"])
    except OSError:
        pass
    return begun, finished, seconds


def made_by(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings that a finished record tells of itself; None for one that failed."""
    provenance = record.get("provenance")
    if record.get("error") is not None or not isinstance(provenance, list) or not provenance:
        return None
    last = provenance[-1]
    return {name: last.get(name) for name in _KNOWN_BY_RECORDS} if isinstance(last, dict) else None


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first setting that both know and that differs: its name and both values."""
    for name in before.keys() & now.keys() if before else ():
        one, other = before[name], now[name]
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            inner = difference(one, other)
            if inner is not None:
                return inner
        elif one != other:
            return name, one, other
    return None
