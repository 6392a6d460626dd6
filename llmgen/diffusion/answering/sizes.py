"""At which size a picture is edited: sides that the models can halve, the shape kept, nothing squashed.

Source: Latent-Guided Diffusion (Li et al. 2023), image-answering; section 6 of the specification.
"""

import math
from fractions import Fraction
from typing import Final

from PIL import Image, ImageOps

from llmgen.errors import InputError

REFERENCE_SIDE: Final = 512
"""Side of the square that the original edits in."""
REFERENCE_MULTIPLE: Final = 64
LEAST_SIDE: Final = 8
"""Least side in pixels of a picture that is edited; less shows nothing to edit."""
LONGEST: Final = 4
"""So many times the canvas the longer side may be: longer pictures would need more memory than any picture of the canvas."""


def edit_size(
    width: int, height: int, *, side: int = REFERENCE_SIDE, multiple: int = REFERENCE_MULTIPLE
) -> tuple[int, int]:
    """Size at which a picture is edited.

    The longer side becomes `side`; then both are enlarged until the shorter one is the next multiple, and cut to multiples.

    Args:
        width: Of the picture.
        height: Of the picture.
        side: Of the canvas that the editor was trained on, in pixels.
        multiple: What sides must be multiples of.

    Returns:
        Width and height.

    Raises:
        InputError: If the picture is too small, or too long for its width.
    """
    if min(width, height) < LEAST_SIDE:
        raise InputError(
            f"the picture has {width}x{height} pixels, too few to edit; give one of {LEAST_SIDE} pixels or more a side"
        )
    scale = Fraction(side, max(width, height))
    scale = Fraction(math.ceil(min(width, height) * scale / multiple) * multiple, min(width, height))
    size = tuple(math.floor(length * scale / multiple) * multiple for length in (width, height))
    if max(size) > LONGEST * side:
        raise InputError(
            f"the picture has {width}x{height} pixels, too long for its width: it would be edited at {size[0]}x{size[1]}; cut it first"
        )
    return size[0], size[1]


def reference_size(width: int, height: int) -> tuple[int, int]:
    """The original's size, in its own floating-point arithmetic, which loses a multiple now and then.

    Raises:
        InputError: If a side becomes 0, which the original does not notice.
    """
    factor = REFERENCE_SIDE / max(width, height)
    factor = math.ceil(min(width, height) * factor / REFERENCE_MULTIPLE) * REFERENCE_MULTIPLE / min(width, height)
    size = tuple(int((length * factor) // REFERENCE_MULTIPLE) * REFERENCE_MULTIPLE for length in (width, height))
    if not min(size):
        raise InputError(
            f"the picture has {width}x{height} pixels, for which the original computes a side of 0; leave `profile` away"
        )
    return size[0], size[1]


def fit_picture(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture resized (Lanczos) and cut at its edges, equally on both sides, to a size."""
    return ImageOps.fit(image.convert("RGB"), size, method=Image.Resampling.LANCZOS)


def squash_picture(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The original's model input: fitted to a size, then squashed into its square."""
    return fit_picture(image, size).resize((REFERENCE_SIDE, REFERENCE_SIDE))


def cut_share(width: int, height: int, size: tuple[int, int]) -> float:
    """Share of a picture's area that `fit_picture` cuts off."""
    ratio = (width / height) / (size[0] / size[1])
    return 1 - min(ratio, 1 / ratio)
