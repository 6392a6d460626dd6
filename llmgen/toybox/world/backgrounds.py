"""Pale backgrounds, drawn once a variant."""

import functools
import random
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

SIZE: Final = 128
"""Side of a picture in pixels."""
BACKGROUND_VARIANTS: Final = 32

_PALETTE: Final[dict[str, tuple[tuple[int, int, int], ...]]] = {
    "meadow": ((206, 234, 250), (226, 243, 252), (186, 224, 164), (198, 232, 178)),
    "beach": ((222, 240, 248), (236, 246, 250), (246, 228, 190), (160, 212, 232)),
    "night": ((156, 168, 212), (170, 182, 222), (138, 152, 190), (147, 160, 201)),
    "snow": ((212, 216, 226), (222, 226, 234), (246, 248, 252), (236, 239, 246)),
    "rain": ((186, 193, 202), (164, 171, 182), (188, 196, 186), (178, 188, 180)),
}
"""Of each background: sky, cloud, ground and the band or hill between them."""


_DROP: Final = (118, 152, 204)
_PUDDLE: Final = (150, 172, 196)


def _rain(image: Image.Image, horizon: int, rng: random.Random) -> None:
    """Puddles on the ground and bold slanted drops everywhere, in rows so that they never clot."""
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        x, y, rx = rng.randint(8, SIZE - 8), rng.randint(horizon + 14, SIZE - 4), rng.randint(12, 20)
        draw.ellipse((x - rx, y - 4, x + rx, y + 4), fill=_PUDDLE)
    for row in range(5):
        for column in range(5):
            x = column * 27 + row % 2 * 13 + rng.randint(-4, 4)
            y = row * 27 + rng.randint(-4, 4)
            draw.line((x + 5, y, x, y + 12), fill=_DROP, width=4)
    image.paste(image.filter(ImageFilter.GaussianBlur(0.6)))


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
    image = image.filter(ImageFilter.GaussianBlur(1.6))
    if name == "rain":
        _rain(image, horizon, rng)
    pixels = np.array(image, dtype=np.float32)
    pixels.flags.writeable = False
    return pixels
