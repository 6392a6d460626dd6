"""What a painter of edits is given, what it gives back, and what it keeps of a picture between."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, Detection, EditPlan
from llmgen.correct.addition_guide import Addition
from llmgen.vision.masks import BoolMask


@dataclass(frozen=True)
class Job:
    """One picture and what should change in it."""

    image: Image.Image
    plan: EditPlan
    detections: Sequence[Detection]
    background: str
    """The scene without its objects, for example `a meadow`."""
    negative: str
    seed: int
    instruction: str = ""
    """What somebody asked for in words, while nothing has been done about it; for painters that read."""


@dataclass(frozen=True)
class Painted:
    """A picture after its edits."""

    image: Image.Image
    region: Image.Image
    """White where pixels could change."""


@dataclass
class Layer:
    """What one edit puts into the picture."""

    pixels: BoolMask
    """`bool[h, w]`."""
    trajectory: Tensor | None = None
    """`[T + 1, c, h / f, w / f]`."""


@dataclass
class Scene:
    """A job on its way; pictures and masks padded to sides that the U-Net can halve."""

    job: Job
    canvas: Image.Image
    protect: BoolMask
    removed: BoolMask
    additions: list[AddEdit] = field(default_factory=list)
    changes: list[tuple[ChangeAttributeEdit, BoolMask]] = field(default_factory=list)
    moved: list[tuple[Image.Image, BoolMask]] = field(default_factory=list)
    background: Tensor = field(default_factory=lambda: torch.empty(0))
    layers: list[Layer] = field(default_factory=list)
    added: list[Addition] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.canvas.size
