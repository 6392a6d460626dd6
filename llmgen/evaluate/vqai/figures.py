"""The published figures of VQAI, from similarities on the scale 0 to 100; pure arithmetic."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOP = 100
"""The scale of the scores: the logit scale that CLIP's training is capped at, and that the published ViT-B/32 has."""


@dataclass(frozen=True)
class Figures:
    """Similarity to the target, of some samples with several pictures each.

    Attributes:
        samples: How many samples have scores.
        sim_avg: Mean over all pictures, / 100; None without samples, and so are the others.
        sim_best: Mean of each sample's best picture, / 100.
        auc_avg: Area under the curve of the share of pictures above a threshold.
        auc_best: The same of each sample's best picture.
    """

    samples: int
    sim_avg: float | None = None
    sim_best: float | None = None
    auc_avg: float | None = None
    auc_best: float | None = None


def area_under_thresholds(scores: Iterable[float]) -> float:
    """Mean over the thresholds 1 to 100 of the share of scores above, in closed form.

    A score s lies above ceil(s) - 1 of these thresholds, so the area is the mean of (ceil(s) - 1) / 100: the similarity less about
    0.005. It says nothing that the similarity does not say, and is here because it was published.

    Args:
        scores: At least one, usually 0 to 100.

    Source:
        LGD (Li et al. 2024), section 8 of the specification.
    """
    above = [min(max(math.ceil(score) - 1, 0), TOP) for score in scores]
    return sum(above) / len(above) / TOP


def figures_of(scores: Sequence[Sequence[float]]) -> Figures:
    """The figures of some samples.

    Args:
        scores: For each sample the scores of its pictures, 0 to 100; samples without pictures do not count.
    """
    scored = [own for own in scores if own]
    if not scored:
        return Figures(0)
    every, best = [score for own in scored for score in own], [max(own) for own in scored]
    return Figures(
        len(scored),
        sum(every) / len(every) / TOP,
        sum(best) / len(best) / TOP,
        area_under_thresholds(every),
        area_under_thresholds(best),
    )


def figures_by_category(
    scores: Mapping[str, Sequence[float]], categories: Mapping[str, Iterable[str]]
) -> dict[str, Figures]:
    """The figures of each category.

    Args:
        scores: Sample to the scores of its pictures, 0 to 100.
        categories: Category to its samples, each of which counts once. Those without scores are counted nowhere here, so whoever
            calls counts them.
    """
    return {
        name: figures_of([scores[sample] for sample in dict.fromkeys(samples) if sample in scores])
        for name, samples in categories.items()
    }


def similarities(one: ArrayLike, others: ArrayLike, log_logit_scale: float = math.log(TOP)) -> list[float]:
    """Scores of pictures against one of them: logit scale times cosine.

    Args:
        one: [D] image embedding of any length.
        others: [N, D].
        log_logit_scale: Natural logarithm of the scale, as CLIP keeps it.

    Returns:
        N scores.
    """
    first, rest = _unit(np.asarray(one, dtype=np.float64)), _unit(np.asarray(others, dtype=np.float64))
    return [float(value) for value in math.exp(log_logit_scale) * (rest @ first)]


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
