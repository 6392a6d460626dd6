"""The wider wordings of trainings: every one makes questions, and none is a held-out template in disguise."""

import difflib
import random
import re
from functools import cache

import pytest
from asked_changes import changes_of

from llmgen.toybox.models.answerer import build_answer_tokenizer
from llmgen.toybox.world.held_out import held_out, is_held_out
from llmgen.toybox.world.pairs import CATEGORIES, sample_pair, wider_templates
from llmgen.toybox.world.questions import TEMPLATES, WIDER_TEMPLATES, Template
from llmgen.toybox.world.questions.asking import Change, wordings


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


@cache
def _changes() -> dict[str, list[Change]]:
    return changes_of((*WIDER_TEMPLATES, *TEMPLATES), scenes=2000, most=12, seed=3)


def test_every_list_of_wordings_belongs_to_a_template() -> None:
    assert {template.name.split("/")[1] for template in WIDER_TEMPLATES} == set(wordings())
    for category in CATEGORIES:
        assert all(wider_templates(category, needs_picture) for needs_picture in (False, True))


@pytest.mark.parametrize("name", sorted(wordings()))
def test_wordings_differ_and_end(name: str) -> None:
    ways = wordings()[name]
    assert len(ways) == len(set(ways)) >= 15
    assert all(way[-1] in ".?" for way in ways)


@pytest.mark.parametrize("template", WIDER_TEMPLATES, ids=lambda template: template.name)
def test_a_template_fills_every_gap(template: Template) -> None:
    changes = _changes()[template.name]
    assert len(changes) >= 4
    assert all("{" not in change.question and change.before != change.after for change in changes)


def test_no_wording_is_a_held_out_question() -> None:
    # The gaps are filled alike on both sides, so that what is compared is the asking.
    held = {tuple(_words(change.question)) for name in held_out().templates for change in _changes()[name]}
    wide = {tuple(_words(change.question)) for template in WIDER_TEMPLATES for change in _changes()[template.name]}
    assert held and wide and not held & wide
    gaps = {"{noun}": "x", "{like}": "y", "{riddle}": "z", "{hint}": "w", "{he}": "x", "{his}": "x", "{him}": "x"}
    asked = [re.sub(r"{\w+}", lambda gap: gaps.get(gap[0], "v"), way) for ways in wordings().values() for way in ways]
    for question in held:
        close = max(difflib.SequenceMatcher(None, question, _words(way), autojunk=False).ratio() for way in asked)
        assert close < 0.8, " ".join(question)


@pytest.mark.parametrize(
    ("template", "telling"),
    [
        ("scenery/flakes", "flakes"),
        ("scenery/twelve_hours", "twelve hours"),
        ("mood/birthday", "birthday"),
        ("moves/balloon", "balloon"),
        ("appears/shop", "shopping"),
    ],
)
def test_no_wording_says_what_a_held_out_question_is_known_by(template: str, telling: str) -> None:
    assert template in held_out().templates
    assert telling in _changes()[template][0].question
    assert not [way for ways in wordings().values() for way in ways if telling in way]


def test_trainings_mix_wider_wordings_in_and_figures_do_not() -> None:
    usual = {template.name for template in TEMPLATES}
    mixed = [sample_pair(random.Random(n), wider_share=0.5) for n in range(60)]
    assert 15 < sum(pair.template in usual for pair in mixed) < 45
    assert not any(is_held_out(pair.before) or is_held_out(pair.after) for pair in mixed)
    assert not any(pair.template in held_out().templates for pair in mixed)
    assert all(sample_pair(random.Random(n)).template in usual for n in range(60))


def test_every_word_of_a_wider_question_is_whole() -> None:
    tokenizer = build_answer_tokenizer()
    for template in WIDER_TEMPLATES:
        for change in _changes()[template.name][:3]:
            assert not [piece for piece in tokenizer.tokenize(change.question) if piece.startswith("##")], (
                change.question
            )
