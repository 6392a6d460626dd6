"""What a language model may answer: right, wrong, and hostile. Strategies that several property tests share."""

import json
from typing import Any

from hypothesis import strategies as st

from llmgen.artifacts import Detection

NOUNS = ("ball", "house", "palm tree", "star", "dog", "zeppelin", "ünïcorn", "犬")
ATTRIBUTES = ("red", "small", "blue and green", "", "none", "sleeping", "🐶")
HUGE = (1e308, -1e308, 1e30, float("inf"), float("-inf"), float("nan"), 10**400, -1, 0, 2**63, 1e-320)


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual in four of five draws: where all is odd, nothing gets past the first check."""
    return st.integers(1, 5).flatmap(lambda k: odd if k == 3 else usual)


def number(side: float) -> st.SearchStrategy[Any]:
    """A coordinate: mostly sound, else far out, not a number, or no number at all."""
    return st.one_of(
        st.floats(0, side),
        st.integers(0, int(side) or 1),
        st.floats(-side, 3 * side),
        st.sampled_from(HUGE),
        st.sampled_from((None, "12", True, [], {})),
    )


def box(side: float) -> st.SearchStrategy[Any]:
    """A box as four named numbers, as a list, or as something else."""
    named = st.fixed_dictionaries({name: number(side) for name in ("x", "y", "width", "height")})
    return st.one_of(sound_box(side), named, st.lists(number(side), max_size=6), st.sampled_from((None, "all", 7, {})))


def names(ids: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Ids that exist, that almost exist and that do not, and no text at all."""
    near = tuple(name.partition(" #")[0].upper() for name in ids)
    return st.sampled_from((*ids, *ids, *near, "unicorn #7", "", "#", " #1", None, 3, "x" * 300, "'\"\\\n"))


NOUN = st.one_of(st.sampled_from(NOUNS), st.sampled_from(("", "a", "the", "#", "\n", "x" * 500, None, 3, "two dogs")))
WORDS = st.one_of(
    st.lists(st.sampled_from(ATTRIBUTES), max_size=3), st.sampled_from((None, "red", [None], [["red"]], 5))
)


SOUND_WORDS = st.lists(st.sampled_from(("red", "small", "blue", "sleeping")), max_size=2)


def sound_box(side: float) -> st.SearchStrategy[Any]:
    """A box inside the picture, or one that leaves it a little, as models like to draw them."""
    corner, length = st.floats(0, 0.7 * side), st.floats(side / 64, 0.5 * side)
    return st.fixed_dictionaries({"x": corner, "y": corner, "width": length, "height": length})


def added(side: float) -> st.SearchStrategy[Any]:
    """One object of a plan."""
    return st.one_of(
        st.fixed_dictionaries({"noun": NOUN, "attributes": WORDS, "box": box(side)}),
        st.fixed_dictionaries({}, optional={"noun": NOUN, "box": box(side), "colour": NOUN}),
        st.sampled_from((None, "ball", [])),
    )


def sound_update(ids: tuple[str, ...], side: float) -> st.SearchStrategy[Any]:
    """An answer to the spot-differences call in the wanted form, though it may name things twice, or none at all."""
    known = st.sampled_from((*ids, "unicorn #7"))
    thing = st.fixed_dictionaries(
        {"noun": st.sampled_from((*NOUNS, "two dogs")), "attributes": SOUND_WORDS, "box": sound_box(side)}
    )
    return st.fixed_dictionaries(
        {
            "reasoning": st.just("because"),
            "keep": st.lists(known, max_size=3),
            "delete": st.lists(known, max_size=2),
            "move": st.lists(st.fixed_dictionaries({"id": known, "box": sound_box(side)}), max_size=2),
            "change": st.lists(st.fixed_dictionaries({"id": known, "attributes": SOUND_WORDS}), max_size=2),
            "add": st.lists(thing, max_size=3),
        }
    )


