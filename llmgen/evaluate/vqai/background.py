"""Whether a picture kept what the question does not touch: PSNR outside what differs between question and answer."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

DIFFERENCE: Final = 8
"""Levels (of 255) by which a pixel of source and target must differ to count as one that should change."""
MARGIN_PX: Final = 9
"""Side of the square that such pixels are widened to: shadows and soft edges belong to the change."""
LEAST_SHARE: Final = 0.05
"""Share of the picture that must be left, or nothing is said: where the whole scenery changes there is nothing to keep."""
MOST_DB: Final = 10 * math.log10(255**2 * 12)
"""PSNR of a copy: its error is no less than that of rounding to whole levels, a twelfth of a level squared."""


def untouched(source: Image.Image, target: Image.Image) -> NDArray[np.bool_]:
    """Which pixels should stay as they are.

    Args:
        source: RGB, what was asked about.
        target: RGB of the same size, the right answer.

    Returns:
        bool [h, w].
    """
    apart = np.abs(_levels(source) - _levels(target)).max(axis=2) > DIFFERENCE
    widened = Image.fromarray(apart.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(MARGIN_PX))
    return np.asarray(widened) == 0


def kept_db(source: Image.Image, target: Image.Image, picture: Image.Image) -> float | None:
    """PSNR of a picture against the source where nothing should change.

    Args:
        source: RGB, what was asked about.
        target: RGB, the right answer; brought to the size of the source.
        picture: RGB, the answer that is scored; likewise.

    Returns:
        Decibels up to `MOST_DB`; None where less than `LEAST_SHARE` of the picture should stay.
    """
    size = source.size
    target, picture = (
        one if one.size == size else one.resize(size, Image.Resampling.BICUBIC) for one in (target, picture)
    )
    stays = untouched(source, target)
    if stays.mean() < LEAST_SHARE:
        return None
    error = float(np.square(_levels(source) - _levels(picture))[stays].mean())
    return min(10 * math.log10(255**2 / error), MOST_DB) if error > 0 else MOST_DB


def _levels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image.convert("RGB"), dtype=np.float64)
