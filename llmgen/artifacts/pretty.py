"""JSON that people read and edit: two spaces, a row of numbers (a box) on one line, a newline at the end.

The text is that of the standard library but for the rows of numbers. It can also be that of a part of a larger value, so that an
artifact is written record by record.
"""

import json
from collections.abc import Callable
from json.encoder import encode_basestring as _quoted
from typing import Any, Final

_INDENT: Final = "  "
_NUMBERS: Final = (float, int)


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


def _write(value: Any, line: str, add: Callable[[str], object]) -> None:
    """Add a value's parts; `line` is the newline and the indent of the line it begins on."""
    if isinstance(value, dict) and value:
        inner = line + _INDENT
        front = "{" + inner
        for key, part in value.items():
            name = _quoted(key if isinstance(key, str) else _scalar(key))
            if isinstance(part, dict | list | tuple):
                add(f"{front}{name}: ")
                _write(part, inner, add)
            else:
                add(f"{front}{name}: {_quoted(part) if type(part) is str else _scalar(part)}")
            front = "," + inner
        add(line + "}")
    elif isinstance(value, list | tuple) and value:
        if all(type(part) in _NUMBERS for part in value):
            add("[" + ", ".join(map(_scalar, value)) + "]")
            return
        inner = line + _INDENT
        front = "[" + inner
        for part in value:
            add(front)
            _write(part, inner, add)
            front = "," + inner
        add(line + "]")
    else:
        add(_quoted(value) if type(value) is str else _scalar(value))


def _scalar(value: Any) -> str:
    """A number or a constant, or a container without anything in it."""
    if type(value) is int or (type(value) is float and value - value == 0):  # infinities and NaN are refused below
        return repr(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
