import json
from pathlib import Path
from typing import Any

import pytest

from llmgen.artifacts import Detection, ImageRef, Instance, Layout, Record
from llmgen.engine.context import StageContext
from llmgen.errors import InputError, ModelError
from llmgen.evaluate.coco_words import coco_name
from llmgen.evaluate.grounding import GroundingEvaluate, GroundingEvaluateConfig
from llmgen.evaluate.grounding_boxes import (
    NamedBox,
    best_by_label,
    match_by_label,
    mean_iou,
    read_grounded_reply,
    recall,
)
from llmgen.evaluate.summary import summarize
from llmgen.presets import Preset
from llmgen.vision.images import ImageStore

A, B, C = (0.0, 0.0, 40.0, 40.0), (60.0, 60.0, 100.0, 100.0), (0.0, 60.0, 40.0, 100.0)
HALF_A = (0.0, 0.0, 40.0, 20.0)


def method(folder: Path, **settings: Any) -> GroundingEvaluate:
    preset = Preset(name="test", description="", width=100, height=100, roles={})
    context = StageContext(preset=preset, images=ImageStore(folder), device="cpu", dtype="float32")
    return GroundingEvaluate(context, GroundingEvaluateConfig(**settings))


def record(name: str, *planned: tuple[str, Any], found: tuple[tuple[str, Any], ...] | None = None) -> Record:
    return Record(
        id=name,
        prompt="a scene",
        image=ImageRef(path="a.png", width=200, height=200),
        layout=Layout(
            width=100,
            height=100,
            background_prompt="a street",
            instances=tuple(
                Instance(id=str(i), phrase=f"a {noun}", noun=noun, box_xyxy=box)
                for i, (noun, box) in enumerate(planned)
            ),
        ),
        detections=None
        if found is None
        else tuple(
            Detection(id=str(i), phrase=noun, noun=noun, box_xyxy=tuple(2 * v for v in box), score=0.9)
            for i, (noun, box) in enumerate(found)
        ),
    )


def replies(folder: Path, *entries: Any) -> Path:
    path = folder / "replies.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path


def values(record: Record) -> dict[str, float]:
    return {score.metric.removeprefix("grounding."): score.value for score in record.scores or ()}


def test_words_of_a_reply_that_are_no_boxes_are_left_out() -> None:
    text = "[[1,2,3,4]] A dog [[100,100,200,200]], [[x,1,2,3]] a cat: [[1,2,3]] and (birds) [[0,0,500,500; 500,500,1000,1000]]"
    assert read_grounded_reply(text, 1000, 500) == [
        NamedBox("dog", (100, 50, 200, 100)),
        NamedBox("birds", (0, 0, 500, 250)),
        NamedBox("birds", (500, 250, 1000, 500), first=False),
    ]
    assert read_grounded_reply("[]", 10, 10) == []


def test_one_partner_each_against_best_of_all() -> None:
    planned = [NamedBox("dog", A), NamedBox("dog", B), NamedBox("cat", C)]
    found = [NamedBox("Dog", A), NamedBox("cow", C)]
    assert match_by_label(found, planned) == [1.0, None, None]
    assert mean_iou([1.0, None, None]) == pytest.approx(1 / 3) and recall([0.6, 0.4, None], 0.5) == pytest.approx(1 / 3)
    assert best_by_label(found, planned, "corners") == {"dog": 1.0}
    assert match_by_label([], planned) == [None] * 3 and mean_iou([]) is None and recall([], 0.5) is None


def test_partners_are_chosen_for_the_greatest_sum() -> None:
    found = [NamedBox("dog", A), NamedBox("dog", HALF_A)]
    planned = [NamedBox("dog", HALF_A), NamedBox("dog", A)]
    assert match_by_label(found, planned) == [1.0, 1.0]


def test_corners_read_as_sizes_are_another_score() -> None:
    right = [NamedBox("dog", B)]
    shifted = [NamedBox("dog", (50.0, 60.0, 90.0, 100.0))]
    assert best_by_label(shifted, right, "corners")["dog"] == pytest.approx(30 / 50)
    # [50, 60, 90, 100] and [60, 60, 100, 100] as left, top, width, height
    assert best_by_label(shifted, right, "xywh")["dog"] == pytest.approx(80 * 100 / (90 * 100 + 100 * 100 - 80 * 100))


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Benches", "bench"),
        ("men", "person"),
        ("puppy", "dog"),
        ("Traffic light", "traffic light"),
        ("tractor", "tractor"),
    ],
)
def test_everyday_words_name_classes(word: str, name: str) -> None:
    assert coco_name(word) == name


def test_detections_are_compared_in_the_pixels_of_the_plan(tmp_path: Path) -> None:
    [scored] = method(tmp_path)(
        [record("a", ("dog", A), ("person", B), found=(("dog", HALF_A), ("man", B), ("cow", C)))]
    )
    assert values(scored) == {
        "strict": pytest.approx(0.75),
        "recall": 1.0,
        "corners": pytest.approx(0.75),
        "as_published": pytest.approx((0.5 + 1) / 2),
    }
    assert {score.by for score in scored.scores or ()} == {"detector"}


def test_replies_are_compared_and_summed_over_all_labels(tmp_path: Path) -> None:
    file = replies(
        tmp_path,
        {"id": "a", "reply": "A dog [[0,0,400,200]] and a man [[600,600,1000,1000;0,0,400,400]]."},
        {"id": "b", "reply": "A dog [[0,0,400,400]] here, nothing [[5,5,5,5]]."},
        {"id": "c", "reply": "[]"},
    )
    plans = [
        record("a", ("dog", A), ("person", B), ("person", A)),
        record("b", ("dog", A), ("cat", B)),
        record("c", ("dog", A)),
    ]
    scored = method(tmp_path, answers=file)(plans)
    assert [values(one)["strict"] for one in scored] == [pytest.approx(2.5 / 3), 0.5, 0.0]
    assert [values(one).get("corners") for one in scored] == [0.75, 1.0, None]
    assert {score.by for one in scored for score in one.scores or ()} == {"vlm"}
    overall = summarize(scored, "grounding.corners")["overall"]
    assert (overall["accuracy"], overall["mean_over_labels"], overall["n_labels"]) == (
        pytest.approx((0.75 + 1) / 2),
        pytest.approx((0.5 + 1 + 1) / 3),
        3,
    )


def test_a_reply_in_which_no_box_can_be_read_is_no_score_of_0(tmp_path: Path) -> None:
    for reply in ("Nothing.", "", "a dog at the left", "a dog [[x,1,2]]", '{"label": "dog"}'):
        file = replies(tmp_path, {"id": "a", "reply": reply})
        with pytest.raises(ModelError, match="record 'a' in .*no box can be read in it"):
            method(tmp_path, answers=file)([record("a", ("dog", A))])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = replies(tmp_path, {"id": "a", "reply": "x"})
    with pytest.raises(InputError, match="'b' has no reply in"):
        method(tmp_path, answers=file)([record("b", ("dog", A))])
    with pytest.raises(InputError, match="'b' has no detections"):
        method(tmp_path)([record("b", ("dog", A))])
    with pytest.raises(InputError, match="two replies for the record 'a'"):
        method(tmp_path, answers=replies(tmp_path, {"id": "a", "reply": ""}, {"id": "a", "reply": ""}))
    with pytest.raises(InputError, match="needs the texts `id` and `reply`"):
        method(tmp_path, answers=replies(tmp_path, {"id": "a"}))
