"""Several pictures of one prompt: each has its own seed, and all stand in one record."""

from collections.abc import Sequence

from pydantic import Field

from llmgen.artifacts.base import ArtifactModel, check_inside
from llmgen.artifacts.detection import Detection
from llmgen.artifacts.image import ImageRef
from llmgen.artifacts.interaction import WordAttention
from llmgen.artifacts.score import Score


class Sample(ArtifactModel):
    """One of several pictures that were drawn of one prompt."""

    index: int = Field(ge=0)
    """Its place among the samples of the record, from 0."""
    seed: int = Field(ge=0, lt=2**63)
    """What its noise was drawn from."""
    image: ImageRef
    """The picture as it was drawn."""
    detections: tuple[Detection, ...] | None = None
    """What the detector found in it; null when nobody has looked."""
    scores: tuple[Score, ...] | None = None
    """What `evaluate` found about it; null when nobody has scored it."""
    attention: WordAttention | None = None
    """Where it attended to the object's word, if that was read."""
    chosen: bool = False
    """Whether the record goes on with this picture: it is the record's `image` until a later stage makes another."""
    reason: str | None = None
    """Why it was chosen, or why not, when somebody chose."""


def check_samples(samples: Sequence[Sample]) -> None:
    """Refuse samples that contradict each other.

    Args:
        samples: All samples of one record.

    Raises:
        ValueError: If they are not numbered from 0 on, not exactly one is chosen, or a detection leaves its picture.
    """
    if [sample.index for sample in samples] != list(range(len(samples))):
        raise ValueError("samples are numbered 0, 1, 2, ... in order")
    if samples and sum(sample.chosen for sample in samples) != 1:
        raise ValueError("exactly one sample is the chosen one")
    for sample in samples:
        for found in sample.detections or ():
            what = f"sample {sample.index}: detection {found.id!r}"
            check_inside(found.box_xyxy, sample.image.width, sample.image.height, what)
