"""The toybox world: scenes of one to four bold objects on a pale background, drawn exactly and fast.

A scene is data (`Scene`); `render` turns it into a picture with exact boxes and masks. Everything follows from the
seed, on numpy and Pillow alone.
"""

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from llmgen.toybox.world.sprites import sprite
from llmgen.toybox.world.vocabulary import BACKGROUNDS, COLORS, NOUNS, object_phrase

SIZE: Final = 128
"""Side of a picture in pixels."""
SMALL: Final[tuple[int, ...]] = (36, 38, 40)
LARGE: Final[tuple[int, ...]] = (50, 53, 56)
GAP: Final = 8
"""Least distance between two boxes in pixels."""
BORDER: Final = 3
"""Least distance of a box from the edge of the picture in pixels."""
MAX_OBJECTS: Final = 4
BACKGROUND_VARIANTS: Final = 32

Box = tuple[int, int, int, int]
Kind = tuple[str, str]
"""Noun and colour of an object."""


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        noun: Class name.
        color: Colour name.
        size: Longest side that the drawing was asked for, in pixels.
        box_xyxy: Exact box in pixels, the right and lower edge not included.
        pattern: One of `PATTERNS`, on the body of a thing or the clothes of a character.
        states: Part and state of each part that is not in its usual state, sorted.
        mood: One of `MOODS`; things are calm.
        verb: What a character does, one of `VERBS`; None when it stands.
        target: Index in `Scene.objects` of the thing acted on, or None.
        facing: "left" or "right": where a character looks.
    """

    noun: str
    color: str
    size: int
    box_xyxy: Box
    pattern: str = "plain"
    states: tuple[tuple[str, str], ...] = ()
    mood: str = "calm"
    verb: str | None = None
    target: int | None = None
    facing: str = "right"

    @property
    def phrase(self) -> str:
        """The object in words, for example "a red ball" or "a happy boy in red kicking"."""
        return object_phrase(
            self.noun, self.color, pattern=self.pattern, mood=self.mood, states=self.states, verb=self.verb
        )

    @property
    def center(self) -> tuple[float, float]:
        """Centre of the box in pixels."""
        x0, y0, x1, y1 = self.box_xyxy
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows.

    Attributes:
        background: One of `BACKGROUNDS`.
        objects: One to four objects, or none for a bare background.
        seed: Picks the variant of the background.
    """

    background: str
    objects: tuple[SceneObject, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class RenderedScene:
    """A picture and its truth.

    Attributes:
        image: uint8 [128, 128, 3], RGB.
        boxes: int64 [N, 4], xyxy in pixels, half-open.
        masks: bool [N, 128, 128].
    """

    image: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.int64]
    masks: npt.NDArray[np.bool_]


class PlacementError(ValueError):
    """The objects asked for do not fit into the picture."""


_PALETTE: Final[dict[str, tuple[tuple[int, int, int], ...]]] = {
    "meadow": ((206, 234, 250), (226, 243, 252), (186, 224, 164), (198, 232, 178)),
    "beach": ((222, 240, 248), (236, 246, 250), (246, 228, 190), (160, 212, 232)),
    "night": ((156, 168, 212), (170, 182, 222), (138, 152, 190), (147, 160, 201)),
    "snow": ((212, 216, 226), (222, 226, 234), (246, 248, 252), (236, 239, 246)),
}
"""Of each background: sky, cloud, ground and the band or hill between them."""


@functools.cache
def background(name: str, variant: int) -> npt.NDArray[np.float32]:
    """Draw a background, or take it from the cache.

    Args:
        name: One of `BACKGROUNDS`.
        variant: Which of its variants, 0 to `BACKGROUND_VARIANTS` - 1.

    Returns:
        float32 [128, 128, 3], 0..255. Not to be written to.
    """
    rng = random.Random(f"{name}:{variant}")
    sky, cloud, ground, band = _PALETTE[name]
    image = Image.new("RGB", (SIZE, SIZE), sky)
    draw = ImageDraw.Draw(image)
    horizon = rng.randint(48, 84)
    for _ in range(2):
        x, y, rx = rng.randint(0, SIZE), rng.randint(4, max(8, horizon - 26)), rng.randint(18, 30)
        draw.ellipse((x - rx, y - 8, x + rx, y + 8), fill=cloud)
    if name == "beach":
        draw.rectangle((0, horizon - 14, SIZE, SIZE), fill=band)
        draw.rectangle((0, horizon, SIZE, SIZE), fill=ground)
    else:
        x, rx = rng.randint(10, 118), rng.randint(40, 70)
        draw.rectangle((0, horizon, SIZE, SIZE), fill=ground)
        draw.ellipse((x - rx, horizon - rng.randint(8, 14), x + rx, horizon + 20), fill=band)
        draw.rectangle((0, horizon + 6, SIZE, SIZE), fill=ground)
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(1.6)), dtype=np.float32)
    pixels.flags.writeable = False
    return pixels


