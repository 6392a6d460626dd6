"""What verbs look like: the pose of who acts, and where the thing is that is acted on."""

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal, get_args

from llmgen.vision.boxes import BoxTuple, center

Relation = Literal["above", "under", "beside", "in_front_of", "behind", "on", "in_hand", "near"]
RELATIONS: Final[tuple[Relation, ...]] = get_args(Relation)
"""Where the thing is, seen from who acts: ReCorD's closed list, and `in_hand`."""
Side = Literal["front", "top", "bottom", "middle"]
Anchor = Literal["hands", "foot", "feet", "seat", "mouth", "head"]
Point = tuple[float, float]

SURE: Final = 0.3
"""Joints below this score are not looked at."""
_LIMBS: Final = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_FEWEST: Final = 6
"""With fewer sure joints a figure has no pose."""
_MARGIN: Final = 0.01
_SEEN: Final = 0.3
"""Distance from the verb's pose up to which joints are believed. Figures of renders are within 0.2; of what is drawn badly, at 0.4 and
more, the joints lie anywhere, and those of the pose, in the figure's box, are better ones."""
_FITS: Final = 0.2
"""How far, in heights of the figure along each axis, the middle of a thing may be from its place and still fits."""


@dataclass(frozen=True)
class Joint:
    """A joint that was found."""

    x: float
    y: float
    score: float = 1.0


@dataclass(frozen=True)
class Figure:
    """Who acts, as found in a picture.

    Attributes:
        box: In pixels.
        joints: Name, such as `left_wrist`, to its place in pixels; may be empty.
    """

    box: BoxTuple
    joints: Mapping[str, Joint]

    @property
    def sure(self) -> dict[str, Point]:
        """Joints that can be relied on."""
        return {name: (joint.x, joint.y) for name, joint in self.joints.items() if joint.score >= SURE}


@dataclass(frozen=True)
class Place:
    """Where a verb's thing is.

    Attributes:
        relation: In one word.
        anchor: What of the figure touches it.
        side: Which side of the thing is touched; `front` is the one that the figure faces.
        grounded: Whether it stands on the figure's ground.
        reach: How far before the anchor it begins, in heights of the figure; negative overlaps.
    """

    relation: Relation
    anchor: Anchor
    side: Side
    grounded: bool = False
    reach: float = 0.0


_HELD: Final = Place("in_hand", "hands", "front", reach=-0.08)
_SEAT: Final = Place("under", "seat", "top", reach=-0.04)
_VERBS: Final[Mapping[str, Place]] = {
    "hold": _HELD, "carry": Place("above", "hands", "bottom", reach=-0.05), "lift": Place("above", "hands", "bottom", reach=-0.05),
    "throw": Place("in_hand", "hands", "middle"), "catch": _HELD, "read": _HELD, "use": _HELD, "wash": _HELD, "open": _HELD, "cut": _HELD,
    "eat": Place("in_hand", "mouth", "middle"), "drink": Place("in_hand", "mouth", "middle"), "kiss": Place("near", "mouth", "front"),
    "kick": Place("in_front_of", "foot", "front", grounded=True, reach=-0.01),
    "push": Place("in_front_of", "hands", "front", grounded=True, reach=0.0),
    "pull": Place("in_front_of", "hands", "front", grounded=True, reach=0.0),
    "feed": Place("in_front_of", "hands", "front", grounded=True, reach=0.2),
    "pet": Place("in_front_of", "hands", "front", grounded=True), "walk": Place("beside", "hands", "front", grounded=True, reach=0.1),
    "ride": _SEAT, "sit": _SEAT, "lie": _SEAT, "straddle": _SEAT, "drive": _SEAT,
    "stand": Place("on", "feet", "top", reach=-0.03), "jump": Place("under", "feet", "top", reach=0.05),
    "wear": Place("on", "head", "bottom", reach=-0.08),
}  # fmt: skip
_PREPOSITIONS: Final[Mapping[str, Place]] = {
    "on": _SEAT, "onto": _SEAT, "under": Place("above", "head", "bottom"), "below": Place("above", "head", "bottom"),
    "over": Place("under", "feet", "top"), "above": Place("under", "feet", "top"),
    "with": _HELD, "at": Place("in_front_of", "hands", "front", grounded=True, reach=0.1),
}  # fmt: skip
_NEAR: Final = Place("near", "hands", "front", grounded=True, reach=0.05)


