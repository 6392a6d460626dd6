"""Text from outside made fit for one line of a terminal: names, replies and file contents are data, never commands to it."""

import unicodedata
from typing import Final

MOST: Final = 2_000
"""Characters of a line."""
_HIDDEN: Final = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


def printable(text: str, most: int = MOST) -> str:
    r"""One line that shows what a text holds and does nothing to the terminal it is shown on.

    Args:
        text: Anything.
        most: Length from which it is cut in the middle.

    Returns:
        The text with blanks and line breaks joined to single blanks, every control, format and private character and every lone
        surrogate written as its escape (`\x1b`, `\u202e`), and of a long one the beginning and the end.
    """
    if len(text) > 2 * most:
        # Nobody waits for two megabytes to be escaped that are cut right afterwards.
        text = text[:most] + text[-most:]
        cut = True
    else:
        cut = False
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN else c for c in line)
    if cut or len(line) > most:
        half = most // 2
        line = f"{line[:half]} ... {line[-half:]}"
    return line


def quoted(text: str, most: int = 80) -> str:
    """The beginning of a text in quotes, its control characters escaped; dots stand for what is left away.

    Args:
        text: Anything.
        most: Characters that are looked at, dots included.
    """
    return repr(text if len(text) <= most else text[: most - 3] + "...")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
