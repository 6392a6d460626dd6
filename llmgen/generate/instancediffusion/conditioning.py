"""Layouts as UniFusion takes them: every format of every instance, in slots."""

import random
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from llmgen.artifacts import Instance, Layout
from llmgen.diffusion.instances.unifusion import FORMATS, Format, InstanceGrounding, UniFusion, box_centers
from llmgen.diffusion.text import TextEncoder
from llmgen.engine.seeds import derive_seed
from llmgen.errors import InputError
from llmgen.vision.boxes import to_unit
from llmgen.vision.mask_points import Points, polygon_from_mask, scribble_from_mask, unit_points
from llmgen.vision.masks import BoolMask, decode_mask

Use = Literal["box", "point", "scribble", "mask", "test_box", "test_point", "test_mask", "test_scribble"]
"""A format, or one of the original's sets of formats."""

SETS: Final[dict[str, tuple[Format, ...]]] = {
    "test_box": ("box", "point"),
    "test_point": ("point",),
    "test_mask": ("box", "point", "mask"),
    "test_scribble": ("box", "point", "scribble", "mask"),
}


def formats_in_use(wanted: Iterable[Use], layout: Layout) -> tuple[Format, ...]:
    """Formats that count for a layout.

    Args:
        wanted: Formats and sets of formats. None at all means what the layout gives: boxes and points, and scribbles and masks
            where an instance has one.
        layout: The layout.

    Returns:
        Formats in their order.
    """
    found = {name for use in wanted for name in SETS.get(use, (use,))}
    if not found:
        found = {"box", "point"}
        found |= {"scribble"} if any(i.scribble_xy for i in layout.instances) else set()
        found |= {"mask"} if any(i.mask for i in layout.instances) else set()
    return tuple(name for name in FORMATS if name in found)


def ground_layout(
    layout: Layout, use: Collection[Format], unifusion: UniFusion, text: TextEncoder, *, seed: int
) -> InstanceGrounding:
    """A layout as the tokens' input.

    An instance without a point has one in the middle of its box. One without a scribble has that of its mask, if any.

    Args:
        layout: At least the canvas; an empty layout grounds nothing.
        use: Formats that count; the others are left out, for they would change nothing.
        unifusion: Says how many slots and points there are.
        text: Encodes the phrases.
        seed: Seed of the record. Where points of a mask are drawn at random, the draw depends on it and the instance's id.

    Returns:
        One picture, on the device and in the dtype of `unifusion`.

    Raises:
        InputError: If there are more instances than slots, or a phrase is longer than the text encoder reads.
    """
    sizes = unifusion.config
    count, slots = len(layout.instances), int(sizes.max_objs)
    if count > slots:
        raise InputError(f"the layout has {count} instances, and this model takes at most {slots}; leave some out")
    side = int(sizes.seg_resize) if "mask" in use else 1
    boxes, points = torch.zeros(slots, 4), torch.zeros(slots, 2)
    scribbles = torch.zeros(slots, 2 * sizes.n_scribble_points)
    polygons = torch.zeros(slots, 2 * sizes.n_polygon_points)
    segments = torch.zeros(slots, side, side, dtype=torch.bool)
    for slot, instance in enumerate(layout.instances):
        boxes[slot] = torch.tensor(to_unit(instance.box_xyxy, layout.width, layout.height))
        points[slot] = box_centers(boxes[slot])
        if instance.point_xy is not None:
            points[slot] = _unit(np.array([instance.point_xy]), layout)
        mask = decode_mask(instance.mask) if instance.mask is not None and {"scribble", "mask"} & set(use) else None
        own = derive_seed(seed, instance.id)
        if "scribble" in use:
            stroke = _scribble(instance, mask, sizes.n_scribble_points, own)
            if stroke is not None:
                scribbles[slot] = _unit(stroke, layout)
        if "mask" in use and mask is not None:
            polygons[slot] = _unit(polygon_from_mask(mask, random.Random(own), sizes.n_polygon_points), layout)
            segments[slot] = torch.from_numpy(_resized(mask, side))
    real = (torch.arange(slots) < count).float()
    states = _phrases(layout.instances, text, slots, int(sizes.in_dim))
    grounding = InstanceGrounding(boxes, real, states, points, scribbles, polygons, segments)
    return InstanceGrounding(*(value[None] for value in vars(grounding).values())).to(unifusion.device, unifusion.dtype)


def _phrases(instances: Sequence[Instance], text: TextEncoder, slots: int, width: int) -> Tensor:
    longest = int(text.tokenizer.model_max_length)
    for instance in instances:
        length = text.num_tokens(instance.phrase)
        if length > longest:
            raise InputError(
                f"the phrase of instance {instance.id!r} has {length} tokens, and the model reads {longest}; shorten it"
            )
    states = torch.zeros(slots, width)
    if instances:
        states[: len(instances)] = text.pooled([instance.phrase for instance in instances]).float().cpu()
    return states


def _scribble(instance: Instance, mask: BoolMask | None, count: int, seed: int) -> Points | None:
    """Points along the stroke, those of the mask where there is none; nearest to the top left corner first, as in training."""
    if instance.scribble_xy is not None:
        points = resample_stroke(np.array(instance.scribble_xy, dtype=np.float64), count)
        return np.asarray(points[np.argsort(np.hypot(points[:, 0], points[:, 1]), kind="stable")])
    if mask is not None:
        return scribble_from_mask(mask, np.random.RandomState(seed), count)
    return None


def resample_stroke(points: Points, count: int) -> Points:
    """A stroke in another number of points, evenly spaced along it.

    Args:
        points: `float64[n, 2]`, n >= 1.
        count: Number wanted. A stroke of just as many points stays as it is.

    Returns:
        `float64[count, 2]`, ends included.
    """
    if len(points) == count:
        return points
    lengths = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    wanted = np.linspace(0, along[-1], count)
    return np.stack([np.interp(wanted, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _unit(points: Points, layout: Layout) -> Tensor:
    return torch.from_numpy(unit_points(np.maximum(points, 0), layout.width, layout.height)).float().flatten()


def _resized(mask: BoolMask, side: int) -> BoolMask:
    """A mask at `side x side`, nearest pixels, rounded down as `torch.nn.functional.interpolate` does."""
    height, width = mask.shape
    rows, columns = np.arange(side) * height // side, np.arange(side) * width // side
    return np.asarray(mask[rows[:, None], columns[None, :]])