def place_of(verb: str, preposition: str = "") -> Place:
    """Where the thing of a verb is; of an unknown verb where its preposition says, else near.

    Args:
        verb: Base form, for example `ride`.
        preposition: What stands between verb and object, "" for nothing.
    """
    if verb in ("sit", "stand", "lie", "jump", "lean") and preposition and preposition.split()[0] in _PREPOSITIONS:
        own = _VERBS.get(verb)
        return own if own is not None and preposition.startswith("on") else _PREPOSITIONS[preposition.split()[0]]
    return _VERBS.get(verb) or (_PREPOSITIONS.get(preposition.split()[0]) if preposition else None) or _NEAR


@functools.cache
def verb_poses() -> dict[str, dict[str, Point]]:
    """Verb in its base form to the joints of a figure that faces right, in heights of the figure; see `verb_poses.json`."""
    table = json.loads(files("llmgen.llm.planning").joinpath("verb_poses.json").read_text(encoding="utf-8"))
    return {
        verb: {name: (x, y) for name, (x, y) in zip(table["joints"], points, strict=True)}
        for verb, points in table["poses"].items()
    }


def pose_distance(joints: Mapping[str, Point], verb: str) -> tuple[float, bool] | None:
    """How far a figure is from the pose of a verb.

    Both are moved to their middle and scaled to the same spread, and the figure is compared with the pose and its mirror image.

    Args:
        joints: Name to place, for example those of `Figure.sure`.
        verb: Base form.

    Returns:
        Mean distance of the joints in units of the spread, and whether the figure faces left; None for a verb without a pose, or too
        few joints.
    """
    pose = verb_poses().get(verb)
    if pose is None:
        return None
    names = [f"{side}_{limb}" for limb in _LIMBS for side in ("left", "right") if f"{side}_{limb}" in joints]
    if len(names) < _FEWEST:
        return None
    found = _spread([joints[name] for name in names])
    straight = _mean_distance(found, _spread([pose[name] for name in names]))
    turned = _mean_distance(found, _spread([(-pose[_other(name)][0], pose[_other(name)][1]) for name in names]))
    return min(straight, turned), turned < straight


def pose_difference(one: Mapping[str, Point], other: Mapping[str, Point]) -> float | None:
    """How far two figures are apart in pose, wherever they stand: mean distance of their joints in units of their spread.

    Args:
        one: Joints of one figure, name to place.
        other: Joints of another.

    Returns:
        None where they share too few joints.
    """
    names = [name for name in one if name in other]
    if len(names) < _FEWEST:
        return None
    return _mean_distance(_spread([one[name] for name in names]), _spread([other[name] for name in names]))


def _other(name: str) -> str:
    side, _, limb = name.partition("_")
    return f"{'right' if side == 'left' else 'left'}_{limb}"


def _spread(points: Sequence[Point]) -> list[Point]:
    count = len(points)
    x, y = sum(p[0] for p in points) / count, sum(p[1] for p in points) / count
    size = math.sqrt(sum((p[0] - x) ** 2 + (p[1] - y) ** 2 for p in points) / count) or 1.0
    return [((p[0] - x) / size, (p[1] - y) / size) for p in points]


def _mean_distance(one: Sequence[Point], other: Sequence[Point]) -> float:
    return sum(math.dist(a, b) for a, b in zip(one, other, strict=True)) / len(one)


def place_object(
    figure: Figure,
    verb: str,
    preposition: str,
    size: tuple[float, float],
    canvas: tuple[int, int],
    found: BoxTuple | None = None,
) -> tuple[Relation, BoxTuple]:
    """Where the thing goes that a figure acts on: moved, not resized, as in ReCorD's examples, and only where it does not fit.

    Args:
        figure: Who acts.
        verb: Base form.
        preposition: Between verb and object, "" for none.
        size: Width and height of the thing in pixels.
        canvas: Width and height of the picture in pixels.
        found: Where the thing was found, or None. It stays there if its middle is near a place of the verb, on either side of the figure.

    Returns:
        The relation and the box in pixels, inside the picture; `found` itself where that fits.
    """
    place, joints = place_of(verb, preposition), figure.sure
    closest = pose_distance(joints, verb)
    if closest is not None and closest[0] > _SEEN:
        closest, joints = None, {}
    if closest is not None:
        left = closest[1]
    elif found is not None:
        left = center(found)[0] < center(figure.box)[0]
    else:
        left = _faces_left(figure.sure)
    boxes = [_placed(figure, joints, place, verb, faced, size, canvas) for faced in (left, not left)]
    if found is not None and any(_near(found, box, _FITS * (figure.box[3] - figure.box[1])) for box in boxes):
        return place.relation, found
    return place.relation, boxes[0]


