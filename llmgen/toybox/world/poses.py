"""Poses: a skeleton of thirteen joints for every verb and mood, and where a verb's object is.

Lengths are in units of a figure 76 units high that faces right: x forward, y down, (0, 0) on the ground below the hips.
Its near side, which is its own right, is drawn last. A figure that faces left is the mirror image, with left and right
changed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from llmgen.toybox.world.brush import Point

HEIGHT: Final = 76.0
UPPER_ARM: Final = 12.0
FOREARM: Final = 12.0
THIGH: Final = 11.5
SHIN: Final = 11.5
TRUNK: Final = 19.0
"""From the hips to the line of the shoulders."""
HEAD: Final = 33.0
"""From the hips to the middle of the head."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the ends of the limbs are; elbows and knees follow.

    Attributes:
        near_hand: Wrist on the near side.
        far_hand: Wrist on the far side.
        near_foot: Ankle on the near side.
        far_foot: Ankle on the far side.
        hips: Middle of the hips.
        lean: Of the trunk, degrees forward.
        shoulders: Half the distance of the shoulders: less when the figure is seen from its side.
        nod: How far the head is moved from the end of the neck.
        elbows: On which side of the line from shoulder to wrist the near and the far elbow lie: 1 below or before it.
        knees: The same for the knees.
    """

    near_hand: Point = (-14, -23)
    far_hand: Point = (14, -23)
    near_foot: Point = (-5.5, -4)
    far_foot: Point = (5.5, -4)
    hips: Point = (0, -26)
    lean: float = 0
    shoulders: float = 8.5
    nod: Point = (0, 0)
    elbows: tuple[int, int] = (1, -1)
    knees: tuple[int, int] = (-1, -1)


_MOODS: Final[Mapping[str, Pose]] = MappingProxyType(
    {
        "calm": Pose(),
        "happy": Pose(near_hand=(-24, -60), far_hand=(24, -60), elbows=(-1, 1)),
        "sad": Pose(near_hand=(-7, -22), far_hand=(13, -22), lean=6, nod=(3, 4), elbows=(1, 1)),
        "surprised": Pose(near_hand=(-13.5, -51), far_hand=(18, -49), elbows=(-1, 1)),
    }
)
_VERBS: Final[Mapping[str, Pose]] = MappingProxyType(
    {
        "holding": Pose(near_hand=(18, -32), far_hand=(19, -40), shoulders=5.5, elbows=(-1, -1)),
        "kicking": Pose(
            near_hand=(-24, -36),
            far_hand=(20, -46),
            near_foot=(24, -17),
            far_foot=(-3, -4),
            hips=(0, -26),
            lean=-14,
            elbows=(1, -1),
        ),
        "riding": Pose(
            near_hand=(9, -31),
            far_hand=(17, -34),
            near_foot=(-16, -13),
            far_foot=(16, -13),
            elbows=(-1, -1),
            knees=(1, -1),
        ),
        "feeding": Pose(
            near_hand=(25, -15),
            far_hand=(5, -19),
            near_foot=(-7, -4),
            far_foot=(4, -4),
            hips=(-8, -22),
            lean=48,
            shoulders=4.5,
            elbows=(-1, -1),
        ),
        "pushing": Pose(
            near_hand=(28, -33),
            far_hand=(29, -38),
            near_foot=(-17, -4),
            far_foot=(3, -4),
            hips=(-3, -23),
            lean=30,
            shoulders=4.5,
            elbows=(-1, -1),
        ),
        "carrying": Pose(
            near_hand=(-18, -66.5),
            far_hand=(18, -66.5),
            near_foot=(-10, -5),
            far_foot=(9, -4),
            elbows=(1, -1),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints of a figure that faces right; the near side is its right one.

    Attributes:
        head: Middle of the head.
        nose: Tip of the nose.
        near_arm: Shoulder, elbow, wrist.
        far_arm: The same on the far side.
        near_leg: Hip, knee, ankle.
        far_leg: The same on the far side.
    """

    head: Point
    nose: Point
    near_arm: tuple[Point, Point, Point]
    far_arm: tuple[Point, Point, Point]
    near_leg: tuple[Point, Point, Point]
    far_leg: tuple[Point, Point, Point]

    def keypoints(self) -> list[Point]:
        """The joints in the order of `KEYPOINTS`."""
        far, near = (*self.far_arm, *self.far_leg), (*self.near_arm, *self.near_leg)
        return [self.nose, *(point for pair in zip(far, near, strict=True) for point in pair)]


