"""Bold little drawings, drawn once and then only pasted: one routine for each kind of thing, and the figures.

Every drawing has one body colour, one dark outline about two pixels wide and a few fixed details, so that a small
autoencoder keeps all of it. A further kind of thing is one more entry of `DRAWERS`; its parts are what it marks as such.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from llmgen.toybox.world.brush import SUPERSAMPLING, Brush, Drawing, Paint, ellipse, palette
from llmgen.toybox.world.figures import draw_figure, mirror
from llmgen.toybox.world.vocabulary import CHARACTERS, PART_STATES

States = Mapping[str, str]
"""State of each kind of part that has one."""


class Sprite(NamedTuple):
    """A coloured drawing cut to its own edges.

    Attributes:
        rgb: Colour premultiplied by nothing, float32 [H, W, 3], 0..255.
        alpha: Coverage, float32 [H, W, 1], 0..1.
        mask: Where the object is, bool [H, W]: coverage of at least one half.
    """

    rgb: npt.NDArray[np.float32]
    alpha: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]


_WINDOWS: Final = {"dark": Paint.DARK_WINDOW, "lit": Paint.LIT_WINDOW}


def _ball(brush: Brush, states: States) -> None:
    brush.shape(ellipse(0.5, 0.5, 0.5, 0.5), Paint.BODY)
    brush.fill(ellipse(0.34, 0.3, 0.13, 0.11), Paint.GLOSS)


def _star(brush: Brush, states: States) -> None:
    points = []
    for i in range(10):
        radius = 0.54 if i % 2 == 0 else 0.25
        angle = math.radians(-90 + 36 * i)
        points.append((0.5 + radius * math.cos(angle) * 0.97, 0.54 + radius * math.sin(angle)))
    brush.shape(points, Paint.BODY)


def _heart(brush: Brush, states: States) -> None:
    points = []
    for i in range(48):
        t = 2 * math.pi * i / 48
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((0.5 + x / 32, (12 - y) / 29))
    brush.shape(points, Paint.BODY)


def _house(brush: Brush, states: States) -> None:
    brush.shape([(0.06, 0.38), (0.94, 0.38), (0.94, 1.0), (0.06, 1.0)], Paint.BODY)
    brush.shape([(0.0, 0.42), (0.5, 0.0), (1.0, 0.42)], Paint.ROOF)
    brush.part("window", states["window"])
    brush.shape([(0.6, 0.56), (0.82, 0.56), (0.82, 0.78), (0.6, 0.78)], _WINDOWS[states["window"]])
    brush.part("door", states["door"])
    doorway = [(0.2, 0.56), (0.44, 0.56), (0.44, 1.0), (0.2, 1.0)]
    if states["door"] == "closed":
        brush.shape(doorway, Paint.CREAM)
        brush.fill(ellipse(0.37, 0.8, 0.035, 0.035), Paint.INK)
    else:
        brush.shape(doorway, Paint.INDOORS)
        # The leaf is swung out to the left.
        brush.shape([(0.2, 0.56), (0.05, 0.64), (0.05, 1.0), (0.2, 1.0)], Paint.CREAM)


def _tree(brush: Brush, states: States) -> None:
    brush.part("trunk")
    brush.shape([(0.37, 0.76), (0.63, 0.76), (0.63, 1.0), (0.37, 1.0)], Paint.WOOD)
    brush.part(None)
    brush.shape([(0.5, 0.0), (0.84, 0.4), (0.66, 0.4), (1.0, 0.8), (0.0, 0.8), (0.34, 0.4), (0.16, 0.4)], Paint.BODY)


def _car(brush: Brush, states: States) -> None:
    pane = _WINDOWS[states["window"]]
    for corners in (
        [(0.14, 0.42), (0.27, 0.0), (0.5, 0.0), (0.5, 0.42)],
        [(0.5, 0.42), (0.5, 0.0), (0.73, 0.0), (0.88, 0.42)],
    ):
        brush.part("window", states["window"])
        brush.shape(corners, pane)
    brush.part(None)
    brush.shape([(0.0, 0.4), (1.0, 0.4), (1.0, 0.8), (0.0, 0.8)], Paint.BODY)
    for x in (0.24, 0.76):
        brush.part("wheel")
        brush.shape(ellipse(x, 0.8, 0.145, 0.2), Paint.RUBBER)
        brush.fill(ellipse(x, 0.8, 0.05, 0.07), Paint.CREAM)


def _fish(brush: Brush, states: States) -> None:
    brush.part("tail")
    brush.shape([(0.6, 0.5), (1.0, 0.1), (1.0, 0.9)], Paint.SHADE)
    brush.part(None)
    brush.shape(ellipse(0.38, 0.5, 0.38, 0.5), Paint.BODY)
    brush.fill(ellipse(0.2, 0.4, 0.08, 0.115), Paint.INK)


def _cup(brush: Brush, states: States) -> None:
    brush.part("handle")
    brush.shape(ellipse(0.7, 0.46, 0.3, 0.32), Paint.SHADE)
    hole = ellipse(0.72, 0.46, 0.12, 0.14)
    brush.fill(hole, Paint.NOTHING)
    brush.stroke(hole)
    brush.part(None)
    brush.shape([(0.0, 0.05), (0.74, 0.05), (0.64, 1.0), (0.1, 1.0)], Paint.BODY)
    brush.shape([(0.0, 0.0), (0.74, 0.0), (0.74, 0.14), (0.0, 0.14)], Paint.RIM)


DRAWERS: Final[dict[str, tuple[float, Callable[[Brush, States], None]]]] = {
    "ball": (1.0, _ball),
    "star": (1.0, _star),
    "heart": (1.08, _heart),
    "house": (1.0, _house),
    "tree": (0.84, _tree),
    "car": (1.36, _car),
    "fish": (1.4, _fish),
    "cup": (1.1, _cup),
}
"""For each kind of thing its width over its height and the routine that draws it."""

_USUAL: Final[dict[str, str]] = {part: states[0] for part, states in PART_STATES.items()}


def thing_size(noun: str, size: int) -> tuple[int, int]:
    """Width and height of a thing whose longest side is given.

    Args:
        noun: Class name.
        size: Longest side in pixels.

    Returns:
        Width and height in pixels.
    """
    aspect = DRAWERS[noun][0]
    return (size, round(size / aspect)) if aspect >= 1 else (round(size * aspect), size)


@functools.lru_cache(maxsize=4096)
def drawing(
    noun: str,
    size: int,
    pattern: str = "plain",
    states: tuple[tuple[str, str], ...] = (),
    mood: str = "calm",
    verb: str | None = None,
    facing: str = "right",
) -> Drawing:
    """Draw one object without its colour, or take it from the cache.

    Args:
        noun: Class name, one of `NOUNS`.
        size: Longest side of a thing, or height of a character that stands upright, in pixels.
        pattern: One of `PATTERNS`.
        states: Part and state, for parts that are not in their usual one.
        mood: One of `MOODS`; a character's.
        verb: One of `VERBS`, or None for standing; a character's.
        facing: "left" or "right"; a character's.

    Returns:
        The drawing.
    """
    if facing == "left":
        return mirror(drawing(noun, size, pattern, states, mood, verb))
    if noun in CHARACTERS:
        return draw_figure(noun, size, pattern, mood, verb)
    width, height = thing_size(noun, size)
    brush = Brush.of_unit_square(width, height)
    DRAWERS[noun][1](brush, _USUAL | dict(states))
    return brush.finish(pattern)


@functools.lru_cache(maxsize=2048)
def sprite(
    noun: str,
    color: str,
    size: int,
    pattern: str = "plain",
    states: tuple[tuple[str, str], ...] = (),
    mood: str = "calm",
    verb: str | None = None,
    facing: str = "right",
) -> Sprite:
    """Colour one object, or take it from the cache.

    Args:
        noun: Class name, one of `NOUNS`.
        color: Colour name, a key of `COLORS`.
        size: As of `drawing`.
        pattern: As of `drawing`.
        states: As of `drawing`.
        mood: As of `drawing`.
        verb: As of `drawing`.
        facing: As of `drawing`.

    Returns:
        The drawing in colour.
    """
    drawn = drawing(noun, size, pattern, states, mood, verb, facing)
    full = np.float32(SUPERSAMPLING**2)
    shares = drawn.shares.astype(np.float32)
    covered = full - shares[..., :1]
    # Empty ground is no colour: colours are averaged over what is covered only.
    rgb = shares[..., 1:] @ palette(color)[drawn.paints[1:]] / np.maximum(covered, np.float32(1e-6))
    return Sprite(rgb.astype(np.float32), (covered / full).astype(np.float32), drawn.mask)
