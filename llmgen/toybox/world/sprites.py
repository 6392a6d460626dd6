"""Bold little drawings: one routine a class, drawn once at four times the size and then only pasted.

Every drawing has one body colour, one dark outline about two pixels wide and a few fixed details, so that a small
autoencoder keeps all of it. A further kind of object (a character, a marker) is one more entry of `DRAWERS`.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from llmgen.toybox.world.vocabulary import COLORS

SUPERSAMPLING: Final = 4
INK: Final[tuple[int, int, int]] = (38, 32, 48)
OUTLINE_PX: Final = 2.2

Point = tuple[float, float]
RGB = tuple[int, int, int]


class Sprite(NamedTuple):
    """A drawing cut to its own edges.

    Attributes:
        rgb: Colour premultiplied by nothing, float32 [H, W, 3], 0..255.
        alpha: Coverage, float32 [H, W, 1], 0..1.
        mask: Where the object is, bool [H, W]: coverage of at least one half.
    """

    rgb: npt.NDArray[np.float32]
    alpha: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]


class Brush:
    """Draws outlined shapes in unit coordinates (x right, y down, both 0..1) on a supersampled canvas."""

    def __init__(self, width_px: int, height_px: int) -> None:
        """Start an empty canvas.

        Args:
            width_px: Final width in pixels.
            height_px: Final height in pixels.
        """
        self._pen = OUTLINE_PX * SUPERSAMPLING
        self._size = (width_px * SUPERSAMPLING, height_px * SUPERSAMPLING)
        self.image = Image.new("RGBA", self._size, (*INK, 0))
        self._draw = ImageDraw.Draw(self.image)

    def _pixels(self, points: Sequence[Point]) -> list[Point]:
        # Half the pen stays outside the shape, so the unit square is inset by it and nothing is cut off.
        inset = self._pen / 2
        width, height = self._size
        return [(inset + x * (width - 1 - 2 * inset), inset + y * (height - 1 - 2 * inset)) for x, y in points]

    def fill(self, points: Sequence[Point], color: RGB) -> None:
        """Fill a polygon without an outline.

        Args:
            points: Corners in unit coordinates.
            color: RGB, 0..255.
        """
        self._draw.polygon(self._pixels(points), fill=(*color, 255))

    def stroke(self, points: Sequence[Point], closed: bool = True) -> None:
        """Draw the outline pen along a path, with round joints.

        Args:
            points: Path in unit coordinates.
            closed: Whether the path returns to its start.
        """
        path = self._pixels([*points, points[0]] if closed else points)
        self._draw.line(path, fill=(*INK, 255), width=round(self._pen))
        radius = self._pen / 2
        for x, y in path:
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*INK, 255))

    def shape(self, points: Sequence[Point], color: RGB) -> None:
        """Fill a polygon and outline it.

        Args:
            points: Corners in unit coordinates.
            color: RGB of the filling, 0..255.
        """
        self.fill(points, color)
        self.stroke(points)

    def hole(self, points: Sequence[Point]) -> None:
        """Cut a see-through polygon out of what is drawn and outline it.

        Args:
            points: Corners in unit coordinates.
        """
        self._draw.polygon(self._pixels(points), fill=(*INK, 0))
        self.stroke(points)


def ellipse(cx: float, cy: float, rx: float, ry: float, start: float = 0.0, stop: float = 360.0) -> list[Point]:
    """Points of an elliptic arc.

    Args:
        cx: Centre, unit coordinates.
        cy: Centre, unit coordinates.
        rx: Horizontal radius.
        ry: Vertical radius.
        start: First angle in degrees, clockwise from the right.
        stop: Last angle in degrees.

    Returns:
        Forty-one points.
    """
    angles = (math.radians(start + (stop - start) * i / 40) for i in range(41))
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def _shade(color: RGB, factor: float) -> RGB:
    target = 255 if factor > 1 else 0
    weight = abs(factor - 1)
    return tuple(round(c + (target - c) * weight) for c in color)  # type: ignore[return-value]


def _ball(brush: Brush, color: RGB) -> None:
    brush.shape(ellipse(0.5, 0.5, 0.5, 0.5), color)
    brush.fill(ellipse(0.34, 0.3, 0.13, 0.11), _shade(color, 1.75))


def _star(brush: Brush, color: RGB) -> None:
    points = []
    for i in range(10):
        radius = 0.54 if i % 2 == 0 else 0.25
        angle = math.radians(-90 + 36 * i)
        points.append((0.5 + radius * math.cos(angle) * 0.97, 0.54 + radius * math.sin(angle)))
    brush.shape(points, color)


def _heart(brush: Brush, color: RGB) -> None:
    points = []
    for i in range(48):
        t = 2 * math.pi * i / 48
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((0.5 + x / 32, (12 - y) / 29))
    brush.shape(points, color)


def _house(brush: Brush, color: RGB) -> None:
    brush.shape([(0.1, 0.44), (0.9, 0.44), (0.9, 1.0), (0.1, 1.0)], color)
    brush.shape([(0.0, 0.46), (0.5, 0.0), (1.0, 0.46)], _shade(color, 0.62))
    brush.shape([(0.38, 0.64), (0.62, 0.64), (0.62, 1.0), (0.38, 1.0)], (250, 240, 215))


def _tree(brush: Brush, color: RGB) -> None:
    brush.shape([(0.37, 0.76), (0.63, 0.76), (0.63, 1.0), (0.37, 1.0)], (140, 92, 54))
    brush.shape([(0.5, 0.0), (0.84, 0.4), (0.66, 0.4), (1.0, 0.8), (0.0, 0.8), (0.34, 0.4), (0.16, 0.4)], color)


def _car(brush: Brush, color: RGB) -> None:
    brush.shape([(0.16, 0.44), (0.28, 0.0), (0.72, 0.0), (0.86, 0.44)], (225, 240, 250))
    brush.stroke([(0.5, 0.0), (0.5, 0.44)], closed=False)
    brush.shape([(0.0, 0.4), (1.0, 0.4), (1.0, 0.82), (0.0, 0.82)], color)
    for x in (0.25, 0.75):
        brush.shape(ellipse(x, 0.82, 0.12, 0.18), (90, 88, 100))


def _fish(brush: Brush, color: RGB) -> None:
    brush.shape([(0.6, 0.5), (1.0, 0.1), (1.0, 0.9)], _shade(color, 0.68))
    brush.shape(ellipse(0.38, 0.5, 0.38, 0.5), color)
    brush.fill(ellipse(0.2, 0.4, 0.08, 0.115), INK)


def _cup(brush: Brush, color: RGB) -> None:
    brush.shape(ellipse(0.7, 0.46, 0.3, 0.32), _shade(color, 0.68))
    brush.hole(ellipse(0.72, 0.46, 0.12, 0.14))
    brush.shape([(0.0, 0.05), (0.74, 0.05), (0.64, 1.0), (0.1, 1.0)], color)
    brush.shape([(0.0, 0.0), (0.74, 0.0), (0.74, 0.14), (0.0, 0.14)], _shade(color, 1.55))


DRAWERS: Final[dict[str, tuple[float, Callable[[Brush, RGB], None]]]] = {
    "ball": (1.0, _ball),
    "star": (1.0, _star),
    "heart": (1.08, _heart),
    "house": (1.0, _house),
    "tree": (0.84, _tree),
    "car": (1.36, _car),
    "fish": (1.4, _fish),
    "cup": (1.1, _cup),
}
"""For each kind of object its width over its height and the routine that draws it."""


def sprite_size(noun: str, size: int) -> tuple[int, int]:
    """Width and height of a drawing whose longest side is given.

    Args:
        noun: Class name.
        size: Longest side in pixels.

    Returns:
        Width and height in pixels.
    """
    aspect = DRAWERS[noun][0]
    return (size, round(size / aspect)) if aspect >= 1 else (round(size * aspect), size)


@functools.cache
def sprite(noun: str, color: str, size: int) -> Sprite:
    """Draw one object, or take it from the cache.

    Args:
        noun: Class name, a key of `DRAWERS`.
        color: Colour name, a key of `COLORS`.
        size: Longest side in pixels.

    Returns:
        The drawing, cut to the pixels that the object covers by at least one half.
    """
    width, height = sprite_size(noun, size)
    brush = Brush(width, height)
    DRAWERS[noun][1](brush, COLORS[color])
    pixels = np.asarray(brush.image, dtype=np.float32)
    coverage = pixels[..., 3:] / 255
    # Averaging colour times coverage, not colour alone, keeps the transparent ground from bleeding into the rim.
    blocks = (height, SUPERSAMPLING, width, SUPERSAMPLING, -1)
    alpha = coverage.reshape(blocks).mean((1, 3))
    rgb = (pixels[..., :3] * coverage).reshape(blocks).mean((1, 3)) / np.maximum(alpha, 1e-6)
    mask = alpha[..., 0] >= 0.5
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    cut = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return Sprite(rgb[cut].astype(np.float32), alpha[cut].astype(np.float32), mask[cut])
