"""What a language model is asked to answer with: flat, strict, every field required, boxes as named numbers.

These are wire formats, made for constrained decoding (no tuples, no free dictionaries, no optional fields). They are
turned into artifacts by `llmgen.llm.replies`, which also repairs what models like to get wrong.
"""

from pydantic import ConfigDict

from llmgen.artifacts.documented import DocumentedModel


class WireModel(DocumentedModel):
    """Base of the wire formats: strict, nothing unknown, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class WireBox(WireModel):
    """A box in pixels of the canvas."""

    x: float
    """Left edge."""
    y: float
    """Top edge; y grows downwards."""
    width: float
    height: float


class ParsedInstance(WireModel):
    """One wanted object."""

    attributes: list[str]
    """What the prompt asks of it, for example ["red", "small"]; empty when it asks nothing."""


class ParsedObject(WireModel):
    """All wanted objects of one noun."""

    noun: str
    """Singular, without article and attributes, for example "palm tree"."""
    instances: list[ParsedInstance]
    """One entry for each object that should be there; empty for a noun that is only to be avoided."""


class ParsedPrompt(WireModel):
    """What a prompt asks for."""

    reasoning: str
    """A short thought, written first."""
    objects: list[ParsedObject]
    background: str
    """The scene without its objects."""
    negative: list[str]
    """Singular nouns that must not be in the picture."""


class PlannedObject(WireModel):
    """One object of a planned picture."""

    noun: str
    """Singular, without article and attributes."""
    attributes: list[str]
    box: WireBox


class LayoutPlan(WireModel):
    """A planned picture."""

    reasoning: str
    """A short thought, written first."""
    objects: list[PlannedObject]
    """One entry for each object."""
    background: str
    """The scene without its objects."""
    negative: list[str]
    """Singular nouns that must not be in the picture."""


class MovedObject(WireModel):
    """A detected object and where it should be."""

    id: str
    box: WireBox


class ChangedObject(WireModel):
    """A detected object and what it should be like."""

    id: str
    attributes: list[str]
    """All attributes it should have."""


class LayoutUpdate(WireModel):
    """What to do with the objects that were detected, and what to add."""

    reasoning: str
    """A short thought, written first."""
    keep: list[str]
    """Ids of objects that are right."""
    delete: list[str]
    """Ids of objects that should not be there."""
    move: list[MovedObject]
    change: list[ChangedObject]
    add: list[PlannedObject]


class PictureAnswer(WireModel):
    """An answer to a question about a picture, for people and for an editor."""

    reasoning: str
    """A short thought, written first."""
    answer: str
    """One sentence that says what is different afterwards."""
    edit_instruction: str
    """One order to a picture editor."""
