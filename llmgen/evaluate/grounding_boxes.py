"""Boxes that a model names in its words, against planned boxes. Arithmetic only."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from llmgen.evaluate.points_in_mask import match_best
from llmgen.vision.boxes import BoxTuple, iou, xywh_to_xyxy

_GROUP = re.compile(r"\[\[([^\[\]]*)\]\]")
_BOX = re.compile(r"\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*")
THOUSANDTHS = 1000
LONGEST_WORD = 200
"""As far back as a label is looked for: a hostile reply of many groups must not be read from its beginning for each."""


@dataclass(frozen=True)
class NamedBox:
    """A box with the word it belongs to."""

    label: str
    box: BoxTuple
    """Corners in pixels."""
    first: bool = True
    """False for a further box of one group, which the published score drops."""


def read_grounded_reply(text: str, width: int, height: int) -> list[NamedBox]:
    """Boxes of a reply such as `a dog [[410,600,555,870]]`.

    Args:
        text: What the model said. Coordinates are corners in thousandths of the picture; several boxes in one pair of double brackets
            are separated by `;`. The label is the last word before the brackets.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        Boxes in the order of the text, cut to whole pixels; groups without a word or without four numbers are left out.

    Source:
        CogVLM's grounding replies as the reproduction of InstanceDiffusion reads them.
    """
    named = []
    for group in _GROUP.finditer(text):
        words = text[max(0, group.start() - LONGEST_WORD) : group.start()].split()
        boxes = [match for part in group[1].split(";") if (match := _BOX.fullmatch(part))]
        if not words or not boxes:
            continue
        label = words[-1].strip(".,:;!?\"'()") or words[-1]
        for number, box in enumerate(boxes):
            x0, y0, x1, y1 = (int(part) for part in box.groups())
            corners = (
                int(x0 / THOUSANDTHS * width),
                int(y0 / THOUSANDTHS * height),
                int(x1 / THOUSANDTHS * width),
                int(y1 / THOUSANDTHS * height),
            )
            named.append(NamedBox(label, corners, first=number == 0))
    return named


def best_by_label(
    found: Sequence[NamedBox], planned: Sequence[NamedBox], reading: Literal["xywh", "corners"]
) -> dict[str, float]:
    """Best IoU of each label that both sides have; one planned box may serve many found ones.

    Args:
        found: What the model named.
        planned: What was planned.
        reading: How the four numbers of both sides are read. `xywh` is what was published, although both sides write corners.

    Returns:
        Label, in lower case, to IoU in [0, 1]; labels without partner are left out.

    Source:
        The reproduction of InstanceDiffusion, CogVLM grounding IoU.
    """
    best: dict[str, float] = {}
    for one in found:
        for other in planned:
            label = one.label.lower()
            if label == other.label.lower():
                a, b = (xywh_to_xyxy(one.box), xywh_to_xyxy(other.box)) if reading == "xywh" else (one.box, other.box)
                best[label] = max(best.get(label, 0.0), iou(a, b))
    return best


def match_by_label(found: Sequence[NamedBox], planned: Sequence[NamedBox]) -> list[float | None]:
    """IoU of each planned box with its one partner of the same label, partners chosen for the greatest sum.

    Args:
        found: What the model named.
        planned: What was planned.

    Returns:
        One entry for each planned box, None for one without partner.
    """
    overlaps = np.array([[iou(p.box, f.box) for f in found] for p in planned]).reshape(len(planned), len(found))
    allowed = np.array([[p.label.lower() == f.label.lower() for f in found] for p in planned], dtype=bool)
    pairs = match_best(overlaps, allowed.reshape(overlaps.shape))
    values: list[float | None] = [None] * len(planned)
    for i, j in pairs:
        values[i] = float(overlaps[i, j])
    return values


def mean_iou(matched: Sequence[float | None]) -> float | None:
    """Mean over planned boxes, a miss being 0; None when nothing was planned."""
    return sum(value or 0.0 for value in matched) / len(matched) if matched else None


def recall(matched: Sequence[float | None], threshold: float) -> float | None:
    """Share of planned boxes whose partner overlaps them by the threshold or more; None when nothing was planned."""
    return sum((value or 0.0) >= threshold for value in matched) / len(matched) if matched else None
