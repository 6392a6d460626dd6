"""Where the thing of an action is, seen in the boxes of who acts and of the thing.

The table is this evaluation's own and stays apart from what a loop places objects by. Boxes show no depth: "in front of" and "behind" are
read as beside. Lengths are in heights of who acts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from llmgen.vision.boxes import BoxTuple, center

Where = Literal["above", "below", "beside", "touching"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Expectation:
    """Where the thing of a verb is expected.

    Attributes:
        where: `above` or `below` who acts, `beside`, or `touching` wherever.
        reach: Largest gap between the two boxes, in heights of who acts.
        by: Joints of which one must be near the thing, `wrist`, `ankle` or `nose`; "" where the boxes say it all.
    """

    where: Where
    reach: float
    by: Literal["", "wrist", "ankle", "nose"] = ""


_TOUCH: Final = 0.12
_JOINT_REACH: Final = 0.25
_ORDER: Final = 0.15
"""The centre of what is above lies this much higher."""
_OVER: Final = 0.5
"""What is above or below shares at least so much of its width."""
_NOT_BESIDE: Final = 0.75
"""What is beside shares at most so much of it."""
_HELD: Final = Expectation("touching", _TOUCH, "wrist")
_SEAT: Final = Expectation("below", _TOUCH)
_BESIDE: Final = Expectation("beside", 0.3)
_VERBS: Final[Mapping[str, Expectation]] = {
    "hold": _HELD, "carry": _HELD, "lift": _HELD, "throw": Expectation("touching", 0.5), "catch": Expectation("touching", 0.5),
    "read": _HELD, "use": _HELD, "wash": _HELD, "open": _HELD, "cut": _HELD, "hug": _HELD, "repair": _HELD, "brush": _HELD,
    "eat": Expectation("touching", _TOUCH, "nose"), "drink": Expectation("touching", _TOUCH, "nose"),
    "kiss": Expectation("touching", _TOUCH, "nose"), "lick": Expectation("touching", _TOUCH, "nose"),
    "kick": Expectation("beside", 0.3, "ankle"), "push": Expectation("beside", _TOUCH), "pull": _BESIDE,
    "feed": Expectation("beside", 0.25), "pet": Expectation("beside", _TOUCH), "walk": Expectation("beside", 0.6),
    "chase": Expectation("beside", 2.0), "lead": Expectation("beside", 0.6),
    "ride": _SEAT, "sit": _SEAT, "lie": _SEAT, "straddle": _SEAT, "drive": Expectation("touching", 0.0), "stand": _SEAT,
    "jump": Expectation("below", 0.4), "hop": Expectation("below", 0.4), "wear": Expectation("touching", 0.0),
}  # fmt: skip
_PREPOSITIONS: Final[Mapping[str, Expectation]] = {
    "on": _SEAT, "onto": _SEAT, "over": Expectation("below", 0.5), "above": Expectation("below", 0.5),
    "under": Expectation("above", 0.5), "below": Expectation("above", 0.5),
    "beside": _BESIDE, "by": _BESIDE, "near": Expectation("beside", 0.6), "in": Expectation("touching", 0.0), "with": _HELD, "at": _BESIDE,
}  # fmt: skip
_ANY: Final = Expectation("touching", 0.3)
_POSTURES: Final = ("sit", "stand", "lie", "jump", "hop", "lean")


def expected(verb: str, preposition: str = "") -> Expectation:
    """Where the thing of a verb is expected.

    Args:
        verb: Base form, for example `ride`.
        preposition: First word between verb and thing, "" for none; it decides for verbs of posture and for unknown ones.

    Returns:
        For a verb and a preposition that nobody knows: touching, or not far.
    """
    if (verb in _POSTURES or verb not in _VERBS) and preposition in _PREPOSITIONS:
        return _PREPOSITIONS[preposition]
    return _VERBS.get(verb, _ANY)


def holds(wanted: Expectation, person: BoxTuple, thing: BoxTuple, joints: Mapping[str, Sequence[Point]]) -> str | None:
    """Whether an expectation can be seen in two boxes.

    Args:
        wanted: The expectation.
        person: Box of who acts, in pixels.
        thing: Box of the thing, in pixels.
        joints: `wrist`, `ankle` and `nose` to the places where they were found; one that was not found is not asked for.

    Returns:
        None where it holds, else the reason why not.
    """
    height = person[3] - person[1]
    gap = max(thing[0] - person[2], person[0] - thing[2], thing[1] - person[3], person[1] - thing[3], 0.0)
    if gap > wanted.reach * height:
        return f"it is {gap / height:.2f} heights away"
    lower = (center(thing)[1] - center(person)[1]) / height
    shared = _shared_width(person, thing)
    if wanted.where in ("above", "below") and shared < _OVER:
        return "it is to the side"
    if wanted.where == "below" and lower < _ORDER:
        return "it is not below"
    if wanted.where == "above" and lower > -_ORDER:
        return "it is not above"
    if wanted.where == "beside" and shared > _NOT_BESIDE:
        return "it is not beside"
    near = joints.get(wanted.by, ()) if wanted.by else ()
    if near and min(_outside(point, thing) for point in near) > _JOINT_REACH * height:
        return f"no {wanted.by} is near it"
    return None


def _shared_width(person: BoxTuple, thing: BoxTuple) -> float:
    """Share of the narrower box that lies over or under the other; below 0 where they are side by side."""
    return (min(person[2], thing[2]) - max(person[0], thing[0])) / min(person[2] - person[0], thing[2] - thing[0])


def _outside(point: Point, box: BoxTuple) -> float:
    """How far a point is from a box; 0 inside."""
    return math.hypot(max(box[0] - point[0], point[0] - box[2], 0.0), max(box[1] - point[1], point[1] - box[3], 0.0))
