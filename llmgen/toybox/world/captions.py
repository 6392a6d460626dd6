"""Captions of scenes, and the prompts that evaluation asks with.

`sample_caption` speaks in many ways for training; `sample_prompt` speaks as an ordinary user would and keeps the
truth. Everything is lower case and within the words of `vocabulary.words`.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from llmgen.toybox.world.held_out import held_out as held_out_lists
from llmgen.toybox.world.held_out import is_held_out
from llmgen.toybox.world.phrasing import (
    Speech,
    caption_with,
    join_phrases,
    list_objects,
    say_relation,
    sentence_with,
    target_of,
    units_of,
)
from llmgen.toybox.world.scenes import Kind, PlacementError, Scene, Wanted, place
from llmgen.toybox.world.truth import Detail, Placed, Relation, Truth, holds
from llmgen.toybox.world.truths_of_scenes import Group, groups_of_scene, truth_of_groups, truth_of_scene
from llmgen.toybox.world.vocabulary import (
    BACKGROUND_PHRASES,
    BACKGROUNDS,
    CHARACTERS,
    COLORS,
    GENERIC_CAPTIONS,
    MOODS,
    NOUNS,
    PART_STATES,
    PARTS,
    PATTERNS,
    PLACE_PHRASES,
    PLURALS,
    STANDING,
    THINGS,
    VERBS,
    object_phrase,
)

PromptType = Literal["numeracy", "attribution", "spatial", "negation", "interaction", "mood", "pattern", "state"]
PROMPT_TYPES: Final[tuple[PromptType, ...]] = ("numeracy", "attribution", "spatial", "negation")
"""What is asked of things and their colours on the first four backgrounds: the first benchmark."""
DETAIL_PROMPT_TYPES: Final[tuple[PromptType, ...]] = ("interaction", "mood", "pattern", "state")
"""What is asked of characters and details, on every background."""

CLEAR_PX: Final = 16
"""Least distance of two centres along an axis before a caption calls one left of (or above) the other."""

MAX_WORDS: Final = 34
"""Most words of a caption, commas included."""

_SAID: Final[tuple[tuple[Detail, float], ...]] = (("pattern", 0.93), ("mood", 0.93), ("verb", 0.96), ("states", 0.93))
"""How often a caption speaks of each detail; what it does not speak of it leaves open."""


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and what it demands.

    Attributes:
        text: The words.
        truth: What must be in the picture; None for captions without content.
        mentions: For each noun of the text, in order, the index of its group in `truth.demands`; None for one that
            is denied.
        members: For each group of `truth.demands`, the indices of its objects in `Scene.objects`.
    """

    text: str
    truth: Truth | None
    mentions: tuple[int | None, ...] = ()
    members: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the evaluation.

    Attributes:
        text: The words.
        type: What the prompt tests.
        truth: What must be in the picture.
        scene: A scene that obeys, for a ceiling and for boxes to ground on.
    """

    text: str
    type: PromptType
    truth: Truth
    scene: Scene


def _relation(scene: Scene, groups: Sequence[Group], rng: random.Random) -> Placed | None:
    # A relation can be said of two groups when every member of one clears every member of the other.
    found = []
    for i, first in enumerate(groups):
        for j, second in enumerate(groups):
            if i == j:
                continue
            ones = [scene.objects[m] for m in first.members]
            others = [scene.objects[m] for m in second.members]
            for axis, relation in ((0, "left"), (0, "right"), (1, "above"), (1, "below")):
                side: Relation = relation  # type: ignore[assignment]
                if all(
                    holds(side, a.box_xyxy, b.box_xyxy) and abs(a.center[axis] - b.center[axis]) >= CLEAR_PX
                    for a in ones
                    for b in others
                ):
                    found.append(Placed(i, side, j))
    return rng.choice(found) if found else None


def _say(scene: Scene, truth: Truth, speech: Speech, rng: random.Random) -> str:
    # Whoever acts comes last in a list, or the list would read as what is acted on: "kicking a ball and a star".
    units = units_of(truth.acts, len(truth.demands))
    acting = []
    for i in units:
        verb = truth.demands[i].verb
        if verb is not None and (verb != STANDING or rng.random() < 0.2):
            acting.append(i)
    still = [i for i in units if i not in acting]
    if acting and rng.random() < 0.55:
        joiner = " while " if len(acting) == 2 and rng.random() < 0.2 else " and "
        sentences = join_phrases([speech.acting(i, sentence=True) for i in acting], joiner)
        rest = join_phrases([speech.name(i) for i in still]) if still else ""
        plural = bool(still) and truth.demands[still[0]].count > 1
        bare = any(target_of(truth, i) is None for i in acting)
        return sentence_with(scene.background, sentences, rest, plural, rng, bare)
    joiner = rng.choice((" and ", " and ", ", "))
    phrases = [speech.name(i) for i in still] + [speech.acting(i) for i in acting]
    return caption_with(scene.background, join_phrases(phrases, joiner), rng)


def sample_caption(rng: random.Random, scene: Scene) -> Caption:
    """Describe a scene completely, in one of many ways.

    Args:
        rng: Source of randomness.
        scene: The scene.

    Returns:
        A caption of at most `MAX_WORDS` words whose truth the scene obeys. A bare background demands no object.
    """
    if not scene.objects:
        return Caption(rng.choice(BACKGROUND_PHRASES[scene.background]), Truth((), background=scene.background))
    colors = rng.random() < 0.88
    details = [detail for detail, share in _SAID if rng.random() < share]
    while True:
        caption = _describe(rng, scene, colors, details)
        if len(caption.text.replace(",", " ,").split()) <= MAX_WORDS:
            return caption
        # Four objects with everything about them do not fit: it says less of them.
        details = details[:-1] if rng.random() < 0.5 else details[1:]


def _describe(rng: random.Random, scene: Scene, colors: bool, details: Sequence[Detail]) -> Caption:
    groups = groups_of_scene(scene, colors, details)
    rng.shuffle(groups)
    truth = truth_of_groups(scene, groups)
    speech = Speech(truth, rng)
    still = all(d.verb in (None, STANDING) for d in truth.demands)
    relation = _relation(scene, groups, rng) if len(groups) == 2 and still and rng.random() < 0.5 else None
    if relation is not None:
        text = caption_with(scene.background, say_relation(speech, relation, rng), rng)
        truth = replace(truth, relations=(relation,))
    else:
        text = _say(scene, truth, speech, rng)
    mentions: tuple[int | None, ...] = tuple(speech.mentions)
    if rng.random() < 0.12:
        present = {demand.noun for demand in truth.demands}
        absent = rng.choice([noun for noun in NOUNS if noun not in present])
        text += rng.choice(
            (f" without {PLURALS[absent]}", f" without any {PLURALS[absent]}", f", no {PLURALS[absent]}")
        )
        truth, mentions = replace(truth, absent=(absent,)), (*mentions, None)
    phrases = (*BACKGROUND_PHRASES[scene.background], *PLACE_PHRASES[scene.background])
    if any(phrase in text for phrase in phrases):
        truth = replace(truth, background=scene.background)
    return Caption(text, truth, mentions, tuple(group.members for group in groups))


def sample_vague_caption(rng: random.Random, scene: Scene) -> Caption:
    """Name only the background, or nothing at all: what a layout method sends when the boxes carry the content.

    Args:
        rng: Source of randomness.
        scene: The scene.

    Returns:
        A caption without a truth.
    """
    if rng.random() < 0.5:
        return Caption(rng.choice(GENERIC_CAPTIONS), None)
    return Caption(rng.choice(BACKGROUND_PHRASES[scene.background]), None)


def sample_phrase(rng: random.Random, scene: Scene, index: int) -> str:
    """Name one object as a layout method names its box.

    Args:
        rng: Source of randomness.
        scene: The scene.
        index: Of the object in `Scene.objects`.

    Returns:
        A phrase in the usual words that mostly says everything about the object, but not what it acts on: for
        example "a red ball", "boy kicking" or "a house with lit windows".
    """
    item = scene.objects[index]
    said = [rng.random() < 0.85 for _ in range(4)]
    return object_phrase(
        item.noun,
        item.color if rng.random() < 0.9 else None,
        article=rng.random() < 0.8,
        pattern=item.pattern if said[0] else None,
        mood=item.mood if said[1] else None,
        states=item.states if said[2] else (),
        verb=item.verb if said[3] else None,
    )


def sample_prompt(rng: random.Random, type: PromptType, held_out: bool = False) -> Prompt:
    """Draw a prompt of the evaluation.

    Args:
        rng: Source of randomness.
        type: What the prompt tests.
        held_out: Whether to ask for what no training has seen; otherwise nothing of that is asked.

    Returns:
        The prompt with its truth and a scene that obeys.
    """
    if type in PROMPT_TYPES:
        return _things_prompt(rng, type, held_out)
    while True:
        wanted, background = _DETAIL_SAMPLERS[type](rng, held_out)
        try:
            scene = place(wanted, background, rng)
        except PlacementError:
            continue  # Some figures leave no room for what should stand beside them.
        if is_held_out(scene) == held_out:
            break
    # What a prompt is not about stays open, unless it says it.
    details = [_ABOUT[type]]
    if type == "interaction" and any(item.mood != MOODS[0] for item in scene.objects):
        details.append("mood")
    truth = replace(truth_of_scene(scene, details=details), background=background)
    speech = Speech(truth)
    units = units_of(truth.acts, len(truth.demands))
    still = [i for i in units if truth.demands[i].verb in (None, STANDING)]
    acting = [i for i in units if i not in still]
    where = PLACE_PHRASES[background][0]
    if acting:
        text = join_phrases([speech.acting(i, sentence=True) for i in acting])
        text += f" {where}"
        if still:
            text += f" with {join_phrases([speech.name(i) for i in still])}"
    else:
        objects = join_phrases([speech.name(i) for i in still])
        name = BACKGROUND_PHRASES[background][0]
        text = f"{name} with {objects}" if rng.random() < 0.6 else f"{objects} {where}"
    return Prompt(text, type, truth, scene)


def _kinds(rng: random.Random, groups: Sequence[int]) -> list[Kind]:
    # Different classes and colours, so that every mix-up of attributes shows.
    nouns, colors = rng.sample(THINGS, len(groups)), rng.sample(tuple(COLORS), len(groups))
    return [kind for kind, count in zip(zip(nouns, colors, strict=True), groups, strict=True) for _ in range(count)]


def _held_out_kinds(rng: random.Random, groups: Sequence[int]) -> tuple[list[Kind], str]:
    things = [entry for entry in held_out_lists().scenes if entry[0] in THINGS]
    noun, color, other, other_color, background = rng.choice(things)
    kinds = [(noun, color), (other, other_color)]
    return [kind for kind, count in zip(kinds, groups, strict=True) for _ in range(count)], background


def _things_prompt(rng: random.Random, type: PromptType, held_out: bool) -> Prompt:
    groups: tuple[int, ...]
    background = rng.choice(BACKGROUNDS[:4])
    if type == "numeracy":
        groups = rng.choice(((2,), (3,), (4,), (2, 1), (2, 2), (3, 1)))
    elif type == "attribution":
        groups = rng.choice(((1, 1), (1, 1), (1, 1, 1)))
    elif type == "spatial":
        groups = (1, 1)
    else:
        groups = rng.choice(((1,), (2,), (3,), (1, 1), (2, 1)))
    if held_out and len(groups) != 2:
        groups = (2, 1) if type == "numeracy" else (1, 1)  # What is held out of things is pairs of kinds.
    while True:
        kinds = _kinds(rng, groups)
        if held_out:
            kinds, background = _held_out_kinds(rng, groups)
        scene = place(kinds, background, rng)
        colors = type != "negation" or rng.random() < 0.5
        found = groups_of_scene(scene, colors)
        truth = truth_of_groups(scene, found)
        relation = _relation(scene, found, rng) if type == "spatial" else None
        if type != "spatial" or relation is not None:
            break
    objects = list_objects(truth.demands)
    if relation is not None:
        truth = replace(truth, relations=(relation,))
        objects = say_relation(Speech(truth), relation, rng)
    name, where = BACKGROUND_PHRASES[background][0], PLACE_PHRASES[background][0]
    text = f"{name} with {objects}" if rng.random() < 0.6 else f"{objects} {where}"
    if type == "negation":
        absent = rng.choice([noun for noun in THINGS if noun not in {d.noun for d in truth.demands}])
        truth = replace(truth, absent=(absent,))
        text += f" without {PLURALS[absent]}"
    return Prompt(text, type, truth, scene)


def _others(rng: random.Random, wanted: Sequence[Wanted], most: int) -> list[Wanted]:
    # Plain things in classes and colours of their own, so that every mix-up shows.
    nouns = [noun for noun in THINGS if all(noun != w.noun for w in wanted)]
    colors = [color for color in COLORS if all(color != w.color for w in wanted)]
    count = rng.randint(0, most)
    return [Wanted(*kind) for kind in zip(rng.sample(nouns, count), rng.sample(colors, count), strict=True)]


def _interaction(rng: random.Random, held_out: bool) -> tuple[list[Wanted], str]:
    verb, who, what = rng.choice(VERBS), rng.choice(CHARACTERS), rng.choice(THINGS)
    if held_out:
        verb, who, what = rng.choice(held_out_lists().triples)
    color, other = rng.sample(tuple(COLORS), 2)
    mood = rng.choice(MOODS) if rng.random() < 0.25 else MOODS[0]
    wanted = [Wanted(who, color, mood=mood, verb=verb, target=1), Wanted(what, other)]
    return wanted + (_others(rng, wanted, 1) if rng.random() < 0.3 else []), rng.choice(BACKGROUNDS)


def _mood(rng: random.Random, held_out: bool) -> tuple[list[Wanted], str]:
    # Nobody is calm: what is not said would be left to the reader.
    background = rng.choice(BACKGROUNDS)
    if held_out:
        entries = [entry for entry in held_out_lists().scenes if entry[0] in CHARACTERS]
        who, color, what, other, background = rng.choice(entries)
        return [Wanted(who, color, mood=rng.choice(MOODS[1:])), Wanted(what, other)], background
    count = rng.choice((1, 1, 2))
    kinds = zip(
        rng.sample(CHARACTERS, count), rng.sample(tuple(COLORS), count), rng.sample(MOODS[1:], count), strict=True
    )
    wanted = [Wanted(noun, color, mood=mood) for noun, color, mood in kinds]
    return wanted + _others(rng, wanted, 1), background


def _pattern(rng: random.Random, held_out: bool) -> tuple[list[Wanted], str]:
    noun, pattern, color = rng.choice(THINGS), rng.choice(PATTERNS[1:]), rng.choice(tuple(COLORS))
    if held_out:
        noun, pattern, color = rng.choice(held_out_lists().patterned)
    elif rng.random() < 0.25:
        noun = rng.choice(CHARACTERS)
    wanted = [Wanted(noun, color, pattern)] * rng.choice((1, 1, 1, 2 if noun in THINGS else 1))
    others = _others(rng, wanted, 2)
    if others and rng.random() < 0.5:
        others[0] = others[0]._replace(pattern=rng.choice([p for p in PATTERNS[1:] if p != pattern]))
    return wanted + others, rng.choice(BACKGROUNDS)


def _state(rng: random.Random, held_out: bool) -> tuple[list[Wanted], str]:
    changeable = {n: [p for p in PARTS.get(n, ()) if p in PART_STATES] for n in THINGS}
    entries = [e for e in held_out_lists().scenes if changeable.get(e[2]) and e[0] in CHARACTERS]
    owner, background = Wanted(rng.choice([n for n in THINGS if changeable[n]]), rng.choice(tuple(COLORS))), None
    others = _others(rng, [owner], 2)
    if held_out:
        who, color, what, other, background = rng.choice(entries)
        owner, others = Wanted(what, other), [Wanted(who, color)]
    parts = rng.sample(changeable[owner.noun], rng.randint(1, len(changeable[owner.noun])))
    owner = owner._replace(states=tuple(sorted((part, PART_STATES[part][1]) for part in parts)))
    return [owner, *others], background or rng.choice(BACKGROUNDS)


_ABOUT: Final[dict[PromptType, Detail]] = {
    "interaction": "verb",
    "mood": "mood",
    "pattern": "pattern",
    "state": "states",
}
_DETAIL_SAMPLERS: Final[dict[PromptType, Callable[[random.Random, bool], tuple[list[Wanted], str]]]] = {
    "interaction": _interaction,
    "mood": _mood,
    "pattern": _pattern,
    "state": _state,
}
