import random
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache

import pytest
from asked_changes import changes_of

from llmgen.toybox.world.held_out import held_out
from llmgen.toybox.world.pairs import CATEGORIES, sample_pair, templates
from llmgen.toybox.world.questions import TEMPLATES, Template
from llmgen.toybox.world.questions.asking import HINTS, RIDDLES, Change
from llmgen.toybox.world.scenes import GAP, Scene, render_image
from llmgen.toybox.world.vocabulary import (
    BACKGROUND_PHRASES,
    COLORS,
    COUNT_WORDS,
    MOODS,
    PATTERNS,
    PLURALS,
    THINGS,
    words,
)

MOST = 25
SIDES = ("left", "right", "top", "bottom")


@cache
def _changes() -> dict[str, list[Change]]:
    return changes_of(TEMPLATES, scenes=2500, most=MOST, seed=11)


by_template = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)


def test_there_are_enough_templates_of_every_kind() -> None:
    assert len(TEMPLATES) == len({template.name for template in TEMPLATES}) >= 24
    counts = Counter(template.category for template in TEMPLATES)
    assert set(counts) == set(CATEGORIES) and min(counts.values()) >= 4
    assert 0.2 <= len(held_out().templates) / len(TEMPLATES) <= 0.3
    for category in CATEGORIES:
        for kept in (False, True):
            assert all(templates(category, kept, needs_picture) for needs_picture in (False, True))


def _looks(scene: Scene) -> Counter[str]:
    said: Counter[str] = Counter()
    for item in scene.objects:
        said.update((item.noun, PLURALS[item.noun], item.color, item.pattern, item.mood, item.verb or "standing"))
    said.update(" ".join(BACKGROUND_PHRASES[scene.background]).split())
    said.update({scene.background: 1})
    return said


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalpha() else " " for c in text.lower()).split())


@by_template
def test_a_question_never_names_what_changes(template: Template) -> None:
    changes = _changes()[template.name]
    assert len(changes) >= 8
    content = {*RIDDLES, *PLURALS, *PLURALS.values(), *COLORS, *PATTERNS, *MOODS, *SIDES, *COUNT_WORDS[2:]}
    content |= {word for phrases in BACKGROUND_PHRASES.values() for phrase in phrases for word in phrase.split()}
    content -= {"a", "the", "in", "scene"}
    for change in changes:
        before, after = _looks(change.before), _looks(change.after)
        differing = {word for word in before | after if before[word] != after[word]}
        named = content & _words(change.answer) & (differing | {*SIDES, *COUNT_WORDS[2:]})
        if template.name.split("/")[0] != "scenery":
            assert named, change.answer
        assert not named & _words(change.question), change.question


@by_template
def test_an_answer_uses_known_words_and_says_what_changed(template: Template) -> None:
    for change in _changes()[template.name]:
        assert _words(change.answer) <= set(words()), change.answer
        assert change.before != change.after


@by_template
def test_everything_besides_the_change_stays(template: Template) -> None:
    for change in _changes()[template.name]:
        before, after = change.before, change.after
        assert before.seed == after.seed
        if template.category == "scenery":
            assert before.objects == after.objects
            assert before.background != after.background
            continue
        assert before.background == after.background
        # Whom a target's index points at may move up in the list; all else of an object counts.
        ones, others = (Counter(replace(o, target=None) for o in scene.objects) for scene in (before, after))
        assert max((ones - others).total(), (others - ones).total()) == (2 if template.name == "moves/swap" else 1)
        if template.category == "mood":
            assert [o.mood for o in before.objects] != [o.mood for o in after.objects]
        if template.category in ("appears", "goes"):
            fewer, more = sorted((before, after), key=lambda scene: len(scene.objects))
            assert len(more.objects) == len(fewer.objects) + 1


@by_template
def test_nothing_overlaps_that_did_not(template: Template) -> None:
    for change in _changes()[template.name]:
        bound = {(i, o.target) for i, o in enumerate(change.after.objects) if o.target is not None}
        for i, one in enumerate(change.after.objects):
            for j, other in enumerate(change.after.objects[:i]):
                if not {(i, j), (j, i)} & bound:
                    (x0, y0, x1, y1), (u0, v0, u1, v1) = one.box_xyxy, other.box_xyxy
                    assert max(u0 - x1, x0 - u1, v0 - y1, y0 - v1) >= GAP


def test_the_question_alone_answers_exactly_those_that_need_no_picture() -> None:
    # The same words have one answer wherever they are asked, or several.
    for template in TEMPLATES:
        answers = defaultdict(set)
        for change in _changes()[template.name]:
            answers[change.question].add(change.answer)
        several = any(len(given) > 1 for given in answers.values())
        assert several == template.needs_picture, template.name


def test_what_is_pointed_at_is_one_thing() -> None:
    found = _changes()
    for change in found["goes/left_of"]:
        who = next(o for o in change.before.objects if f"the {o.noun} goes" in change.question)
        assert [o.noun for o in change.before.objects].count(who.noun) == 1
        left = [o for o in change.before.objects if o.center[0] < who.center[0]]
        assert len(left) == 1 and left[0] not in change.after.objects
    for name, side in (("leftmost", -1), ("rightmost", 1)):
        for change in found[f"goes/{name}"]:
            outer = max(change.before.objects, key=lambda o: side * o.center[0])
            assert outer.noun in change.answer and outer.noun in THINGS
            others = [o.center[0] for o in change.before.objects if o is not outer]
            assert min(abs(x - outer.center[0]) for x in others) >= 16
    for change in found["goes/lets_go"]:
        assert sum(o.verb == "holding" and o.target is not None for o in change.before.objects) >= 1
    for change in found["mood/cheers_up"]:
        assert [o.mood for o in change.before.objects].count("sad") == 1
    for change in found["moves/swap"]:
        moved = [(o, n) for o, n in zip(change.before.objects, change.after.objects, strict=True) if o != n]
        (one, one_now), (other, other_now) = moved
        assert all(abs(a - b) <= 1 for a, b in zip(one_now.center, other.center, strict=True))
        assert all(abs(a - b) <= 1 for a, b in zip(other_now.center, one.center, strict=True))


def test_the_pictures_differ_only_where_the_change_is() -> None:
    for change in _changes()["goes/leftmost"][:5]:
        outer = min(change.before.objects, key=lambda o: o.center[0])
        x0, y0, x1, y1 = outer.box_xyxy
        differs = (render_image(change.before) != render_image(change.after)).any(-1)
        assert differs[y0:y1, x0:x1].any()
        differs[max(y0 - 1, 0) : y1 + 1, max(x0 - 1, 0) : x1 + 1] = False
        assert not differs.any()


def test_hints_and_riddles_name_nothing() -> None:
    assert set(RIDDLES) == set(THINGS) and set(HINTS) == set(COLORS)
    named = {*THINGS, *PLURALS.values(), *COLORS}
    for text in (*RIDDLES.values(), *HINTS.values()):
        assert not _words(text) & named


def test_a_third_needs_the_picture_and_a_seed_gives_the_same_pair() -> None:
    rng = random.Random(3)
    pairs = [sample_pair(rng, "scenery") for _ in range(600)]
    assert 0.27 < sum(pair.needs_picture for pair in pairs) / 600 < 0.4
    assert all(pair.category == "scenery" == pair.template.split("/")[0] for pair in pairs)
    assert sample_pair(random.Random(9)) == sample_pair(random.Random(9))
    assert {sample_pair(rng).category for _ in range(60)} == set(CATEGORIES)
