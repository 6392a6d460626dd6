"""Batches of rendered scenes as tensors, with the damage that a generated picture may have.

Judge, detector and segmenter learn on true renders but must read pictures that came through an autoencoder and a diffusion
model: softer, noisier, a little off in colour, with objects of sizes the renderer never draws. `zoom` and `degrade` make
the renders look like that.
"""

import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from llmgen.toybox.world.scenes import MAX_OBJECTS, Scene, SceneObject, render, sample_plain_scene, sample_scene
from llmgen.toybox.world.truths_of_scenes import sightings_of_scene
from llmgen.toybox.world.vocabulary import (
    BACKGROUNDS,
    COLORS,
    KEYPOINTS,
    MOODS,
    NOUNS,
    PART_STATES,
    PATTERNS,
    STANDING,
    VERBS,
)

COLOR_NAMES = tuple(COLORS)
POSES = (STANDING, *VERBS)
"""What a character does, in the order of their indices."""
STATE_PARTS = tuple(PART_STATES)
"""Parts that have states, in the order of their indices."""
OPEN = -1
"""Index of a property that an object does not have."""
_EMPTY_SHARE = 0.03


@dataclass(frozen=True)
class SceneBatch:
    """Scenes as tensors; slots beyond a scene's objects are empty.

    Attributes:
        images: ``[B, 3, H, W]`` float32, RGB in 0..1.
        boxes: ``[B, 4 slots, 4]`` float32, xyxy half-open pixels.
        nouns: ``[B, 4]`` int64, index into ``NOUNS``.
        colors: ``[B, 4]`` int64, index into ``COLOR_NAMES``.
        patterns: ``[B, 4]`` int64, index into ``PATTERNS``.
        moods: ``[B, 4]`` int64, index into ``MOODS``, or ``OPEN`` for a thing.
        verbs: ``[B, 4]`` int64, index into ``POSES``, or ``OPEN`` for a thing.
        states: ``[B, 4, parts]`` int64, for each of ``STATE_PARTS`` the index of its state, or ``OPEN`` where an object
            lacks the part.
        backgrounds: ``[B]`` int64, index into ``BACKGROUNDS``.
        present: ``[B, 4]`` bool, the slot holds an object to be found.
        ignored: ``[B, 4]`` bool, the slot holds an object cut by the border: neither right nor wrong to find.
        keypoints: ``[B, 4, 13, 2]`` float32 pixels, NaN for things.
        masks: ``[B, 4, H, W]`` float32 in 0..1, or None when not asked for.
    """

    images: Tensor
    boxes: Tensor
    nouns: Tensor
    colors: Tensor
    patterns: Tensor
    moods: Tensor
    verbs: Tensor
    states: Tensor
    backgrounds: Tensor
    present: Tensor
    ignored: Tensor
    keypoints: Tensor
    masks: Tensor | None = None

    def to(self, device: str | torch.device) -> "SceneBatch":
        """The batch on a device."""
        whole = {item.name: getattr(self, item.name) for item in fields(self)}
        moved: dict[str, Any] = {name: value.to(device) for name, value in whole.items() if value is not None}
        return replace(self, **moved)

    def first(self, count: int) -> "SceneBatch":
        """The first scenes of the batch."""
        whole = {item.name: getattr(self, item.name) for item in fields(self)}
        some: dict[str, Any] = {name: value[:count] for name, value in whole.items() if value is not None}
        return replace(self, **some)

    def with_images(self, images: Tensor) -> "SceneBatch":
        """The batch with other pictures of the same scenes."""
        return replace(self, images=images)


def draw_scenes(
    rng: np.random.Generator,
    count: int,
    *,
    with_masks: bool = False,
    detailed: float = 0.0,
    held_out: bool = False,
    plain: bool = False,
) -> SceneBatch:
    """Sample and render scenes of the world; a few are bare backgrounds, which the world itself never samples.

    Args:
        rng: source of chance.
        count: how many.
        with_masks: whether to keep the masks.
        detailed: share of the scenes that surely show a pattern, a mood, an action or a part in an unusual state.
        held_out: whether all scenes show what no training may see, see `held_out.py` of the world; otherwise none does.
        plain: whether all scenes are of plain things, see `sample_plain_scene`.
    """
    chance = random.Random(int(rng.integers(2**62)))
    scenes = []
    for _ in range(count):
        scene = sample_plain_scene(chance) if plain else sample_scene(chance, held_out=held_out)
        must = chance.random() < detailed
        while must and not any(map(_has_details, scene.objects)):
            scene = sample_scene(chance, held_out=held_out)
        scenes.append(Scene(scene.background, (), scene.seed) if chance.random() < _EMPTY_SHARE else scene)
    return batch_scenes(scenes, with_masks=with_masks)


