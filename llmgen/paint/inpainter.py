"""The contract of whoever paints a part of a picture anew, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from llmgen.diffusion.prompts import scene_prompt
from llmgen.vision.boxes import BoxTuple
from llmgen.vision.masks import BoolMask


@dataclass(frozen=True)
class Placed:
    """An object and where it lies, for painters that take boxes."""

    phrase: str
    """With article, for example `a striped red ball`."""
    box_xyxy: BoxTuple
    """In pixels of the picture that is painted on."""


@dataclass(frozen=True)
class Patch:
    """A picture, what of it is painted anew, and what it shows then."""

    image: Image.Image
    """RGB; its sides are multiples of the painter's `multiple`."""
    mask: BoolMask
    """`bool[h, w]`, True where it is painted; not empty."""
    phrase: str
    """What is painted, for example `a striped red ball`; empty to paint the scene alone."""
    scene: str
    """What is around it, for example `a meadow`; may be empty."""
    negative: str
    """What it should not show; may be empty."""
    strength: float
    """How much noise is added, 0 to 1; 1 ignores what was there."""
    seed: int
    objects: tuple[Placed, ...] = ()
    """All that it shows when it is done, what is painted included; empty where nobody knows."""
    before: tuple[Placed, ...] = ()
    """All that it showed before, to guide away from; empty to guide away from the negative text alone."""

    @property
    def prompt(self) -> str:
        """Scene and object in one text."""
        if self.scene and self.phrase:
            return f"{self.scene} with {self.phrase}"
        return self.scene or self.phrase

    @property
    def full_prompt(self) -> str:
        """Scene and all objects in one text, as captions tell whole pictures; `prompt` where nobody knows the objects."""
        return scene_prompt(self.scene, [one.phrase for one in self.objects]) if self.objects else self.prompt

    @property
    def prompt_before(self) -> str:
        """The same of what it showed before; empty where that is not guided away from."""
        return scene_prompt(self.scene, [one.phrase for one in self.before]) if self.before else ""


@dataclass
class Cost:
    """What has been painted so far."""

    patches: int = 0
    steps: int = 0
    """Denoising steps of all patches."""
    pixel_steps: int = 0
    """Pixels times denoising steps: what the work of a U-Net grows with."""

    def add(self, patch: Patch, steps: int) -> None:
        """Count one patch."""
        self.patches += 1
        self.steps += steps
        self.pixel_steps += patch.image.width * patch.image.height * steps


class Inpainter(Protocol):
    """Paints inside masks. What it does outside does not matter: the caller takes that from the original."""

    cost: Cost

    @property
    def multiple(self) -> int:
        """What the sides of a patch must be multiples of, in pixels."""
        ...

    def steps_at(self, strength: float) -> int:
        """Denoising steps of a patch."""
        ...

    def paint(self, patches: Sequence[Patch]) -> list[Image.Image]:
        """Paint patches, each for itself: a picture does not depend on its neighbours, not even in its last bits.

        Args:
            patches: Of any sizes.

        Returns:
            RGB pictures of the same sizes, in order.

        Raises:
            ModelError: If a model cannot do its work, or a server does not answer as it should.
            MissingRequirementError: If nobody answers.
        """
        ...
