import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.toybox.models.tokenizer import MAX_LENGTH, build_tokenizer
from llmgen.toybox.world.captions import (
    DETAIL_PROMPT_TYPES,
    MAX_WORDS,
    PROMPT_TYPES,
    PromptType,
    sample_caption,
    sample_phrase,
    sample_prompt,
    sample_vague_caption,
)
from llmgen.toybox.world.scenes import Scene, Wanted, place, sample_scene
from llmgen.toybox.world.truth import Demand, is_right
from llmgen.toybox.world.truths_of_scenes import sightings_of_scene, truth_of_scene
from llmgen.toybox.world.vocabulary import (
    BACKGROUNDS,
    MOODS,
    NOUNS,
    PATTERNS,
    PLURALS,
    THINGS,
    VERBS,
    object_phrase,
    singular,
    words,
)

seeds = st.integers(0, 2**32 - 1)
TOKENIZER = build_tokenizer()
FROZEN = [
    "a meadow with three blue balls and a red fish",
    "a red fish, a purple cup and a yellow star at night",
    "a blue heart on the bottom and a purple star on the top on a beach",
    "a green cup at night without cars",
]


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_a_scene_obeys_its_own_caption_and_no_smaller_scene_does(seed: int) -> None:
    rng = random.Random(seed)
    scene = sample_scene(rng)
    caption = sample_caption(rng, scene)
    assert caption.truth is not None
    seen = sightings_of_scene(scene)
    assert is_right(caption.truth, seen, scene.background)
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
        assert len(ids) == len(shown) + 2 <= MAX_WORDS + 2 <= MAX_LENGTH


@pytest.mark.parametrize("kind", PROMPT_TYPES)
def test_prompts_hold_on_their_scenes(kind: PromptType) -> None:
    for seed in range(60):
        prompt = sample_prompt(random.Random(seed), kind)
        assert is_right(prompt.truth, sightings_of_scene(prompt.scene))
        assert bool(prompt.truth.relations) == (kind == "spatial")
        assert bool(prompt.truth.absent) == ("without" in prompt.text) == (kind == "negation")
        for demand in prompt.truth.demands:
            assert object_phrase(demand.noun, demand.color, demand.count) in prompt.text


@pytest.mark.parametrize("kind", DETAIL_PROMPT_TYPES)
def test_prompts_of_details_say_what_they_demand(kind: PromptType) -> None:
    asked = Counter[str]()
    for seed in range(80):
        prompt = sample_prompt(random.Random(seed), kind)
        seen = sightings_of_scene(prompt.scene)
        assert is_right(prompt.truth, seen, prompt.scene.background)
        others = [name for name in BACKGROUNDS if name != prompt.scene.background]
        assert not any(is_right(prompt.truth, seen, name) for name in others)
        shown = set(prompt.text.replace(",", " ").split())
        for item in prompt.scene.objects:
            said = {item.pattern, item.mood, item.verb or "standing"} & {*PATTERNS[1:], *MOODS[1:], *VERBS}
            said |= {state for _, state in item.states}
            assert said <= shown, prompt.text
            asked.update(said)
        assert bool(prompt.truth.acts) == (kind == "interaction")
        assert len(TOKENIZER(prompt.text)["input_ids"]) <= MAX_LENGTH
    wanted = {"interaction": VERBS, "mood": MOODS[1:], "pattern": PATTERNS[1:], "state": ("lit", "open")}[kind]
    assert set(wanted) <= set(asked)


def test_the_first_benchmark_asks_what_it_always_asked() -> None:
    # Drawn before there were characters: neither new nouns nor new backgrounds may shift a sample.
    texts = [sample_prompt(random.Random(f"frozen:{kind}"), kind).text for kind in PROMPT_TYPES]
    assert texts == FROZEN
    for kind in PROMPT_TYPES:
        for seed in range(60):
            prompt = sample_prompt(random.Random(seed), kind)
            assert prompt.scene.background in BACKGROUNDS[:4]
            assert {item.noun for item in prompt.scene.objects} | set(prompt.truth.absent) <= set(THINGS)
            assert all(d == Demand(d.noun, d.color, d.count) for d in prompt.truth.demands)


def test_a_caption_says_which_noun_means_which_object() -> None:
    rng = random.Random(4)
    for _ in range(400):
        scene = sample_scene(rng)
        caption = sample_caption(rng, scene)
        assert caption.truth is not None
        nouns = [noun for word in caption.text.replace(",", " ").split() if (noun := singular(word))]
        for noun, mention in zip(nouns, caption.mentions, strict=True):
            if mention is None:
                assert noun in caption.truth.absent
            else:
                assert {scene.objects[i].noun for i in caption.members[mention]} == {noun}
        assert sorted(i for members in caption.members for i in members) == list(range(len(scene.objects)))


def _boy_and_ball(**looks: str) -> Scene:
    wanted = [Wanted("boy", "red", verb="kicking", target=1, **looks), Wanted("ball", "blue", "striped")]  # type: ignore[arg-type]
    return place(wanted, "snow", random.Random(3))


def test_what_is_done_is_said_in_many_ways() -> None:
    rng = random.Random(8)
    texts = {sample_caption(rng, _boy_and_ball(mood="happy")).text for _ in range(400)}
    assert len(texts) > 150
    joined = "\n".join(texts)
    for form in ("is kicking", "kicks", "boy in red kicking", "who is kicking", "red shirt", "blue striped", "without"):
        assert form in joined, form


def test_another_is_said_of_an_equal_thing() -> None:
    scene = place(
        [Wanted("girl", "red", verb="holding", target=1), Wanted("cup", "blue"), Wanted("cup", "blue")],
        "beach",
        random.Random(2),
    )
    rng = random.Random(1)
    texts = [sample_caption(rng, scene).text for _ in range(100)]
    assert sum("another" in text for text in texts) > 80


def test_a_phrase_of_a_box_never_names_another_object() -> None:
    rng = random.Random(2)
    scene = _boy_and_ball(mood="sad")
    phrases = Counter(sample_phrase(rng, scene, 0) for _ in range(300))
    assert phrases.most_common(1)[0][0] == "a sad boy in red kicking"
    assert {"boy in red kicking", "a sad boy kicking", "a boy in red"} <= set(phrases)
    assert not [phrase for phrase in phrases if "ball" in phrase]


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
    assert object_phrase("boy", "red", pattern="striped", mood="happy", verb="kicking") == (
        "a happy boy in striped red kicking"
    )
    assert object_phrase("girl", pattern="dotted", count=2) == "two girls in dotted dresses"
    both = (("door", "open"), ("window", "lit"))
    assert object_phrase("house", "orange", states=both) == "an orange house with an open door and lit windows"
    assert object_phrase("house", count=2, states=both[:1]) == "two houses with open doors"
    assert set(PLURALS) == set(NOUNS)
    scene = sample_scene(random.Random(3))
    assert sum(d.count for d in truth_of_scene(scene).demands) == len(scene.objects)
