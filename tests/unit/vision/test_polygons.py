import math

import pytest

from llmgen.vision.polygons import Point, clip_polygon, ellipse_polygon, polygon_area, polygon_box

SQUARE: list[Point] = [(10, 10), (30, 10), (30, 30), (10, 30)]


def test_what_is_inside_stays_as_it_is() -> None:
    assert clip_polygon(SQUARE, 40, 40) == SQUARE
    assert polygon_area(SQUARE) == 400 and polygon_box(SQUARE) == (10, 10, 30, 30)


@pytest.mark.parametrize(
    ("width", "height", "area", "box"),
    [(20, 40, 200, (10, 10, 20, 30)), (20, 20, 100, (10, 10, 20, 20)), (40, 11, 20, (10, 10, 30, 11))],
)
def test_what_leaves_is_cut(width: int, height: int, area: float, box: tuple[float, ...]) -> None:
    cut = clip_polygon(SQUARE, width, height)
    assert polygon_area(cut) == area and polygon_box(cut) == box


def test_what_is_outside_is_nothing() -> None:
    assert clip_polygon(SQUARE, 10, 10) == [] or polygon_area(clip_polygon(SQUARE, 10, 10)) == 0
    assert clip_polygon(SQUARE, 5, 5) == []
    moved = [(x - 50, y) for x, y in SQUARE]
    assert clip_polygon(moved, 40, 40) == []


def test_a_hollow_polygon_keeps_its_area() -> None:
    """A comb of two teeth that stand out of the picture: the part inside is exact."""
    comb: list[Point] = [(0, 10), (20, 10), (20, -5), (14, -5), (14, 5), (6, 5), (6, -5), (0, -5)]
    assert polygon_area(clip_polygon(comb, 40, 40)) == 20 * 5 + 6 * 5 * 2


def test_an_ellipse_touches_its_axes() -> None:
    points = ellipse_polygon(20, 30, 12, 6)
    assert polygon_box(points) == pytest.approx((8, 24, 32, 36))
    assert polygon_area(points) == pytest.approx(math.pi * 12 * 6, rel=0.005)
    turned = ellipse_polygon(20, 30, 12, 6, math.pi / 4)
    assert polygon_area(turned) == pytest.approx(polygon_area(points))
    # Clockwise on a canvas whose y points down: the far end of the long axis lies to the lower right.
    assert max(turned) > (28, 30)
