"""Typed operations that turn the picture that is into the picture that should be."""

from typing import Annotated, Literal

from pydantic import Field

from llmgen.artifacts.base import ArtifactModel, Box
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


Edit = Annotated[AddEdit | DeleteEdit | MoveEdit | ChangeAttributeEdit, Field(discriminator="op")]


class EditPlan(ArtifactModel):
    """What `correct` decided to do, and the layout that should come out."""

    edits: tuple[Edit, ...] = ()
    """In the order in which they are carried out."""
    target: tuple[Instance, ...] = ()
    """All objects after the edits, in order; ids are those of the detections and of the additions."""
    reasoning: str | None = None
    """Why, in the planner's words."""
