"""From a mask on a picture to a patch and back: soft edges, the window that is painted, and the pixels that stay the very same.

Diffusers' pipelines make a mask hard and change pixels outside it, because the whole picture passes the autoencoder. So whatever was
painted is laid over the original by a soft mask, and where that is 0 the original's bytes stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from llmgen.paint.inpainter import Inpainter, Patch, Placed
from llmgen.vision.blending import paste_back
from llmgen.vision.boxes import BoxTuple, area, clip
from llmgen.vision.masks import BoolMask, mask_bounds


@dataclass(frozen=True)
class Framing:
    """Which part of a picture is painted, and how large."""

    crop_share: float = 0.4
    """Windows smaller than this share of the picture are painted alone; 0 paints the whole picture always."""
    padding_px: int = 35
    """Around a mask, so that its surroundings are seen."""
    side_px: int = 512
    """Longer side at which a window is painted; one that is larger is painted at its own size up to `most_side_px`."""
    most_side_px: int = 768


@dataclass(frozen=True)
class Window:
    """A part of a picture and the size at which it is painted."""

    box: tuple[int, int, int, int]
    """Half-open, in pixels of the picture; the whole picture may be exceeded to the right and below, where its border is repeated."""
    size: tuple[int, int]
    """Width and height at which it is painted."""


@dataclass(frozen=True)
class Task:
    """What is painted on one picture."""

    image: Image.Image
    mask: BoolMask
    """`bool[h, w]`, where it is painted; not empty."""
    weight: NDArray[np.float32]
    """`float32[h, w]`, how much of it shows; exactly 0 where the picture stays."""
    phrase: str
    scene: str
    negative: str
    strength: float
    seed: int
    objects: tuple[Placed, ...] = ()
    """All that the picture shows when it is done; empty where nobody knows."""
    before: tuple[Placed, ...] = ()
    """All that it shows now, to guide away from; empty to guide away from the negative text alone."""


@dataclass(frozen=True)
class Painted:
    """A picture after it was painted on."""

    image: Image.Image
    window: Window
    steps: int


def soft_mask(mask: BoolMask, blur_px: float) -> NDArray[np.float32]:
    """A mask with a soft edge.

    Args:
        mask: `bool[h, w]`.
        blur_px: Standard deviation of the blur in pixels; 0 is a hard edge.

    Returns:
        `float32[h, w]` in [0, 1], exactly 0 a few standard deviations outside: in steps of 1/255, as a server's own blur.
    """
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    if blur_px > 0:
        picture = picture.filter(ImageFilter.GaussianBlur(blur_px))
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def choose_window(mask: BoolMask, framing: Framing, multiple: int) -> Window:
    """The part of a picture that is painted for a mask: a window around it if that is small, else the whole picture.

    Args:
        mask: `bool[h, w]`, not empty.
        framing: When and how large.
        multiple: What painted sides must be multiples of.
    """
    height, width = mask.shape
    whole = Window((0, 0, *_rounded_up((width, height), multiple)), _rounded_up((width, height), multiple))
    bounds = mask_bounds(mask)
    if bounds is None:
        raise ValueError("an empty mask has no window")
    padding = framing.padding_px
    x0, y0 = max(0, bounds[0] - padding), max(0, bounds[1] - padding)
    x1, y1 = min(width, bounds[2] + padding), min(height, bounds[3] + padding)
    if (x1 - x0) * (y1 - y0) >= framing.crop_share * width * height:
        return whole
    side = min(max(framing.side_px, x1 - x0, y1 - y0), framing.most_side_px)
    scale = side / max(x1 - x0, y1 - y0)
    columns, rows = (max(multiple, round(scale * length / multiple) * multiple) for length in (x1 - x0, y1 - y0))
    box = _of_shape((x0, y0, x1, y1), columns / rows, width, height)
    return Window(box, (columns, rows))


def paint_tasks(inpainter: Inpainter, tasks: Sequence[Task], framing: Framing) -> list[Painted]:
    """Paint on pictures and lay the result over them.

    Args:
        inpainter: Who paints.
        tasks: Pictures with masks that are not empty.
        framing: Which part is painted, and how large.

    Returns:
        For each task its picture, the same in every byte where the weight is 0.
    """
    windows = [choose_window(task.mask, framing, inpainter.multiple) for task in tasks]
    patches = [
        Patch(
            image=cut_picture(task.image, window),
            mask=cut_mask(task.mask, window),
            phrase=task.phrase,
            scene=task.scene,
            negative=task.negative,
            strength=task.strength,
            seed=task.seed,
            objects=tuple(placed_in(window, task.objects)),
            before=tuple(placed_in(window, task.before)),
        )
        for task, window in zip(tasks, windows, strict=True)
    ]
    drawn = inpainter.paint(patches)
    return [
        Painted(lay_over(task.image, picture, window, task.weight), window, inpainter.steps_at(task.strength))
        for task, window, picture in zip(tasks, windows, drawn, strict=True)
    ]


def cut_picture(image: Image.Image, window: Window) -> Image.Image:
    """A window of a picture at the size at which it is painted."""
    x0, y0, x1, y1 = window.box
    right, below = max(0, x1 - image.width), max(0, y1 - image.height)
    pixels = np.pad(np.asarray(image.convert("RGB")), ((0, below), (0, right), (0, 0)), mode="edge")
    cut = Image.fromarray(np.ascontiguousarray(pixels[y0:y1, x0:x1]))
    return cut if cut.size == window.size else cut.resize(window.size, Image.Resampling.LANCZOS)


def cut_mask(mask: BoolMask, window: Window) -> BoolMask:
    """A window of a mask at the size at which it is painted; never empty where the mask is not."""
    x0, y0, x1, y1 = window.box
    below, right = max(0, y1 - mask.shape[0]), max(0, x1 - mask.shape[1])
    cut = np.pad(mask, ((0, below), (0, right)))[y0:y1, x0:x1]
    if cut.shape == window.size[::-1]:
        return cut
    covered = Image.fromarray(cut.astype(np.uint8) * 255).resize(window.size, Image.Resampling.BOX)
    return np.asarray(covered) > 0


def placed_in(window: Window, objects: Sequence[Placed]) -> list[Placed]:
    """What of a picture's objects a window shows, in pixels of the patch."""
    x0, y0, x1, y1 = window.box
    across, down = window.size[0] / (x1 - x0), window.size[1] / (y1 - y0)
    shown = []
    for one in objects:
        left, top, right, bottom = one.box_xyxy
        box = clip(((left - x0) * across, (top - y0) * down, (right - x0) * across, (bottom - y0) * down), *window.size)
        if area(box) > 0:
            shown.append(Placed(one.phrase, box))
    return shown


