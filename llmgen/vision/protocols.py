"""What the methods expect of models that look at pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

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


class PhraseReader(Protocol):
    """A model that reads phrases."""

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        """Which phrases are too long to be read to their ends.

        Args:
            phrases: As they are asked.

        Returns:
            One line for each, to be remarked on.
        """
        ...


class PhraseDetector(PhraseReader, Protocol):
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


@dataclass(frozen=True, eq=False)
class FoundInstance:
    """One object that a detector of closed classes found."""

    label: str
    """One of the detector's classes."""
    box_xyxy: tuple[float, float, float, float]
    """Pixels of the picture that was given, clipped to it."""
    score: float
    """In [0, 1]."""
    mask: NDArray[np.bool_]
    """`bool[h, w]`, as large as the picture; may be empty."""


@dataclass(frozen=True)
class InstanceThresholds:
    """What counts as found; None where the detector's own is meant."""

    score: float | None = None
    """Least score, in [0, 1]."""
    nms: float | None = None
    """Overlap (IoU) from which the weaker of two boxes of one class is dropped."""
    most: int | None = None
    """Most instances of a picture, the best ones."""
    mask: float = 0.5
    """Least probability of a pixel of a mask."""


OWN_THRESHOLDS: Final = InstanceThresholds()
"""Those of the detector."""


class InstanceDetector(Protocol):
    """A detector with a list of classes of its own, which also says which pixels."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What it can find."""
        ...

    def detect_instances(
        self, images: Sequence[Image.Image], thresholds: InstanceThresholds = OWN_THRESHOLDS
    ) -> list[list[FoundInstance]]:
        """Find all instances of its classes.

        Args:
            images: RGB pictures of any size.
            thresholds: What counts as found.

        Returns:
            For each picture its instances, best first over all classes; overlaps of different classes are kept.
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


class PhraseScorer(PhraseReader, Protocol):
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


class PictureEncoder(Protocol):
    """A model that turns pictures into vectors, which can be compared by their angle."""

    def picture_features(self, pictures: Sequence[Image.Image]) -> list[list[float]]:
        """Vectors of length 1, one a picture.

        Args:
            pictures: RGB pictures of any size, none without pixels.
        """
        ...


@dataclass(frozen=True, eq=False)
class FigurePose:
    """Joints of one figure, in the order of the estimator's `joints`."""

    points_xy: NDArray[np.float32]
    """[K, 2] pixels of the picture; a joint that the figure's box leaves out may lie outside the picture."""
    scores: NDArray[np.float32]
    """[K], how sure the model is of each, about 0..1."""


class PoseEstimator(Protocol):
    """A model that finds the joints of figures whose boxes are known, from a detector for example."""

    joints: tuple[str, ...]
    """Their names."""

    def estimate_poses(
        self, images: Sequence[Image.Image], boxes_xyxy: Sequence[Sequence[Sequence[float]]]
    ) -> list[list[FigurePose]]:
        """Find joints.

        Args:
            images: RGB pictures.
            boxes_xyxy: For each picture the boxes of its figures in pixels, perhaps none.

        Returns:
            For each picture a pose for each of its boxes, in their order.
        """
        ...
