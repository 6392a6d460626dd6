"""Texts cut into words and marks."""

import re
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
_PROMPT_TOKEN: Final = re.compile(
    r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|‘[^’\n]{2,400}’|(?<!\w)'[^'\n]{2,400}'(?!\w)"
    r"|\d+(?:\.\d+)?\s?%|\d+/\d+|\d{1,3}(?:,\d{3})+(?!\d)|\w+s['’](?=\s+\w)|\w+(?:(?:['’]-|['’-])\w+)*|[^\w\s]|\n"
)
_QUOTES: Final = "\"“«‘'"


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a mark, with its place in the text."""

    text: str
    lower: str
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        """Whether it is a word rather than a mark."""
        return self.text[0].isalnum() or self.text[0] == "_"

    @property
    def is_quote(self) -> bool:
        """Whether it is a stretch in quotation marks."""
        return len(self.text) > 2 and self.text[0] in _QUOTES


def tokenize(text: str) -> list[Token]:
    """Split a text into words and marks."""
    return [Token(m.group(), m.group().lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def tokenize_prompt(text: str) -> list[Token]:
    """Split a prompt into words, marks, figures such as 1/2 or 1,000, and stretches in quotation marks."""
    return [
        Token(m.group(), m.group().lower().replace("’", "'"), m.start(), m.end()) for m in _PROMPT_TOKEN.finditer(text)
    ]


def short(text: str) -> str:
    """A text for a message, cut where it is long."""
    return text if len(text) <= 80 else text[:77] + "..."
