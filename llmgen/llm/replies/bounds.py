"""What is read of a reply at most, and how what is not read is said: one line, escaped, short."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

from llmgen.artifacts.base import has_surrogate
from llmgen.errors import ModelError

logger = logging.getLogger(__name__)

Remark = Callable[[str], None]
"""Takes one line for each thing that was mended, cut or ignored."""

MOST_CHARS: Final = 400_000
"""Of a reply, thoughts included: what a model writes in a hundred thousand tokens."""
MOST_DEPTH: Final = 40
"""Brackets within brackets. A plan needs four; wrappers add some."""
MOST_OBJECTS: Final = 1000
"""Objects, or mentions of them, in one reply."""
MOST_NAME_CHARS: Final = 300
"""Of the name of one object, or one attribute."""
MOST_ATTRIBUTES: Final = 30
"""Of one object."""
MOST_TEXT_CHARS: Final = 10_000
"""Of a background, a description or a negative prompt."""
FARTHEST: Final = 1e9
"""Coordinates from here on are no coordinates."""

_SHOWN: Final = 160


def check_reply(text: str) -> str:
    """A reply that may be read at all.

    Raises:
        ModelError: If it is too long, or holds half of a character.
    """
    if len(text) > MOST_CHARS:
        raise ModelError(f"unusable reply: it has {len(text)} characters, at most {MOST_CHARS} are read: {shown(text)}")
    if has_surrogate(text):
        raise unusable("it holds half of a character (a lone surrogate)", text)
    return text


def check_words(value: Any, reply: str) -> None:
    """Refuse texts, anywhere in a value, that hold half of a character: no file can be written of them.

    Raises:
        ModelError: If there is one.
    """
    if any(map(has_surrogate, _words(value))):
        raise unusable("it holds half of a character (a lone surrogate)", reply)


def check_length(what: str, found: int, most: int, reply: str) -> None:
    """Refuse what is longer than any plan.

    Raises:
        ModelError: If more than `most` were found.
    """
    if found > most:
        raise unusable(f"{found} {what}, at most {most} are read", reply)


def unusable(why: str, reply: str) -> ModelError:
    """The refusal of a reply, in one line that is fit to be sent back."""
    return ModelError(f"unusable reply: {why}: {shown(reply)}")


def shown(text: str) -> str:
    """The beginning of a reply, for a message of one line."""
    return repr(" ".join(text[: 4 * _SHOWN].split())[:_SHOWN])


def log_remark(line: str) -> None:
    """Where a remark goes when nobody asked for it."""
    logger.info("mended a reply: %s", line)


def once(remark: Remark | None) -> Remark:
    """The same place for remarks, where a line that is said twice arrives once."""
    said: set[str] = set()
    out = remark or log_remark

    def say(line: str) -> None:
        if line not in said:
            said.add(line)
            out(line)

    return say


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
