import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from llmgen.vision import boxes as bx
from llmgen.vision import masks as mk

NUMBER = st.floats(-100, 100, allow_nan=False, width=32)
SIZE = st.floats(0.5, 100, allow_nan=False, width=32)
BOX = st.tuples(NUMBER, NUMBER, SIZE, SIZE).map(bx.xywh_to_xyxy)
MASK = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))


@given(BOX)
def test_conversions_invert(box: bx.BoxTuple) -> None:
    for there, back in (
        (bx.xyxy_to_xywh, bx.xywh_to_xyxy),
        (lambda b: bx.to_unit(b, 128, 96), lambda b: bx.to_pixels(b, 128, 96)),
    ):
        assert np.allclose(back(there(box)), box, atol=1e-4)


@given(BOX, BOX)
def test_iou_is_symmetric_and_bounded(a: bx.BoxTuple, b: bx.BoxTuple) -> None:
    assert bx.iou(a, b) == bx.iou(b, a)
    assert 0 <= bx.iou(a, b) <= 1 + 1e-9
    assert abs(bx.iou(a, a) - 1) < 1e-6


@given(st.lists(st.tuples(BOX, st.floats(0, 1), st.integers(0, 2)), max_size=12), st.floats(0.05, 0.95))
def test_suppression_is_idempotent_and_leaves_no_overlap(items: list, threshold: float) -> None:
    boxes, scores, labels = [i[0] for i in items], [i[1] for i in items], [i[2] for i in items]
    kept = bx.suppress_overlaps_by_label(boxes, scores, labels, threshold)
    again = bx.suppress_overlaps_by_label(
        [boxes[i] for i in kept], [scores[i] for i in kept], [labels[i] for i in kept], threshold
    )
    # Of equal scores the later goes first, so a second run may turn ties around; the set stays.
    assert sorted(again) == list(range(len(kept)))
    for place, i in enumerate(kept):
        for j in kept[:place]:
            assert labels[i] != labels[j] or bx.iou(boxes[i], boxes[j]) < threshold
    for label in set(labels):
        best = max(score for score, other in zip(scores, labels, strict=True) if other == label)
        assert best in [scores[i] for i in kept if labels[i] == label]


@given(BOX)
def test_clip_stays_inside(box: bx.BoxTuple) -> None:
    x0, y0, x1, y1 = bx.clip(box, 64, 32)
    assert 0 <= x0 <= x1 <= 64 and 0 <= y0 <= y1 <= 32


@given(MASK)
def test_run_lengths_round_trip(mask: np.ndarray) -> None:
    encoded = mk.encode_mask(mask)
    assert encoded.size == mask.shape
    assert np.array_equal(mk.decode_mask(encoded), mask)


@given(MASK, st.sampled_from([1, 3, 5]))
def test_dilation_only_grows(mask: np.ndarray, size: int) -> None:
    grown = mk.dilate(mask, size)
    assert np.all(grown[mask])
    assert mask.any() == grown.any()


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.data())
def test_coverage_keeps_the_area(rows: int, columns: int, factor: int, data: st.DataObject) -> None:
    mask = data.draw(hnp.arrays(bool, (rows * factor, columns * factor)))
    covered = mk.cell_coverage(mask, rows, columns)
    blocks = mask.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
    assert np.allclose(covered, blocks, atol=1e-5)


@given(MASK)
def test_bounds_hold_the_mask(mask: np.ndarray) -> None:
    bounds = mk.mask_bounds(mask)
    if bounds is None:
        assert not mask.any()
        return
    x0, y0, x1, y1 = bounds
    assert mask[y0:y1, x0:x1].sum() == mask.sum()
    for line in (mask[y0], mask[y1 - 1], mask[:, x0], mask[:, x1 - 1]):
        assert line.any()
