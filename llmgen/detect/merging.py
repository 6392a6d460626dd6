"""SLD's two-pass detection without the detector: what to ask, and what to make of the answers.

Pure functions on plain data. The attribute pass asks for `red ball`, the primitive pass for `ball`; the merge says which hits are red
balls, and which are balls whose colour nobody confirmed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llmgen.vision.boxes import SAME_OBJECT_IOU, BoxTuple, same_object, suppress_overlaps_by_label


@dataclass(frozen=True)
class Demand:
    """All that is wanted of one noun."""

    noun: str
    """Singular, for example `palm tree`."""
    instances: tuple[tuple[str, ...], ...] = ((),)
    """For each wanted instance its attributes; empty where only the noun counts."""

    @property
    def attributed(self) -> dict[str, tuple[str, ...]]:
        """Phrase to attributes for the instances that ask for some, each phrase once, in order."""
        return {attributed_phrase(self.noun, attributes): attributes for attributes in self.instances if attributes}


@dataclass(frozen=True)
class ExpectedCounts:
    """How often each query should be answered."""

    primitive: dict[str, int]
    """Noun to number of instances; -1 when any of them has an attribute."""
    attribute: dict[str, int]
    """Attributed phrase to number of instances."""


@dataclass(frozen=True)
class Hit:
    """One answer of a pass."""

    phrase: str
    """What was asked: an attributed phrase, or a noun."""
    box_xyxy: BoxTuple
    score: float = 1.0


@dataclass(frozen=True)
class NamedHit:
    """One object of the merged list."""

    id: str
    """Phrase and running number, for example `red ball #1`."""
    phrase: str
    noun: str
    attributes: tuple[str, ...]
    """Only those that the attribute pass confirmed."""
    box_xyxy: BoxTuple
    score: float


def attributed_phrase(noun: str, attributes: Sequence[str]) -> str:
    """Attributes before the noun, for example `red ball`."""
    return " ".join((*attributes, noun))


def join_demands(demands: Sequence[Demand]) -> tuple[Demand, ...]:
    """One demand a noun, in the order in which nouns first appear."""
    instances: dict[str, list[tuple[str, ...]]] = {}
    for demand in demands:
        instances.setdefault(demand.noun, []).extend(demand.instances)
    return tuple(Demand(noun, tuple(found)) for noun, found in instances.items())


def expected_counts(demands: Sequence[Demand]) -> ExpectedCounts:
    """Count what is asked.

    Args:
        demands: One a noun.

    Returns:
        Counts for both passes; the keys, in order, are the phrases to ask for.
    """
    primitive: dict[str, int] = {}
    attribute: dict[str, int] = {}
    for demand in demands:
        primitive[demand.noun] = -1 if demand.attributed else len(demand.instances)
        for attributes in demand.instances:
            if attributes:
                phrase = attributed_phrase(demand.noun, attributes)
                attribute[phrase] = attribute.get(phrase, 0) + 1
    return ExpectedCounts(primitive, attribute)


def suppress_hits(hits: Sequence[Hit], asked: Sequence[str], nms_threshold: float) -> list[Hit]:
    """Class-aware non-maximum suppression in the order of the queries.

    Args:
        hits: The answers of one pass.
        asked: Its phrases in order.
        nms_threshold: IoU from which the lower-scored of two hits of one phrase is dropped.

    Returns:
        Hits grouped by phrase, best first inside a phrase.
    """
    order = {phrase: number for number, phrase in enumerate(asked)}
    kept = suppress_overlaps_by_label(
        [hit.box_xyxy for hit in hits], [hit.score for hit in hits], [order[hit.phrase] for hit in hits], nms_threshold
    )
    return [hits[i] for i in kept]


def drop_contradictions(hits: Sequence[Hit], same_iou: float = SAME_OBJECT_IOU) -> list[Hit]:
    """Of hits of different phrases on one object keep the best.

    The queries of a pass compete for each predicted box, but two neighbouring boxes on one ball may go to `red ball` and `blue ball`.

    Args:
        hits: The answers of one pass after `suppress_hits`.
        same_iou: Overlap above which two boxes are one object.

    Returns:
        The rest, order kept.
    """
    kept: set[int] = set()
    for i in sorted(range(len(hits)), key=lambda i: -hits[i].score):
        if not any(
            hits[i].phrase != hits[j].phrase and same_object(hits[i].box_xyxy, hits[j].box_xyxy, same_iou) for j in kept
        ):
            kept.add(i)
    return [hit for i, hit in enumerate(hits) if i in kept]


def drop_explained(
    demands: Sequence[Demand],
    attribute_hits: Sequence[Hit],
    primitive_hits: Sequence[Hit],
    same_iou: float = SAME_OBJECT_IOU,
) -> list[Hit]:
    """Plain hits without those that lie on a confirmed object of another noun.

    What answered to `yellow fish` is a fish, however sure the plain pass is of a house there.

    Args:
        demands: One a noun.
        attribute_hits: Answers for attributed phrases.
        primitive_hits: Answers for nouns.
        same_iou: Overlap above which two boxes are one object.

    Returns:
        The rest of the plain hits, order kept.
    """
    noun_of = {phrase: demand.noun for demand in demands for phrase in demand.attributed}
    return [
        plain
        for plain in primitive_hits
        if not any(
            noun_of[hit.phrase] != plain.phrase and same_object(hit.box_xyxy, plain.box_xyxy, same_iou)
            for hit in attribute_hits
        )
    ]


class _Names:
    """Running numbers, one series a phrase."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def name(self, hit: Hit, noun: str, attributes: tuple[str, ...]) -> NamedHit:
        phrase = attributed_phrase(noun, attributes)
        self._last[phrase] = number = self._last.get(phrase, 0) + 1
        return NamedHit(f"{phrase} #{number}", phrase, noun, attributes, hit.box_xyxy, hit.score)


