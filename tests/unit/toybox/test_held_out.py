import random
from pathlib import Path

import pytest

import llmgen
from llmgen.toybox.world import scenes
from llmgen.toybox.world.captions import DETAIL_PROMPT_TYPES, PROMPT_TYPES, PromptType, sample_caption, sample_prompt
from llmgen.toybox.world.held_out import held_out, is_held_out
from llmgen.toybox.world.pairs import sample_pair
from llmgen.toybox.world.questions import TEMPLATES
from llmgen.toybox.world.scenes import Scene, Wanted, place, sample_scene
from llmgen.toybox.world.vocabulary import BACKGROUNDS, CHARACTERS, COLORS, PATTERNS, THINGS, VERBS

LISTS = held_out()


def _draw() -> tuple[list[tuple[str, ...]], list[tuple[str, ...]], list[tuple[str, ...]]]:
    # How the lists were drawn. The question templates were chosen by hand, two of each category.
    rng = random.Random("held out")
    acts = [(verb, who) for verb in VERBS for who in CHARACTERS]
    acts += rng.sample(acts, 2)
    things = [thing for _ in range(3) for thing in THINGS]
    while True:
        rng.shuffle(things)
        triples = [(*act, thing) for act, thing in zip(acts, things, strict=False)]
        # What is done to a thing stays seen with at least one character.
        if len(set(triples)) == 20 and all(sum(u[::2] == t[::2] for u in triples) < 3 for t in triples):
            break
    patterns, colors = list(PATTERNS[1:]) * 6, list(COLORS) * 3
    patterns.sort(key=PATTERNS.index)
    colors.sort(key=list(COLORS).index)
    while True:
        rng.shuffle(patterns)
        rng.shuffle(colors)
        patterned = list(zip(THINGS * 2, patterns, colors, strict=False))
        if len({entry[:2] for entry in patterned}) == 16:
            break
    # Only what the first benchmark cannot ask: a character, or rain.
    names = tuple(COLORS)
    pairings: list[tuple[str, ...]] = [
        (rng.choice(CHARACTERS), rng.choice(names), rng.choice(THINGS), rng.choice(names), background)
        for background in BACKGROUNDS
        for _ in range(5)
    ]
    for _ in range(15):
        (noun, other), (color, other_color) = rng.sample(THINGS, 2), rng.sample(names, 2)
        pairings.append((noun, color, other, other_color, "rain"))
    return triples, patterned, pairings  # type: ignore[return-value]


def test_the_file_is_what_its_seed_draws() -> None:
    triples, patterned, pairings = _draw()
    assert list(LISTS.triples) == triples
    assert list(LISTS.patterned) == patterned
    assert list(LISTS.scenes) == pairings


def test_the_lists_cover_what_they_must() -> None:
    assert {(verb, who) for verb, who, _ in LISTS.triples} == {(v, c) for v in VERBS for c in CHARACTERS}
    assert {thing for *_, thing in LISTS.triples} == set(THINGS)
    assert {noun for noun, *_ in LISTS.patterned} == set(THINGS)
    assert {entry[4] for entry in LISTS.scenes} == set(BACKGROUNDS)
    names = {template.name for template in TEMPLATES}
    assert set(LISTS.templates) < names
    assert {name.split("/")[0] for name in LISTS.templates} == {name.split("/")[0] for name in names}


def _scene(*wanted: Wanted, background: str = "meadow") -> Scene:
    return place(wanted, background, random.Random(1))


def test_what_is_held_out_is_recognised() -> None:
    verb, who, what = LISTS.triples[0]
    acting = Wanted(who, "red", verb=verb, target=1)
    assert is_held_out(_scene(acting, Wanted(what, "blue")))
    assert not is_held_out(_scene(acting._replace(target=None), Wanted(what, "blue")))
    noun, pattern, color = LISTS.patterned[0]
    assert is_held_out(_scene(Wanted(noun, color, pattern)))
    assert not is_held_out(_scene(Wanted(noun, color)))
    noun, color, other, other_color, background = LISTS.scenes[-1]
    pair = Wanted(noun, color), Wanted(other, other_color)
    assert is_held_out(_scene(*pair, background=background))
    assert is_held_out(_scene(*pair[::-1], Wanted("tree", "red"), background=background))
    assert not is_held_out(_scene(*pair, background="meadow"))


def test_no_sampler_yields_what_is_held_out() -> None:
    rng = random.Random(5)
    for _ in range(3000):
        assert not is_held_out(sample_scene(rng))
    for kind in (*PROMPT_TYPES, *DETAIL_PROMPT_TYPES):
        for _ in range(200):
            assert not is_held_out(sample_prompt(rng, kind).scene), kind
    for _ in range(200):
        pair = sample_pair(rng)
        assert not is_held_out(pair.before) and not is_held_out(pair.after)
        assert pair.template not in LISTS.templates


def test_without_the_file_the_sampler_would_yield_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "is_held_out", lambda _: False)
    rng = random.Random(5)
    assert sum(is_held_out(sample_scene(rng)) for _ in range(500)) > 5


@pytest.mark.parametrize("kind", (*PROMPT_TYPES, *DETAIL_PROMPT_TYPES))
def test_a_prompt_of_what_is_held_out_shows_it(kind: PromptType) -> None:
    for seed in range(25):
        prompt = sample_prompt(random.Random(seed), kind, held_out=True)
        assert is_held_out(prompt.scene)
        objects = {item.noun for item in prompt.scene.objects}
        assert all(noun in prompt.text for noun in objects), prompt.text


def test_scenes_and_pairs_of_what_is_held_out_show_it() -> None:
    rng = random.Random(5)
    assert all(is_held_out(sample_scene(rng, held_out=True)) for _ in range(200))
    for _ in range(20):
        asked = sample_pair(rng, held_out=True)
        assert asked.template in LISTS.templates
        assert not is_held_out(asked.before) and not is_held_out(asked.after)
        shown = sample_pair(rng, "scenery", held_out_scene=True)
        assert is_held_out(shown.before) or is_held_out(shown.after)
        assert shown.template not in LISTS.templates


def test_captions_of_training_never_say_a_held_out_triple() -> None:
    rng = random.Random(6)
    said = 0
    for _ in range(1500):
        caption = sample_caption(rng, sample_scene(rng))
        assert caption.truth is not None
        for act in caption.truth.acts:
            said += 1
            who, what = caption.truth.demands[act.first].noun, caption.truth.demands[act.second].noun
            assert (act.verb, who, what) not in LISTS.triples, caption.text
    assert said > 100


def test_nothing_outside_the_world_reads_the_file() -> None:
    root = Path(llmgen.__file__).parent
    readers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "world.held_out" in (text := path.read_text(encoding="utf-8")) or "held_out.json" in text
    }
    world = {f"toybox/world/{name}.py" for name in ("held_out", "scenes", "captions", "pairs")}
    # These make phrases that no scene stands behind, and leave out what is held out.
    assert readers <= world | {"toybox/recipes/clip.py", "toybox/recipes/phrase_queries.py"}
    planning = list((root / "llm").rglob("*.py"))
    assert len(planning) > 10
    assert not [path for path in planning if "llmgen.toybox" in path.read_text(encoding="utf-8")]