def sound_plan(side: float) -> st.SearchStrategy[Any]:
    """An answer to the layout call in the wanted form."""
    thing = st.fixed_dictionaries(
        {"noun": st.sampled_from((*NOUNS, "two dogs")), "attributes": SOUND_WORDS, "box": sound_box(side)}
    )
    return st.fixed_dictionaries(
        {
            "reasoning": st.just(""),
            "objects": st.lists(thing, max_size=6),
            "background": st.sampled_from(("a meadow", "")),
            "negative": st.lists(st.sampled_from(NOUNS), max_size=2),
        }
    )


def sound_parsed() -> st.SearchStrategy[Any]:
    """An answer to the parse call in the wanted form."""
    instances = st.lists(st.fixed_dictionaries({"attributes": SOUND_WORDS}), max_size=3)
    thing = st.fixed_dictionaries({"noun": st.sampled_from((*NOUNS, "two dogs", "")), "instances": instances})
    return st.fixed_dictionaries(
        {
            "reasoning": st.just(""),
            "objects": st.lists(thing, max_size=5),
            "background": st.sampled_from(("a meadow", "")),
            "negative": st.lists(st.sampled_from(NOUNS), max_size=2),
        }
    )


def update(ids: tuple[str, ...], side: float) -> st.SearchStrategy[Any]:
    """An answer to the spot-differences call, as JSON values."""
    known = names(ids)
    moved = st.one_of(st.fixed_dictionaries({"id": known, "box": box(side)}), st.sampled_from((None, {}, "ball #1")))
    changed = st.one_of(st.fixed_dictionaries({"id": known, "attributes": WORDS}), st.sampled_from((None, {}, 1)))
    return st.fixed_dictionaries(
        {},
        optional={
            "reasoning": st.sampled_from(("because", "", None, 'it says {"keep": []}')),
            "keep": st.lists(known, max_size=4),
            "delete": st.one_of(st.lists(known, max_size=4), st.none()),
            "move": st.lists(moved, max_size=3),
            "change": st.lists(changed, max_size=3),
            "add": st.lists(added(side), max_size=4),
            "surprise": st.integers(),
        },
    )


def plan(side: float) -> st.SearchStrategy[Any]:
    """An answer to the layout call, as JSON values."""
    return st.fixed_dictionaries(
        {},
        optional={
            "reasoning": st.sampled_from(("", "because")),
            "objects": st.lists(added(side), max_size=5),
            "background": st.sampled_from(("a meadow", "", None, "x" * 4000)),
            "negative": st.one_of(st.lists(NOUN, max_size=3), st.sampled_from(("dogs and cats", None, "none"))),
        },
    )


def parsed() -> st.SearchStrategy[Any]:
    """An answer to the parse call, as JSON values."""
    instance = st.one_of(st.fixed_dictionaries({"attributes": WORDS}), st.sampled_from(({}, None, "red")))
    thing = st.one_of(
        st.fixed_dictionaries({"noun": NOUN, "instances": st.lists(instance, max_size=4)}), st.sampled_from((None, {}))
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "objects": st.lists(thing, max_size=4),
            "background": st.sampled_from(("a meadow", "", None)),
            "negative": st.one_of(st.lists(NOUN, max_size=3), st.sampled_from(("dogs", None))),
        },
    )


