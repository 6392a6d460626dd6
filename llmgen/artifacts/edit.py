"""Typed operations that turn the picture that is into the picture that should be."""

from typing import Annotated, Literal

from pydantic import Field

from llmgen.artifacts.base import ArtifactModel, Box
from llmgen.artifacts.detection import Mask
from llmgen.artifacts.image import ImageRef
from llmgen.artifacts.layout import Instance


class AddEdit(ArtifactModel):
    """Draw a new object in a box."""

    op: Literal["add"] = "add"
    """Draw a new object."""
    target: str
    """Id of the new object, for example `red ball #2`."""
    phrase: str
    """What to draw, with article, for example `a red ball`."""
    noun: str
    """Its head noun in the singular."""
    attributes: tuple[str, ...] = ()
    """What is asked of it, for example `red`."""
    box_xyxy: Box
    """Where to draw it."""


class DeleteEdit(ArtifactModel):
    """Remove a detected object."""

    op: Literal["delete"] = "delete"
    """Remove an object."""
    target: str
    """Id of the detection."""
    box_xyxy: Box
    """Where it is."""


class MoveEdit(ArtifactModel):
    """Bring a detected object to another place or size."""

    op: Literal["move", "resize"]
    """`move` keeps the size, `resize` does not."""
    target: str
    """Id of the detection."""
    from_box_xyxy: Box
    """Where it is."""
    box_xyxy: Box
    """Where it should be."""


class ChangeAttributeEdit(ArtifactModel):
    """Give a detected object other attributes, in place."""

    op: Literal["change_attribute"] = "change_attribute"
    """Give an object other attributes."""
    target: str
    """Id of the detection."""
    phrase: str
    """What it should be, with article, for example `a blue ball`."""
    noun: str
    """Its head noun in the singular."""
    attributes: tuple[str, ...]
    """The attributes it should have."""
    box_xyxy: Box
    """Where it is, and stays."""


class RepaintEdit(ArtifactModel):
    """Paint a detected object anew, in place, with more detail."""

    op: Literal["repaint"] = "repaint"
    """Paint an object anew."""
    target: str
    """Id of the detection, or of the first of several that are painted as one."""
    phrase: str
    """What it is, with article, for example `a red ball`."""
    noun: str
    """Its head noun in the singular."""
    tags: tuple[str, ...] = ()
    """What it should look like, most important first, for example `a striped red ball`."""
    negative_tags: tuple[str, ...] = ()
    """What it should not look like."""
    box_xyxy: Box
    """Where it is, and stays."""
    mask: Mask | None = None
    """The pixels that are painted, before their edge is softened; the box where there is none."""
    strength: float = Field(gt=0, le=1)
    """How much noise is added, 0 to 1; 1 ignores what was there."""

    @property
    def description(self) -> str:
        """Object and tags as one text. The object is left out where a tag names it."""
        named = any(self.noun.lower() in tag.lower() for tag in self.tags)
        return ", ".join(self.tags if named else (self.phrase, *self.tags))


Edit = Annotated[AddEdit | DeleteEdit | MoveEdit | ChangeAttributeEdit | RepaintEdit, Field(discriminator="op")]


class EditOutcome(ArtifactModel):
    """What became of one edit of a plan."""

    target: str
    """The edit's target."""
    status: Literal["painted", "skipped", "rolled_back"]
    """Whether its picture was kept, none was painted, or one was painted and dropped."""
    reason: str | None = None
    """Why it was skipped or rolled back; what came before it, such as a reply that could not be used."""
    before: ImageRef | None = None
    """The picture that it started from; null where none was painted."""
    after: ImageRef | None = None
    """The picture that it made, also where that was dropped."""
    window_xyxy: Box | None = None
    """The part of the picture that was painted; the mask lies inside."""
    painted_width: int | None = Field(default=None, gt=0)
    """Width in pixels at which that part was painted."""
    painted_height: int | None = Field(default=None, gt=0)
    """Height in pixels at which that part was painted."""
    steps: int | None = Field(default=None, ge=0)
    """Denoising steps that it took."""
    score_before: float | None = None
    """How well object and tags fitted the picture before, by the role `clip`."""
    score_after: float | None = None
    """How well they fit afterwards."""
    found_iou: float | None = Field(default=None, ge=0, le=1)
    """Overlap of the object's box with what the detector found there afterwards; 0 where it found nothing of its kind."""


class EditPlan(ArtifactModel):
    """What `correct` decided to do, and the layout that should come out."""

    edits: tuple[Edit, ...] = ()
    """In the order in which they are carried out."""
    target: tuple[Instance, ...] = ()
    """All objects after the edits, in order; ids are those of the detections and of the additions."""
    reasoning: str | None = None
    """Why, in the planner's words."""
