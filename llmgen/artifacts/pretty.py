"""JSON that people read and edit: two spaces, a row of numbers (a box) on one line, a newline at the end.

The standard library indents in Python only, object by object through generators; an artifact of many records is written in a fifth of
that time here, with the same text.
"""

import json
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring as _quoted
from typing import Any

_INDENT = "  "


def pretty_json(value: Any) -> str:
    """A JSON value as text.

    Raises:
        ValueError: If a number is not finite.
        TypeError: If it is no JSON value.
    """
    return indented(value) + "\n"


def indented(value: Any, depth: int = 0) -> str:
    """A JSON value as text without a newline at its end.

    Args:
        value: What `json.dumps` takes.
        depth: How deep it lies in a larger value: its lines but the first begin with so many indents.

    Raises:
        ValueError: If a number is not finite.
        TypeError: If it is no JSON value.
    """
    parts: list[str] = []
    _write(value, "\n" + _INDENT * depth, parts.append)
    return "".join(parts)


def _write(value: Any, line: str, add: Any) -> None:
    """Add a value's parts; `line` is the newline and the indent of the line it begins on."""
    if isinstance(value, str):
        add(_quoted(value))
    elif isinstance(value, Mapping):
        if not value:
            add("{}")
            return
        inner = line + _INDENT
        front = "{" + inner
        for key, part in value.items():
            name = _quoted(key) if isinstance(key, str) else _quoted(_scalar(key).strip('"'))
            if isinstance(part, str):
                add(f"{front}{name}: {_quoted(part)}")
            else:
                add(f"{front}{name}: ")
                _write(part, inner, add)
            front = "," + inner
        add(line + "}")
    elif isinstance(value, list | tuple):
        if not value:
            add("[]")
        elif all(type(part) in (float, int) for part in value):
            add("[" + ", ".join(map(_scalar, value)) + "]")
        else:
            _write_list(value, line, add)
    else:
        add(_scalar(value))


def _write_list(values: Sequence[Any], line: str, add: Any) -> None:
    inner = line + _INDENT
    front = "[" + inner
    for part in values:
        add(front)
        _write(part, inner, add)
        front = "," + inner
    add(line + "]")


def _scalar(value: Any) -> str:
    """What is neither text nor a container."""
    if type(value) is int or (type(value) is float and value - value == 0):  # infinities and NaN are refused below
        return repr(value)
    return json.dumps(value, allow_nan=False)