def _limb(start: Point, end: Point, upper: float, lower: float, side: int) -> tuple[Point, Point, Point]:
    """A limb of two bones from one joint towards another: the law of cosines, the end drawn in when out of reach."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    distance = math.hypot(dx, dy)
    reach = min(max(distance, abs(upper - lower) + 0.5), upper + lower - 0.01)
    ux, uy = dx / distance, dy / distance
    along = (upper**2 - lower**2 + reach**2) / (2 * reach)
    aside = math.sqrt(max(upper**2 - along**2, 0)) * side
    middle = (start[0] + along * ux - aside * uy, start[1] + along * uy + aside * ux)
    return start, middle, (start[0] + reach * ux, start[1] + reach * uy)


def skeleton(noun: str, pose: Pose) -> Skeleton:
    """Find the joints of a pose.

    Args:
        noun: One of `CHARACTERS`: a dog's nose is at the tip of its snout.
        pose: The pose.

    Returns:
        The joints.
    """
    sin, cos = math.sin(math.radians(pose.lean)), math.cos(math.radians(pose.lean))
    hx, hy = pose.hips

    def up(side: float, length: float) -> Point:
        return hx + side * cos + length * sin, hy + side * sin - length * cos

    x, y = up(0, HEAD)
    head = (x + pose.nod[0], y + pose.nod[1])
    nose = (head[0] + 19, head[1] + 2) if noun == "dog" else (head[0] + 6, head[1] + 2)
    width = pose.shoulders
    return Skeleton(
        head,
        nose,
        _limb(up(-width, TRUNK - 1), pose.near_hand, UPPER_ARM, FOREARM, pose.elbows[0]),
        _limb(up(width, TRUNK - 1), pose.far_hand, UPPER_ARM, FOREARM, pose.elbows[1]),
        _limb((hx - 4.5, hy), pose.near_foot, THIGH, SHIN, pose.knees[0]),
        _limb((hx + 4.5, hy), pose.far_foot, THIGH, SHIN, pose.knees[1]),
    )


def pose_of(mood: str, verb: str | None) -> Pose:
    """The pose of a verb, or of a mood when there is no verb.

    Args:
        mood: One of `MOODS`.
        verb: One of `VERBS`, or None.

    Returns:
        The pose.
    """
    if verb is None:
        return _MOODS[mood]
    return replace(_VERBS[verb], nod=(2, 2)) if mood == "sad" else _VERBS[verb]


@dataclass(frozen=True, slots=True)
class Grip:
    """Where a verb's object is.

    Attributes:
        at: The point of the figure that touches the object, in its units.
        side: Which side of the object is touched: "left", "top" or "bottom" (of a figure that faces right).
        grounded: Whether the object stands on the figure's ground; otherwise the touched side is centred on `at`.
        sink: How far the two overlap, in pixels of the object.
    """

    at: Point
    side: str
    grounded: bool
    sink: float


GRIPS: Final[Mapping[str, Grip]] = MappingProxyType(
    {
        "holding": Grip((18, -36), "left", False, 6),
        "kicking": Grip((24, -19), "left", True, 1),
        "riding": Grip((0, -23), "top", False, 3),
        "feeding": Grip((40, -11), "left", True, 0),
        "pushing": Grip((30, -33), "left", True, 3),
        "carrying": Grip((0, -69), "bottom", False, 3),
    }
)
