"""InstanceDiffusion's inputs: boxes in either form, points, scribbles and masks, and back."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmgen.artifacts import Layout, Record
from llmgen.errors import InputError
from llmgen.formats.instancediffusion import (
    is_instancediffusion,
    read_instancediffusion,
    read_instancediffusion_files,
    write_instancediffusion,
)
from llmgen.vision.masks import decode_mask, encode_mask, mask_bounds

SQUARE = np.zeros((48, 64), dtype=bool)
SQUARE[10:20, 30:50] = True
RLE = encode_mask(SQUARE).model_dump(mode="json")
BALL = {"bbox": [4, 8, 16, 12], "mask": [], "category_name": "ball", "caption": "a red ball "}
CAR = {"bbox": [30, 20, 20.5, 25.25], "mask": [], "category_name": "", "caption": "a blue car"}


def scene(*annos: Any, **fields: Any) -> dict[str, Any]:
    return {"caption": "a ball and a car", "width": 64, "height": 48, "annos": list(annos), **fields}


def read(value: Any, bbox_format: Any = "auto") -> Record:
    (record,) = read_instancediffusion(value, "toys.json", bbox_format).records
    return record


def test_boxes_are_left_top_width_height_and_texts_stay_as_they_are() -> None:
    record = read(scene(BALL, CAR))
    assert (record.kind, record.id, record.prompt) == ("layouts", "toys", "a ball and a car")
    assert record.layout is not None and (record.layout.width, record.layout.height) == (64, 48)
    ball, car = record.layout.instances
    assert (ball.id, ball.phrase, ball.noun, ball.box_xyxy) == ("ball-1", "a red ball ", "ball", (4, 8, 20, 20))
    assert (car.id, car.noun, car.box_xyxy) == ("instance-1", None, (30, 20, 50.5, 45.25))


@pytest.mark.parametrize(
    "anno",
    [
        BALL,
        CAR,
        {**BALL, "mask": RLE},
        {**BALL, "point": [5.5, 9]},
        {**BALL, "scribble": [5, 9, 10.25, 12, 18, 19]},
        {**BALL, "mask": RLE, "point": [40, 15], "scribble": [31, 11, 45, 19]},
        {"category_name": "ball", "caption": "a ball", "point": [1, 47.5]},
        {"category_name": "ball", "caption": "a ball", "scribble": [1, 2, 3, 2]},
        {**BALL, "bbox": [64, 3, 0, 0]},
    ],
)
def test_what_is_read_is_written_back(anno: dict[str, Any]) -> None:
    value = scene(anno, CAR)
    assert write_instancediffusion(read(value)) == value
    # What is written reads as the same record again, through the artifact's own form too.
    record = Record.model_validate_json(read(value).model_dump_json())
    assert read(write_instancediffusion(record)) == record
    corners = write_instancediffusion(record, "xyxy")
    assert read(corners, "xyxy").layout == record.layout


def test_boxes_that_can_only_be_corners_are_caught_and_said() -> None:
    corners = [{**BALL, "bbox": box} for box in ([40, 20, 60, 40], [2, 3, 9, 8], [10, 20, 64, 48])]
    auto = read_instancediffusion(scene(*corners), "x.json")
    assert [i.box_xyxy for i in auto.records[0].layout.instances] == [tuple(a["bbox"]) for a in corners]
    assert len(auto.warnings) == 1 and "2 of 3 boxes leave the canvas" in auto.warnings[0]
    assert "read as corners (xyxy)" in auto.warnings[0]
    forced = read_instancediffusion(scene(*corners), "x.json", "xywh")
    assert forced.records[0].layout.instances[0].box_xyxy == (40, 20, 64, 48)
    assert "2 of 3 boxes" in forced.warnings[0] and "--bbox-format xyxy" in forced.warnings[0]
    assert read_instancediffusion(scene(*corners), "x.json", "xyxy").warnings == []
    # One that cannot be corners, or none that leaves the canvas: as the original reads them.
    for boxes in ([[40, 20, 60, 40], [30, 20, 10, 10]], [[2, 3, 9, 8], [1, 1, 5, 5]]):
        found = read_instancediffusion(scene(*({**BALL, "bbox": box} for box in boxes)), "x.json")
        assert found.warnings == []
        assert found.records[0].layout.instances[1].box_xyxy[0] == boxes[1][0]
        assert found.records[0].layout.instances[1].box_xyxy[2] == boxes[1][0] + boxes[1][2]


def test_a_warning_reaches_the_log(caplog: pytest.LogCaptureFixture, tmp_path: Any) -> None:
    found = read_instancediffusion(scene({**BALL, "bbox": [40, 20, 60, 40]}), "x.json")
    with caplog.at_level(logging.WARNING, "llmgen"):
        found.artifact("layouts", tmp_path)
    assert "read as corners" in caplog.text


def test_a_box_beyond_the_canvas_is_cut_and_said() -> None:
    found = read_instancediffusion(
        scene({**BALL, "bbox": [30, -4, 60, 20]}, {**BALL, "bbox": [40, 30, 5, 5]}), "x.json"
    )
    assert found.records[0].layout.instances[0].box_xyxy == (30, 0, 64, 16)
    assert found.notes == ["x: cut annos[0] at the border: its corners [30, -4, 90, 16] leave the 64x48 canvas"]


def test_where_there_is_no_box_the_shape_gives_one() -> None:
    shapes = ({"mask": RLE}, {"point": [2, 47]}, {"scribble": [[5, 6], [9, 30]]}, {"scribble": [[5, 6], [5, 30]]})
    record = read(scene(*({"caption": "a ball", **shape} for shape in shapes)))
    assert [i.box_xyxy for i in record.layout.instances] == [
        (30, 10, 50, 20), (0, 41, 8, 48), (5, 6, 9, 30), (4.5, 6, 5.5, 30),
    ]  # fmt: skip


def test_masks_are_honoured_in_every_form() -> None:
    counts = np.diff(np.flatnonzero(np.diff(np.r_[0, SQUARE.T.ravel(), 0])), prepend=0)
    counts = [int(v) for v in counts] + [int(SQUARE.size - counts.sum())]
    polygon = [[30, 10, 50, 10, 50, 20, 30, 20]]
    masks = (RLE, {"size": [48, 64], "counts": counts}, polygon)
    record = read(scene(*({**BALL, "mask": mask} for mask in masks)))
    for instance in record.layout.instances:
        assert np.array_equal(decode_mask(instance.mask), SQUARE)
        assert mask_bounds(decode_mask(instance.mask)) == (30, 10, 50, 20)


BAD = {
    "caption empty": ({"caption": " "}, "annos[1]: caption is empty"),
    "caption missing": ({"caption": None}, "annos[1]: caption is empty"),
    "category of another type": ({"category_name": 3}, "annos[1]: category_name"),
    "bbox of three": ({"bbox": [1, 2, 3]}, "annos[1]: bbox is not four numbers"),
    "bbox inverted": ({"bbox": [9, 9, -3, 4]}, "annos[1]: bbox is inverted"),
    "bbox outside": ({"bbox": [70, 9, 3, 4]}, "outside the 64x48 canvas"),
    "no place": ({"bbox": [0, 0, 0, 0]}, "annos[1] has no bbox, point, scribble or mask"),
    "point outside": ({"point": [3, 50]}, "point [3, 50] lies outside the 64x48 picture"),
    "point of one number": ({"point": [3]}, "annos[1]: point is no list of x and y"),
    "scribble of one point": ({"scribble": [[3, 4]]}, "its scribble has one point"),
    "scribble of an odd number": ({"scribble": [3, 4, 5]}, "annos[1]: scribble is no list of x and y"),
    "scribble outside": ({"scribble": [-3, 4, -5, 4]}, "annos[1]: scribble lies outside"),
    "mask of another size": ({"mask": {**RLE, "size": [64, 48]}}, "the mask is 48x64 pixels, the canvas 64x48"),
    "mask that does not decode": ({"mask": {**RLE, "counts": "é!"}}, "mask: the run lengths cannot be decoded"),
    "mask cut short": ({"mask": {**RLE, "counts": RLE["counts"][:4]}}, "mask: the run lengths"),
    "mask of wrong counts": ({"mask": {**RLE, "counts": [5, 6]}}, "the counts add up to 11 of 3072 pixels"),
    "mask empty": ({"mask": {**RLE, "counts": [48 * 64]}}, "its mask is empty"),
    "mask alone empty": ({"bbox": None, "mask": {**RLE, "counts": [48 * 64]}}, "its mask is empty"),
    "mask of text": ({"mask": "abc"}, "mask is no run-length encoding"),
    "polygon of one point": ({"mask": [[3, 4]]}, "a polygon has 1 points; it needs three or more"),
    "polygon outside": ({"mask": [[3, 4, 9, 9, 400, 3]]}, "the polygon's point [400, 3] lies outside"),
    "polygon of a text": ({"mask": [["a", 4]]}, "a polygon is no list of x and y"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_drawn_is_one_line_of_its_record(case: str) -> None:
    change, reason = BAD[case]
    found = read_instancediffusion([scene(BALL, {**BALL, **change}), scene(BALL)], "x.json")
    bad, good = found.records
    assert bad.error is not None and reason in bad.error.message and "\n" not in bad.error.message
    assert "record '0001' (position 1)" in bad.error.message
    assert good.error is None


@pytest.mark.parametrize(
    "fields",
    [{"width": 0}, {"height": 1.5}, {"width": True}, {"width": 10**9}, {"annos": 3}, {"annos": [3]}, {"caption": 3}],
)
def test_a_broken_entry_does_not_stop_the_others(fields: dict[str, Any]) -> None:
    found = read_instancediffusion([scene(BALL), scene(BALL, **fields)], "x.json")
    assert found.records[0].error is None and len(found.invalid) + len(found.dropped) == 1


def test_some_instances_with_points_and_many_instances_are_all_kept() -> None:
    annos = [{**BALL, "point": [5, 9]} if k % 2 else BALL for k in range(40)]
    record = read(scene(*annos))
    assert [i.point_xy for i in record.layout.instances] == [(5, 9) if k % 2 else None for k in range(40)]


def test_a_folder_gives_a_record_for_each_file(tmp_path: Any) -> None:
    (tmp_path / "b.json").write_text(json.dumps(scene(BALL)))
    (tmp_path / "a.json").write_text(json.dumps(scene(CAR)))
    (tmp_path / "c.json").write_text("{")
    (tmp_path / "d.json").write_text('["a prompt"]')
    found, base = read_instancediffusion_files(tmp_path)
    assert [record.id for record in found.records] == ["a", "b"] and base == tmp_path
    assert len(found.dropped) == 2 and "c.json" in found.dropped[0]
    with pytest.raises(InputError, match="no input of InstanceDiffusion"):
        read_instancediffusion_files(tmp_path / "d.json")


def test_other_files_are_not_taken_for_it() -> None:
    assert is_instancediffusion(scene()) and is_instancediffusion([3, scene(BALL)])
    for other in ({"kind": "layouts", "records": []}, ["a"], 3, [], {"annos": 3}, [{"input_fname": "a"}]):
        assert not is_instancediffusion(other)


BIG = {"caption": "a ball and a car", "width": 512, "height": 256}


@pytest.mark.parametrize(
    ("ball", "car", "unit"),
    [
        ([0.25, 0.5, 0.25, 0.25], [0.75, 0.5, 0.25, 0.5], "units"),
        ([25, 50, 25, 25], [75, 50, 25, 50], "hundredths"),
        ([250, 500, 250, 250], [750, 500, 250, 500], "thousandths"),
    ],
)
def test_boxes_and_points_in_another_unit_are_read_in_pixels_and_said(ball: Any, car: Any, unit: str) -> None:
    point = [ball[0] + ball[2] / 2, ball[1] + ball[3] / 2]
    value = {**BIG, "annos": [{**BALL, "bbox": ball, "point": point}, {**CAR, "bbox": car}]}
    found = read_instancediffusion(value, "toys.json")
    (record,) = found.records
    assert record.layout is not None and found.warnings == [f"toys: boxes were in {unit} of the picture"]
    one, other = record.layout.instances
    assert one.box_xyxy == pytest.approx((128, 128, 256, 192)) and other.box_xyxy == pytest.approx((384, 128, 512, 256))
    assert one.point_xy == pytest.approx((192, 160))


def test_fields_that_nothing_is_made_of_are_said_and_boxes_under_another_name_refused(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    named = {**BALL, "bbox": None, "box": [4, 8, 16, 12]}
    found = read_instancediffusion([scene({**BALL, "colour": "red"}, licence="CC0"), scene(named)], "x.json")
    assert "its box is in 'box'" in found.invalid[0]
    found.artifact("layouts", tmp_path)
    assert "x.json: not used: 'licence', 'colour'" in caplog.text


PEAR = {"category_name": "pear", "caption": "a pear"}


def read_pears(*annos: dict[str, Any], side: Any = 512) -> tuple[Layout, list[str]]:
    found = read_instancediffusion(
        {"caption": "pears", "width": side, "height": side, "annos": [PEAR | anno for anno in annos]}, "p.json"
    )
    (record,) = found.records
    assert record.layout is not None, record.error
    return record.layout, found.warnings


@pytest.mark.parametrize(
    "anno",
    [
        {"scribble": [20, 30, 40, 50, 95, 90]},
        {"scribble": [[20, 30], [40, 50], [95, 90]]},
        {"bbox": [20, 30, 75, 60], "scribble": [20, 30, 95, 90]},
        {"bbox": [20, 30, 75, 60]},
    ],
)
def test_one_small_thing_in_a_corner_is_in_pixels(anno: dict[str, Any]) -> None:
    layout, warnings = read_pears(anno)
    assert layout.instances[0].box_xyxy == (20, 30, 95, 90) and not warnings


def test_points_in_a_corner_are_in_pixels_however_many_have_one() -> None:
    layout, _ = read_pears({"point": [60, 70]}, {"point": [90, 20]}, {"scribble": [10, 10, 95, 95]})
    assert [one.point_xy for one in layout.instances] == [(60, 70), (90, 20), None]


def test_boxes_in_fractions_are_read_beside_points_in_pixels() -> None:
    layout, warnings = read_pears({"bbox": [0.25, 0.25, 0.5, 0.5], "point": [200, 300]})
    assert layout.instances[0].box_xyxy == (128, 128, 384, 384) and layout.instances[0].point_xy == (200, 300)
    assert warnings == ["p: boxes were in units of the picture"]


def test_a_scribble_that_leaves_the_canvas_ends_at_its_border() -> None:
    found = read_instancediffusion(
        {"caption": "pears", "width": 64, "height": 64, "annos": [PEAR | {"scribble": [[-4, 20], [30, 70], [60, 40]]}]},
        "p.json",
    )
    (record,) = found.records
    assert record.layout is not None and record.layout.instances[0].scribble_xy == ((0, 20), (30, 64), (60, 40))
    assert "2 of 3 points of its scribble leave" in found.notes[0]


def test_run_lengths_without_size_are_those_of_the_canvas_if_they_fill_it() -> None:
    layout, _ = read_pears({"bbox": [1, 1, 4, 4], "mask": {"counts": [10, 4, 50]}}, side=8)
    assert layout.instances[0].mask is not None and layout.instances[0].mask.size == (8, 8)
    short = {
        "caption": "p",
        "width": 8,
        "height": 8,
        "annos": [PEAR | {"bbox": [1, 1, 4, 4], "mask": {"counts": [10, 4, 40]}}],
    }
    (record,) = read_instancediffusion(short, "p.json").records
    assert record.error is not None and "add up to 54 of 64" in record.error.message


def test_empty_fields_are_no_fields() -> None:
    layout, _ = read_pears(
        {"bbox": [1, 1, 4, 4], "category_name": None, "scribble": [], "point": None, "mask": None}, side=64.0
    )
    assert (layout.width, layout.instances[0].noun, layout.instances[0].scribble_xy) == (64, None, None)
