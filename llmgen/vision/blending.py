"""How a new picture is pasted into an old one, so that untouched pixels stay the very same."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llmgen.vision.boxes import clip
from llmgen.vision.masks import BoolMask


def feathered(region: BoolMask, width_px: int) -> NDArray[np.float32]:
    """How much of the new picture shows: 1 in the region, falling to 0 within a few pixels outside it.

    Args:
        region: `bool[h, w]`.
        width_px: Width of the fall in pixels; 0 is a hard edge.

    Returns:
        `float32[h, w]` in [0, 1], exactly 0 further out than `width_px`.
    """
    if width_px <= 0 or not region.any():
        return region.astype(np.float32)
    from scipy import ndimage

    distance = ndimage.distance_transform_edt(~region)
    weight: NDArray[np.float32] = np.clip(1 - distance / (width_px + 1), 0, 1).astype(np.float32)
    return weight


def paste_back(original: Image.Image, drawn: Image.Image, weight: NDArray[np.float32]) -> Image.Image:
    """The drawn picture inside the weight, the original's very pixels where the weight is 0."""
    old, new = (np.asarray(x.convert("RGB"), dtype=np.float32) for x in (original, drawn))
    mixed = old + (new - old) * weight[..., None]
    return Image.fromarray(np.clip(np.round(mixed), 0, 255).astype(np.uint8))


def region_picture(weight: NDArray[np.float32]) -> Image.Image:
    """White where pixels could change."""
    return Image.fromarray(np.where(weight > 0, 255, 0).astype(np.uint8))


def crop_around(image: Image.Image, box_xyxy: Sequence[float], margin: float) -> Image.Image:
    """An object with a little of its surroundings; at least one pixel.

    Args:
        image: The picture.
        box_xyxy: The object in pixels; some of it lies in the picture.
        margin: What is seen around it, as a share of the longer side of its box.
    """
    x0, y0, x1, y1 = box_xyxy
    around = margin * max(x1 - x0, y1 - y0)
    left, top, right, bottom = clip((x0 - around, y0 - around, x1 + around, y1 + around), *image.size)
    left, top = min(int(left), image.width - 1), min(int(top), image.height - 1)
    return image.crop((left, top, max(left + 1, round(right)), max(top + 1, round(bottom))))
