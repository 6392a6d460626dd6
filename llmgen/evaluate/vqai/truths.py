"""The right answers of toybox questions, in a file that only the evaluation reads: no method may see them."""

import re
from collections.abc import Mapping
from pathlib import Path

from llmgen.errors import InputError
from llmgen.evaluate.answers import read_json_lines
from llmgen.toybox.world.answers import RightAnswer, answer_from_json

_SAMPLE = re.compile(r"\.s\d+$")
"""What the engine calls the views of a record's samples by."""


def read_right_answers(path: Path) -> dict[str, RightAnswer]:
    """Right answers by the id of their record.

    Args:
        path: JSON Lines of `{"id": ..., "answer": ...}`, as `llmgen import toybox-questions` writes them.

    Raises:
        InputError: If it cannot be read, or a line is anything else.
    """
    found = {}
    for number, entry in enumerate(read_json_lines(path), start=1):
        try:
            found[str(entry["id"])] = answer_from_json(entry["answer"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: line {number} holds no right answer: {error}") from error
    return found


def right_answer_for(answers: Mapping[str, RightAnswer], record_id: str) -> RightAnswer:
    """The right answer of a record, or of one of its samples.

    Raises:
        InputError: If there is none.
    """
    for name in (record_id, _SAMPLE.sub("", record_id)):
        if name in answers:
            return answers[name]
    raise InputError(
        f"no right answer for the record {record_id!r} in the file of truths; leave `truths` out, or add it"
    )
