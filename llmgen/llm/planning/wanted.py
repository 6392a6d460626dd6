"""What a picture should hold, instance by instance, and which detection serves which instance."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmgen.artifacts import Detection, Layout
from llmgen.llm.english.grammar import PromptMeaning, read_phrase
from llmgen.llm.english.saying import phrase_of
from llmgen.llm.english.words import singularize, with_detail
from llmgen.llm.planning.placement import BoxXyxy, Canvas, Rules, center, violations

_UNSERVED = 100.0
"""Cost of leaving a wanted object without a detection: more than any fault a detection of its noun can have."""
_OTHER_NOUN = 1000.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One wanted object.

    Attributes:
        noun: Singular noun.
        attributes: What is asked of it.
        group: Index into the prompt's objects, None for an instance that only the layout knows.
        prefer_xyxy: Its box in the layout, in pixels.
        detail: What it holds, shows or has on it: "of cherries".
    """

    noun: str
    attributes: tuple[str, ...]
    group: int | None
    prefer_xyxy: BoxXyxy | None = None
    detail: str = ""

    @property
    def phrase(self) -> str:
        """Attributes and noun, no article."""
        return " ".join((*self.attributes, self.noun))

    @property
    def drawn_phrase(self) -> str:
        """What is drawn, with its article and detail."""
        return phrase_of(self.noun, self.attributes, self.detail)


def wanted_objects(meaning: PromptMeaning, layout: Layout | None) -> list[Wanted]:
    """The wanted objects, one by one.

    Args:
        meaning: What the prompt says.
        layout: The plan, if any; when it has instances they are the wanted objects, and the prompt adds relations.

    Returns:
        One entry for each object that should be there.
    """
    if layout is None or not layout.instances:
        return [
            Wanted(o.noun, o.attributes, g, detail=o.detail)
            for g, o in enumerate(meaning.objects)
            for _ in range(o.count)
        ]
    room = [o.count for o in meaning.objects]
    found: list[Wanted] = []
    for instance in layout.instances:
        noun, attributes = instance.noun or "", instance.attributes
        if not noun:
            noun, attributes = read_phrase(instance.phrase)
        detail = with_detail(instance.phrase, noun)[1]
        found.append(Wanted(singularize(noun.lower()), attributes, None, instance.box_xyxy, detail))
    # Exact namesakes choose their group first, then those that share only the noun.
    for exact in (True, False):
        for index, wanted in enumerate(found):
            if wanted.group is not None:
                continue
            for group, asked in enumerate(meaning.objects):
                same = asked.noun == wanted.noun and (not exact or set(asked.attributes) == set(wanted.attributes))
                if same and room[group]:
                    room[group] -= 1
                    found[index] = replace(wanted, group=group)
                    break
    return found


def same_noun(wanted: str, seen: str) -> bool:
    """Whether a detection's noun names a wanted one, in either number and letter case."""
    return singularize(seen.lower()) == singularize(wanted.lower())


def lacks(wanted: Wanted, detection: Detection) -> bool:
    """Whether an attribute that is asked for was not confirmed."""
    seen = {a.lower() for a in detection.attributes}
    return any(a.lower() not in seen for a in wanted.attributes)


def assign(wanted: Sequence[Wanted], detections: Sequence[Detection], rules: Rules, canvas: Canvas) -> dict[int, int]:
    """Pair wanted objects with detections so that least must change.

    As many as possible are paired; among those pairings the fewest attributes must change, then the fewest relations
    are broken, then the better scores are used, then the boxes lie nearest to the plan.

    Args:
        wanted: The wanted objects.
        detections: What was found.
        rules: The relations.
        canvas: The picture.

    Returns:
        Index of a wanted object to index of its detection; objects without one are left out.
    """
    if not wanted or not detections:
        return {}
    from scipy.optimize import linear_sum_assignment

    costs = [[_cost(w, d, canvas) for d in detections] for w in wanted]
    # As many dummy columns as rows, so that every wanted object may stay unserved.
    table = [row + [_UNSERVED] * len(wanted) for row in costs]
    rows, columns = linear_sum_assignment(table)
    pairs = {
        int(i): int(j)
        for i, j in zip(rows, columns, strict=True)
        if j < len(detections) and costs[int(i)][int(j)] < _UNSERVED
    }
    return _straighten(pairs, wanted, detections, rules, canvas)


def _cost(wanted: Wanted, detection: Detection, canvas: Canvas) -> float:
    if not same_noun(wanted.noun, detection.noun):
        return _OTHER_NOUN
    cost = 0.0
    if lacks(wanted, detection):
        # A colour seen as another is a clearer fault than one that was not confirmed.
        cost += 10.0 + (1.0 if detection.attributes else 0.0)
    else:
        # Leave "red ball" to whoever asks for red.
        cost += 0.5 * len(set(detection.attributes) - set(wanted.attributes))
    if wanted.prefer_xyxy is not None:
        dx = (center(wanted.prefer_xyxy, 0) - center(detection.box_xyxy, 0)) / canvas.width
        dy = (center(wanted.prefer_xyxy, 1) - center(detection.box_xyxy, 1)) / canvas.height
        cost += 0.02 * min(1.0, (dx * dx + dy * dy) ** 0.5)
    return cost + 0.4 * (1 - detection.score)


def _straighten(
    pairs: dict[int, int],
    wanted: Sequence[Wanted],
    detections: Sequence[Detection],
    rules: Rules,
    canvas: Canvas,
) -> dict[int, int]:
    # Relations bind pairs of objects, which a linear assignment cannot see: exchange detections of equal cost, and
    # take a spare one where that heals a relation.
    def faults(now: dict[int, int]) -> tuple[int, int]:
        boxes = [(wanted[i].group, detections[j].box_xyxy) for i, j in sorted(now.items())]
        changes = sum(lacks(wanted[i], detections[j]) for i, j in now.items())
        return changes, len(violations(boxes, rules, canvas, relation_slack(canvas)))

    best = faults(pairs)
    improved = best[1] > 0
    while improved:
        improved = False
        trials: list[dict[int, int]] = []
        for a, b in itertools.combinations(sorted(pairs), 2):
            if same_noun(wanted[a].noun, wanted[b].noun):
                trials.append({**pairs, a: pairs[b], b: pairs[a]})
        spare = sorted(set(range(len(detections))) - set(pairs.values()))
        for i, j in itertools.product(sorted(pairs), spare):
            if same_noun(wanted[i].noun, detections[j].noun):
                trials.append({**pairs, i: j})
        for trial in trials:
            now = faults(trial)
            if now < best:
                best, pairs, improved = now, trial, True
                break
    return pairs


def relation_slack(canvas: Canvas) -> float:
    """How clearly a relation must hold in a picture that is looked at, in pixels between the centres."""
    return 0.02 * canvas.unit
