"""The verdict of the LMD benchmark, for any prompt that can be read: pure functions on meanings and boxes.

Every clause of a prompt must hold: a number of objects exactly, "a ball" at least once, attributes as part of what is looked for, orders
by the centres of the best hits, contact by how near their boxes are, and nothing that was to be absent. The benchmark's 400 prompts are
the case of one clause.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmgen.artifacts import Detection, Layout
from llmgen.llm.english.grammar import Ordering, PromptMeaning, WantedObject, read_phrase
from llmgen.llm.english.words import pluralize
from llmgen.llm.planning.contact import UNSEEN, holds, is_between
from llmgen.llm.planning.placement import MIDDLE
from llmgen.vision.boxes import BoxTuple, center

MOST_EQUAL = 5
"""Up to so many boxes of one name are tried in every order."""


@dataclass(frozen=True)
class Verdict:
    """Whether a picture shows what the prompt asks for."""

    ok: bool
    detail: str
    """The first clause that fails, for example `wanted 3 x ball, found 2`; `as asked` when none does."""


@dataclass(frozen=True)
class Found:
    """The boxes that answer each clause, best first."""

    objects: tuple[tuple[BoxTuple, ...], ...]
    """For each of `PromptMeaning.objects`."""
    absent: tuple[tuple[BoxTuple, ...], ...]
    """For each of `PromptMeaning.absent`."""


def prompt_type(meaning: PromptMeaning) -> str | None:
    """What a prompt tests most: negation, spatial, numeracy or attribution; None where it names plain objects only.

    A relation outweighs a number, a number outweighs an attribute, as in the benchmark's own words ("without", "on the left", "two").
    """
    if meaning.absent:
        return "negation"
    if meaning.relations:
        return "spatial"
    if any(wanted.exact for wanted in meaning.objects):
        return "numeracy"
    if any(wanted.attributes for wanted in meaning.objects):
        return "attribution"
    return None


def is_checkable(meaning: PromptMeaning) -> bool:
    """Whether boxes can show all that a prompt asks for; a bare background asks for nothing, and what was not read cannot be judged."""
    return bool(meaning.objects or meaning.absent) and not meaning.remarks


def attributed_phrases(meaning: PromptMeaning) -> tuple[str, ...]:
    """What the attribute pass looks for, for example `("red ball",)`, each phrase once."""
    return tuple(dict.fromkeys(wanted.phrase for wanted in meaning.objects if wanted.attributes))


def plain_phrases(meaning: PromptMeaning) -> tuple[str, ...]:
    """What the primitive pass looks for: nouns without attributes, and what must be absent, each once."""
    nouns = [wanted.noun for wanted in meaning.objects if not wanted.attributes]
    return tuple(dict.fromkeys([*nouns, *meaning.absent]))


def found_by_phrase(meaning: PromptMeaning, boxes: dict[str, Sequence[BoxTuple]]) -> Found:
    """Give the answers of a detector to the clauses.

    Args:
        meaning: The prompt.
        boxes: Phrase (of `attributed_phrases` or `plain_phrases`) to its boxes, best first.
    """
    return Found(
        tuple(tuple(boxes.get(wanted.phrase, ())) for wanted in meaning.objects),
        tuple(tuple(boxes.get(noun, ())) for noun in meaning.absent),
    )


def found_in_layout(meaning: PromptMeaning, layout: Layout) -> Found:
    """Give a plan's instances to the clauses, in the plan's order.

    An instance counts for a clause when it has the noun and at least the attributes; without a noun of its own its phrase is read.
    """
    named = []
    for instance in layout.instances:
        noun, attributes = read_phrase(instance.phrase)
        named.append((instance.noun or noun, {*attributes, *instance.attributes}, instance.box_xyxy))
    return _assign(meaning, named)


def found_in_detections(meaning: PromptMeaning, detections: Sequence[Detection]) -> Found:
    """Give a loop's detections to the clauses, best first; only confirmed attributes count."""
    best_first = sorted(detections, key=lambda found: -found.score)
    return _assign(meaning, [(found.noun, set(found.attributes), found.box_xyxy) for found in best_first])


def _assign(meaning: PromptMeaning, named: Sequence[tuple[str, set[str], BoxTuple]]) -> Found:
    return Found(
        tuple(
            tuple(box for noun, has, box in named if noun == wanted.noun and has.issuperset(wanted.attributes))
            for wanted in meaning.objects
        ),
        tuple(tuple(box for noun, _, box in named if noun == avoided) for avoided in meaning.absent),
    )


