"""Picture-book characters: face, hair and clothes over a skeleton; units and directions are those of `poses.py`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from llmgen.toybox.world.brush import OUTLINE_PX, Brush, Drawing, Paint, Point, ellipse
from llmgen.toybox.world.poses import HEIGHT, Pose, pose_of, skeleton
from llmgen.toybox.world.vocabulary import KEYPOINTS

HEAD_RADIUS: Final = 14.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one character is made of.

    Attributes:
        skin: Face and hands.
        sleeve: Upper and lower half of an arm.
        leg: Upper and lower half of a leg.
        foot: Shoes or paws.
    """

    skin: Paint
    sleeve: tuple[Paint, Paint]
    leg: tuple[Paint, Paint]
    foot: Paint


_LOOKS: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "boy": Look(Paint.SKIN, (Paint.BODY, Paint.SKIN), (Paint.TROUSERS, Paint.TROUSERS), Paint.SHOE),
        "girl": Look(Paint.SKIN, (Paint.BODY, Paint.SKIN), (Paint.SKIN, Paint.SKIN), Paint.SHOE),
        "dog": Look(Paint.FUR, (Paint.BODY, Paint.FUR), (Paint.FUR, Paint.FUR), Paint.FUR),
    }
)


def _tube(
    brush: Brush, joints: tuple[Point, Point, Point], halves: tuple[Paint, Paint], width: float, unit: float
) -> None:
    # The outline of both halves first, so that no line crosses the joint.
    brush.stroke(joints, closed=False, width_px=width * unit + 2 * 0.9 * OUTLINE_PX)
    brush.stroke(joints[1:], closed=False, width_px=width * unit, paint=halves[1])
    brush.stroke(joints[:2], closed=False, width_px=width * unit, paint=halves[0])


def _arm(brush: Brush, joints: tuple[Point, Point, Point], look: Look, unit: float) -> None:
    _tube(brush, joints, look.sleeve, 6.0, unit)
    x, y = joints[2]
    brush.shape(ellipse(x, y, 4.0, 4.0), look.skin)


def _leg(brush: Brush, joints: tuple[Point, Point, Point], look: Look, unit: float) -> None:
    _tube(brush, joints, look.leg, 6.6, unit)
    (kx, ky), (x, y) = joints[1:]
    # A shoe stands at a right angle to its shin, and never points into the ground.
    angle = math.atan2(y - ky, x - kx) - math.pi / 2
    tilt = min(angle, 0.0) * 0.9
    sin, cos = math.sin(tilt), math.cos(tilt)
    sole = [(px, min(py, 2.6)) for px, py in ellipse(1.6, 0.6, 6.2, 4.2)]
    brush.shape([(x + px * cos - py * sin, y + px * sin + py * cos) for px, py in sole], look.foot)


def _trunk(brush: Brush, noun: str, pose: Pose) -> None:
    sin, cos = math.sin(math.radians(pose.lean)), math.cos(math.radians(pose.lean))
    hx, hy = pose.hips
    top = pose.shoulders + 1.0
    if noun == "girl":
        sides = [(-top, 20), (-8.5, 9), (-14.5, -8), (14.5, -8), (8.5, 9), (top, 20)]
    else:
        sides = [(-top, 20), (-10, 10), (-9.5, -2), (9.5, -2), (10, 10), (top, 20)]
    brush.shape([(hx + s * cos + u * sin, hy + s * sin - u * cos) for s, u in sides], Paint.BODY)


def _behind_head(brush: Brush, noun: str, head: Point) -> None:
    x, y = head
    if noun == "girl":
        for side in (-1, 1):
            brush.shape(ellipse(x - 1 + side * 15, y + 4, 5.5, 9.5), Paint.GIRL_HAIR)
    elif noun == "dog":
        brush.shape(ellipse(x + 7, y - 10, 5, 8), Paint.EAR)


def _head(brush: Brush, noun: str, head: Point, look: Look) -> None:
    x, y = head
    brush.shape(ellipse(x, y, HEAD_RADIUS, HEAD_RADIUS), look.skin)
    if noun == "boy":
        brush.shape([*ellipse(x, y, 14, 14, 150, 215), (x - 7, y - 5)], Paint.BOY_HAIR)
        brush.shape([*ellipse(x, y - 5, 14.2, 11, 180, 360), (x - 14.2, y - 5)], Paint.BODY)
        brush.shape([(x - 1, y - 9), (x + 13, y - 9), (x + 22, y - 6), (x + 14, y - 4), (x - 1, y - 4)], Paint.BODY)
    elif noun == "girl":
        fringe = [*ellipse(x, y, 14.5, 14.5, 165, 375), (x + 10, y - 4), (x + 3, y - 6), (x - 6, y - 3)]
        brush.shape(fringe, Paint.GIRL_HAIR)
        for side in (-1, 1):
            bow = (x - 1 + side * 14, y - 7)
            brush.shape(ellipse(*bow, 3.6, 3.6), Paint.BODY)
    else:
        brush.shape(ellipse(x + 10, y + 6, 10, 7), look.skin)
        brush.shape(ellipse(x + 18, y + 2, 3.6, 3.0), Paint.INK)
        brush.shape(ellipse(x - 11, y + 1, 5.5, 11), Paint.EAR)


