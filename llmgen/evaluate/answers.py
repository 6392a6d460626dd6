"""What a model said, kept in a file of JSON Lines, so that the arithmetic can be run again without the model."""

import json
from pathlib import Path
from typing import Any

from llmgen.artifacts.files import why_unread
from llmgen.artifacts.hashing import digest
from llmgen.errors import InputError, OutputError

MAX_BYTES = 2**30


class Answers:
    """Answers by question; a question is any JSON value.

    Args:
        path: Where they are kept; None keeps them in memory.

    Raises:
        InputError: If the file is there but holds something else.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._known: dict[str, Any] = {}
        for entry in read_json_lines(path) if path is not None and path.exists() else []:
            if not {"question", "answer"} <= entry.keys():
                raise InputError(f"{path}: holds no answers: every line needs `question` and `answer`")
            self._known[digest(entry["question"])] = entry["answer"]

    def find(self, question: Any) -> Any | None:
        """The answer to a question, None when nobody has asked it yet."""
        return self._known.get(digest(question))

    def add(self, question: Any, answer: Any) -> None:
        """Keep an answer.

        Raises:
            OutputError: If the file cannot be written.
        """
        self._known[digest(question)] = answer
        if self.path is None:
            return
        line = json.dumps({"question": question, "answer": answer}, ensure_ascii=False) + "\n"
        try:
            with self.path.open("ab", buffering=0) as file:  # at once: several workers may share the file
                file.write(line.encode())
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from error


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Objects of a file, one a line.

    Raises:
        InputError: If it cannot be read, or a line is no JSON object.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES // 2**30} GiB")
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a string may hold other separators raw
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {why_unread(error)}") from error
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: line {number} is not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise InputError(f"{path}: line {number} is no JSON object")
        entries.append(entry)
    return entries
