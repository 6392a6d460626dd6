"""Where objects go: apart from one another, but a verb's object where the verb wants it."""

import functools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from llmgen.toybox.world.backgrounds import SIZE
from llmgen.toybox.world.brush import Drawing
from llmgen.toybox.world.picture import Box, Scene, SceneObject
from llmgen.toybox.world.poses import GRIPS, HEIGHT
from llmgen.toybox.world.sprites import drawing
from llmgen.toybox.world.vocabulary import CHARACTERS

SMALL: Final[tuple[int, ...]] = (36, 38, 40)
LARGE: Final[tuple[int, ...]] = (50, 53, 56)
FIGURE_SIZES: Final[tuple[int, ...]] = (66, 71, 76)
"""Heights of characters in pixels."""
GAP: Final = 8
"""Least distance between two boxes in pixels; only who acts and what is acted on may touch."""
BORDER: Final = 3
"""Least distance of a box from the edge of the picture in pixels."""
MAX_OBJECTS: Final = 4
_FREE_PX: Final = 14
"""How much further than `GAP` things stay away from the hands or feet of who acts on nothing."""
_GROUND: Final = 88
"""No horizon is lower: a figure whose feet are below it stands on the ground."""

Spots = npt.NDArray[np.int64]
"""Upper left corners, [K, 2] xy in pixels."""
Kind = tuple[str, str]
"""Noun and colour of an object."""


class Wanted(NamedTuple):
    """What an object of a scene shall be, without its size and place; the fields are those of `SceneObject`."""

    noun: str
    color: str
    pattern: str = "plain"
    states: tuple[tuple[str, str], ...] = ()
    mood: str = "calm"
    verb: str | None = None
    target: int | None = None


class PlacementError(ValueError):
    """The objects asked for do not fit into the picture."""


class _Cut(NamedTuple):
    """An object with its size but without its place."""

    wanted: Wanted
    size: int
    facing: str

    @property
    def drawing(self) -> Drawing:
        """Its drawing without colour."""
        noun, _, pattern, states, mood, verb, _ = self.wanted
        return drawing(noun, self.size, pattern, states, mood, verb, self.facing)

    def at(self, box_xyxy: Box) -> SceneObject:
        """The object at its place."""
        noun, color, pattern, states, mood, verb, target = self.wanted
        return SceneObject(noun, color, self.size, box_xyxy, pattern, states, mood, verb, target, self.facing)


def _apart(one: Box, other: Box) -> bool:
    return one[2] + GAP <= other[0] or other[2] + GAP <= one[0] or one[3] + GAP <= other[1] or other[3] + GAP <= one[1]


