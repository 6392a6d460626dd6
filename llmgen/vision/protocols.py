"""What the methods expect of models that look at pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class PhraseHit:
    """One box that a detector gave to one of its queries."""

    query: str
    """The winning query, verbatim."""
    box_xyxy: tuple[float, float, float, float]
    """Pixels of the picture that was given, clipped to it."""
    score: float
    """In [0, 1]."""


class PhraseDetector(Protocol):
    """An open-vocabulary detector."""

    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float
    ) -> list[list[PhraseHit]]:
        """Look for phrases.

        Args:
            images: RGB pictures of any size.
            queries: For each picture its phrases, for example `["image of a red ball", "image of a car"]`. The queries of one
                picture compete: every predicted box belongs to its best query only.
            threshold: Least score of a hit, in [0, 1].

        Returns:
            For each picture its hits, best first, not yet suppressed by overlap.
        """
        ...


class Segmenter(Protocol):
    """A model that turns boxes into masks."""

    def segment(
        self, image: Image.Image, boxes_xyxy: Sequence[tuple[float, float, float, float]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Propose three masks for each box.

        Args:
            image: RGB picture, `h x w`.
            boxes_xyxy: `n` boxes in pixels.

        Returns:
            Masks `bool[n, 3, h, w]` and the model's own estimate of their IoU, `float32[n, 3]`.
        """
        ...


class PhraseScorer(Protocol):
    """A model that says how well phrases fit a crop."""

    @property
    def measure(self) -> Literal["cosine", "hit"]:
        """What a score is: a cosine as CLIP has it, or the score of a detector's best hit."""
        ...

    def score_phrases(self, crops: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[float]]:
        """Compare crops with phrases.

        Args:
            crops: RGB crops of any size, none without pixels.
            phrases: For each crop its phrases, for example `["a red object", "a blue object"]`.

        Returns:
            For each crop one score a phrase, more is better; scores of one crop can be compared with each other.
        """
        ...
