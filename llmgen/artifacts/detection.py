"""What a detector found."""

from typing import Annotated, Any

from pydantic import Field

from llmgen.artifacts.base import ArtifactModel, Box
from llmgen.artifacts.run_lengths import read_runs

Side = Annotated[int, Field(gt=0, le=16384)]


class Mask(ArtifactModel):
    """COCO run-length encoding of a binary mask. It decodes: the run lengths are checked when a mask is made."""

    size: Annotated[tuple[Side, Side], Field(description="height, width in pixels")]
    counts: str
    """Compressed counts as pycocotools writes them, decoded to ASCII."""

    def model_post_init(self, context: Any, /) -> None:
        """Refuse what does not decode."""
        super().model_post_init(context)
        read_runs(self.counts, *self.size)

    def check_size(self, width: int, height: int, what: str) -> None:
        """Refuse a mask that is not as large as its picture.

        Args:
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.
            what: Words for the message, such as `instance 'ball-1'`.

        Raises:
            ValueError: If it is not.
        """
        if self.size != (height, width):
            rows, columns = self.size
            raise ValueError(f"{what}: its mask is {columns}x{rows}, the picture {width}x{height}; they must be equal")


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
