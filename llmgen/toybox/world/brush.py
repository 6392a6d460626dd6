"""The pen behind every drawing: shapes on a canvas of paint numbers, four times as fine as the picture.

A canvas holds for each point the number of a paint, not a colour. So one drawing serves every body colour, a pattern
falls exactly on what is visible of the body, and a part (a window, a wheel) knows its own pixels.
"""

import enum
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from llmgen.toybox.world.vocabulary import COLORS

SUPERSAMPLING: Final = 4
INK: Final[tuple[int, int, int]] = (38, 32, 48)
OUTLINE_PX: Final = 2.2
STRIPE_PX: Final = 11.0
"""How far a stripe is from the next."""
DOT_PX: Final = 10.0
"""How far a dot is from the next in its row."""
CHECK_PX: Final = 12.0
"""How far a check is from the next of its shade."""

Point = tuple[float, float]
RGB = tuple[int, int, int]


class Paint(enum.IntEnum):
    """What a point of a canvas may be covered with; fewer than 32."""

    NOTHING = 0
    INK = 1
    BODY = 2
    PATTERN = 3
    ROOF = 4
    SHADE = 5
    GLOSS = 6
    RIM = 7
    CREAM = 8
    WOOD = 9
    RUBBER = 10
    DARK_WINDOW = 11
    LIT_WINDOW = 12
    INDOORS = 13
    SKIN = 14
    BOY_HAIR = 15
    GIRL_HAIR = 16
    FUR = 17
    EAR = 18
    TROUSERS = 19
    SHOE = 20
    MOUTH = 21
    WHITE = 22
    TEAR = 23
    BOWL = 24
    CHEEK = 25


_PAINT_BITS: Final = 5
_FIXED: Final[dict[Paint, RGB]] = {
    Paint.INK: INK,
    Paint.CREAM: (250, 240, 215),
    Paint.WOOD: (140, 92, 54),
    Paint.RUBBER: (90, 88, 100),
    Paint.DARK_WINDOW: (82, 100, 140),
    Paint.LIT_WINDOW: (255, 244, 150),
    Paint.INDOORS: (58, 48, 66),
    Paint.SKIN: (255, 216, 182),
    Paint.BOY_HAIR: (112, 68, 40),
    Paint.GIRL_HAIR: (132, 74, 36),
    Paint.FUR: (226, 184, 132),
    Paint.EAR: (134, 88, 52),
    Paint.TROUSERS: (88, 98, 134),
    Paint.SHOE: (88, 62, 48),
    Paint.MOUTH: (176, 40, 56),
    Paint.WHITE: (255, 255, 255),
    Paint.TEAR: (92, 176, 246),
    Paint.BOWL: (150, 92, 46),
    Paint.CHEEK: (250, 172, 160),
}
_SHADES: Final[dict[Paint, float]] = {
    Paint.BODY: 1.0,
    Paint.ROOF: 0.62,
    Paint.SHADE: 0.68,
    Paint.GLOSS: 1.75,
    Paint.RIM: 1.55,
}
"""Paints that follow the body colour: below one towards black, above one towards white."""
_BRIGHT: Final = 180
"""A body of at least this luminance is patterned darker, any other lighter."""


def shade(color: RGB, factor: float) -> RGB:
    """Darken or lighten a colour.

    Args:
        color: RGB, 0..255.
        factor: 0 is black, 1 the colour itself, 2 white.

    Returns:
        RGB, 0..255.
    """
    target = 255 if factor > 1 else 0
    weight = abs(factor - 1)
    red, green, blue = (round(c + (target - c) * weight) for c in color)
    return red, green, blue


