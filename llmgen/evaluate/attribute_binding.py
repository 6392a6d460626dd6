"""Does each instance have its colour or texture, by scores of phrases on its crop. Arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass

#: Index = id of the annotation modulo 8.
COLORS = ("black", "white", "red", "green", "yellow", "blue", "pink", "purple")
TEXTURES = ("rubber", "fluffy", "metallic", "wooden", "plastic", "fabric", "leather", "glass")


@dataclass(frozen=True)
class CropScores:
    """What a model said about one crop."""

    wanted: int
    """Index of the attribute that was asked for."""
    scores: tuple[float, ...] | None
    """One score for each attribute of the vocabulary; None for a crop without pixels."""
    local: float | None = None
    """Score of attribute and category together, such as `red bus`."""


def attribute_of(annotation_id: int, vocabulary: Sequence[str]) -> str:
    """The attribute that the benchmark gives to an annotation.

    Source:
        InstanceDiffusion (Wang et al. 2024): the remainder of the id chooses from eight colours or eight textures.
    """
    return vocabulary[annotation_id % len(vocabulary)]


def attribute_prompts(vocabulary: Sequence[str]) -> list[str]:
    """What a crop is compared with, for example `a red object`."""
    return [f"a {attribute} object" for attribute in vocabulary]


def is_hit(crop: CropScores) -> bool:
    """Whether the attribute that was asked for fits best; of equals the first does."""
    if crop.scores is None:
        return False
    return max(range(len(crop.scores)), key=lambda i: crop.scores[i]) == crop.wanted  # type: ignore[index]


def accuracy(crops: Sequence[CropScores], *, strict: bool = False) -> float | None:
    """Share of one picture's crops that are hits.

    Args:
        crops: One entry for each instance.
        strict: Count a crop without pixels as wrong; as published it is skipped.

    Returns:
        In [0, 1]; None when no crop counts.
    """
    counted = [crop for crop in crops if strict or crop.scores is not None]
    return sum(map(is_hit, counted)) / len(counted) if counted else None


def local_score(crops: Sequence[CropScores]) -> float | None:
    """Mean score of attribute and category over one picture's crops; None when there is none."""
    values = [crop.local for crop in crops if crop.local is not None]
    return sum(values) / len(values) if values else None
