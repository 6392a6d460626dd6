"""How near a thing is to where it should be, and how far a pose moved: pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.artifacts import AddEdit, ImageRef, MoveEdit, Record
from llmgen.llm.english.grammar import read_phrase
from llmgen.vision.boxes import BoxTuple, center, iou

SURE: Final = 0.3
"""Joints below this score are not looked at."""
FEWEST: Final = 4
"""Fewer joints than this are no pose."""


@dataclass(frozen=True)
class Sight:
    """One thing as it was found in a picture.

    Attributes:
        box: In pixels.
        score: How sure the detector is, in [0, 1].
        joints: Name to x, y in pixels and score; empty where nobody looked for any.
    """

    box: BoxTuple
    score: float
    joints: Mapping[str, tuple[float, float, float]]

    def by_part(self) -> dict[str, list[tuple[float, float]]]:
        """`wrist`, `ankle`, `nose` and so on to the places where they are surely, left and right together."""
        found: dict[str, list[tuple[float, float]]] = {}
        for name, (x, y, score) in self.joints.items():
            if score >= SURE:
                found.setdefault(name.rpartition("_")[2], []).append((x, y))
        return found


def wanted_box(record: Record, image: ImageRef) -> tuple[BoxTuple, str] | None:
    """Where the object of a record's interaction should be, in the pixels of a picture, and who says so.

    The plan of a correction wins over the layout, whose boxes are a guess made before anything was drawn.
    """
    layout = record.layout
    if layout is None or layout.interaction is None:
        return None
    noun = noun_of(layout.interaction.object.text)
    if record.edits is not None:
        places = {instance.id: instance for instance in record.edits.target}
        drawn = next((entry.image for entry in reversed(record.history) if entry.stage == "correct"), record.image)
        size = (drawn.width, drawn.height) if drawn is not None else (layout.width, layout.height)
        for edit in reversed(record.edits.edits):
            if isinstance(edit, AddEdit):
                ours = edit.noun == noun
            elif isinstance(edit, MoveEdit):
                named = places.get(edit.target)
                ours = named is None or (named.noun or noun_of(named.phrase)) == noun
            else:
                continue
            if ours:
                return _scaled(edit.box_xyxy, size, image), "plan"
        for instance in record.edits.target:
            if (instance.noun or noun_of(instance.phrase)) == noun:
                return _scaled(instance.box_xyxy, size, image), "plan"
    # The subject comes first in such a layout, also where both have one noun.
    for instance in reversed(layout.instances):
        if (instance.noun or noun_of(instance.phrase)) == noun:
            return _scaled(instance.box_xyxy, (layout.width, layout.height), image), "layout"
    return None


def noun_of(phrase: str) -> str:
    """The noun of a phrase in the singular, for example `bird` of `a red bird`."""
    return read_phrase(phrase)[0]


def _scaled(box: Sequence[float], size: tuple[int, int], image: ImageRef) -> BoxTuple:
    across, down = image.width / size[0], image.height / size[1]
    x0, y0, x1, y1 = box
    return (x0 * across, y0 * down, x1 * across, y1 * down)


def distance(box: Sequence[float], other: Sequence[float], image: ImageRef) -> float:
    """From centre to centre, in diagonals of the picture."""
    return math.dist(center(box), center(other)) / math.hypot(image.width, image.height)


def same_person(people: Sequence[Sight], before: Sight | None) -> Sight | None:
    """Who of some people is the one of another picture: who overlaps them most, or the surest where nobody does."""
    if before is not None and people:
        best = max(people, key=lambda person: iou(person.box, before.box))
        if iou(best.box, before.box) > 0:
            return best
    return people[0] if people else None


def pose_distance(one: Sight, other: Sight) -> float | None:
    """Mean distance of the joints that are sure in both pictures, in heights of the first figure's box.

    Args:
        one: Before.
        other: After, in a picture of the same size.

    Returns:
        None for fewer than `FEWEST` such joints.
    """
    names = [
        name for name, joint in one.joints.items() if joint[2] >= SURE and other.joints.get(name, (0, 0, 0))[2] >= SURE
    ]
    if len(names) < FEWEST:
        return None
    apart = [math.dist(one.joints[name][:2], other.joints[name][:2]) for name in names]
    return sum(apart) / len(apart) / (one.box[3] - one.box[1])
