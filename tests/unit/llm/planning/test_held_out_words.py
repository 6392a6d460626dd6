"""No rule of the planner lives on the words of a held-out question: what it takes them by, a question that is not held out has too."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from asked_changes import changes_of

from llmgen.llm.planning import answering
from llmgen.toybox.world.held_out import held_out
from llmgen.toybox.world.questions import TEMPLATES
from llmgen.toybox.world.vocabulary import CHARACTERS, THINGS

SOURCE = Path(answering.__file__)
BENCHMARKS = Path(__file__).parents[4] / "benchmarks" / "data"
_NOUN = re.compile(rf"\b(?:{'|'.join((*CHARACTERS, *THINGS))})\b")


def _asked(question: str) -> str:
    # As the rules read it, but for the nouns, which are drawn.
    return _NOUN.sub("thing", " ".join(question.lower().split()))


@cache
def _questions() -> tuple[dict[str, set[str]], set[str]]:
    """Held-out template to its questions, and the others that rules may have been made from.

    Not the wider wordings of trainings: a few of them say "white flakes" or "twelve hours" too, and a rule must not hide behind these.
    """
    changes = changes_of(TEMPLATES, scenes=2000, most=40, seed=9)
    asked = {name: {_asked(change.question) for change in found} for name, found in changes.items()}
    assert all(asked.values())
    held = {name: asked.pop(name) for name in held_out().templates}
    known = set().union(*asked.values())
    for path in BENCHMARKS.glob("questions_*.jsonl"):
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        known |= {_asked(line["question"]) for line in lines if "question" in line}
    return held, known


def _patterns(source: str) -> Iterator[str]:
    """Every text of a module besides its docstrings: patterns, phrases looked for with `in`, and answers, which do no harm here."""
    tree = ast.parse(source)
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and None not in (parts := [_text(part) for part in node.values]):
            # A pattern that is put together from others; where the parts are not known, each is looked at alone.
            left_out |= {id(part) for part in node.values}
            yield "".join(map(str, parts))
        elif id(node) not in left_out and (text := _text(node)):
            yield text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        found = getattr(answering, node.value.id, None)
        return found if isinstance(found, str) else None
    return None


def _taken_by(pattern: str, question: str) -> set[str]:
    """What a pattern matches in a question, at whatever place it begins."""
    return {found[1] for found in re.finditer(f"(?=({pattern}))", question)} - {""}


def _peculiar(source: str) -> set[tuple[str, str]]:
    """Held-out template and what a pattern takes it by, where the pattern takes no other question by it."""
    held, known = _questions()
    found = set()
    for pattern in _patterns(source):
        for name, questions in held.items():
            taken = {text for question in questions for text in _taken_by(pattern, question)}
            if taken:
                taken -= {text for question in known for text in _taken_by(pattern, question)}
            found |= {(name, text) for text in taken}
    return found


def test_rules_take_no_held_out_question_by_words_of_its_own() -> None:
    assert sorted(_peculiar(SOURCE.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("pattern", "name", "text"),
    [
        ("dark|white flakes", "scenery/flakes", "white flakes"),
        (r"the (\w+) (?:rises|(?:is|becomes) as light as)", "moves/balloon", "the thing becomes as light as"),
        (r"\w+ hours", "scenery/twelve_hours", "twelve hours"),
    ],
)
def test_such_words_are_found_however_they_are_put(pattern: str, name: str, text: str) -> None:
    assert (name, text) in _peculiar(f'"""A docstring."""\nRULE = r"{pattern}"\n')
    assert not _peculiar(f'r"""{pattern}"""\nRULE = r"\\bsun (?:goes|went) down|far right|taken away"\n')
