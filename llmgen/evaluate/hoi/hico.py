"""HICO-DET's mean average precision: pure arithmetic on pairs of boxes.

A pair counts when it has the action, and both its boxes overlap those of one wanted pair. The best-scored pairs of a picture choose first;
each takes the wanted pair that it overlaps most, and where that one is taken already, the pair is wrong.

Source:
    HICO-DET (Chao et al. 2018), section 5, in the form of the evaluation of FGAHOI (Ma et al. 2023) and its forerunners: 100 pairs a
    picture, pairs of one action that overlap are thinned, boxes of whole pixels, eleven points of recall.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmgen.vision.boxes import BoxTuple, iou

Action = tuple[int, str]
"""Number of the verb from 0, name of the object."""


@dataclass(frozen=True)
class Pair:
    """Who does something with something.

    Attributes:
        action: Verb and object.
        person: Box of who acts, at pixel edges: a box from pixel 0 to pixel 9 is 0 to 10.
        thing: Box of the object.
        score: How sure a detector is; any number, 1 of annotations.
    """

    action: Action
    person: BoxTuple
    thing: BoxTuple
    score: float = 1.0


@dataclass(frozen=True)
class HicoRules:
    """Constants of the evaluation."""

    most_pairs: int = 100
    """So many pairs of a picture count, the best-scored."""
    thinning: float = 0.7
    """From this overlap on the weaker of two pairs of one action is dropped; 1 switches it off."""
    person_power: float = 1.0
    """Power of the persons' IoU in that overlap."""
    thing_power: float = 0.5
    """Power of the objects' IoU in it."""
    min_iou: float = 0.5
    """Both boxes must overlap the wanted ones by more than this."""


def kept_pairs(pairs: Sequence[Pair], rules: HicoRules) -> list[Pair]:
    """The pairs of a picture that count, best first; equal scores keep their order."""
    best = sorted(pairs, key=lambda pair: -pair.score)[: rules.most_pairs]
    kept: list[Pair] = []
    for pair in best:
        if all(other.action != pair.action or _overlap(other, pair, rules) <= rules.thinning for other in kept):
            kept.append(pair)
    return kept


def _overlap(one: Pair, other: Pair, rules: HicoRules) -> float:
    persons, things = iou(one.person, other.person), iou(one.thing, other.thing)
    return float(persons**rules.person_power * things**rules.thing_power)


def matched(wanted: Sequence[Pair], found: Sequence[Pair], rules: HicoRules) -> list[bool]:
    """Which found pairs of a picture are right, in their order; the best-scored stand first."""
    taken: set[int] = set()
    right = []
    for pair in found:
        best, best_overlap = None, 0.0
        for number, other in enumerate(wanted):
            if other.action != pair.action:
                continue
            persons, things = iou(other.person, pair.person), iou(other.thing, pair.thing)
            if min(persons, things) > max(rules.min_iou, best_overlap):
                best, best_overlap = number, min(persons, things)
        right.append(best is not None and best not in taken)
        if best is not None:
            taken.add(best)
    return right


def average_precision(right: Sequence[bool], scores: Sequence[float], n_wanted: int) -> tuple[float, float]:
    """Average precision over eleven points of recall, and the largest recall.

    Args:
        right: Whether each found pair of an action is right.
        scores: Their scores; equal ones keep their order.
        n_wanted: Wanted pairs of that action, at least 1.
    """
    if not right:
        return 0.0, 0.0
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    hits = np.cumsum(np.asarray(right, dtype=np.float64)[order])
    recall, precision = hits / n_wanted, hits / np.arange(1, len(hits) + 1)
    total = 0.0
    for point in np.arange(0.0, 1.1, 0.1):  # as published; its 0.3 is a little more than three tenths
        reached = recall >= point
        total += float(precision[reached].max()) / 11 if reached.any() else 0.0
    return total, float(recall.max())


def hico_figures(
    wanted: Mapping[str, Sequence[Pair]],
    found: Mapping[str, Sequence[Pair]],
    shown: Mapping[str, Set[str]],
    rare: Set[Action] | None,
) -> dict[str, Any]:
    """Mean average precision over the actions that are wanted somewhere.

    Args:
        wanted: Picture to its annotated pairs; every picture that counts is a key.
        found: Picture to a detector's pairs; pictures that are no key of `wanted` do not count.
        shown: Picture to the names of the objects of its annotated pairs, also of pairs that do not count.
        rare: The rare actions, None where nobody says which they are.

    Returns:
        `default` and `known_object`, each with `full`, `rare`, `non_rare` (means, null where there is nothing to average) and
        `mean_max_recall`; `n_actions`, `n_rare`; and `actions`: verb, object, `n`, `ap`, `known_object_ap`, `rare`. With a known object
        an action is looked for only in pictures in which its object is annotated.
    """
    rules = HicoRules()
    count: dict[Action, int] = defaultdict(int)
    for pairs in wanted.values():
        for pair in pairs:
            count[pair.action] += 1
    right: dict[Action, list[bool]] = defaultdict(list)
    scores: dict[Action, list[float]] = defaultdict(list)
    known: dict[Action, list[bool]] = defaultdict(list)
    for picture, pairs in wanted.items():
        kept = kept_pairs(found.get(picture, ()), rules)
        for pair, is_right in zip(kept, matched(pairs, kept, rules), strict=True):
            if pair.action in count:
                right[pair.action].append(is_right)
                scores[pair.action].append(pair.score)
                known[pair.action].append(pair.action[1] in shown.get(picture, frozenset()))
    actions = []
    for action in sorted(count):
        ap, recall = average_precision(right[action], scores[action], count[action])
        places = [number for number, there in enumerate(known[action]) if there]
        known_ap, known_recall = average_precision(
            [right[action][i] for i in places], [scores[action][i] for i in places], count[action]
        )
        actions.append(
            {
                "verb": action[0],
                "object": action[1],
                "n": count[action],
                "ap": ap,
                "max_recall": recall,
                "known_object_ap": known_ap,
                "known_object_max_recall": known_recall,
                "rare": None if rare is None else action in rare,
            }
        )
    return {
        "default": _means(actions, "ap", "max_recall"),
        "known_object": _means(actions, "known_object_ap", "known_object_max_recall"),
        "n_actions": len(actions),
        "n_rare": None if rare is None else sum(entry["rare"] for entry in actions),
        "actions": actions,
    }


def _means(actions: Sequence[Mapping[str, Any]], ap: str, recall: str) -> dict[str, float | None]:
    return {
        "full": _mean([entry[ap] for entry in actions]),
        "rare": _mean([entry[ap] for entry in actions if entry["rare"]]),
        "non_rare": _mean([entry[ap] for entry in actions if entry["rare"] is False]),
        "mean_max_recall": _mean([entry[recall] for entry in actions]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
