"""What should be where: instances with boxes, a background, what must be absent."""

from typing import Self

from pydantic import Field, model_validator

from llmgen.artifacts.base import ArtifactModel, Box, check_inside


class Instance(ArtifactModel):
    """One object of a layout."""

    id: str = Field(min_length=1)
    """Name of the instance, unique in its layout, for example `ball-1`."""
    phrase: str = Field(min_length=1)
    """Free text of the instance with its article, for example `a red ball`."""
    noun: str | None = None
    """Head noun in the singular (may be two words), for example `ball`."""
    attributes: tuple[str, ...] = ()
    """What the prompt asks of it, for example `red`."""
    box_xyxy: Box
    """Where it should be."""


class Layout(ArtifactModel):
    """A planned picture."""

    width: int = Field(gt=0, le=16384)
    """Width of the canvas in pixels."""
    height: int = Field(gt=0, le=16384)
    """Height of the canvas in pixels."""
    background_prompt: str
    """The scene without its objects, for example `a meadow`."""
    negative_prompt: str = ""
    """What the picture should not show, as text for the sampler."""
    absent: tuple[str, ...] = ()
    """Singular nouns that must not appear; detectors look for them too."""
    instances: tuple[Instance, ...] = ()
    """The objects, later ones in front."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        seen: set[str] = set()
        for instance in self.instances:
            if instance.id in seen:
                raise ValueError(f"two instances are called {instance.id!r}")
            seen.add(instance.id)
            check_inside(instance.box_xyxy, self.width, self.height, f"instance {instance.id!r}")
        return self