def _face(brush: Brush, noun: str, head: Point, mood: str, unit: float) -> None:
    x, y = head
    pen = 2.0 * unit
    if noun == "dog":
        eyes, mouth = ((x - 2, y - 3), (x + 7, y - 4)), (x + 10, y + 8)
    else:
        eyes, mouth = ((x, y + 1.5), (x + 9, y + 1.5)), (x + 4.5, y + 8.5)
    for ex, ey in eyes:
        if mood == "surprised":
            brush.fill(ellipse(ex, ey - 0.5, 4.2, 5.0), Paint.INK)
            brush.fill(ellipse(ex, ey - 0.5, 3.1, 3.9), Paint.WHITE)
            brush.fill(ellipse(ex, ey - 0.5, 1.5, 1.8), Paint.INK)
        else:
            brush.fill(ellipse(ex, ey, 1.9, 2.5), Paint.INK)
    mx, my = mouth
    if mood == "calm":
        brush.stroke(ellipse(mx, my - 3.5, 4.5, 4.5, 50, 130), closed=False, width_px=pen)
    elif mood == "happy":
        brush.shape([*ellipse(mx, my - 2, 5.6, 6.0, 0, 180)], Paint.MOUTH)
    elif mood == "sad":
        brush.stroke(ellipse(mx, my + 4, 5.4, 5.0, 205, 335), closed=False, width_px=pen)
        for side, (ex, ey) in zip((-1, 1), eyes, strict=True):
            brow = [(ex - 2.4, ey - 4.6 - side * 1.2), (ex + 2.4, ey - 4.6 + side * 1.2)]
            brush.stroke(brow, closed=False, width_px=pen)
        ex, ey = eyes[0]
        tear = [(ex - 1, ey + 2.5), *ellipse(ex - 1, ey + 8, 3.2, 3.4, -35, 215)]
        brush.shape(tear, Paint.TEAR)
    else:
        brush.fill(ellipse(mx, my, 4.2, 5.2), Paint.INK)
        brush.fill(ellipse(mx, my, 2.9, 3.8), Paint.MOUTH)


def draw_figure(noun: str, size: int, pattern: str, mood: str, verb: str | None) -> Drawing:
    """Draw a character that faces right.

    Args:
        noun: One of `CHARACTERS`.
        size: Height in pixels when it stands upright.
        pattern: Of its clothes, one of `PATTERNS`.
        mood: One of `MOODS`.
        verb: One of `VERBS`, or None.

    Returns:
        The drawing with its keypoints; the anchor is the ground point below the hips.
    """
    unit = size / HEIGHT
    pose, look = pose_of(mood, verb), _LOOKS[noun]
    bones = skeleton(noun, pose)
    side = round(52 * unit)
    brush = Brush(2 * side, round(96 * unit), (unit, unit), (side, round(84 * unit)))
    if noun == "dog":
        hx, hy = pose.hips
        tail = ((hx - 6, hy + 1), (hx - 16, hy - 2), (hx - 20, hy - 12))
        _tube(brush, tail, (Paint.FUR, Paint.FUR), 5.0, unit)
    _behind_head(brush, noun, bones.head)
    _leg(brush, bones.far_leg, look, unit)
    _arm(brush, bones.far_arm, look, unit)
    _leg(brush, bones.near_leg, look, unit)
    _trunk(brush, noun, pose)
    _head(brush, noun, bones.head, look)
    _face(brush, noun, bones.head, mood, unit)
    if verb == "feeding":
        x, y = bones.near_arm[2]
        brush.shape([(x - 5, y), (x + 13, y), (x + 9.5, y + 9), (x - 1.5, y + 9)], Paint.BOWL)
    _arm(brush, bones.near_arm, look, unit)
    return brush.finish(pattern, bones.keypoints(), (0.0, 0.0))


_MIRRORED: Final = [
    KEYPOINTS.index(name.replace("left", "?").replace("right", "left").replace("?", "right")) for name in KEYPOINTS
]


def mirror(drawn: Drawing) -> Drawing:
    """Turn a drawing about its upright axis; a figure's left becomes its right.

    Args:
        drawn: The drawing.

    Returns:
        A new one.
    """
    width = drawn.mask.shape[1]
    points = drawn.keypoints
    if points is not None:
        points = (points * np.array([-1, 1]) + np.array([width, 0])).astype(np.float32)[_MIRRORED]
    return replace(
        drawn,
        shares=np.ascontiguousarray(drawn.shares[:, ::-1]),
        mask=np.ascontiguousarray(drawn.mask[:, ::-1]),
        parts=tuple((noun, state, np.ascontiguousarray(mask[:, ::-1])) for noun, state, mask in drawn.parts),
        keypoints=points,
        anchor=(width - drawn.anchor[0], drawn.anchor[1]),
    )
