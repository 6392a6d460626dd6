"""Canonical JSON and digests: what makes two records the same."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from llmgen.artifacts.record import Record

T = TypeVar("T")

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
    values = record.model_dump(mode="json", exclude_none=True)
    for name in ("history", "samples", "replies", "remarks", "provenance"):
        if not values[name]:
            del values[name]
    # exclude_none reaches into free-form settings, where null is a value like any other.
    for entry, provenance in zip(values.get("provenance", ()), record.provenance, strict=True):
        entry["config"] = provenance.config
        entry["config_passed"] = provenance.config_passed
    return values


def record_digest(record: Record) -> str:
    """SHA-256 of a record's canonical form, 64 hex digits."""
    return _digests(record)


def written_record(record: Record) -> dict[str, Any]:
    """What `plain_record` gives, to be read only: a finished record goes to the journal and to the artifact."""
    return _written(record)


class _Recent(Generic[T]):
    """What was made of the records that were at work last: the same objects pass several places that need it."""

    _MOST: Final = 128

    def __init__(self, make: Callable[[Record], T]) -> None:
        self._make = make
        self._made: OrderedDict[int, tuple[Record, T]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, record: Record) -> T:
        with self._lock:
            known = self._made.get(id(record))
        if known is not None and known[0] is record:
            return known[1]
        made = self._make(record)
        with self._lock:
            # The record is held too, so that no other one gets its number.
            self._made[id(record)] = (record, made)
            if len(self._made) > self._MOST:
                self._made.popitem(last=False)
        return made


_written: Final = _Recent(plain_record)
_digests: Final = _Recent(lambda record: digest(written_record(record)))