def _has_details(item: SceneObject) -> bool:
    return (item.pattern, item.mood, item.verb, item.states) != (PATTERNS[0], MOODS[0], None, ())


def batch_scenes(scenes: Sequence[Scene], *, with_masks: bool = False) -> SceneBatch:
    """Render scenes and put their truth into tensors.

    Args:
        scenes: Of at most four objects each.
        with_masks: Whether to keep the masks.
    """
    count = len(scenes)
    images, masks = [], []
    boxes = np.zeros((count, MAX_OBJECTS, 4), np.float32)
    keypoints = np.full((count, MAX_OBJECTS, len(KEYPOINTS), 2), np.nan, np.float32)
    # Columns: noun, colour, pattern, mood, verb, then a state for each part that has states.
    looks = np.zeros((count, MAX_OBJECTS, 5 + len(STATE_PARTS)), np.int64)
    present = np.zeros((count, MAX_OBJECTS), bool)
    for index, scene in enumerate(scenes):
        rendered = render(scene)
        images.append(rendered.image)
        for slot, (item, seen) in enumerate(zip(scene.objects, sightings_of_scene(scene), strict=True)):
            boxes[index, slot], present[index, slot] = item.box_xyxy, True
            states = dict(seen.states)
            looks[index, slot] = (
                NOUNS.index(item.noun),
                COLOR_NAMES.index(item.color),
                PATTERNS.index(item.pattern),
                OPEN if seen.mood is None else MOODS.index(seen.mood),
                OPEN if seen.verb is None else POSES.index(seen.verb),
                *(PART_STATES[part].index(states[part]) if part in states else OPEN for part in STATE_PARTS),
            )
        keypoints[index, : len(scene.objects)] = rendered.keypoints
        if with_masks:
            stack = np.zeros((MAX_OBJECTS, *rendered.image.shape[:2]), np.float32)
            stack[: len(rendered.masks)] = rendered.masks
            masks.append(stack)
    columns = torch.from_numpy(looks).unbind(-1)
    return SceneBatch(
        images=torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255,
        boxes=torch.from_numpy(boxes),
        nouns=columns[0],
        colors=columns[1],
        patterns=columns[2],
        moods=columns[3],
        verbs=columns[4],
        states=torch.stack(columns[5:], dim=-1),
        backgrounds=torch.tensor([BACKGROUNDS.index(scene.background) for scene in scenes]),
        present=torch.from_numpy(present),
        ignored=torch.zeros(count, MAX_OBJECTS, dtype=torch.bool),
        keypoints=torch.from_numpy(keypoints),
        masks=torch.from_numpy(np.stack(masks)) if with_masks else None,
    )


