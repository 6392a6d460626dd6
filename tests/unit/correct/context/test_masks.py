"""Masks: cleaned, disjoint, ordered, soft."""

import numpy as np
import pytest

from llmgen.artifacts import Detection
from llmgen.correct.context.masks import (
    Target,
    choose_targets,
    fill_holes,
    grown,
    growth_px,
    in_front,
    painted_masks,
    weight_of,
)
from llmgen.correct.context.settings import ContextConfig, DepthSettings
from llmgen.vision.masks import BoolMask, decode_mask, encode_mask


def block(x0: int, y0: int, x1: int, y1: int, size: int = 100) -> BoolMask:
    mask = np.zeros((size, size), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def seen(name: str, score: float = 0.9, box: tuple[float, float, float, float] = (0, 0, 10, 10)) -> Detection:
    return Detection(
        id=name, phrase=name.split(" #")[0], noun=name.split(" #")[0].split()[-1], box_xyxy=box, score=score
    )


def chosen(
    entries: list[tuple[Detection, BoolMask]], depth: DepthSettings | None = None, **settings: object
) -> tuple[list[Target], list[str]]:
    remarks: list[str] = []
    config = ContextConfig(**settings)  # type: ignore[arg-type]
    depth = depth or DepthSettings()
    return choose_targets([d for d, _ in entries], [m for _, m in entries], config, depth, remarks.append), remarks


def test_holes_are_filled_and_bays_are_not() -> None:
    ring = block(10, 10, 40, 40) & ~block(20, 20, 30, 30)
    assert (fill_holes(ring) == block(10, 10, 40, 40)).all()
    bay = block(10, 10, 40, 40) & ~block(20, 10, 30, 30)
    assert (fill_holes(bay) == bay).all()
    assert (decode_mask(encode_mask(ring)) == ring).all()


def test_what_is_empty_too_small_too_large_or_too_unsure_is_left_out_and_said() -> None:
    entries = [
        (seen("ball #1"), block(0, 0, 0, 0)),
        (seen("ball #2"), block(0, 0, 3, 3)),
        (seen("ball #3", 0.2), block(0, 0, 20, 20)),
        (seen("sky #1"), block(0, 0, 100, 90)),
        (seen("ball #4"), block(0, 0, 20, 20)),
    ]
    targets, remarks = chosen(entries, DepthSettings(min_area=0.001, max_area=0.5, min_score=0.5))
    assert [t.detection.id for t in targets] == ["ball #4"]
    assert [line.split(" is left out: ")[1] for line in remarks] == [
        "its mask is empty",
        "its mask is 0.09% of the picture, not 0.10% to 50.00%",
        "its score is 0.20, less than 0.5",
        "its mask is 90.00% of the picture, not 0.10% to 50.00%",
    ]


def test_the_largest_comes_first_and_ids_decide_between_equals() -> None:
    entries = [
        (seen("cup #2", 0.9), block(0, 0, 10, 10)),
        (seen("cup #1", 0.8), block(50, 50, 60, 60)),
        (seen("sky #1", 0.3), block(0, 0, 100, 40)),
    ]
    assert [t.detection.id for t in chosen(entries)[0]] == ["sky #1", "cup #1", "cup #2"]
    assert [t.detection.id for t in chosen(entries, order="score")[0]] == ["cup #2", "cup #1", "sky #1"]
    targets, remarks = chosen(entries, max_objects=2)
    assert len(targets) == 2 and remarks == ["3 objects, the first 2 are painted"]


def test_one_mask_for_each_object_or_their_union_for_each_class() -> None:
    entries = [
        (seen("red cup #1", 0.5, (0, 0, 10, 10)), block(0, 0, 10, 10)),
        (seen("sky #1", 0.9, (0, 0, 100, 40)), block(0, 0, 100, 40)),
        (seen("blue cup #2", 0.8, (50, 50, 60, 70)), block(50, 50, 60, 70)),
    ]
    assert len(chosen(entries)[0]) == 3
    merged, _ = chosen(entries, merge="class", order="score", fill_holes=False)
    assert [(t.detection.id, t.detection.phrase) for t in merged] == [("sky #1", "sky"), ("blue cup #2", "cup")]
    assert (merged[1].mask == (block(0, 0, 10, 10) | block(50, 50, 60, 70))).all()
    assert merged[1].detection.box_xyxy == (0, 0, 60, 70)


def test_masks_are_disjoint_where_smaller_objects_lie_in_front() -> None:
    house, window = Target(seen("house #1"), block(10, 10, 80, 80)), Target(seen("window #1"), block(30, 30, 50, 50))
    painted = painted_masks([house, window], ContextConfig(mask_dilation_px=4))
    assert not (painted[0] & window.mask).any()
    assert painted[0][8, 40] and not painted[0][5, 40]  # grown outwards
    assert painted[1][28, 40] and (painted[1] & window.mask).sum() == 400
    kept = painted_masks([house, window], ContextConfig(mask_dilation_px=0, subtract_front=False))
    assert (kept[0] == house.mask).all()
    twin = Target(seen("house #2"), house.mask)
    assert (in_front(house, [house, twin]) == house.mask).all() and not in_front(twin, [house, twin]).any()
    assert not painted_masks([house, twin], ContextConfig())[0].any()


@pytest.mark.parametrize(("side", "wanted"), [(128, 4), (512, 5), (1280, 13)])
def test_masks_grow_by_a_share_of_the_side_and_no_less_than_four(side: int, wanted: int) -> None:
    assert growth_px(ContextConfig(), (side, side // 2)) == wanted
    assert growth_px(ContextConfig(mask_dilation_px=2), (side, side)) == 2


def test_growth_is_a_distance() -> None:
    dot = block(50, 50, 51, 51)
    assert grown(dot, 0).sum() == 1 and grown(block(0, 0, 0, 0), 5).sum() == 0
    disc = grown(dot, 3)
    assert disc[50, 53] and disc[52, 52] and not disc[53, 53]


def test_a_soft_edge_stops_before_what_is_protected() -> None:
    weight = weight_of(block(20, 20, 60, 60), ContextConfig(mask_dilation_px=4), block(60, 0, 100, 100))
    assert weight[40, 40] == 1 and (weight[:, 60:] == 0).all() and 0 < weight[40, 18] < 1
