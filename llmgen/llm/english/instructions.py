"""A deterministic reader of edit instructions: "make the red ball blue", "swap the car and the house", and the like.

Instructions are clauses that begin with a verb, joined by commas and "and". What a clause says is a command on objects
that are named by noun, attributes and place ("the left tree"); `llmgen.llm.planning.editing` carries commands out on detections.
"""

import re
from typing import Final

from llmgen.errors import InputError
from llmgen.llm.english.clauses import split_clauses
from llmgen.llm.english.commanding import ClauseReader
from llmgen.llm.english.commands import (
    Command,
    Instruction,
    Keep,
    exchanged,
    spoken_of,
)
from llmgen.llm.english.selections import Selection
from llmgen.llm.english.tokens import tokenize
from llmgen.llm.english.wishes import as_command

MOST_CHARACTERS: Final = 2000

_SCENE = re.compile(
    r",?\s*\b(?:in|from|(?<!rid )of)\s+((?:an?|the|this|that)\s+(?:[\w-]+\s+){0,2}?"
    r"(?:image|picture|photo|photograph|painting|scene|illustration|drawing)(?:\s+(?:of|at|in)\s+[^.,;!?]+)?)",
    re.IGNORECASE,
)
_UNTIL = re.compile(r"\s+(?:until|till)\b[^.,;]*", re.IGNORECASE)
_OF_MEASURE = re.compile(r"\b(?:the\s+)?(?:size|colou?r|position|place|location)s?\s+of\s+", re.IGNORECASE)
_MEASURE = re.compile(r"['’]s?\s+(?:size|colou?r|position|place|location)s?\b", re.IGNORECASE)
_EXCHANGE_OF = re.compile(
    r"\b(?:swap|switch|exchange|interchange|trade)\b[^.;,]*\b(?:shape|material)s?\b", re.IGNORECASE
)


def read_instruction(text: str) -> Instruction:
    """Read an instruction.

    Args:
        text: English, one or more clauses.

    Raises:
        InputError: If a clause is not understood; the message quotes it.
    """
    background = None
    scene = _SCENE.search(text)
    if scene is not None and re.search(r"\s(?:of|at|in)\s", scene[1]):
        background = scene[1].strip()
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"the instruction has {len(text)} characters; at most {MOST_CHARACTERS} are read")
    if _EXCHANGE_OF.search(text):
        raise InputError(f"things change places, not looks, in {text[:80]!r}; say what each of them should become")
    remarks: list[str] = []
    said = as_command(text, remarks.append)
    plain = _UNTIL.sub(" all the way", _MEASURE.sub("", _OF_MEASURE.sub("", _SCENE.sub("", said))))
    clauses = split_clauses(tokenize(plain))
    if not clauses:
        raise InputError(
            f"cannot read the instruction {text[:80]!r}: begin with a verb such as add, make, move, remove, replace or swap"
        )
    commands: list[Command] = []
    last: Selection | None = None
    for clause in clauses:
        kept = tuple(c.what for c in commands if isinstance(c, Keep) and c.what is not None)
        found = ClauseReader(clause, last, kept).read()
        if not found:
            raise InputError(
                f"cannot read all of {clause.text[:80]!r} in the instruction {text[:80]!r}; say it more simply"
            )
        commands += found
        last = spoken_of(found[-1]) or last
    return Instruction(tuple(exchanged(commands)), background, tuple(remarks))
