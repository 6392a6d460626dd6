"""Any text reads; every prompt of the toybox reads as what it was made from."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.llm.english.grammar import PromptMeaning, read_phrase, read_prompt
from llmgen.llm.english.words import pluralize, singularize, with_article
from llmgen.toybox.world.captions import DETAIL_PROMPT_TYPES, PROMPT_TYPES, PromptType, sample_caption, sample_prompt
from llmgen.toybox.world.scenes import place, sample_kinds, sample_scene
from llmgen.toybox.world.truth import Truth
from llmgen.toybox.world.vocabulary import BACKGROUNDS, MOODS, PART_STATES, PATTERNS

WORDS = st.sampled_from(
    "a an the two 3 no without with and or , . ; : | on in of to left right above below top is are one red blue small "
    "dog cars fish orange pair group photo meadow beach night it them between any of 999 zero style half third more than as "
    "neither nor nobody not isn't wearing holding next one other both rest first respectively who whose which except has "
    "by shoulder face left-hand saw hung xyzzy ½ 1/2 50% “no ” ' \" - / { behind middle dozen least same".split()
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join)))
def test_any_text_reads(text: str) -> None:
    meaning = read_prompt(text)
    assert all(o.noun and o.count >= 1 for o in meaning.objects)
    assert meaning.background.strip() or not text.strip() or meaning.objects or meaning.absent
    for relation in meaning.relations:
        assert 0 <= relation.subject < len(meaning.objects)
        assert relation.object is None or 0 <= relation.object < len(meaning.objects)
        assert relation.object != relation.subject
    noun, _ = read_phrase(text)
    for word in (noun, text):
        singularize(word), pluralize(word), with_article(word)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(PROMPT_TYPES))
def test_toybox_prompts_read_as_they_were_made(seed: int, kind: PromptType) -> None:
    prompt = sample_prompt(random.Random(seed), kind)
    assert_says(read_prompt(prompt.text), prompt.truth, prompt.text)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_toybox_captions_read_as_they_were_made(seed: int) -> None:
    rng = random.Random(seed)
    caption = sample_caption(rng, place(sample_kinds(rng), rng.choice(BACKGROUNDS), rng))
    assert caption.truth is not None
    assert_says(read_prompt(caption.text), caption.truth, caption.text)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_captions_of_the_grown_world_read_as_they_were_made(seed: int) -> None:
    """Characters with moods, clothes and deeds, patterns, parts in unusual states."""
    rng = random.Random(seed)
    caption = sample_caption(rng, sample_scene(rng))
    if caption.truth is not None:
        assert_says(read_prompt(caption.text), caption.truth, caption.text)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(DETAIL_PROMPT_TYPES))
def test_prompts_about_characters_and_details_read_as_they_were_made(seed: int, kind: PromptType) -> None:
    prompt = sample_prompt(random.Random(seed), kind)
    assert_says(read_prompt(prompt.text), prompt.truth, prompt.text)


Thing = tuple[str, int, frozenset[str], frozenset[str]]
"""Noun, count, how it looks and feels, and the states of its parts."""


def things_read(meaning: PromptMeaning) -> list[Thing | None]:
    """What was read, clothes counted to who wears them."""
    looks = [set(o.attributes) for o in meaning.objects]
    clothes = set()
    for relation in meaning.relations:
        if relation.kind == "wearing" and relation.object is not None:
            looks[relation.subject] |= looks[relation.object]
            clothes.add(relation.object)
    return [
        None if group in clothes else (o.noun, o.count, frozenset(looks[group]), frozenset(o.detail.split()) & STATES)
        for group, o in enumerate(meaning.objects)
    ]


def things_meant(truth: Truth) -> list[Thing]:
    usual = {None, PATTERNS[0], MOODS[0]}
    return [
        (d.noun, d.count, frozenset({d.color, d.pattern, d.mood} - usual), frozenset(s for _, s in d.states) & STATES)
        for d in truth.demands
    ]


STATES = frozenset(states[1] for states in PART_STATES.values())


def assert_says(meaning: PromptMeaning, truth: Truth, text: str) -> None:
    assert not meaning.remarks, text
    said, meant = things_read(meaning), things_meant(truth)
    assert Counter(filter(None, said)) == Counter(meant), text
    said_order = {(o.axis, said[o.first], said[o.second]) for o in meaning.orderings()}
    meant_order = set()
    for placed in truth.relations:
        axis = 0 if placed.relation in ("left", "right") else 1
        pair = (meant[placed.first], meant[placed.second])
        meant_order.add((axis, *(pair if placed.relation in ("left", "above") else pair[::-1])))
    assert said_order == meant_order, text
    assert meaning.absent == truth.absent, text