def lay_over(image: Image.Image, drawn: Image.Image, window: Window, weight: NDArray[np.float32]) -> Image.Image:
    """A painted window on its picture; where the weight is 0, or outside the window, the picture's own bytes."""
    x0, y0, x1, y1 = window.box
    size = (x1 - x0, y1 - y0)
    back = drawn if drawn.size == size else drawn.resize(size, Image.Resampling.LANCZOS)
    canvas = image.convert("RGB")
    canvas.paste(back.crop((0, 0, min(x1, image.width) - x0, min(y1, image.height) - y0)), (x0, y0))
    return paste_back(image, canvas, weight)


def window_xyxy(window: Window, size: tuple[int, int]) -> BoxTuple:
    """A window as a box of its picture."""
    x0, y0, x1, y1 = window.box
    return (float(x0), float(y0), float(min(x1, size[0])), float(min(y1, size[1])))


def _rounded_up(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    width, height = (-(-side // multiple) * multiple for side in size)
    return width, height


def _of_shape(box: tuple[int, int, int, int], aspect: float, width: int, height: int) -> tuple[int, int, int, int]:
    """A box that holds another, as near to a ratio of sides as the picture lets it be."""
    x0, y0, x1, y1 = box
    if (x1 - x0) / (y1 - y0) < aspect:
        x0, x1 = _widened(x0, x1, round((y1 - y0) * aspect), width)
    else:
        y0, y1 = _widened(y0, y1, round((x1 - x0) / aspect), height)
    return x0, y0, x1, y1


def _widened(low: int, high: int, length: int, most: int) -> tuple[int, int]:
    length = min(max(length, high - low), most)
    start = min(max(0, (low + high - length) // 2), most - length)
    return start, start + length
