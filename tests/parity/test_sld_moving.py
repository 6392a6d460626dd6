"""Moves and resizes against SLD's: the same scale and size, on the centre of the new box instead of its top left corner, nothing lost."""

from collections.abc import Callable

import numpy as np
import pytest
from parity.goldens import Case

from llmgen.correct.moving import place, warp_mask
from llmgen.vision.boxes import BoxTuple, center, to_pixels, xywh_to_xyxy
from llmgen.vision.masks import box_mask, mask_bounds

FAMILY = "sld"
CELLS = 64


def _cells(box: list[float]) -> BoxTuple:
    return to_pixels(xywh_to_xyxy(box), CELLS, CELLS)


def _resize(case: Case) -> None:
    old, new = _cells(case.input["old_box"]), _cells(case.input["new_box"])
    placement, expected = place(old, new), case.expected
    assert placement.scale == pytest.approx(expected["scale"], abs=1e-6)
    x0, y0, x1, y1 = placement.box(old)
    assert ((x1 - x0) / CELLS, (y1 - y0) / CELLS) == pytest.approx(expected["object_box"][2:], abs=1e-6)
    assert center((x0, y0, x1, y1)) == pytest.approx(center(new))
    assert x0 >= new[0] - 1e-9 and y0 >= new[1] - 1e-9


def _warp(case: Case) -> None:
    old, new = _cells(case.input["source_box"]), _cells(case.input["target_box"])
    mask = np.zeros((CELLS, CELLS), dtype=bool)
    y0, y1, x0, x1 = case.input["mask_rectangle"]
    mask[y0:y1, x0:x1] = True
    moved = warp_mask(mask & box_mask(old, CELLS, CELLS), place(old, new))
    last = max(a + b for a, b in zip(case.input["target_box"][:2], case.input["target_box"][2:], strict=True)) >= 1
    if case.is_error or last:
        # What leaves the picture is cut and nothing else is lost: the original loses the last row and column, and raises at the first.
        count, bounds = _by_geometry(old, new, (x0, y0, x1, y1))
    else:
        left, top, right, bottom = case.expected["bbox"]
        count, bounds = case.expected["count"], (left, top, right + 1, bottom + 1)
    found = mask_bounds(moved)
    assert found is not None
    # Truncation to whole cells shifts the reference's edges by up to one.
    assert np.abs(np.subtract(found, bounds)).max() <= 1
    assert abs(int(moved.sum()) - count) <= sum((bounds[2] - bounds[0], bounds[3] - bounds[1]))


def _by_geometry(old: BoxTuple, new: BoxTuple, rectangle: BoxTuple) -> tuple[int, BoxTuple]:
    """Cells of a rectangle's part in the old box, and where it lies, once the old box is laid on the new one's centre."""
    scale = place(old, new).scale
    x0, y0 = max(old[0], rectangle[0]), max(old[1], rectangle[1])
    x1, y1 = min(old[2], rectangle[2]), min(old[3], rectangle[3])
    (ax, ay), (bx, by) = center(old), center(new)
    moved = [(x0 - ax) * scale + bx, (y0 - ay) * scale + by, (x1 - ax) * scale + bx, (y1 - ay) * scale + by]
    left, top, right, bottom = (min(max(v, 0.0), float(CELLS)) for v in moved)
    return round((right - left) * (bottom - top)), (left, top, right, bottom)


CASES: dict[str, Callable[[Case], None]] = {"resize_": _resize, "warp_": _warp}


def test_case(case: Case) -> None:
    CASES[case.group](case)


def test_the_whole_picture_stays_where_it_is() -> None:
    everything = (0.0, 0.0, 64.0, 64.0)
    assert warp_mask(np.ones((CELLS, CELLS), dtype=bool), place(everything, everything)).all()