@functools.cache
def palette(color: str) -> npt.NDArray[np.float32]:
    """The RGB of every paint of a drawing whose body has a colour.

    Args:
        color: Colour name, a key of `COLORS`.

    Returns:
        float32 [paints, 3], 0..255. Not to be written to.
    """
    body = COLORS[color]
    colors = np.zeros((len(Paint), 3), dtype=np.float32)
    for paint, rgb in _FIXED.items():
        colors[paint] = rgb
    for paint, factor in _SHADES.items():
        colors[paint] = shade(body, factor)
    luminance = 0.299 * body[0] + 0.587 * body[1] + 0.114 * body[2]
    colors[Paint.PATTERN] = shade(body, 0.64 if luminance >= _BRIGHT else 1.72)
    colors.flags.writeable = False
    return colors


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A finished drawing without its colour, cut to its own edges.

    Attributes:
        shares: How much of a pixel each of its paints covers, uint8 [H, W, K], 0..16.
        paints: The K paints, int64 [K]; the first is `Paint.NOTHING`.
        mask: Where the object is, bool [H, W]: coverage of at least one half.
        parts: Noun, state (or None) and own mask [H, W] of each part that is visible.
        keypoints: float32 [13, 2] xy in pixels from the upper left corner, or None for a thing.
        anchor: Where the ground point of the figure lies, xy from the same corner; of a thing the middle of its foot.
    """

    shares: npt.NDArray[np.uint8]
    paints: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]
    parts: tuple[tuple[str, str | None, npt.NDArray[np.bool_]], ...]
    keypoints: npt.NDArray[np.float32] | None
    anchor: Point


class Brush:
    """Draws outlined shapes in coordinates of its own (x right, y down) on a supersampled canvas."""

    def __init__(self, width_px: int, height_px: int, scale: Point, origin: Point) -> None:
        """Start an empty canvas.

        Args:
            width_px: Final width in pixels.
            height_px: Final height in pixels.
            scale: Final pixels of one unit, in x and y.
            origin: Where (0, 0) lies, in final pixels.
        """
        self._size_px = (width_px, height_px)
        self._scale = (scale[0] * SUPERSAMPLING, scale[1] * SUPERSAMPLING)
        self._origin = (origin[0] * SUPERSAMPLING, origin[1] * SUPERSAMPLING)
        self._canvas = Image.new("L", (width_px * SUPERSAMPLING, height_px * SUPERSAMPLING), 0)
        self._draw = ImageDraw.Draw(self._canvas)
        self._parts: list[tuple[str, str | None]] = []
        self._part = 0

    @classmethod
    def of_unit_square(cls, width_px: int, height_px: int) -> "Brush":
        """A canvas whose unit square is the drawing: half the pen stays outside a shape, so it is inset by that."""
        inset = OUTLINE_PX / 2
        one = 1 / SUPERSAMPLING
        return cls(width_px, height_px, (width_px - one - 2 * inset, height_px - one - 2 * inset), (inset, inset))

    def part(self, noun: str | None, state: str | None = None) -> None:
        """Say which part the next shapes belong to.

        Args:
            noun: Name of the part; None for the object itself.
            state: State of the part, where it has one.
        """
        if noun is None:
            self._part = 0
        else:
            self._parts.append((noun, state))
            self._part = len(self._parts)

    def _code(self, paint: Paint) -> int:
        # A hole belongs to nothing, neither the object nor the part.
        return 0 if paint == Paint.NOTHING else int(paint) | self._part << _PAINT_BITS

    def _pixels(self, points: Sequence[Point]) -> list[Point]:
        (sx, sy), (ox, oy) = self._scale, self._origin
        return [(ox + x * sx, oy + y * sy) for x, y in points]

    def fill(self, points: Sequence[Point], paint: Paint) -> None:
        """Fill a polygon without an outline.

        Args:
            points: Corners.
            paint: What with; `Paint.NOTHING` cuts a hole.
        """
        self._draw.polygon(self._pixels(points), fill=self._code(paint))

    def stroke(
        self, points: Sequence[Point], closed: bool = True, width_px: float = OUTLINE_PX, paint: Paint = Paint.INK
    ) -> None:
        """Draw a pen along a path, with round joints.

        Args:
            points: The path.
            closed: Whether the path returns to its start.
            width_px: Width of the pen in final pixels.
            paint: What with.
        """
        path = self._pixels([*points, points[0]] if closed else points)
        code, width = self._code(paint), width_px * SUPERSAMPLING
        self._draw.line(path, fill=code, width=round(width))
        radius = width / 2
        for x, y in path:
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=code)

    def shape(self, points: Sequence[Point], paint: Paint) -> None:
        """Fill a polygon and outline it.

        Args:
            points: Corners.
            paint: What the filling is made of.
        """
        self.fill(points, paint)
        self.stroke(points)

    def finish(self, pattern: str, keypoints: Sequence[Point] = (), anchor: Point | None = None) -> Drawing:
        """Lay a pattern on the body and shrink the canvas to the picture's pixels.

        Args:
            pattern: One of `PATTERNS`.
            keypoints: In the coordinates of the brush; none for a thing.
            anchor: In the same; None puts it at the middle of the lower edge.

        Returns:
            The drawing, cut to the pixels that the object covers by at least one half.
        """
        x0, y0, x1, y1 = self._canvas.getbbox() or (0, 0, 1, 1)
        left, top, right, bottom = (
            x0 // SUPERSAMPLING,
            y0 // SUPERSAMPLING,
            -(-x1 // SUPERSAMPLING),
            -(-y1 // SUPERSAMPLING),
        )
        width, height = right - left, bottom - top
        rows = slice(top * SUPERSAMPLING, bottom * SUPERSAMPLING)
        columns = slice(left * SUPERSAMPLING, right * SUPERSAMPLING)
        codes = np.asarray(self._canvas)[rows, columns]
        labels, paints = codes >> _PAINT_BITS, codes & (2**_PAINT_BITS - 1)
        if pattern != "plain":
            paints[(paints == Paint.BODY) & _pattern(pattern, *self._size_px)[rows, columns]] = Paint.PATTERN
        used = np.union1d(np.unique(paints), [Paint.NOTHING]).astype(np.int64)
        slots = np.zeros(len(Paint), dtype=np.int64)
        slots[used] = np.arange(len(used))
        pixel = _pixel_numbers(width, height)
        counts = np.bincount((pixel * len(used) + slots[paints]).ravel(), minlength=width * height * len(used))
        shares = counts.reshape(height, width, len(used)).astype(np.uint8)
        full = SUPERSAMPLING**2
        mask = shares[..., 0] <= full / 2
        down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        cut = (slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1))
        own = []
        for label, (noun, state) in enumerate(self._parts, start=1):
            covered = np.bincount(pixel[labels == label], minlength=width * height).reshape(height, width)
            part = (covered >= full / 2)[cut]
            if part.any():
                own.append((noun, state, part))
        (sx, sy), (ox, oy) = self._scale, self._origin
        corner = (left + float(across[0]), top + float(down[0]))
        drawn = [
            ((ox + x * sx) / SUPERSAMPLING - corner[0], (oy + y * sy) / SUPERSAMPLING - corner[1])
            for x, y in (*keypoints, *([anchor] if anchor else []))
        ]
        middle = ((across[-1] + 1 - across[0]) / 2, float(down[-1] + 1 - down[0]))
        return Drawing(
            shares[cut],
            used,
            mask[cut],
            tuple(own),
            np.array(drawn[: len(keypoints)], dtype=np.float32) if keypoints else None,
            drawn[-1] if anchor else middle,
        )


def _pixel_numbers(width: int, height: int) -> npt.NDArray[np.int64]:
    """The number of the final pixel that each point of a canvas lies in, int64 [4 H, 4 W]."""
    rows = np.repeat(np.arange(height), SUPERSAMPLING)[:, None] * width
    return rows + np.repeat(np.arange(width), SUPERSAMPLING)


@functools.lru_cache(maxsize=128)
def _pattern(name: str, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Where the second colour of a pattern lies on a canvas, bool [4 H, 4 W]."""
    y, x = np.mgrid[: height * SUPERSAMPLING, : width * SUPERSAMPLING] / SUPERSAMPLING
    x, y = x - width / 2, y - height / 2
    if name == "striped":
        return (x + y) / math.sqrt(2) % STRIPE_PX < STRIPE_PX / 2
    if name == "checked":
        half = CHECK_PX / 2
        return (np.floor(x / half) + np.floor(y / half)) % 2 == 0
    # Dots stand in rows, every other row half a step aside; the middle is between two of them.
    row = np.floor(y / (DOT_PX * 0.86) + 0.5)
    dx = (x + row % 2 * DOT_PX / 2) % DOT_PX - DOT_PX / 2
    dy = y - row * DOT_PX * 0.86
    return dx**2 + dy**2 < (0.31 * DOT_PX) ** 2


def ellipse(cx: float, cy: float, rx: float, ry: float, start: float = 0.0, stop: float = 360.0) -> list[Point]:
    """Points of an elliptic arc.

    Args:
        cx: Centre.
        cy: Centre.
        rx: Horizontal radius.
        ry: Vertical radius.
        start: First angle in degrees, clockwise from the right.
        stop: Last angle in degrees.

    Returns:
        Forty-one points.
    """
    angles = (math.radians(start + (stop - start) * i / 40) for i in range(41))
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]
