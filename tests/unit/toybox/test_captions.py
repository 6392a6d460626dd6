import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.toybox.models.tokenizer import MAX_LENGTH, build_tokenizer
from llmgen.toybox.world.captions import PROMPT_TYPES, PromptType, sample_caption, sample_prompt, sample_vague_caption
from llmgen.toybox.world.scenes import sample_scene
from llmgen.toybox.world.truth import Demand, Placed, Sighting, Truth, is_right, sightings_of_scene, truth_of_scene
from llmgen.toybox.world.vocabulary import NOUNS, PLURALS, object_phrase, words

seeds = st.integers(0, 2**32 - 1)
TOKENIZER = build_tokenizer()


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_a_scene_obeys_its_own_caption_and_no_smaller_scene_does(seed: int) -> None:
    rng = random.Random(seed)
    scene = sample_scene(rng)
    caption = sample_caption(rng, scene)
    assert caption.truth is not None
    seen = sightings_of_scene(scene)
    assert is_right(caption.truth, seen)
    assert not is_right(caption.truth, seen[1:])
    assert not is_right(caption.truth, [*seen, seen[0]])


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_captions_use_only_known_words_and_fit(seed: int) -> None:
    rng = random.Random(seed)
    scene = sample_scene(rng)
    for caption in (sample_caption(rng, scene), sample_vague_caption(rng, scene)):
        shown = caption.text.replace(",", " ,").split()
        assert set(shown) <= set(words())
        ids = TOKENIZER(caption.text)["input_ids"]
        assert len(ids) == len(shown) + 2 <= MAX_LENGTH


@pytest.mark.parametrize("kind", PROMPT_TYPES)
def test_prompts_hold_on_their_scenes(kind: PromptType) -> None:
    for seed in range(60):
        prompt = sample_prompt(random.Random(seed), kind)
        assert is_right(prompt.truth, sightings_of_scene(prompt.scene))
        assert bool(prompt.truth.relations) == (kind == "spatial")
        assert bool(prompt.truth.absent) == ("without" in prompt.text) == (kind == "negation")
        for demand in prompt.truth.demands:
            assert object_phrase(demand.noun, demand.color, demand.count) in prompt.text


def _ball(color: str, x: float = 0) -> Sighting:
    return Sighting("ball", color, (x, 0, x + 10, 10))


def test_the_strict_rule() -> None:
    one_red = Truth((Demand("ball", "red"),))
    assert is_right(one_red, [_ball("red")])
    assert not is_right(one_red, [_ball("blue")])
    assert not is_right(one_red, [])
    assert not is_right(one_red, [_ball("red"), Sighting("cup", "red", (0, 0, 5, 5))])
    assert is_right(Truth((Demand("ball", None, 2),)), [_ball("red"), _ball("blue")])
    mixed = Truth((Demand("ball", None), Demand("ball", "red")))
    assert is_right(mixed, [_ball("red"), _ball("red")])
    assert is_right(mixed, [_ball("blue"), _ball("red")])
    assert not is_right(mixed, [_ball("blue"), _ball("blue")])
    assert not is_right(Truth((Demand("ball", "red"),), absent=("cup",)), [Sighting("cup", "red", (0, 0, 1, 1))])


def test_relations_go_by_centres() -> None:
    truth = Truth((Demand("ball", "red"), Demand("ball", "blue")), (Placed(0, "left", 1),))
    assert is_right(truth, [_ball("red", 0), _ball("blue", 5)])
    assert not is_right(truth, [_ball("red", 5), _ball("blue", 0)])
    assert not is_right(truth, [_ball("red", 5), _ball("blue", 5)])


def test_every_word_is_one_token_and_strange_words_are_spelled() -> None:
    for word in words():
        assert len(TOKENIZER(word)["input_ids"]) == 3, word
    spelled = TOKENIZER("zebra")["input_ids"]
    assert len(spelled) > 4
    assert TOKENIZER.unk_token_id not in spelled[1:-1]
    assert TOKENIZER.eos_token_id == len(TOKENIZER) - 1


def test_plurals_and_articles() -> None:
    assert object_phrase("fish", "orange") == "an orange fish"
    assert object_phrase("fish", None, 3) == "three fish"
    assert object_phrase("car", "red", 2) == "two red cars"
    assert set(PLURALS) == set(NOUNS)
    scene = sample_scene(random.Random(3))
    assert sum(d.count for d in truth_of_scene(scene).demands) == len(scene.objects)
