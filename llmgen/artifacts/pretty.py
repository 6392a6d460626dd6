"""JSON that people read and edit: two spaces, a row of numbers (a box) on one line, a newline at the end.

The text is that of the standard library but for the rows of numbers. It can also be that of a part of a larger value, so that an
artifact is written record by record.

pydantic's writer, which is not written in Python, makes most texts; those with a number that it writes in another way are made here.
"""

import contextlib
import json
import re
from collections.abc import Callable
from json.encoder import encode_basestring as _quoted
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json

INDENT: Final = 2
"""Spaces."""
_INDENT: Final = INDENT * " "
_NUMBERS: Final = (float, int)
#: Line breaks inside a text are escaped, so these are none of a text's.
_ROW: Final = re.compile(r"\[\n *(-?[0-9][0-9.]*(?:,\n *-?[0-9][0-9.]*)*)\n *\]")
_BREAK: Final = re.compile(r",\n *")
#: Very small and very large numbers, and those that are refused. (That a text may look like one costs a little time.)
_EXPONENT: Final = re.compile(r"e[-+]?[0-9]+[,\n]")
_SMALL, _REFUSED, _REFUSED_TOO = "0.0000", "NaN", "Infinity"


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
    if isinstance(value, dict | list):
        with contextlib.suppress(PydanticSerializationError):
            text = arranged(to_json(value, indent=INDENT), depth)
            if text is not None:
                return text
    parts: list[str] = []
    _write(value, "\n" + _INDENT * depth, parts.append)
    return "".join(parts)


def arranged(written: bytes, depth: int = 0) -> str | None:
    """What pydantic has written as `indented` writes it.

    Args:
        written: Text of an object or a list, by `INDENT` spaces, every number on a line of its own.
        depth: As of `indented`.

    Returns:
        The text; None if it holds a number that is written in another way here.
    """
    text = written.decode()
    if _SMALL in text or _REFUSED in text or _REFUSED_TOO in text or _EXPONENT.search(text):
        return None
    text = _ROW.sub(lambda row: "[" + _BREAK.sub(", ", row[1]) + "]", text)
    return text.replace("\n", "\n" + _INDENT * depth) if depth else text


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
