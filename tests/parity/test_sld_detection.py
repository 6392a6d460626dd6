"""Detection, boxes and masks give what the public reference of SLD gave (and mend what it got wrong)."""

from typing import Any

import numpy as np
import pytest
from parity.deviations import MERGE, right_for
from parity.goldens import Case

from llmgen.detect.merging import Demand, Hit, attributed_phrase, expected_counts, merge_passes
from llmgen.vision.boxes import (
    clamp_and_round,
    same_object,
    suppress_overlaps,
    suppress_overlaps_by_label,
    to_grid,
    xywh_to_xyxy,
    xyxy_to_xywh,
)
from llmgen.vision.masks import choose_drawn_mask, dilate, sample_cells, union_masks
from llmgen.vision.queries import phrase_query

FAMILY = "sld"
GROUPS = {
    "test_counts_and_queries": ("register",),
    "test_merge": ("merge",),
    "test_suppression": ("nms",),
    "test_rounding": ("box_clamp_round",),
    "test_same_object": ("same_object",),
    "test_grid": ("scale_box",),
    "test_masks": ("mask_union", "mask_thin", "mask_dilate"),
    "test_choice_of_mask": ("select",),
}


def demands(objects: list[list[Any]]) -> list[Demand]:
    return [Demand(noun, tuple((a,) if a else () for a in attributes)) for noun, attributes in objects]


def test_counts_and_queries(case: Case) -> None:
    counts = expected_counts(demands(case.input))
    expected = case.expected
    assert counts.primitive == expected["primitive"]
    assert counts.attribute == expected["attribute"]
    assert [phrase_query(p) for p in counts.attribute] == expected["attribute_queries"]
    assert [phrase_query(p) for p in counts.primitive] == expected["primitive_queries"]


def test_merge(case: Case) -> None:
    given = case.input
    asked = demands(given["objects"])
    hits = [
        [Hit(name, xywh_to_xyxy(box), 1 - 0.01 * i) for i, (name, box) in enumerate(given[passed])]
        for passed in ("attribute_detections", "primitive_detections")
    ]
    merged = merge_passes(asked, *hits)
    expected, _ = right_for(case, MERGE)
    assert [hit.id for hit in merged] == [name for name, _ in expected]
    for hit, (_, box) in zip(merged, expected, strict=True):
        assert xyxy_to_xywh(hit.box_xyxy) == pytest.approx(box)
        assert hit.phrase == attributed_phrase(hit.noun, hit.attributes)


def test_suppression(case: Case) -> None:
    given = case.input
    if "aware" in case.name:
        kept = suppress_overlaps_by_label(given["boxes"], given["scores"], given["labels"], given["threshold"])
    else:
        kept = suppress_overlaps(given["boxes"], given["scores"], given["threshold"])
    assert [[given[key][i] for i in kept] for key in ("boxes", "scores", "labels")] == case.expected


def test_rounding(case: Case) -> None:
    assert [list(clamp_and_round(box)) for box in case.input] == case.expected


def test_same_object(case: Case) -> None:
    assert [same_object(xywh_to_xyxy(a), xywh_to_xyxy(b)) for a, b in case.input] == case.expected


def test_grid(case: Case) -> None:
    given = case.input
    assert list(to_grid(given["box"], given["H"], given["W"])) == case.expected


def test_masks(case: Case) -> None:
    given = case.input
    stack = np.zeros((1, 3, given["H"], given["W"]), dtype=bool)
    for channel, y0, y1, x0, x1 in given["rectangles"]:
        stack[0, channel, y0:y1, x0:x1] = True
    cells = sample_cells(dilate(union_masks(stack)[0], given["dilate"]))
    assert (cells * 255).tolist() == case.expected


def test_choice_of_mask(case: Case) -> None:
    given = case.input
    chosen = choose_drawn_mask(given["mask_sizes"], given["confidence"], given["coarse_iou"])
    assert chosen == case.expected
