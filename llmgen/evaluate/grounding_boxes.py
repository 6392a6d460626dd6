"""Boxes that a model names in its words, against planned boxes. Arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from llmgen.evaluate.coco_words import coco_name, names_class
from llmgen.evaluate.points_in_mask import match_best
from llmgen.llm.english.grammar import head_noun
from llmgen.llm.english.words import bare
from llmgen.llm.replies.bounds import Remark
from llmgen.llm.replies.grounding_reply import read_grounding_reply
from llmgen.vision.boxes import BoxTuple, iou, xywh_to_xyxy


@dataclass(frozen=True)
class NamedBox:
    """A box with the word it belongs to."""

    label: str
    box: BoxTuple
    """Corners in pixels."""
    first: bool = True
    """False for a further box of one group, which the published score drops."""


def read_grounded_reply(text: str, width: int, height: int, remark: Remark | None = None) -> list[NamedBox]:
    """Boxes of a reply such as `a dog [[410,600,555,870]]`, or of any other form that the common models write.

    Args:
        text: What the model said; see `llmgen.llm.replies.grounding_reply`.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        remark: Told what was left out; the log by default.

    Returns:
        Boxes in the order of the text. A label is the last word before the brackets, or the class or head noun of the phrase that names
        the boxes.

    Raises:
        ModelError: If no box can be read in it.

    Source:
        CogVLM's grounding replies as the reproduction of InstanceDiffusion reads them.
    """
    return [
        NamedBox(_noun(said.label) if said.words else said.label, said.corners, said.first)
        for said in read_grounding_reply(text, width, height, remark=remark)
    ]


def _noun(phrase: str) -> str:
    """What a phrase names: a class it is the name of, else its head noun."""
    plain = bare(phrase.lower())
    return coco_name(plain) if names_class(plain) else head_noun(plain) or plain


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
