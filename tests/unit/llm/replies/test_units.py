"""Numbers of boxes: units, corners, borders."""

from typing import Any

import pytest

from llmgen.llm.replies.raw_objects import RawBox, raw_box
from llmgen.llm.replies.units import mend_boxes

LAMPS = ((51.2, 153.6, 102.4, 204.8), (307.2, 153.6, 128.0, 204.8))


def mended(rows: Any, width: int, height: int) -> tuple[list[Any], str]:
    lines: list[str] = []
    boxes = mend_boxes([row if isinstance(row, RawBox) else RawBox(row) for row in rows], width, height, lines.append)
    return [None if b is None else (b.x, b.y, b.width, b.height) for b in boxes], " ".join(lines)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(0.1, 0.3, 0.2, 0.4), (0.6, 0.3, 0.25, 0.4)], "units of the picture"),
        ([(10, 30, 20, 40), (60, 30, 25, 40)], "hundredths"),
        ([(100, 300, 200, 400), (600, 300, 250, 400)], "thousandths"),
        ([(0.1, 0.3, 0.3, 0.7), (0.6, 0.3, 0.85, 0.7)], "corners"),
        ([(10, 30, 30, 70), (60, 30, 85, 70)], "corners"),
        ([(100, 300, 300, 700), (600, 300, 850, 700)], "corners"),
        ([(51.2, 153.6, 153.6, 358.4), (307.2, 153.6, 435.2, 358.4)], "corners"),
        (list(LAMPS), ""),
    ],
)
def test_one_layout_in_every_unit_and_form(rows: Any, said: str) -> None:
    boxes, lines = mended(rows, 512, 512)
    assert boxes == [pytest.approx(box) for box in LAMPS]
    assert said in lines if said else not lines


@pytest.mark.parametrize("side", [128, 256])
def test_pixels_of_a_small_canvas_stay_pixels(side: int) -> None:
    assert mended([(15, 50, 38, 45), (75, 47, 20, 40)], side, side) == ([(15, 50, 38, 45), (75, 47, 20, 40)], "")


def test_a_hundred_pixels_in_a_corner_are_no_box_that_fills_the_picture() -> None:
    assert mended([(1, 2, 100, 100)], 512, 512) == ([(1, 2, 100, 100)], "")


def test_thousandths_of_an_oblong_picture() -> None:
    assert mended([(500, 500, 250, 500)], 400, 200)[0] == [(200, 100, 100, 100)]


def test_hundredths_of_an_oblong_picture() -> None:
    found, said = mended([(25, 50, 25, 25), (75, 50, 25, 50)], 512, 256)
    assert found == [(128, 128, 128, 64), (384, 128, 128, 128)] and "hundredths" in said


def test_one_box_of_many_that_is_too_wide_is_a_slip_and_no_other_unit() -> None:
    rows = [(95, 54, 312, 316), (277, 189, 89, 74), (165, 308, 112, 76), (30, 30, 200, 150), (0, 228, 763, 125)]
    found, said = mended(rows, 512, 512)
    assert found == [*rows[:4], (0, 228, 512, 125)] and said == "a box left the picture and was cut"


def test_boxes_made_for_another_canvas_are_scaled_and_it_is_said() -> None:
    said: list[str] = []
    boxes = mend_boxes([RawBox((256, 64, 512, 128))], 512, 512, said.append, (1024.0, 256.0))
    assert [(b.x, b.y, b.width, b.height) for b in boxes if b] == [(128, 128, 256, 256)]
    assert said == ["boxes were scaled from a canvas of 1024x256"]


def test_borders_and_swapped_corners() -> None:
    assert mended([(-10, 80, 40, 40)], 100, 100) == ([(0, 80, 30, 20)], "a box left the picture and was cut")
    assert mended([(50, 50, -20, -10)], 100, 100)[0] == [(30, 40, 20, 10)]
    assert mended([(120, 10, 5, 5), (10, 10, 0, 5)], 100, 100)[0] == [None, None]


@pytest.mark.parametrize(
    ("value", "key", "expected"),
    [
        ([1, 2, 3, 4], "box", ((1, 2, 3, 4), "guess")),
        (["1", "2px", "3", "4.5"], "box", ((1, 2, 3, 4.5), "guess")),
        (["10%", "20%", "30%", "40%"], "box", ((0.1, 0.2, 0.3, 0.4), "guess")),
        ([[1, 2], [3, 4]], "box", ((1, 2, 3, 4), "xyxy")),
        ({"x": 1, "y": 2, "w": 3, "h": 4}, "box", ((1, 2, 3, 4), "guess")),
        ({"x1": 1, "y1": 2, "x2": 3, "y2": 4}, "box", ((1, 2, 3, 4), "xyxy")),
        ({"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}, "box", ((1, 2, 3, 4), "xyxy")),
        ({"left": 1, "top": 2, "right": 3, "bottom": 4}, "box", ((1, 2, 3, 4), "xyxy")),
        ({"left": 1, "top": 2, "width": 3, "height": 4}, "box", ((1, 2, 3, 4), "guess")),
        ({"position": [1, 2], "size": [3, 4]}, "box", ((1, 2, 3, 4), "guess")),
        ([2, 1, 4, 3], "box_2d", ((1, 2, 3, 4), "xyxy")),
        ([1, 2, 3, 4], "bbox_2d", ((1, 2, 3, 4), "xyxy")),
        ("1, 2, 3, 4", "box", ((1, 2, 3, 4), "guess")),
        ([1, 2, 3], "box", None),
        ([1, 2, 3, True], "box", None),
        ({"x": 1}, "box", None),
        (None, "box", None),
    ],
)
def test_forms_of_four_numbers(value: Any, key: str, expected: Any) -> None:
    box = raw_box(value, key)
    assert (None if box is None else (box.numbers, box.form)) == expected
