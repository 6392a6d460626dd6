"""What every artifact model shares: strict, frozen, nothing unknown, no NaN."""

import math
import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field

from llmgen.artifacts.documented import DocumentedModel

SCHEMA_VERSION: Final = 1
_SURROGATE = re.compile("[\ud800-\udfff]")


def has_surrogate(text: str) -> bool:
    """Whether a text holds half of a character, which no file can take."""
    return not text.isascii() and _SURROGATE.search(text) is not None


class ArtifactModel(DocumentedModel):
    """Base of everything that is written to disk. Each class is built when it is first used: a command needs few of them.

    What a schema cannot say is checked in `model_post_init`, once, when an object is made. (A validator that comes after would also run
    whenever the object is put into another one: for each detection, with its mask, whenever its record grows.)
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, ser_json_inf_nan="constants", defer_build=True
    )

    def model_post_init(self, context: Any, /) -> None:
        """Refuse half a character here, which would only be noticed when the file is written."""
        for value in self.__dict__.values():
            kind = type(value)
            if kind is str:
                if not value.isascii() and has_surrogate(value):
                    raise ValueError(f"{self._named(value)} holds half of a character (a lone surrogate)")
            elif kind is tuple:
                for part in value:
                    if type(part) is str and has_surrogate(part):
                        raise ValueError(f"{self._named(value)} holds half of a character (a lone surrogate)")

    def _named(self, value: object) -> str:
        return next(name for name, own in self.__dict__.items() if own is value)


def _ordered(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    if not all(map(math.isfinite, box)):
        raise ValueError("box has a number that is not finite")
    if x1 <= x0 or y1 <= y0:
        raise ValueError(
            f"box is inverted or empty: x0={x0:g}, y0={y0:g}, x1={x1:g}, y1={y1:g} needs x0 < x1 and y0 < y1"
        )
    return box


Box = Annotated[
    tuple[float, float, float, float],
    AfterValidator(_ordered),
    Field(description="x0, y0, x1, y1 in pixels, half-open, origin top left"),
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def check_inside(box: tuple[float, float, float, float], width: int, height: int, what: str) -> None:
    """Refuse a box that leaves its picture by more than half a pixel.

    Args:
        box: `x0, y0, x1, y1` in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        what: Words for the message, such as `instance 'ball-1'`.

    Raises:
        ValueError: If the box is outside.
    """
    x0, y0, x1, y1 = box
    if x0 < -0.5 or y0 < -0.5 or x1 > width + 0.5 or y1 > height + 0.5:
        numbers = ", ".join(f"{v:g}" for v in box)
        raise ValueError(f"{what}: box [{numbers}] leaves the {width}x{height} picture")
