"""What somebody who cannot see is told of a picture: things with their places and looks, and the scene."""

import json
from dataclasses import dataclass

from llmgen.errors import InputError

Box = tuple[float, float, float, float]
CLEAR = 0.125
"""Share of the picture's width by which things must be apart before one is left of the other."""


@dataclass(frozen=True)
class SeenThing:
    """One thing."""

    noun: str
    box_xyxy: Box
    """In pixels."""
    color: str | None = None
    mood: str | None = None

    @property
    def center(self) -> tuple[float, float]:
        """Of its box."""
        x0, y0, x1, y1 = self.box_xyxy
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def name(self) -> str:
        """Without an article, for example `red ball`."""
        return f"{self.color} {self.noun}" if self.color else self.noun


@dataclass(frozen=True)
class SeenPicture:
    """What was found in a picture."""

    width: int
    height: int
    things: tuple[SeenThing, ...]
    scene: str | None = None
    """Such as `night` or `snow`."""

    @property
    def line(self) -> str:
        """As one line of a question."""
        found = [
            {
                key: value
                for key, value in (
                    ("noun", thing.noun),
                    ("color", thing.color),
                    ("mood", thing.mood),
                    ("box_xyxy", [round(side) for side in thing.box_xyxy]),
                )
                if value is not None
            }
            for thing in self.things
        ]
        told = {"width": self.width, "height": self.height, "scene": self.scene, "things": found}
        return f"Found in the picture: {json.dumps(told, ensure_ascii=False)}"

    def only(self, noun: str) -> SeenThing:
        """The one thing of a noun; the surest where a detector gave several.

        Raises:
            InputError: If there is none.
        """
        found = [thing for thing in self.things if thing.noun == noun]
        if not found:
            raise InputError(f"the detector finds no {noun} in the picture, which the question is about")
        return found[0]

    def outermost(self, side: int) -> SeenThing:
        """The first thing from the left (1) or from the right (-1).

        Raises:
            InputError: If there is nothing.
        """
        if not self.things:
            raise InputError("the detector finds nothing in the picture, so nothing stands on a side of it")
        return min(self.things, key=lambda thing: side * thing.center[0])

    def beside(self, other: SeenThing, *, left: bool) -> SeenThing:
        """The thing left or right of another, the nearest of several.

        Raises:
            InputError: If there is none.
        """
        sign, apart = 1 if left else -1, CLEAR * self.width
        found = [thing for thing in self.things if sign * (other.center[0] - thing.center[0]) >= apart]
        if not found:
            raise InputError(f"the detector finds nothing {'left' if left else 'right'} of the {other.noun}")
        return max(found, key=lambda thing: sign * thing.center[0])

    def at_hand(self, who: SeenThing) -> SeenThing:
        """The thing that somebody holds: whose box is nearest to that figure's.

        Raises:
            InputError: If there is nothing else.
        """
        others = [thing for thing in self.things if thing is not who]
        if not others:
            raise InputError(f"the detector finds nothing in the hands of the {who.noun}")
        return min(others, key=lambda thing: _distance(who.box_xyxy, thing.box_xyxy))


def _distance(one: Box, other: Box) -> float:
    across = max(other[0] - one[2], one[0] - other[2], 0.0)
    down = max(other[1] - one[3], one[1] - other[3], 0.0)
    centers = abs(one[0] + one[2] - other[0] - other[2]) + abs(one[1] + one[3] - other[1] - other[3])
    return 1000 * (across + down) + centers
