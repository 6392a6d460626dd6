"""Scenes as data, and their pictures with exact boxes, masks, parts and keypoints.

Everything follows from the scene, on numpy and Pillow alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmgen.toybox.world.backgrounds import BACKGROUND_VARIANTS, SIZE, background
from llmgen.toybox.world.brush import Drawing
from llmgen.toybox.world.sprites import Sprite, drawing, sprite
from llmgen.toybox.world.vocabulary import KEYPOINTS, object_phrase

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        noun: Class name.
        color: Colour name; of a character that of its clothes.
        size: Longest side that the drawing was asked for, in pixels; of a character its height when it stands.
        box_xyxy: Exact box of the whole drawing in pixels, the right and lower edge not included.
        pattern: Of the body or the clothes.
        states: Part and state of the parts that are not in their usual one, sorted.
        mood: How a character feels.
        verb: What a character does; None when it only stands.
        target: Which object of the scene it does that to.
        facing: Where a character looks, "left" or "right".
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
        """The object in words as it looks, for example "a striped red ball" or "a happy boy in red"; not what it does."""
        return object_phrase(self.noun, self.color, pattern=self.pattern, mood=self.mood)

    @property
    def center(self) -> tuple[float, float]:
        """Centre of the box in pixels."""
        x0, y0, x1, y1 = self.box_xyxy
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def drawing(self) -> Drawing:
        """Its drawing without colour: masks and keypoints from the upper left corner of the box."""
        return drawing(self.noun, self.size, self.pattern, self.states, self.mood, self.verb, self.facing)

    @property
    def sprite(self) -> Sprite:
        """Its drawing in colour."""
        return sprite(self.noun, self.color, self.size, self.pattern, self.states, self.mood, self.verb, self.facing)


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


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of an object that can be seen.

    Attributes:
        owner: Which object of the scene it belongs to.
        noun: Name of the part, such as "window".
        state: Its state, or None for a part that has none.
        box_xyxy: Exact box of the mask in pixels, half-open.
        mask: bool [128, 128], what is visible of it.
    """

    owner: int
    noun: str
    state: str | None
    box_xyxy: Box
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class RenderedScene:
    """A picture and its truth.

    Attributes:
        image: uint8 [128, 128, 3], RGB.
        boxes: int64 [N, 4], xyxy in pixels, half-open: of the whole object, also of what another one covers.
        masks: bool [N, 128, 128], what is visible of each object.
        parts: The visible parts of all objects, in their order.
        keypoints: float32 [N, 13, 2], xy in pixels in the order of `KEYPOINTS`; NaN for things.
    """

    image: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.int64]
    masks: npt.NDArray[np.bool_]
    parts: tuple[Part, ...]
    keypoints: npt.NDArray[np.float32]


def _from_back_to_front(scene: Scene) -> Iterator[int]:
    # Who acts is in front of what is acted on, so that hands lie on it.
    yield from (i for i, item in enumerate(scene.objects) if item.target is None)
    yield from (i for i, item in enumerate(scene.objects) if item.target is not None)


def mask_bounds(mask: npt.NDArray[np.bool_]) -> Box:
    """The tight box of a mask.

    Args:
        mask: bool [H, W], not empty.

    Returns:
        xyxy in pixels, half-open.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def render_image(scene: Scene) -> npt.NDArray[np.uint8]:
    """Draw a scene without its masks, which is all that a training of pictures needs.

    Args:
        scene: What to draw.

    Returns:
        uint8 [128, 128, 3], RGB.
    """
    canvas = background(scene.background, scene.seed % BACKGROUND_VARIANTS).copy()
    for index in _from_back_to_front(scene):
        item = scene.objects[index]
        x0, y0, x1, y1 = item.box_xyxy
        drawn = item.sprite
        region = canvas[y0:y1, x0:x1]
        region += drawn.alpha * (drawn.rgb - region)
    return (canvas + 0.5).astype(np.uint8)


def render(scene: Scene) -> RenderedScene:
    """Draw a scene with exact boxes, masks, parts and keypoints.

    Args:
        scene: What to draw.

    Returns:
        The picture and its truth, in the order of `scene.objects`.
    """
    count = len(scene.objects)
    masks = np.zeros((count, SIZE, SIZE), dtype=np.bool_)
    keypoints = np.full((count, len(KEYPOINTS), 2), np.nan, dtype=np.float32)
    painted: list[int] = []
    for index in _from_back_to_front(scene):
        item = scene.objects[index]
        x0, y0, x1, y1 = item.box_xyxy
        drawn = item.drawing
        masks[painted, y0:y1, x0:x1] &= ~drawn.mask
        masks[index, y0:y1, x0:x1] = drawn.mask
        painted.append(index)
        if drawn.keypoints is not None:
            keypoints[index] = drawn.keypoints + np.array([x0, y0], dtype=np.float32)
    parts = []
    for owner, item in enumerate(scene.objects):
        x0, y0, x1, y1 = item.box_xyxy
        for noun, state, own in item.drawing.parts:
            mask = np.zeros((SIZE, SIZE), dtype=np.bool_)
            mask[y0:y1, x0:x1] = own
            mask &= masks[owner]
            if mask.any():
                parts.append(Part(owner, noun, state, mask_bounds(mask), mask))
    boxes = np.array([item.box_xyxy for item in scene.objects], dtype=np.int64).reshape(-1, 4)
    return RenderedScene(render_image(scene), boxes, masks, tuple(parts), keypoints)
