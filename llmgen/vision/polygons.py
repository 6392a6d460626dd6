"""Polygons of annotation files: cut at the border of the picture, area, and the outlines of round shapes."""

import math
from collections.abc import Callable, Sequence

Point = tuple[float, float]


def clip_polygon(points: Sequence[Point], width: float, height: float) -> list[Point]:
    """The part of a polygon inside a picture.

    Args:
        points: In order, not closed.
        width: Of the picture in pixels.
        height: Of the picture in pixels.

    Returns:
        In order, not closed; a hollow one that leaves the picture and comes back has edges along the border. Empty when nothing is inside.

    Source:
        Sutherland and Hodgman 1974, "Reentrant polygon clipping".
    """
    edges: tuple[tuple[int, float, Callable[[float, float], bool]], ...] = (
        (0, 0.0, lambda value, limit: value >= limit),
        (0, width, lambda value, limit: value <= limit),
        (1, 0.0, lambda value, limit: value >= limit),
        (1, height, lambda value, limit: value <= limit),
    )
    kept = list(points)
    for axis, limit, inside in edges:
        cut: list[Point] = []
        for before, here in zip(kept[-1:] + kept[:-1], kept, strict=True):
            if inside(before[axis], limit) != inside(here[axis], limit):
                cut.append(_crossing(before, here, axis, limit))
            if inside(here[axis], limit):
                cut.append(here)
        kept = cut
    return kept


def _crossing(a: Point, b: Point, axis: int, limit: float) -> Point:
    share = (limit - a[axis]) / (b[axis] - a[axis])
    other = a[1 - axis] + share * (b[1 - axis] - a[1 - axis])
    return (limit, other) if axis == 0 else (other, limit)


def polygon_area(points: Sequence[Point]) -> float:
    """What a polygon encloses, in square pixels; parts that it goes around in opposite ways count against each other."""
    turned = [*points[1:], *points[:1]]
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, turned, strict=True))) / 2


def polygon_box(points: Sequence[Point]) -> tuple[float, float, float, float]:
    """The smallest box around a polygon, xyxy."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def ellipse_polygon(cx: float, cy: float, rx: float, ry: float, theta: float = 0.0, corners: int = 48) -> list[Point]:
    """An ellipse as a polygon that touches its axes.

    Args:
        cx: Middle.
        cy: Middle.
        rx: Half of the first axis.
        ry: Half of the second.
        theta: What the first axis is turned by, in radians, clockwise as y points down.
        corners: How many, a multiple of four.
    """
    points = []
    for corner in range(corners):
        angle = 2 * math.pi * corner / corners
        x, y = rx * math.cos(angle), ry * math.sin(angle)
        points.append((cx + x * math.cos(theta) - y * math.sin(theta), cy + x * math.sin(theta) + y * math.cos(theta)))
    return points
