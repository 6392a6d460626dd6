"""Moves and resizes against SLD's: the same scale and size, on the centre of the new box instead of its top left corner, nothing lost."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from llmgen.correct.moving import place, warp_mask
from llmgen.vision.boxes import BoxTuple, center, to_pixels, xywh_to_xyxy
from llmgen.vision.masks import box_mask, mask_bounds

CELLS = 64
#: Where the reference loses the last row and column, and where it crashes.
MENDED: dict[str, tuple[int, tuple[int, int, int, int]]] = {
    "warp_full_frame_loses_last_row_and_column": (4096, (0, 0, 64, 64)),
    "warp_negative_target_crashes_in_reference": (13 * 19, (0, 13, 13, 32)),
}


def _cells(box: list[float]) -> BoxTuple:
    return to_pixels(xywh_to_xyxy(box), CELLS, CELLS)


def _resize(case: dict[str, Any]) -> None:
    old, new = _cells(case["input"]["old_box"]), _cells(case["input"]["new_box"])
    placement, expected = place(old, new), case["expected"]
    assert placement.scale == pytest.approx(expected["scale"], abs=1e-6)
    x0, y0, x1, y1 = placement.box(old)
    assert ((x1 - x0) / CELLS, (y1 - y0) / CELLS) == pytest.approx(expected["object_box"][2:], abs=1e-6)
    assert center((x0, y0, x1, y1)) == pytest.approx(center(new))
    assert x0 >= new[0] - 1e-9 and y0 >= new[1] - 1e-9


def _warp(case: dict[str, Any]) -> None:
    old, new = _cells(case["input"]["source_box"]), _cells(case["input"]["target_box"])
    mask = np.zeros((CELLS, CELLS), dtype=bool)
    y0, y1, x0, x1 = case["input"]["mask_rectangle"]
    mask[y0:y1, x0:x1] = True
    moved = warp_mask(mask & box_mask(old, CELLS, CELLS), place(old, new))
    if case["case"] in MENDED:
        count, bounds = MENDED[case["case"]]
    else:
        left, top, right, bottom = case["expected"]["bbox"]
        count, bounds = case["expected"]["count"], (left, top, right + 1, bottom + 1)
    found = mask_bounds(moved)
    assert found is not None
    # Truncation to whole cells shifts the reference's edges by up to one.
    assert np.abs(np.subtract(found, bounds)).max() <= 1
    assert abs(int(moved.sum()) - count) <= sum((bounds[2] - bounds[0], bounds[3] - bounds[1]))


CASES: dict[str, Callable[[dict[str, Any]], None]] = {"resize_": _resize, "warp_": _warp}


def test_case(diffusion_case: dict[str, Any]) -> None:
    CASES[next(p for p in CASES if diffusion_case["case"].startswith(p))](diffusion_case)


def test_the_whole_picture_stays_where_it_is() -> None:
    everything = (0.0, 0.0, 64.0, 64.0)
    assert warp_mask(np.ones((CELLS, CELLS), dtype=bool), place(everything, everything)).all()
