"""JSON text to values; what is no JSON that can be trusted is refused in one line."""

import codecs
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from llmgen.errors import InputError
from llmgen.printable import quoted

T = TypeVar("T")
_GZIP = b"\x1f\x8b"


def loads(text: str, name: str) -> Any:
    """The value of a whole text.

    Args:
        text: JSON.
        name: Words for messages.

    Raises:
        json.JSONDecodeError: If it is not JSON.
        InputError: If an object has a field twice, it is nested too deeply, or a number is too long.
    """
    return _safely(lambda: json.loads(text, object_pairs_hook=_unique(name)), name)


class ValueDecoder:
    """Reads one value from the middle of a text.

    Args:
        name: Words for messages.
    """

    def __init__(self, name: str) -> None:
        self._name, self._decoder = name, json.JSONDecoder(object_pairs_hook=_unique(name))

    def __call__(self, text: str, start: int) -> tuple[Any, int]:
        """The value that begins at a place, and where it ends; errors as of `loads`."""
        return _safely(lambda: self._decoder.raw_decode(text, start), self._name)


def not_text(name: str, data: bytes, place: int) -> InputError:
    """The error that says why bytes are no text.

    Args:
        name: The file.
        data: Its first bytes, or those where the place is.
        place: Where it stops being UTF-8, from its beginning.
    """
    if data.startswith(_GZIP):
        return InputError(f"{name}: is compressed; unpack it first, or pipe it in: `gunzip -c FILE | llmgen ... -`")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return InputError(f"{name}: is UTF-16 text, as some shells write it with >; save it as UTF-8")
    return InputError(f"{name}: not UTF-8 text (byte {place}); save it as UTF-8")


def not_json(name: str, line: int, column: int, reason: str) -> InputError:
    """The error that says where a text is not JSON."""
    # Python's "Unterminated string starting at" and the like say the place themselves.
    return InputError(f"{name}: not JSON: {reason.removesuffix(' at')} at line {line}, column {column}; mend it there")


def json_kind(value: Any) -> str:
    """What a value of JSON is, in a word, for a message."""
    if value is None:
        return "null"
    kinds = {bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")


def short(text: str) -> str:
    """The beginning of a text, quoted, for a message."""
    return quoted(text, 60)


def _unique(name: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
            raise InputError(f"{name}: an object has the field {short(twice)} twice; remove one")
        return values

    return unique


def _safely(decode: Callable[[], T], name: str) -> T:
    try:
        return decode()
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise InputError(f"{name}: nested too deeply to be an artifact") from error
    except ValueError as error:  # An integer with thousands of digits.
        raise InputError(
            f"{name}: not JSON that can be read: a number in it has thousands of digits; shorten it"
        ) from error
