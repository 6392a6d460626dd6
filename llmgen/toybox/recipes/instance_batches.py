"""Scenes as instances with boxes, points, scribbles and masks, for the training and the measuring of grounding."""

import functools
import random
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from llmgen.diffusion.instances.unifusion import InstanceGrounding
from llmgen.toybox.world.brush import Drawing
from llmgen.toybox.world.scenes import SIZE, Scene, SceneObject
from llmgen.vision.mask_points import polygon_from_mask

STROKE_SHARE = 0.6
"""Share of the scribbles that are strokes; the others are loose points on the object, as the original's."""


@functools.lru_cache(maxsize=4096)
def _outline(drawing: Drawing, count: int) -> npt.NDArray[np.float64]:
    """Points on and in an object, `[count, 2]` xy in pixels from its own upper left corner."""
    return polygon_from_mask(drawing.mask, random.Random(0), count)


@functools.lru_cache(maxsize=4096)
def _inside(drawing: Drawing) -> npt.NDArray[np.float64]:
    """Pixels of an object, `[P, 2]` xy from its own upper left corner."""
    return np.argwhere(drawing.mask)[:, ::-1].astype(np.float64)


def _by_distance(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return points[np.argsort((points**2).sum(-1), kind="stable")]


def draw_polygon(item: SceneObject, count: int) -> npt.NDArray[np.float64]:
    """The mask of an object as points, `[count, 2]` xy in pixels of the picture."""
    return _by_distance(_outline(item.drawing, count) + np.array(item.box_xyxy[:2]))


def draw_scribble(item: SceneObject, rng: random.Random, count: int) -> npt.NDArray[np.float64]:
    """A stroke across an object, or loose points on it, `[count, 2]` xy in pixels of the picture."""
    inside = _inside(item.drawing)
    if rng.random() < STROKE_SHARE:
        start, bend, end = (inside[rng.randrange(len(inside))] for _ in range(3))
        t = np.linspace(0, 1, count)[:, None]
        local = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
    else:
        local = inside[[rng.randrange(len(inside)) for _ in range(count)]]
    points = local + np.array(item.box_xyxy[:2])
    return points if rng.random() < 0.3 else _by_distance(points)


def ground_scenes(
    scenes: Sequence[Scene],
    embed: Callable[[Scene, int], torch.Tensor],
    rng: random.Random,
    *,
    slots: int,
    width: int,
    scribble_points: int,
    polygon_points: int,
    box_jitter_px: float = 0.0,
    point_jitter_px: float = 0.0,
    empty_share: float = 0.0,
    unmarked_share: float = 0.0,
) -> InstanceGrounding:
    """Say of each scene where its objects are, in every format.

    Args:
        scenes: One a picture.
        embed: Pooled text state of the phrase of an object of a scene, by its index.
        rng: Source of randomness.
        slots: N; a scene has at most as many objects.
        width: D, of a phrase's state.
        scribble_points: Points of a scribble.
        polygon_points: Points of a mask.
        box_jitter_px: Standard deviation of the error of a box edge.
        point_jitter_px: Standard deviation of the distance of a point from the middle of its object.
        empty_share: Share of the pictures that are told nothing.
        unmarked_share: Share of the instances that have neither scribble nor mask.

    Returns:
        The grounding, B pictures; masks at the size of the picture.
    """
    count = len(scenes)
    boxes, masks = torch.zeros(count, slots, 4), torch.zeros(count, slots)
    text, points = torch.zeros(count, slots, width), torch.zeros(count, slots, 2)
    scribbles = torch.zeros(count, slots, 2 * scribble_points)
    polygons = torch.zeros(count, slots, 2 * polygon_points)
    segments = torch.zeros(count, slots, SIZE, SIZE)
    for row, scene in enumerate(scenes):
        if rng.random() < empty_share:
            continue
        for slot, index in enumerate(rng.sample(range(len(scene.objects)), len(scene.objects))):
            item = scene.objects[index]
            x0, y0, x1, y1 = item.box_xyxy
            edges = [edge + rng.gauss(0, box_jitter_px) for edge in item.box_xyxy]
            boxes[row, slot] = torch.tensor(edges).div(SIZE).clamp(0, 1)
            center = [c + rng.gauss(0, point_jitter_px) for c in item.center]
            points[row, slot] = torch.tensor(center).div(SIZE).clamp(0, 1)
            text[row, slot], masks[row, slot] = embed(scene, index), 1
            if rng.random() < unmarked_share:
                continue
            scribble = torch.from_numpy(draw_scribble(item, rng, scribble_points))
            scribbles[row, slot] = (scribble.float().flatten() / SIZE).clamp(0, 1)
            polygon = torch.from_numpy(draw_polygon(item, polygon_points))
            polygons[row, slot] = (polygon.float().flatten() / SIZE).clamp(0, 1)
            segments[row, slot, y0:y1, x0:x1] = torch.from_numpy(item.drawing.mask).float()
    return InstanceGrounding(boxes, masks, text, points, scribbles, polygons, segments)
