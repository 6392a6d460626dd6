"""Boxes of an open-vocabulary detector as hits."""

from collections.abc import Sequence

import torch
from torch import Tensor

from llmgen.vision.boxes import clip
from llmgen.vision.protocols import PhraseHit


def hits_of(
    scores: Tensor,
    labels: Tensor,
    boxes: Sequence[Sequence[float]],
    queries: Sequence[str],
    size: tuple[int, int],
    threshold: float,
) -> list[PhraseHit]:
    """What a detector found in one picture, best first.

    Args:
        scores: `[boxes]` of each box's best query, in [0, 1].
        labels: `[boxes]`, which query that is.
        boxes: Centre and size of each in pixels.
        queries: The phrases.
        size: Width, height of the picture in pixels.
        threshold: Least score.

    Returns:
        Hits with boxes clipped to the picture. Those whose middle lies in the padding beside it are left out: nothing is there to see.
    """
    hits = []
    for place in torch.argsort(scores, descending=True, stable=True).tolist():
        score = scores[place].item()
        if score < threshold:
            break
        cx, cy, w, h = boxes[place]
        box = clip((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), *size)
        if 0 <= cx <= size[0] and 0 <= cy <= size[1] and box[2] > box[0] and box[3] > box[1]:
            hits.append(PhraseHit(queries[int(labels[place])], box, score))
    return hits
