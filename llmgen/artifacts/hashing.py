"""Canonical JSON and digests: what makes two records the same."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel

from llmgen.artifacts.record import Record


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: If a number is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


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
    return digest(plain_record(record))
