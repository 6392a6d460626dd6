"""What a detector found."""

from typing import Annotated

from pydantic import Field

from llmgen.artifacts.base import ArtifactModel, Box


class Mask(ArtifactModel):
    """COCO run-length encoding of a binary mask."""

    size: Annotated[tuple[int, int], Field(description="height, width in pixels")]
    counts: str
    """Compressed counts as pycocotools writes them, decoded to ASCII."""


class Detection(ArtifactModel):
    """One found object."""

    id: str = Field(min_length=1)
    """Unique in the picture: phrase and running number, for example `red ball #1`."""
    phrase: str = Field(min_length=1)
    """What it was found as: attributes that were confirmed, then the noun, no article, for example `red ball`."""
    noun: str = Field(min_length=1)
    """Head noun in the singular."""
    attributes: tuple[str, ...] = ()
    """Only the attributes that the attribute pass confirmed."""
    box_xyxy: Box
    """Where it is."""
    score: float = Field(ge=0, le=1)
    """The detector's own confidence, 0 to 1."""
    mask: Mask | None = None
    """Its pixels, if a segmenter looked."""