def merge_passes(
    demands: Sequence[Demand],
    attribute_hits: Sequence[Hit],
    primitive_hits: Sequence[Hit],
    *,
    show_surplus: bool = False,
    same_iou: float = SAME_OBJECT_IOU,
) -> list[NamedHit]:
    """Make one list of objects of the answers of both passes.

    Nouns with attributes come first: the hits that confirm them, and where one is missing the best plain hit instead, under the plain
    name, so that a planner can see what could be changed into it. Then the plain nouns with all their hits: too many must show.

    Args:
        demands: One a noun.
        attribute_hits: Answers for attributed phrases, best first inside a phrase.
        primitive_hits: Answers for nouns, best first inside a noun.
        show_surplus: Whether what is too much of a noun with attributes shows, too. SLD hides it, so a third red ball where two are
            wanted is never seen and never removed.
        same_iou: Overlap above which two boxes are one object.

    Returns:
        Named objects, every box at most once.

    Source:
        SLD (Wu et al. 2024). Three defects of its code are mended: a plain box is used once only, the best remaining plain box stands in,
        and nouns of several words keep their attributes.
    """
    counts = expected_counts(demands)
    plain: dict[str, list[Hit]] = {demand.noun: [] for demand in demands}
    for hit in primitive_hits:
        plain[hit.phrase].append(hit)
    confirmed: dict[str, list[Hit]] = {}
    for demand in demands:
        for phrase in demand.attributed:
            found = [hit for hit in attribute_hits if hit.phrase == phrase]
            confirmed[phrase] = found if show_surplus else found[: counts.attribute[phrase]]
            for hit in confirmed[phrase]:
                twin = next((p for p in plain[demand.noun] if same_object(p.box_xyxy, hit.box_xyxy, same_iou)), None)
                if twin is not None:
                    plain[demand.noun].remove(twin)

    names = _Names()
    merged: list[NamedHit] = []
    for demand in demands:
        if not demand.attributed:
            continue
        rest = plain[demand.noun]
        for phrase, attributes in demand.attributed.items():
            merged += [names.name(hit, demand.noun, attributes) for hit in confirmed[phrase]]
            missing = max(0, counts.attribute[phrase] - len(confirmed[phrase]))
            merged += [names.name(hit, demand.noun, ()) for hit in rest[:missing]]
            del rest[:missing]
        unattributed = len(rest) if show_surplus else sum(not attributes for attributes in demand.instances)
        merged += [names.name(hit, demand.noun, ()) for hit in rest[:unattributed]]
    for demand in demands:
        if not demand.attributed:
            merged += [names.name(hit, demand.noun, ()) for hit in plain[demand.noun]]
    return merged