def _near(one: BoxTuple, other: BoxTuple, reach: float) -> bool:
    return all(abs(a - b) <= reach for a, b in zip(center(one), center(other), strict=True))


def _placed(
    figure: Figure,
    joints: Mapping[str, Point],
    place: Place,
    verb: str,
    left: bool,
    size: tuple[float, float],
    canvas: tuple[int, int],
) -> BoxTuple:
    """The place of a verb before a figure that faces left, or right."""
    if not _has(joints, place.anchor):
        joints = {**_supposed(figure.box, verb, left), **joints}
    height = figure.box[3] - figure.box[1]
    x, y = _anchor(joints, place.anchor, left)
    width, tall = (min(side, most * (1 - 2 * _MARGIN)) for side, most in zip(size, canvas, strict=True))
    reach = place.reach * height
    side = place.side
    if side == "bottom" and place.anchor == "hands" and y > figure.box[1] + 0.4 * height:
        side = "front"  # What is carried before the body.
    if side == "front":
        x0 = x - reach - width if left else x + reach
        y0 = figure.box[3] - tall if place.grounded else y - tall / 2
    elif side == "top":
        x0, y0 = x - width / 2, y + reach
    elif side == "bottom":
        x0, y0 = x - width / 2, y - tall - reach
    else:
        x0, y0 = x - width / 2, y - tall / 2
    x0 = min(max(x0, _MARGIN * canvas[0]), canvas[0] * (1 - _MARGIN) - width)
    y0 = min(max(y0, _MARGIN * canvas[1]), canvas[1] * (1 - _MARGIN) - tall)
    return (x0, y0, x0 + width, y0 + tall)


def _faces_left(joints: Mapping[str, Point]) -> bool:
    middle = [
        joints[name][0] for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip") if name in joints
    ]
    return bool(middle) and "nose" in joints and joints["nose"][0] < sum(middle) / len(middle)


_WHERE: Final[Mapping[Anchor, tuple[str, ...]]] = {
    "hands": ("left_wrist", "right_wrist"),
    "foot": ("left_ankle", "right_ankle"),
    "feet": ("left_ankle", "right_ankle"),
    "seat": ("left_hip", "right_hip"),
    "mouth": ("nose",),
    "head": ("nose",),
}


def _has(joints: Mapping[str, Point], anchor: Anchor) -> bool:
    return all(name in joints for name in _WHERE[anchor])


def _anchor(joints: Mapping[str, Point], anchor: Anchor, left: bool) -> Point:
    points = [joints[name] for name in _WHERE[anchor]]
    if anchor == "foot":
        return min(points) if left else max(points)
    x = sum(p[0] for p in points) / len(points)
    y = sum(p[1] for p in points) / len(points)
    if anchor == "head":
        # The head ends about as far above the nose as the shoulders are below it.
        shoulders = [joints[name][1] for name in ("left_shoulder", "right_shoulder") if name in joints]
        y -= max(0.0, sum(shoulders) / len(shoulders) - y) if shoulders else 0.0
    return x, y


def _supposed(box: BoxTuple, verb: str, left: bool) -> dict[str, Point]:
    """The joints of the verb's pose, or of one who stands, stretched over a figure's box."""
    pose = verb_poses().get(verb) or verb_poses()["stand"]
    if left:
        pose = {
            name: (-pose[_other(name)][0], pose[_other(name)][1]) if "_" in name else (-x, y)
            for name, (x, y) in pose.items()
        }
    xs, ys = [p[0] for p in pose.values()], [p[1] for p in pose.values()]
    wide, high = max(xs) - min(xs), max(ys) - min(ys)
    x0, y0, x1, y1 = box
    # Joints lie inside the outline: the head is higher than the nose, the shoe lower than the ankle.
    inner = (x0 + 0.12 * (x1 - x0), y0 + 0.25 * (y1 - y0), x1 - 0.12 * (x1 - x0), y1 - 0.05 * (y1 - y0))
    return {
        name: (
            inner[0] + (x - min(xs)) / wide * (inner[2] - inner[0]),
            inner[1] + (y - min(ys)) / high * (inner[3] - inner[1]),
        )
        for name, (x, y) in pose.items()
    }
