"""Moving and resizing at picture level: the whole picture is warped so that the object lies where it should.

The reference scales the picture, anchors the object at the top left corner of its new box and copies whole latent
cells, losing the last row and column. Here one affine warp puts the object's centre on the centre of its new box, at
any sub-cell place, and the latents of the warped picture need no shift.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llmgen.vision.boxes import BoxTuple, center


@dataclass(frozen=True)
class Placement:
    """`new = scale * old + offset`, in pixels."""

    scale: float
    offset: tuple[float, float]

    def box(self, box_xyxy: BoxTuple) -> BoxTuple:
        """Where a box goes."""
        (dx, dy), s = self.offset, self.scale
        x0, y0, x1, y1 = box_xyxy
        return (s * x0 + dx, s * y0 + dy, s * x1 + dx, s * y1 + dy)


def place(old_xyxy: BoxTuple, new_xyxy: BoxTuple) -> Placement:
    """Fit an object into its new box: aspect ratio kept, centres on each other.

    Args:
        old_xyxy: Where it is, pixels.
        new_xyxy: Where it should be, pixels.
    """
    scale = min(
        (new_xyxy[2] - new_xyxy[0]) / (old_xyxy[2] - old_xyxy[0]),
        (new_xyxy[3] - new_xyxy[1]) / (old_xyxy[3] - old_xyxy[1]),
    )
    (ox, oy), (nx, ny) = center(old_xyxy), center(new_xyxy)
    return Placement(scale, (nx - scale * ox, ny - scale * oy))


def pad(image: Image.Image, multiple: int) -> Image.Image:
    """The picture with its last row and column repeated until its sides are multiples of a number."""
    rgb = image.convert("RGB")
    down, right = -rgb.height % multiple, -rgb.width % multiple
    if not down and not right:
        return rgb
    return Image.fromarray(np.pad(np.asarray(rgb), ((0, down), (0, right), (0, 0)), mode="edge"))


def warp_image(image: Image.Image, placement: Placement) -> Image.Image:
    """The picture after the warp, same size; what lies outside the old picture repeats its border."""
    from scipy import ndimage

    values = np.asarray(image.convert("RGB"), dtype=np.float32)
    s, (dx, dy) = placement.scale, placement.offset
    if s < 1:  # smooth before sampling more coarsely than the pixels lie
        values = ndimage.gaussian_filter(values, sigma=(0.4 * (1 / s - 1),) * 2 + (0,))
    channels = [
        ndimage.affine_transform(values[..., c], (1 / s, 1 / s), _offset(s, dx, dy), order=1, mode="nearest")
        for c in range(3)
    ]
    return Image.fromarray(np.clip(np.round(np.stack(channels, axis=-1)), 0, 255).astype(np.uint8))


def warp_mask(mask: NDArray[np.bool_], placement: Placement) -> NDArray[np.bool_]:
    """The mask after the warp, `bool[h, w]`; what leaves the picture is lost."""
    from scipy import ndimage

    s, (dx, dy) = placement.scale, placement.offset
    moved = ndimage.affine_transform(mask.astype(np.float32), (1 / s, 1 / s), _offset(s, dx, dy), order=1)
    result: NDArray[np.bool_] = moved > 0.5
    return result


def _offset(scale: float, dx: float, dy: float) -> tuple[float, float]:
    # Pixel centres lie at half-integers; rows come first.
    return tuple((0.5 - d) / scale - 0.5 for d in (dy, dx))  # type: ignore[return-value]
