"""What should be where: instances with boxes, a background, what must be absent."""

from typing import Annotated, Any

from pydantic import Field

from llmgen.artifacts.base import ArtifactModel, Box, check_inside
from llmgen.artifacts.detection import Mask
from llmgen.artifacts.interaction import Interaction
from llmgen.artifacts.run_lengths import read_runs

MOST_SCRIBBLE_POINTS = 1000

Point = Annotated[tuple[float, float], Field(description="x, y in pixels, origin top left")]


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
    point_xy: Point | None = None
    """A point on it, inside the canvas; methods that read points take the middle of the box when null."""
    scribble_xy: tuple[Point, ...] | None = Field(default=None, max_length=MOST_SCRIBBLE_POINTS)
    """A stroke along it, two points or more inside the canvas, in the order it was drawn."""
    mask: Mask | None = None
    """Its pixels, as large as the canvas and not empty."""

    def model_post_init(self, context: Any, /) -> None:
        """Refuse a stroke of one point."""
        super().model_post_init(context)
        if self.scribble_xy is not None and len(self.scribble_xy) < 2:
            count = {0: "no points", 1: "one point"}[len(self.scribble_xy)]
            raise ValueError(f"instance {self.id!r}: its scribble has {count}; it needs two or more, or null")


class Layout(ArtifactModel):
    """A planned picture."""

    width: int = Field(gt=0, le=16384)
    """Width of the canvas in pixels."""
    height: int = Field(gt=0, le=16384)
    """Height of the canvas in pixels."""
    description: str | None = None
    """The whole picture in one sentence, when whoever planned it has one to be drawn in place of the prompt."""
    background_prompt: str
    """The scene without its objects, for example `a meadow`."""
    negative_prompt: str = ""
    """What the picture should not show, as text for the sampler."""
    absent: tuple[str, ...] = ()
    """Singular nouns that must not appear; detectors look for them too."""
    instances: tuple[Instance, ...] = ()
    """The objects, later ones in front."""
    interaction: Interaction | None = None
    """Who does what with what, where the picture is about that."""

    def model_post_init(self, context: Any, /) -> None:
        """Refuse two instances of one name, and what lies outside the canvas."""
        super().model_post_init(context)
        seen: set[str] = set()
        for instance in self.instances:
            if instance.id in seen:
                raise ValueError(f"two instances are called {instance.id!r}")
            seen.add(instance.id)
            what = f"instance {instance.id!r}"
            check_inside(instance.box_xyxy, self.width, self.height, what)
            if instance.point_xy is not None:
                _check_points((instance.point_xy,), self.width, self.height, f"{what}: point")
            _check_points(instance.scribble_xy or (), self.width, self.height, f"{what}: scribble point")
            if instance.mask is not None:
                _check_mask(instance.mask, self.width, self.height, what)


def _check_points(points: tuple[Point, ...], width: int, height: int, what: str) -> None:
    for x, y in points:
        if not (-0.5 <= x <= width + 0.5 and -0.5 <= y <= height + 0.5):
            raise ValueError(f"{what} [{x:g}, {y:g}] lies outside the {width}x{height} picture")


def _check_mask(mask: Mask, width: int, height: int, what: str) -> None:
    mask.check_size(width, height, what)
    if not any(read_runs(mask.counts, height, width)[1::2]):
        raise ValueError(f"{what}: its mask is empty; leave it out or mark at least one pixel")
