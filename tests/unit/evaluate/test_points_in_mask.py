from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from llmgen.artifacts import Detection, ImageRef, Instance, Layout, Mask, Record
from llmgen.artifacts.statistics import bootstrap
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.evaluate.pim import PimEvaluate, PimEvaluateConfig, wanted_of_layout
from llmgen.evaluate.points_in_mask import (
    Judged,
    Seen,
    Wanted,
    coverage,
    judge_reference,
    judge_strict,
    mask_overlaps,
    match_best,
    match_in_order,
    mean_share,
    middle_point,
    run_lengths,
    share_inside,
)
from llmgen.evaluate.summary import metrics_of, summarize
from llmgen.presets import Preset
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import box_mask, encode_mask

SIDE = 40
LEFT, RIGHT = (4.0, 4.0, 16.0, 16.0), (24.0, 24.0, 36.0, 36.0)


def mask(box: tuple[float, float, float, float], side: int = SIDE) -> NDArray[np.bool_]:
    return box_mask(box, side, side)


def wanted(box: tuple[float, float, float, float], category: str = "") -> Wanted:
    return Wanted(mask(box), middle_point(mask(box)), category)


@pytest.fixture
def evaluate(tmp_path: Path) -> PimEvaluate:
    preset = Preset(name="test", description="", width=SIDE, height=SIDE, roles={})
    context = StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")
    return PimEvaluate(context, PimEvaluateConfig())


def found(name: str, box: tuple[float, float, float, float], mask_: Mask | None, score: float = 0.9) -> Detection:
    return Detection(id=name, phrase=name.split(" #")[0], noun="ball", box_xyxy=box, score=score, mask=mask_)


def record(*detections: Detection, side: int = SIDE, **fields: object) -> Record:
    instances = (
        Instance(id="1", phrase="a red ball", noun="ball", attributes=("red",), box_xyxy=LEFT, **fields),  # type: ignore[arg-type]
        Instance(id="2", phrase="a blue ball", noun="ball", attributes=("blue",), box_xyxy=RIGHT),
    )
    return Record(
        id="a",
        prompt="a red ball and a blue ball",
        layout=Layout(width=SIDE, height=SIDE, background_prompt="a meadow", instances=instances),
        image=ImageRef(path="a.png", width=side, height=side),
        detections=detections,
    )


def reference(wanted: list[Wanted], seen: list[Seen]) -> list[Judged]:
    return judge_reference(wanted, seen, mask_overlaps(wanted, seen))


def strict(wanted: list[Wanted], seen: list[Seen], **settings: float) -> list[Judged]:
    return judge_strict(wanted, seen, mask_overlaps(wanted, seen), **settings)


def test_overlaps_agree_with_counting_and_do_not_exist_for_two_empty_masks() -> None:
    generator = np.random.default_rng(0)
    a, b = (list(generator.random((n, 9, 11)) < 0.4) for n in (3, 300))
    a[1][:], b[5][:] = False, False
    overlaps = mask_overlaps([Wanted(m, middle_point(m)) for m in a], [Seen(run_lengths(m)) for m in b])
    assert np.isnan(overlaps[1, 5])
    for i, j in ((0, 0), (2, 299), (1, 0)):
        assert overlaps[i, j] == pytest.approx((a[i] & b[j]).sum() / (a[i] | b[j]).sum())


def test_matching_in_order_takes_the_first_of_equals_and_never_the_undefined() -> None:
    nan = float("nan")
    assert match_in_order(np.array([[0.2, 0.5, 0.5], [0.9, 0.9, 0.1], [nan, nan, nan]])) == [(0, 1), (1, 0)]
    assert match_in_order(np.zeros((2, 1))) == [(0, 0)]


def test_best_matching_beats_the_greedy_one() -> None:
    values = np.array([[0.6, 0.5], [0.55, 0.0]])
    assert match_best(values, np.array([[True, True], [True, False]])) == [(0, 1), (1, 0)]
    assert match_best(values, np.zeros((2, 2), bool)) == []


def test_the_middle_of_a_mask_counts_its_last_pixel() -> None:
    assert middle_point(mask((3, 4, 7, 9))).tolist() == [[4, 6]]  # int((3 + 6) / 2), int((4 + 8) / 2)
    assert middle_point(mask((0, 0, 0, 0))).shape == (0, 2)


def test_points_outside_the_picture_are_outside_the_mask() -> None:
    assert share_inside(np.array([[5, 5], [-1, 5], [5, SIDE]]), mask(LEFT)) == pytest.approx(1 / 3)


def test_misses_and_wrong_classes_hurt_only_the_strict_score() -> None:
    both = [wanted(LEFT, "cat"), wanted(RIGHT, "dog")]
    one = [Seen(run_lengths(mask(LEFT)), "cow")]
    assert mean_share(reference(both, one)) == 1.0
    assert mean_share(strict(both, one)) == 0.0
    assert mean_share(strict(both, [Seen(run_lengths(mask(LEFT)), "cat")])) == 0.5
    assert coverage(reference(both, one)) == 0.5
    assert mean_share(reference(both, [])) is None
    assert mean_share(strict(both, [])) == 0.0