def place(kinds: Sequence[Kind], background_name: str, rng: random.Random) -> Scene:
    """Put objects at random places so that none comes near another.

    Args:
        kinds: Noun and colour of each object, at most four.
        background_name: One of `BACKGROUNDS`.
        rng: Source of randomness.

    Returns:
        The scene; objects are in the order of `kinds`.

    Raises:
        PlacementError: When no arrangement was found.
    """
    share_large = (0.5, 0.5, 0.45, 0.3, 0.12)[min(len(kinds), 4)]
    for attempt in range(200):
        placed: list[SceneObject] = []
        for noun, color in kinds:
            # After many vain attempts only small objects are tried: four of them always fit sooner or later.
            size = rng.choice(LARGE if attempt < 40 and rng.random() < share_large else SMALL)
            height, width = sprite(noun, color, size).mask.shape
            for _ in range(24):
                x = rng.randint(BORDER, SIZE - BORDER - width)
                y = rng.randint(BORDER, SIZE - BORDER - height)
                if all(
                    x + width + GAP <= o.box_xyxy[0]
                    or o.box_xyxy[2] + GAP <= x
                    or y + height + GAP <= o.box_xyxy[1]
                    or o.box_xyxy[3] + GAP <= y
                    for o in placed
                ):
                    placed.append(SceneObject(noun, color, size, (x, y, x + width, y + height)))
                    break
            else:
                break
        if len(placed) == len(kinds):
            return Scene(background_name, tuple(placed), rng.getrandbits(31))
    raise PlacementError(f"{len(kinds)} objects found no place in {SIZE} x {SIZE} pixels")


def sample_kinds(rng: random.Random, count: int | None = None) -> list[Kind]:
    """Draw the objects of a scene: groups of equal things, things of one class in several colours, or all different.

    Args:
        rng: Source of randomness.
        count: How many objects; None draws one to four.

    Returns:
        Noun and colour of each object.
    """
    if count is None:
        count = rng.choices((1, 2, 3, 4), (18, 30, 28, 24))[0]
    nouns, colors = NOUNS, tuple(COLORS)
    mode = rng.random()
    if mode < 0.36:
        return [(rng.choice(nouns), rng.choice(colors)) for _ in range(count)]
    if mode < 0.86:
        first = rng.randint(1, count)
        groups = [first, count - first]
        kinds: list[Kind] = []
        for members in groups:
            kinds += [(rng.choice(nouns), rng.choice(colors))] * members
        return kinds
    noun = rng.choice(nouns)
    return [(noun, rng.choice(colors)) for _ in range(count)]


def sample_scene(rng: random.Random, count: int | None = None) -> Scene:
    """Draw a whole scene.

    Args:
        rng: Source of randomness.
        count: How many objects; None draws one to four.

    Returns:
        A scene whose objects keep `GAP` and `BORDER`.
    """
    return place(sample_kinds(rng, count), rng.choice(BACKGROUNDS), rng)


def render_image(scene: Scene) -> npt.NDArray[np.uint8]:
    """Draw a scene without its masks, which is all that a training of pictures needs.

    Args:
        scene: What to draw.

    Returns:
        uint8 [128, 128, 3], RGB.
    """
    canvas = background(scene.background, scene.seed % BACKGROUND_VARIANTS).copy()
    for item in scene.objects:
        x0, y0, x1, y1 = item.box_xyxy
        drawing = sprite(item.noun, item.color, item.size)
        region = canvas[y0:y1, x0:x1]
        region += drawing.alpha * (drawing.rgb - region)
    return (canvas + 0.5).astype(np.uint8)


def render(scene: Scene) -> RenderedScene:
    """Draw a scene with exact boxes and masks.

    Args:
        scene: What to draw.

    Returns:
        The picture and its truth, in the order of `scene.objects`.
    """
    masks = np.zeros((len(scene.objects), SIZE, SIZE), dtype=np.bool_)
    for mask, item in zip(masks, scene.objects, strict=True):
        x0, y0, x1, y1 = item.box_xyxy
        mask[y0:y1, x0:x1] = sprite(item.noun, item.color, item.size).mask
    boxes = np.array([item.box_xyxy for item in scene.objects], dtype=np.int64).reshape(-1, 4)
    return RenderedScene(render_image(scene), boxes, masks)
