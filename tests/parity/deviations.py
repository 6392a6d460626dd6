"""Where we differ from the originals on purpose: rules with their reasons, in place of lists of cases.

A rule looks at what went in and what the original gave, says whether it applies, and then what is right. It is checked on every case it
applies to; every other case must be as recorded.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from parity.goldens import Case

from llmgen.llm.english.grammar import read_phrase
from llmgen.vision.boxes import iou, xywh_to_xyxy

SAME_PLACE = 0.9
Named = Sequence[Any]


@dataclass(frozen=True)
class Deviation:
    """A rule."""

    reason: str
    applies: Callable[[Case], bool]
    right: Callable[[Case], Any]


def right_for(case: Case, rules: Sequence[Deviation]) -> tuple[Any, str]:
    """What a case must give, and the reason of the rule that says so; the recorded value and "" where none does."""
    for rule in rules:
        if rule.applies(case):
            return rule.right(case), rule.reason
    assert not case.is_error, f"{case.name}: the original raised, and no rule says what is right"
    return case.expected, ""


# The two passes of the detector, merged.


def merged(given: dict[str, Any]) -> list[Named]:
    """Found attributes first, then plain boxes of the noun in their order, each box once, as many as are still wanted."""
    found: list[Named] = []
    numbers: Counter[str] = Counter()

    def name(phrase: str, box: Any) -> None:
        numbers[phrase] += 1
        found.append([f"{phrase} #{numbers[phrase]}", box])

    for noun, attributes in given["objects"]:
        plain = [box for said, box in given["primitive_detections"] if said == noun]
        wanted = Counter(f"{attribute} {noun}" for attribute in attributes if attribute)
        used = []
        for phrase, count in wanted.items():
            hits = [box for said, box in given["attribute_detections"] if said == phrase][:count]
            used += hits
            for box in hits:
                name(phrase, box)
        if wanted:
            free = [box for box in plain if not any(_same(box, hit) for hit in used)]
            plain = free[: len(attributes) - len(used)]
        for box in plain:
            name(noun, box)
    return found


def _merge_is_wrong(case: Case) -> bool:
    if case.is_error:
        return True
    boxes = [box for _, box in case.expected]
    twice = any(a == b for n, a in enumerate(boxes) for b in boxes[:n])
    attributed = [noun for noun, attributes in case.input["objects"] if any(attributes)]
    skipped = any(
        [box for name, box in case.expected if name.partition(" #")[0] == noun]
        != [box for name, box in merged(case.input) if name.partition(" #")[0] == noun]
        for noun in attributed
    )
    return twice or skipped


MERGE = (
    Deviation(
        "a box is reported once, the first free one is taken, and nouns of several words are nouns: the original's index into what is "
        "left is that of what there was",
        _merge_is_wrong,
        lambda case: merged(case.input),
    ),
)


# A suggested layout against the detections.


def compared(given: dict[str, Any]) -> dict[str, list[str]]:
    """Bare names of what is kept, deleted, added, moved and changed."""
    left = [(name, box) for name, box in given["current"]]
    result: dict[str, list[str]] = {kind: [] for kind in ("preserve", "delete", "add", "move", "change_attribute")}
    open_: list[Named] = []
    for name, box in given["suggested"]:
        known = next((one for one in left if one[0] == name), None)
        if known is None:
            open_.append((name, box))
        else:
            left.remove(known)
            result["preserve" if _same(known[1], box) else "move"].append(bare(name))
    still: list[Named] = []
    for name, box in open_:
        noun, attributes = read_phrase(bare(name))
        here = next((one for one in left if _same(one[1], box) and read_phrase(bare(one[0]))[0] == noun), None)
        if here is None:
            still.append((name, box))
            continue
        left.remove(here)
        same = set(attributes) <= set(read_phrase(bare(here[0]))[1])
        result["preserve" if same else "change_attribute"].append(bare(here[0]) if same else bare(name))
    for name, _ in list(still):
        alike = [one for one in left if bare(one[0]) == bare(name)]
        if (
            len(alike) == 1
            and [bare(other) for other, _ in still].count(bare(name)) == 1
            and not _was_named(name, given)
        ):
            left.remove(alike[0])
            still = [one for one in still if one[0] != name]
            result["move"].append(bare(name))
    result["add"] += [bare(name) for name, _ in still]
    result["delete"] += [bare(name) for name, _ in left]
    return result


def _was_named(name: str, given: dict[str, Any]) -> bool:
    """Whether a detection has the name and was claimed by an equal one: then this is another object."""
    return any(name == other for other, _ in given["current"])


def _same_noun_in_place(case: Case) -> bool:
    pairs = [(a, b) for a in case.expected["delete"] for b in case.expected["add"]]
    return any(_same(a[1], b[1]) and read_phrase(bare(a[0]))[0] == read_phrase(bare(b[0]))[0] for a, b in pairs)


def _renumbered(case: Case) -> bool:
    deleted, added = (Counter(bare(name) for name, _ in case.expected[kind]) for kind in ("delete", "add"))
    return any(deleted[name] == 1 and added[name] == 1 for name in deleted)


DIFF = (
    Deviation(
        "two suggestions in one place are a change and an addition: the original loses its place and raises",
        lambda case: case.is_error,
        lambda case: compared(case.input),
    ),
    Deviation(
        "of two suggestions with one name the second is an object of its own: the original's table forgets the first or the second",
        lambda case: len({name for name, _ in case.input["suggested"]}) < len(case.input["suggested"]),
        lambda case: compared(case.input),
    ),
    Deviation(
        "attributes are compared apart from the noun, however many words either has, and a renumbered object in the same box is kept: "
        "the original compares whole names",
        _same_noun_in_place,
        lambda case: compared(case.input),
    ),
    Deviation(
        "a number that nobody has means the one object of that name: the original deletes it and draws a new one",
        _renumbered,
        lambda case: compared(case.input),
    ),
)


# Phrases in a prompt.


def phrase_places(given: dict[str, Any]) -> dict[str, Any]:
    """Token positions of phrases by whole words; the start token is position 0, a missing phrase is appended after a bar."""
    prompt = given["prompt"]
    for phrase in given["phrases"]:
        if _place(prompt.split(), phrase.split()) is None:
            prompt += f" | {phrase}"
    words = prompt.split()
    places = []
    for phrase in given["phrases"]:
        start = _place(words, phrase.split())
        assert start is not None
        places.append(list(range(start + 1, start + 1 + len(phrase.split()))))
    of_words = [
        place[phrase.split().index(word)]
        for place, phrase, word in zip(places, given["phrases"], given["words"], strict=True)
    ]
    return {"positions": places, "word_positions": of_words, "prompt": prompt}


def _place(words: Sequence[str], phrase: Sequence[str]) -> int | None:
    return next((n for n in range(len(words)) if list(words[n : n + len(phrase)]) == list(phrase)), None)


def _inside_a_word(case: Case) -> bool:
    text = case.input["prompt"]
    for phrase in case.input["phrases"]:
        at = text.find(phrase)
        if at >= 0 and (text[at - 1 : at].strip() or text[at + len(phrase) : at + len(phrase) + 1].strip()):
            return True
    return False


PHRASES = (
    Deviation(
        "a phrase is found by whole words: the original finds `a cat` in `sea cat`",
        _inside_a_word,
        lambda case: phrase_places(case.input),
    ),
)


# Fields of text replies.


def first_line(text: str) -> str:
    """What a field of a reply says: it ends with its line, so text after a blank line is none of it."""
    return text.strip().split("\n")[0].strip()


def bare(name: str) -> str:
    """A name without its number."""
    return name.partition(" #")[0]


def _same(a: Sequence[float], b: Sequence[float]) -> bool:
    return iou(xywh_to_xyxy(a), xywh_to_xyxy(b)) > SAME_PLACE