def test_strict_wants_confidence_and_overlap() -> None:
    near = (4.0, 4.0, 16.0, 10.0)  # IoU 0.5, the middle at 9, 9 inside
    assert mean_share(strict([wanted(LEFT)], [Seen(run_lengths(mask(near)), score=0.2)])) == 0.0
    assert mean_share(strict([wanted(LEFT)], [Seen(run_lengths(mask(near)))], min_iou=0.4)) == 1.0
    assert mean_share(strict([wanted(LEFT)], [Seen(run_lengths(mask(near)))], min_iou=0.5)) == 0.0


def test_an_empty_mask_is_left_out() -> None:
    nothing = wanted((0, 0, 0, 0))
    assert strict([nothing], []) == [Judged(0, None, None)]
    assert (
        mean_share(reference([nothing, wanted(LEFT)], [Seen(run_lengths(mask(RIGHT))), Seen(run_lengths(mask(LEFT)))]))
        == 1.0
    )


def test_a_record_gets_both_kinds_of_score(evaluate: PimEvaluate) -> None:
    [scored] = evaluate([record(found("red ball #1", LEFT, encode_mask(mask(LEFT))))])
    values = {score.metric: score.value for score in scored.scores or ()}
    assert values == {
        "pim.point": 1.0,
        "pim.scribble": 1.0,
        "pim.point.strict": 0.5,
        "pim.scribble.strict": 0.5,
        "pim.coverage": 0.5,
        "pim.coverage.strict": 0.5,
    }
    assert metrics_of([scored], "pim") == [score.metric for score in scored.scores or ()]
    summary = summarize([scored], "pim.point.strict")
    assert (summary["overall"]["accuracy"], summary["of"], "change" in summary) == (0.5, "final", False)


def test_a_picture_without_finds_has_no_published_score(evaluate: PimEvaluate) -> None:
    [scored] = evaluate([record()])
    assert {score.metric: score.value for score in scored.scores or ()} == {
        "pim.point.strict": 0.0,
        "pim.scribble.strict": 0.0,
        "pim.coverage": 0.0,
        "pim.coverage.strict": 0.0,
    }


def test_conditions_follow_the_size_of_the_picture() -> None:
    plan = record(point_xy=(5.0, 6.0), scribble_xy=((4.0, 4.0), (40.0, 40.0))).layout
    assert plan is not None
    doubled = (2 * SIDE, 2 * SIDE)
    [first, _] = wanted_of_layout(plan, doubled, "point", given_first=False, seed=0)
    assert first.points.tolist() == [[10, 12]] and first.mask.sum() == 24 * 24
    [first, second] = wanted_of_layout(plan, doubled, "scribble", given_first=False, seed=0)
    assert first.points.tolist() == [[8, 8], [79, 79]]
    assert len(second.points) == 20 and share_inside(second.points, second.mask) == 1.0


def test_a_mask_is_asked_for_its_own_points_unless_strict() -> None:
    small = (4.0, 4.0, 8.0, 8.0)
    plan = record(point_xy=(15.0, 15.0), mask=encode_mask(mask(small))).layout
    assert plan is not None
    points = [
        wanted_of_layout(plan, (SIDE, SIDE), "point", given_first=given, seed=0)[0].points.tolist()
        for given in (False, True)
    ]
    assert points == [[[5, 5]], [[15, 15]]]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, "no mask; run `llmgen detect --masks`"),
        (encode_mask(mask(LEFT, 64)), "is 64x64, the picture 40x40"),
    ],
)
def test_a_mask_that_is_not_there_or_does_not_fit_fails_with_a_reason(
    evaluate: PimEvaluate, bad: Mask | None, reason: str
) -> None:
    # Where there is no picture, the plan's size counts.
    bare = record().grown(image=None, detections=(found("red ball #1", LEFT, bad),))
    with pytest.raises(InputError, match=reason):
        evaluate([bare])


def test_a_mask_decodes_and_fits_its_picture_or_there_is_no_record() -> None:
    for counts in ("zzz", "", "1"):
        with pytest.raises(ValidationError, match="run lengths"):
            Mask(size=(SIDE, SIDE), counts=counts)
    with pytest.raises(ValidationError, match="is 64x64, the picture 40x40"):
        record(found("red ball #1", LEFT, encode_mask(mask(LEFT, 64))))


def test_the_bootstrap_narrows_with_more_pictures() -> None:
    low, high = bootstrap([0.0, 0.5, 1.0] * 10) or (0, 0)
    assert 0.3 < low < 0.5 < high < 0.7
    lower, higher = bootstrap([0.0, 0.5, 1.0] * 100) or (0, 0)
    assert low < lower and higher < high
    assert bootstrap([0.4]) is None and bootstrap([0.4, 0.4]) is None
