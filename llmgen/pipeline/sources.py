"""What a word on the command line is: a path, or a prompt."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from llmgen.artifacts.files import near_names
from llmgen.errors import InputError
from llmgen.printable import printable

ReadAs = Literal["txt", "csv", "tsv"]
"""Forms of prompts that content alone cannot always tell apart."""
SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".txt", ".text", ".csv", ".tsv")
"""Endings of files that a stage reads."""
_MOST_NAME: Final = 200
"""Characters of a word in a message."""


@dataclass(frozen=True)
class Source:
    """What a stage works on: a file, stdin, or prompts in memory."""

    path: str = "-"
    """Path, or `-` for stdin; without meaning where there are prompts."""
    prompts: tuple[str, ...] = ()
    read_as: ReadAs | None = None
    """How the file is read; by its content where nobody says."""

    def __str__(self) -> str:
        return "prompts" if self.prompts else self.path


def is_path(word: str) -> bool:
    """Whether a word is a path and no prompt: it exists, ends as files of prompts and records do, or holds a separator."""
    path = Path(word)
    try:
        there = path.exists()
    except (OSError, ValueError):  # longer than a name can be, or with a NUL
        there = False
    return word == "-" or there or path.suffix.lower() in SUFFIXES or "/" in word or "\\" in word


def source_of(word: str) -> Source:
    """What a stage works on that was given one word.

    Args:
        word: `-` for stdin; a path, which exists, ends in one of `SUFFIXES` or holds a separator; or a prompt, which holds a blank.

    Raises:
        InputError: If it is a single word that is neither.
    """
    if is_path(word):
        return Source(word)
    if " " in word.strip():
        return Source(prompts=(word,))
    raise InputError(
        f"{_short(word)} is no file here, and one word could be a slip: give a file by its path (./{_short(word)[1:-1]}), "
        f"a prompt of one word by --prompt {shlex.quote(printable(word, _MOST_NAME))}{near_names(Path(word))}"
    )


def _short(word: str) -> str:
    return repr(printable(word, _MOST_NAME))
