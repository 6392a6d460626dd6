"""Canonical JSON and digests: what makes two records the same."""

import hashlib
import json
import threading
from collections import OrderedDict
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from llmgen.artifacts.record import Record

_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: If a number is not finite.
    """
    return _CANONICAL.encode(value)


def as_json(value: Any) -> bytes:
    """A JSON value as text for a program, in the order of its fields; the quickest way to write it."""
    try:
        return to_json(value)
    except PydanticSerializationError:
        return json.dumps(value).encode()  # half a character, or too deep: whoever reads it says so


def digest(value: Any) -> str:
    """SHA-256 of a JSON value or of a model, 64 hex digits."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return hashlib.sha256(canonical_json(plain).encode("utf-8", "surrogatepass")).hexdigest()


def plain_record(record: Record) -> dict[str, Any]:
    """A record as it is written: JSON values in the order of the fields, empty sections left out."""
    return record.model_dump(mode="json", exclude_none=True, exclude=_empty_sections(record))


def record_json(record: Record, indent: int | None = None) -> bytes:
    """The text of what `plain_record` gives, written at once.

    Args:
        record: The record.
        indent: Spaces by which what lies deeper is indented; all is on one line by default.
    """
    try:
        return to_json(record, indent=indent, exclude_none=True, exclude=_empty_sections(record))
    except PydanticSerializationError:
        return json.dumps(plain_record(record), indent=indent).encode()  # as in `as_json`


def record_digest(record: Record) -> str:
    """SHA-256 of a record's canonical form, 64 hex digits."""
    return _digests(record)


def _empty_sections(record: Record) -> set[str]:
    return {name for name in ("history", "samples", "replies", "remarks", "provenance") if not getattr(record, name)}


class _Digests:
    """Digests of the records that were at work last: a record's is part of its key, and of the provenance of what is made of it."""

    _MOST: Final = 128

    def __init__(self) -> None:
        self._made: OrderedDict[int, tuple[Record, str]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, record: Record) -> str:
        with self._lock:
            known = self._made.get(id(record))
        if known is not None and known[0] is record:
            return known[1]
        made = digest(plain_record(record))
        with self._lock:
            # The record is held too, so that no other one gets its number.
            self._made[id(record)] = (record, made)
            if len(self._made) > self._MOST:
                self._made.popitem(last=False)
        return made


_digests: Final = _Digests()