@functools.lru_cache(maxsize=8192)
def _reach(figure: Drawing, thing: Drawing, verb: str, size: int, facing: str) -> tuple[int, int]:
    """How far right and down the thing's box is from the figure's when the figure does that to it."""
    grip, unit = GRIPS[verb], size / HEIGHT
    mirrored = facing == "left"
    mask = thing.mask[:, ::-1] if mirrored else thing.mask
    (height, width), (tall, wide) = mask.shape, figure.mask.shape
    anchor_x = wide - figure.anchor[0] if mirrored else figure.anchor[0]
    x, y = anchor_x + grip.at[0] * unit, figure.anchor[1] + grip.at[1] * unit
    if grip.side == "left":
        top = tall - height if grip.grounded else round(y - height / 2)
        row = min(max(round(y) - top, 4), height - 5)
        # The thing is touched where it is at the height of the hand or foot, not where its box begins.
        edge = int(np.flatnonzero(mask[row - 3 : row + 4].any(0))[0])
        left = round(x - edge - grip.sink)
    else:
        # A tip does not carry: the first row counts that is ten pixels wide, below who sits on the middle of it.
        seat = mask[:, width // 2 - 7 : width // 2 + 7] if grip.side == "top" else mask
        rows = np.flatnonzero(seat.sum(1) >= 10)
        left = round(x - width / 2)
        top = round(y - rows[0] - grip.sink) if grip.side == "top" else round(y - rows[-1] - 1 + grip.sink)
    return (wide - left - width if mirrored else left), top


def _spots(width: int, height: int, taken: Sequence[Box]) -> Spots:
    """Every upper left corner at which a box is apart from others and from the border, int64 [K, 2] xy."""
    rows, columns = SIZE - 2 * BORDER - height + 1, SIZE - 2 * BORDER - width + 1
    if rows <= 0 or columns <= 0:
        return np.empty((0, 2), dtype=np.int64)
    free = np.ones((rows, columns), dtype=np.bool_)
    for x0, y0, x1, y1 in taken:
        top, left = max(0, y0 - GAP - height + 1 - BORDER), max(0, x0 - GAP - width + 1 - BORDER)
        free[top : max(top, y1 + GAP - BORDER), left : max(left, x1 + GAP - BORDER)] = False
    return np.argwhere(free)[:, ::-1] + BORDER


def _room(item: SceneObject) -> Box:
    """The box of an object, and in front of who acts on nothing the place where its object would be.

    Otherwise a ball that only lies there would look kicked.
    """
    x0, y0, x1, y1 = item.box_xyxy
    if item.verb is None or item.target is not None:
        return item.box_xyxy
    side = GRIPS[item.verb].side
    if side == "top":
        return x0, y0, x1, y1 + _FREE_PX
    if side == "bottom":
        return x0, y0 - _FREE_PX, x1, y1
    return (x0, y0, x1 + _FREE_PX, y1) if item.facing == "right" else (x0 - _FREE_PX, y0, x1, y1)


def _check(wanted: Sequence[Wanted]) -> None:
    aims = [w.target for w in wanted if w.target is not None]
    for index, one in enumerate(wanted):
        if one.target is None:
            continue
        if one.verb is None or one.noun not in CHARACTERS:
            raise PlacementError(f"object {index} ({one.noun}) has a target, but only a character with a verb acts")
        if not 0 <= one.target < len(wanted) or one.target == index or wanted[one.target].target is not None:
            raise PlacementError(f"object {index} ({one.noun}) cannot act on object {one.target}")
    if len(aims) != len(set(aims)):
        raise PlacementError("two characters cannot act on one object")


def place(kinds: Sequence[Kind | Wanted], background_name: str, rng: random.Random) -> Scene:
    """Put objects at random places so that none comes near another, save who acts and what is acted on.

    Args:
        kinds: What each object shall be, at most four; a pair is noun and colour.
        background_name: One of `BACKGROUNDS`.
        rng: Source of randomness.

    Returns:
        The scene; objects are in the order of `kinds`.

    Raises:
        PlacementError: When no arrangement was found, or a target cannot be acted on.
    """
    wanted = [Wanted(*kind) for kind in kinds]
    _check(wanted)
    arrange = _arrange if any(w.noun in CHARACTERS for w in wanted) else _scatter
    return Scene(background_name, arrange(wanted, rng), rng.getrandbits(31))


def _scatter(wanted: Sequence[Wanted], rng: random.Random) -> tuple[SceneObject, ...]:
    """Places for things alone."""
    share_large = (0.5, 0.5, 0.45, 0.3, 0.12)[min(len(wanted), 4)]
    for attempt in range(200):
        placed: list[tuple[_Cut, Box]] = []
        for one in wanted:
            # After many vain attempts only small objects are tried: four of them always fit sooner or later.
            size = rng.choice(LARGE if attempt < 40 and rng.random() < share_large else SMALL)
            cut = _Cut(one, size, "right")
            height, width = cut.drawing.mask.shape
            for _ in range(24):
                x = rng.randint(BORDER, SIZE - BORDER - width)
                y = rng.randint(BORDER, SIZE - BORDER - height)
                box = (x, y, x + width, y + height)
                if all(_apart(box, other) for _, other in placed):
                    placed.append((cut, box))
                    break
            else:
                break
        if len(placed) == len(wanted):
            return tuple(cut.at(box) for cut, box in placed)
    raise PlacementError(f"{len(wanted)} objects found no place in {SIZE} x {SIZE} pixels")


_BULKY: Final = ("riding", "pushing")
"""Who does one of these would hide half of a small thing, or reach over it."""
_ROOMY_ATTEMPTS: Final = 6
"""After so many vain ones only the smallest figures are tried."""


def _cut(one: Wanted, rng: random.Random, small: bool, smallest: bool, bulky: bool = False) -> _Cut:
    """Draw the size of an object that stands among characters, and where it looks."""
    if one.noun in CHARACTERS:
        sizes = FIGURE_SIZES[:1] if smallest else FIGURE_SIZES[:2] if small else FIGURE_SIZES
        return _Cut(one, rng.choice(sizes), rng.choice(("left", "right")))
    return _Cut(one, rng.choice(LARGE if bulky or (not small and rng.random() < 0.5) else SMALL), "right")


def _join(figure: _Cut, thing: _Cut) -> tuple[Box, Box]:
    """Boxes of the two as the verb wants them, the upper left corner of both together at (0, 0)."""
    assert figure.wanted.verb is not None
    dx, dy = _reach(figure.drawing, thing.drawing, figure.wanted.verb, figure.size, figure.facing)
    (tall, wide), (height, width) = figure.drawing.mask.shape, thing.drawing.mask.shape
    x, y, left, top = max(0, -dx), max(0, -dy), max(0, dx), max(0, dy)
    return (x, y, x + wide, y + tall), (left, top, left + width, top + height)


def _arrange(wanted: Sequence[Wanted], rng: random.Random) -> tuple[SceneObject, ...]:
    """Places for characters, the things they act on and things besides."""
    targets = {one.target for one in wanted if one.target is not None}
    share_large = (1, 1, 0.35, 0.15, 0)[min(len(wanted) - len(targets), 4)]
    for attempt in range(4 * _ROOMY_ATTEMPTS):
        smallest = attempt >= _ROOMY_ATTEMPTS
        small = smallest or rng.random() >= share_large
        groups: list[dict[int, tuple[_Cut, Box]]] = []
        for index, one in enumerate(wanted):
            if index in targets:
                continue
            cut = _cut(one, rng, small, smallest)
            if one.target is None:
                height, width = cut.drawing.mask.shape
                groups.append({index: (cut, (0, 0, width, height))})
            else:
                thing = _cut(wanted[one.target], rng, small, smallest, bulky=one.verb in _BULKY)
                box, thing_box = _join(cut, thing)
                groups.append({index: (cut, box), one.target: (thing, thing_box)})
        # The largest first.
        groups.sort(key=lambda group: -len(group) - (wanted[min(group)].noun in CHARACTERS))
        placed: dict[int, SceneObject] = {}
        for group in groups:
            width, height = (max(box[side] for _, box in group.values()) for side in (2, 3))
            on_ground = any(cut.wanted.noun in CHARACTERS for cut, _ in group.values()) and rng.random() < 0.75
            corner = _corner(width, height, [_room(item) for item in placed.values()], rng, on_ground, attempt >= 2)
            if corner is None:
                break
            x, y = corner
            for index, (cut, (x0, y0, x1, y1)) in group.items():
                placed[index] = cut.at((x + x0, y + y0, x + x1, y + y1))
        else:
            return tuple(placed[index] for index in range(len(wanted)))
    raise PlacementError(f"{len(wanted)} objects found no place in {SIZE} x {SIZE} pixels")


def _corner(
    width: int, height: int, taken: Sequence[Box], rng: random.Random, on_ground: bool, at_edge: bool
) -> tuple[int, int] | None:
    """Draw an upper left corner that is free, on the ground where it can be; the first one at the edge if so wished."""
    right, bottom = SIZE - BORDER - width, SIZE - BORDER - height
    if min(right, bottom) < BORDER:
        return None
    if not taken:
        if at_edge:
            return rng.choice((BORDER, right)), rng.choice((BORDER, bottom))
        return rng.randint(BORDER, right), rng.randint(max(BORDER, _GROUND - height) if on_ground else BORDER, bottom)
    spots = _spots(width, height, taken)
    low = spots[spots[:, 1] + height >= _GROUND] if on_ground else spots
    return _pick(low if len(low) else spots, rng)


def _pick(spots: Spots, rng: random.Random) -> tuple[int, int] | None:
    if not len(spots):
        return None
    x, y = spots[rng.randrange(len(spots))]
    return int(x), int(y)


def place_beside(scene: Scene, wanted: Wanted, rng: random.Random) -> Scene:
    """Add an object to a scene and leave all that is there as it is.

    Args:
        scene: The scene.
        wanted: What to add; it acts on nothing.
        rng: Source of randomness.

    Returns:
        A scene with one object more, the last.

    Raises:
        PlacementError: When there is no room.
    """
    taken = [_room(item) for item in scene.objects]
    sizes = list(FIGURE_SIZES if wanted.noun in CHARACTERS else SMALL)
    rng.shuffle(sizes)
    facing = rng.choice(("left", "right")) if wanted.noun in CHARACTERS else "right"
    for size in sizes:
        cut = _Cut(wanted._replace(target=None), size, facing)
        height, width = cut.drawing.mask.shape
        corner = _corner(width, height, taken, rng, wanted.noun in CHARACTERS, False)
        if corner is not None:
            x, y = corner
            return replace(scene, objects=(*scene.objects, cut.at((x, y, x + width, y + height))))
    raise PlacementError(f"there is no room for {wanted.noun} beside {len(taken)} objects")


def move(scene: Scene, index: int, rng: random.Random, far_px: int = 24) -> Scene:
    """Put one object elsewhere and leave all others as they are; what it acts on stays behind.

    Args:
        scene: The scene.
        index: Which object.
        rng: Source of randomness.
        far_px: Least distance of the new place from the old one, in pixels.

    Returns:
        The new scene. Nobody acts on the object any more, nor it on another.

    Raises:
        PlacementError: When there is no other place.
    """
    item = scene.objects[index]
    x0, y0, x1, y1 = item.box_xyxy
    spots = _spots(x1 - x0, y1 - y0, [_room(o) for i, o in enumerate(scene.objects) if i != index])
    spots = spots[np.hypot(*(spots - np.array([x0, y0])).T) >= far_px]
    corner = _pick(spots, rng)
    if corner is None:
        raise PlacementError(f"there is no other place for object {index}")
    x, y = corner
    objects = [replace(o, target=None) if o.target == index else o for o in scene.objects]
    objects[index] = replace(item, box_xyxy=(x, y, x + x1 - x0, y + y1 - y0), target=None)
    return replace(scene, objects=tuple(objects))


def without(scene: Scene, index: int) -> Scene:
    """Take one object away and leave all others as they are; who acted on it keeps the pose.

    Args:
        scene: The scene.
        index: Which object.

    Returns:
        A scene with one object less.
    """
    objects = []
    for i, item in enumerate(scene.objects):
        if i == index:
            continue
        target = item.target
        if target is not None:
            target = None if target == index else target - (target > index)
        objects.append(item if target == item.target else replace(item, target=target))
    return replace(scene, objects=tuple(objects))


def change(scene: Scene, index: int, **changes: Any) -> Scene:
    """Change what an object is and leave it where it is: a character on its feet, a thing in the middle of its foot.

    Args:
        scene: The scene.
        index: Which object.
        **changes: Fields of `SceneObject`.

    Returns:
        The scene with the object's new look and new exact box.

    Raises:
        PlacementError: When the new look touches another object or the border.
    """
    old = scene.objects[index]
    new = replace(old, **changes)
    (height, width), before, after = new.drawing.mask.shape, old.drawing.anchor, new.drawing.anchor
    x = round(old.box_xyxy[0] + before[0] - after[0])
    y = round(old.box_xyxy[1] + before[1] - after[1])
    new = replace(new, box_xyxy=(x, y, x + width, y + height))
    partners = {old.target, *(i for i, o in enumerate(scene.objects) if o.target == index), index}
    if min(x, y) < BORDER or max(x + width, y + height) > SIZE - BORDER:
        raise PlacementError(f"object {index} would leave the picture")
    if not all(_apart(new.box_xyxy, o.box_xyxy) for i, o in enumerate(scene.objects) if i not in partners):
        raise PlacementError(f"object {index} would touch another")
    return replace(scene, objects=(*scene.objects[:index], new, *scene.objects[index + 1 :]))