def zoom(
    batch: SceneBatch, rng: np.random.Generator, *, share: float = 0.5, low: float = 0.7, high: float = 1.4
) -> SceneBatch:
    """Magnify a share of the scenes about a random place; boxes, keypoints and masks follow.

    An object with less than 0.7 of its box left in view becomes ``ignored``; one with less than 0.05 is forgotten.
    """
    count, _, height, width = batch.images.shape
    scale = torch.ones(count)
    chosen = torch.from_numpy(rng.random(count) < share)
    scale[chosen] = torch.from_numpy(
        np.exp(rng.uniform(math.log(low), math.log(high), int(chosen.sum()))).astype(np.float32)
    )
    # out = in * scale + shift; the shift keeps the picture inside the frame (or the frame inside the picture).
    place = torch.from_numpy(rng.random((count, 2)).astype(np.float32))
    shift = place * torch.tensor([width, height]) * (1 - scale)[:, None]
    theta = torch.zeros(count, 2, 3)
    for axis, length in ((0, width), (1, height)):
        # in = (out - shift) / scale, in the -1..1 units of affine_grid.
        theta[:, axis, axis] = 1 / scale
        theta[:, axis, 2] = (1 - 2 * shift[:, axis] / length) / scale - 1
    grid = F.affine_grid(theta, [count, 3, height, width], align_corners=False)
    images = batch.images.clone()
    images[chosen] = F.grid_sample(
        batch.images[chosen], grid[chosen], mode="bilinear", padding_mode="border", align_corners=False
    )
    masks = batch.masks
    if masks is not None:
        masks = masks.clone()
        masks[chosen] = F.grid_sample(
            masks[chosen], grid[chosen], mode="bilinear", padding_mode="zeros", align_corners=False
        )
    moved = batch.boxes * scale[:, None, None] + torch.cat([shift, shift], dim=1)[:, None]
    clipped = torch.stack([moved[..., axis].clamp(0, (width, height)[axis % 2]) for axis in range(4)], dim=-1)
    seen = _area(clipped) / _area(moved).clamp(min=1e-6)
    present = batch.present & (seen >= 0.7)
    ignored = (batch.ignored | (batch.present & ~present)) & (seen >= 0.05)
    keypoints = batch.keypoints * scale[:, None, None, None] + shift[:, None, None]
    return replace(
        batch, images=images, boxes=clipped, present=present, ignored=ignored, keypoints=keypoints, masks=masks
    )


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def degrade(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Damage pictures as an autoencoder, a diffusion model or a file format would.

    Each picture gets an independent draw of: contrast, brightness and saturation; loss of resolution; Gaussian blur;
    smooth colour blotches and fine noise; JPEG. About one in six stays clean.

    Args:
        images: ``[B, 3, H, W]`` float, 0..1.
        rng: the only source of chance.

    Returns:
        A new tensor, same shape, 0..1.
    """
    count, _, height, width = images.shape

    def draw(low: float, high: float, share: float, neutral: float) -> Tensor:
        values = np.where(rng.random(count) < share * touched, rng.uniform(low, high, count), neutral)
        return torch.from_numpy(values.astype(np.float32))[:, None, None, None]

    touched = rng.random(count) < 5 / 6
    saturation, contrast, brightness = draw(0.6, 1.25, 0.5, 1), draw(0.7, 1.2, 0.5, 1), draw(-0.1, 0.1, 0.5, 0)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * saturation
    images = (images - 0.5) * contrast + 0.5 + brightness

    coarse = torch.from_numpy((rng.random(count) < 0.15) & touched)
    if coarse.any():
        factor = float(rng.uniform(0.4, 0.7))
        small = F.interpolate(images[coarse], scale_factor=factor, mode="area")
        images[coarse] = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)

    blurred = torch.from_numpy((rng.random(count) < 0.4) & touched)
    if blurred.any():
        images[blurred] = _blur(images[blurred], torch.from_numpy(rng.uniform(0.3, 1.5, int(blurred.sum()))).float())

    # The generator of torch is far quicker at big normal draws than numpy's; it is seeded from ours.
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    for cells, low, high in ((12, 0.01, 0.05), (height, 0.01, 0.05)):
        strength = draw(low, high, 0.35, 0)
        noisy = strength.flatten() > 0
        field = torch.randn(int(noisy.sum()), 3, cells, cells, generator=noise) * strength[noisy]
        if noisy.any():
            images[noisy] += F.interpolate(field, (height, width), mode="bilinear", align_corners=False)
    images = images.clamp(0, 1)

    for index in np.flatnonzero((rng.random(count) < 0.15) & touched):
        quality = int(rng.integers(30, 85))
        file = io.BytesIO()
        pixels = (images[index] * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality)
        images[index] = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float() / 255
    return images


def _blur(images: Tensor, sigmas: Tensor) -> Tensor:
    """Gaussian blur with one sigma (pixels) a picture, separable, 9 taps, borders replicated."""
    count, channels, _, _ = images.shape
    taps = torch.arange(-4, 5, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (taps / sigmas[:, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    flat = F.pad(images.reshape(1, count * channels, *images.shape[2:]), (4, 4, 4, 4), mode="replicate")
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=count * channels)
    flat = F.conv2d(flat, kernel[:, None, :, None], groups=count * channels)
    return flat.reshape(images.shape)
