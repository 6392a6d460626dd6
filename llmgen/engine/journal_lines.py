"""Lines of a journal: each is wrapped with the digest of its own text, so that what a crash tore or a hand changed is noticed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

_FRONT, _MIDDLE, _BACK = b'{"sha256": "', b'", "line": ', b"}\n"
_TEXT_AT: Final = len(_FRONT) + 64 + len(_MIDDLE)
BEGUN, RECORDS, ENDED = b'{"begun": ', b'{"records": [{"key": "', b'{"ended": '
"""How the texts of the three kinds of lines begin."""


def text_of(value: Mapping[str, Any]) -> bytes:
    """A value as the text of a line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def sealed(text: bytes) -> bytes:
    """A text as a line, with its digest."""
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