def suggested(ids: tuple[str, ...]) -> st.SearchStrategy[str]:
    """SLD's and LMD's own words: a Python list behind a marker."""
    entry = st.one_of(
        st.tuples(names(ids), st.lists(number(1), min_size=4, max_size=4)).map(list),
        st.tuples(names(ids), st.lists(st.floats(0, 0.9), min_size=4, max_size=4)).map(list),
        st.tuples(names(ids), st.lists(number(1), max_size=6)).map(list),
        st.sampled_from((None, [], ["ball"])),
    )
    listed = st.lists(entry, max_size=5).map(repr)
    odd = st.sampled_from(
        (
            "[",
            "[[[",
            "[" * 3000,
            "[(‘ball #1’, [10%, 0.2, 5px, -(1+2)])]",
            "[('a child's ball #9', [10, 20, 30, 40])]",
            "[{'id': 'dog #9', 'bbox_2d': [1, 2, 30, 40]}]",
            "[('ball #1', [0.25*2, 1/0, 9**9, 0.1])]",
            "[__import__('os')]",
            "None",
        )
    )
    mark = st.sampled_from(
        ("Updated Objects:", "Objects:", "objects:", "**Objects：**", "", "Final split ratio: 1,2;1\nRegional Prompt:")
    )
    tail = st.sampled_from(
        ("", "\nBackground: a meadow\nNegation: dogs", "\nBackground prompt: a meadow\nNegative prompt:", "]")
    )
    return st.builds(lambda m, body, t: f"Reasoning: so.\n{m} {body}{t}", mark, st.one_of(listed, odd), tail)


def worded(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """JSON as models send it: bare, in a fence, in prose, after thoughts, with trailing commas, cut off, nested, twice."""

    def say(value: Any, how: str, cut: int) -> str:
        text = json.dumps(value, ensure_ascii=how == "escaped")
        return {
            "fence": f"Sure!\n```json\n{text}\n```\nAnything else?",
            "prose": f"I think that {text} is right, or {{}}.",
            "thoughts": f'<think>{{"keep": 3}}</think>{text}',
            "commas": text.replace("]", ",]").replace("}", ",}"),
            "cut": text[: cut % (len(text) + 1)],
            "nested": f'{{"answer": {text}}}',
            "single": text.replace('"', "'"),
            "curly": text.replace('"', "“"),
            "quoted": json.dumps({"answer": text}),
            "twice": text + text,
            "deep": '{"keep":' * 300 + text,
            "lists": '{"keep": ' + "[" * 3000 + text,
            "mark": "\ufeff" + text,
        }.get(how, text)

    kind = mostly(
        st.sampled_from(("bare", "escaped", "fence", "thoughts", "commas", "mark")),
        st.sampled_from(("prose", "cut", "nested", "twice", "deep", "lists", "single", "curly", "quoted")),
    )
    return st.builds(say, values, kind, st.integers(0, 10_000))


def replies(ids: tuple[str, ...], side: float) -> st.SearchStrategy[str]:
    """Any reply to any call."""
    return st.one_of(
        worded(update(ids, side)),
        worded(plan(side)),
        worded(parsed()),
        suggested(ids),
        st.text(max_size=60),
        st.sampled_from(("", "null", "[]", "I cannot help with that.", "\0", "\ud800", "{" * 2000)),
    )


def detection(name: str, box_xyxy: tuple[float, float, float, float], score: float = 0.5) -> Detection:
    """A detection whose id says what it is."""
    words = name.partition(" #")[0].split()
    noun = " ".join(words[-2:]) if words[-1] == "tree" else words[-1]
    attributes = tuple(words[: len(words) - len(noun.split())])
    return Detection(id=name, phrase=" ".join(words), noun=noun, attributes=attributes, box_xyxy=box_xyxy, score=score)


def scene(side: int) -> st.SearchStrategy[tuple[Detection, ...]]:
    """What a detector may have found in a square picture: nothing to forty things, tiny ones and overlapping ones."""
    name = st.sampled_from(("red ball", "ball", "palm tree", "house", "dog", "small blue star"))
    corner = st.floats(0, side - 2)
    found = st.tuples(name, corner, corner, st.floats(0.5, side), st.floats(0.5, side))

    def build(things: list[tuple[str, float, float, float, float]]) -> tuple[Detection, ...]:
        boxes = [(x, y, min(x + w, float(side)), min(y + h, float(side))) for _, x, y, w, h in things]
        return tuple(
            detection(f"{n} #{k}", b) for k, ((n, *_), b) in enumerate(zip(things, boxes, strict=True), start=1)
        )

    return st.lists(found, max_size=8).map(build)
