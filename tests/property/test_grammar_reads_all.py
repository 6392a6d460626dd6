"""Any text reads; every prompt of the toybox reads as what it was made from."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.llm.english.grammar import PromptMeaning, read_phrase, read_prompt
from llmgen.llm.english.words import pluralize, singularize, with_article
from llmgen.toybox.world.captions import PROMPT_TYPES, PromptType, sample_caption, sample_prompt
from llmgen.toybox.world.scenes import place, sample_kinds
from llmgen.toybox.world.truth import Truth
from llmgen.toybox.world.vocabulary import BACKGROUNDS

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
    # Of plain things: what characters do is said in English that only the questions about it read.
    rng = random.Random(seed)
    caption = sample_caption(rng, place(sample_kinds(rng), rng.choice(BACKGROUNDS), rng))
    assert caption.truth is not None
    assert_says(read_prompt(caption.text), caption.truth, caption.text)


def assert_says(meaning: PromptMeaning, truth: Truth, text: str) -> None:
    said = [(o.noun, o.attributes[0] if o.attributes else None, o.count) for o in meaning.objects]
    meant = [(d.noun, d.color, d.count) for d in truth.demands]
    assert sorted(said, key=str) == sorted(meant, key=str), text
    said_order = {(o.axis, said[o.first], said[o.second]) for o in meaning.orderings()}
    meant_order = set()
    for placed in truth.relations:
        axis = 0 if placed.relation in ("left", "right") else 1
        pair = (meant[placed.first], meant[placed.second])
        meant_order.add((axis, *(pair if placed.relation in ("left", "above") else pair[::-1])))
    assert said_order == meant_order, text
    assert meaning.absent == truth.absent, text