def judge_found(meaning: PromptMeaning, found: Found, size: tuple[int, int]) -> Verdict:
    """Say whether every clause of a prompt holds.

    Args:
        meaning: The prompt.
        found: What was found for its clauses.
        size: Width, height of the picture in pixels; matters only for "a ball on the left" with nothing on the right.

    Returns:
        The verdict.

    Source:
        LMD (Lian et al. 2024) and SLD (Wu et al. 2024), evaluation of negation, numeracy, attribution and spatial relations.
    """
    for noun, boxes in zip(meaning.absent, found.absent, strict=True):
        if boxes:
            return Verdict(False, f"wanted no {noun}, found {len(boxes)}")
    for wanted, boxes in zip(meaning.objects, found.objects, strict=True):
        # "A red ball and two balls": the red one is a ball as well.
        alike = [o for o in meaning.objects if o.noun == wanted.noun and set(o.attributes) >= set(wanted.attributes)]
        count, exact = sum(o.count for o in alike), all(o.exact for o in alike)
        if len(boxes) < count or (exact and len(boxes) > count):
            return Verdict(False, f"wanted {'' if exact else 'at least '}{count} x {wanted.phrase}, found {len(boxes)}")
    verdicts = (_judge_places(meaning, one, size) for one in _distributions(meaning, found))
    first = next(verdicts)
    return first if first.ok else next((verdict for verdict in verdicts if verdict.ok), first)


def _distributions(meaning: PromptMeaning, found: Found) -> Iterator[Found]:
    """The ways in which equal boxes may serve groups of one name: "two birds, one on the left and one on the right"."""
    groups: dict[str, list[int]] = {}
    for group, wanted in enumerate(meaning.objects):
        groups.setdefault(wanted.phrase, []).append(group)
    shared = [some for some in groups.values() if len(some) > 1]
    if not shared or any(len(found.objects[some[0]]) > MOST_EQUAL for some in shared):
        yield found
        return
    for orders in itertools.product(*(itertools.permutations(found.objects[some[0]]) for some in shared)):
        objects = list(found.objects)
        for some, order in zip(shared, orders, strict=True):
            start = 0
            for group in some:
                objects[group] = order[start : start + meaning.objects[group].count]
                start += meaning.objects[group].count
        yield Found(tuple(objects), found.absent)


def _judge_places(meaning: PromptMeaning, found: Found, size: tuple[int, int]) -> Verdict:
    for order in meaning.orderings():
        if not _in_order(order, meaning, found):
            first, second = (_several(meaning.objects[i]) for i in (order.first, order.second))
            return Verdict(False, f"wanted {first} {('left of', 'above')[order.axis]} {second}")
    unseen = sorted({r.kind.replace("_", " ") for r in meaning.relations if r.kind in UNSEEN})
    right = Verdict(True, f"as asked; boxes do not show {', '.join(unseen)}" if unseen else "as asked")
    return _in_contact(meaning, found, size) or _on_its_side(meaning, found, size) or right


def _in_contact(meaning: PromptMeaning, found: Found, size: tuple[int, int]) -> Verdict | None:
    """The verdict when things that should touch, or lie by each other, do not."""
    unit = float(min(size))
    between: dict[int, list[int]] = {}
    for relation in meaning.relations:
        if relation.object is None or relation.kind in ("left_of", "right_of", "above", "below"):
            continue
        if relation.kind == "between":
            between.setdefault(relation.subject, []).append(relation.object)
            continue
        ones, others = _best(meaning, found, relation.subject), _best(meaning, found, relation.object)
        # Of several things next to another, one may stand nearest.
        every = any if relation.kind == "next_to" or len(others) > len(ones) else all
        if not every(any(holds(relation.kind, a, b, unit) for b in others) for a in ones):
            first, second = (_several(meaning.objects[i]) for i in (relation.subject, relation.object))
            return Verdict(False, f"wanted {first} {relation.kind.replace('_', ' ')} {second}")
    for subject, groups in between.items():
        others = tuple(box for group in groups for box in _best(meaning, found, group))
        if len(others) > 1 and not all(is_between(box, others) for box in _best(meaning, found, subject)):
            names = " and ".join(_several(meaning.objects[group]) for group in groups)
            return Verdict(False, f"wanted {_several(meaning.objects[subject])} between {names}")
    return None


def _several(wanted: WantedObject) -> str:
    return wanted.phrase if wanted.count == 1 else pluralize(wanted.phrase)


def _best(meaning: PromptMeaning, found: Found, group: int) -> tuple[BoxTuple, ...]:
    return found.objects[group][: meaning.objects[group].count]


def _in_order(order: Ordering, meaning: PromptMeaning, found: Found) -> bool:
    return all(
        center(a)[order.axis] < center(b)[order.axis]
        for a in _best(meaning, found, order.first)
        for b in _best(meaning, found, order.second)
    )


def _on_its_side(meaning: PromptMeaning, found: Found, size: tuple[int, int]) -> Verdict | None:
    """The verdict when an object that was given a side by itself is not in that half."""
    compared = {(order.axis, i) for order in meaning.orderings() for i in (order.first, order.second)}
    for relation in meaning.relations:
        axis = 1 if relation.kind in ("on_top", "on_bottom") else 0
        if relation.object is not None or (axis, relation.subject) in compared:
            continue
        low = relation.kind in ("on_left", "on_top")
        for box in _best(meaning, found, relation.subject):
            middle, half = center(box)[axis], size[axis] / 2
            if relation.kind == "in_middle":
                if abs(middle - half) > MIDDLE * size[axis]:
                    return Verdict(False, f"wanted {_several(meaning.objects[relation.subject])} in the middle")
                continue
            if not (middle < half if low else middle > half):
                side = relation.kind.removeprefix("on_")
                return Verdict(False, f"wanted {_several(meaning.objects[relation.subject])} on the {side}")
    return None
