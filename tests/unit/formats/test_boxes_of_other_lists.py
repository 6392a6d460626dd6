"""Lists of layouts of other programs, whatever they call their boxes: read right or refused by the name of the field."""

from typing import Any

import pytest

from llmgen.formats.lmd import read_lmd

LAMPS = [("lamp", (51.2, 153.6, 153.6, 358.4)), ("lamp", (307.2, 153.6, 435.2, 358.4))]
TWO = {"prompt": "two lamps on a shelf"}
FRACTIONS = [[0.10, 0.30, 0.20, 0.40], [0.60, 0.30, 0.25, 0.40]]
CORNERS = [[0.10, 0.30, 0.30, 0.70], [0.60, 0.30, 0.85, 0.70]]
LOW = [[0.10, 0.10, 0.20, 0.20], [0.30, 0.30, 0.40, 0.40]]
"""Corners that fit as sizes, too."""
NAMED = [["lamp", box] for box in FRACTIONS]
NAMES = ["lamp", "lamp"]


def times(factor: float, boxes: Any = FRACTIONS) -> Any:
    return [["lamp", [factor * v for v in box]] for box in boxes]


@pytest.mark.parametrize(
    "entry",
    [
        {**TWO, "id": 12, "num_object": [["lamp", 2]], "object_list": NAMED, "type": "template"},  # LayoutGPT, counting
        {**TWO, "obj1": NAMED[0], "obj2": NAMED[1], "relation": "left"},  # LayoutGPT, spatial
        {**TWO, "objects": NAMED, "background_prompt": "a shelf", "negative_prompt": ""},
        {**TWO, "objects": times(100)},
        {**TWO, "objects": times(1000)},
        {**TWO, "objects": [{"name": name, "bbox": box} for name, box in NAMED]},
        {**TWO, "objects": [["lamp", [f"{100 * v}%" for v in box]] for box in FRACTIONS]},
        {**TWO, "object_list": [{"name": "lamp", "bbox": ", ".join(map(str, box))} for box in FRACTIONS]},
        {**TWO, "layout": {"lamp": FRACTIONS}},
        {**TWO, "layout": {"lamp": [{"box": box} for box in FRACTIONS]}},
        {**TWO, "layout": {"objects": NAMED, "background": "a shelf"}},
        {**TWO, "bboxes": CORNERS, "phrases": NAMES},
        {**TWO, "objects": NAMES, "boxes": FRACTIONS},
        {**TWO, "gligen_boxes": CORNERS, "gligen_phrases": NAMES},
        {**TWO, "locations": CORNERS, "phrases": NAMES},
        {**TWO, "boxes": [{"label": "lamp", "x": 100 * x, "y": 100 * y, "w": 100 * w, "h": 100 * h} for x, y, w, h in FRACTIONS]},
        {**TWO, "regions": [dict(zip(("label", "x0", "y0", "x1", "y1"), ("lamp", *box), strict=True)) for box in CORNERS]},
        {**TWO, "width": 1024, "height": 1024, "objects": times(1024)},
        {**TWO, "canvas": "256x256", "objects": times(256, CORNERS)},
        {**TWO, "canvas": {"width": 100, "height": 100}, "objects": times(100)},
        {**TWO, "image_size": [640, 480], "objects": NAMED},
    ],
)  # fmt: skip
def test_boxes_are_read_whatever_their_field_and_unit(entry: dict[str, Any]) -> None:
    found, kind = read_lmd([entry], "x.json")
    (record,) = found.records
    assert kind == "layouts" and record.layout is not None, record.error
    assert record.id == ("12" if "id" in entry else "000")
    for instance, (noun, box) in zip(record.layout.instances, LAMPS, strict=True):
        assert (instance.noun, instance.box_xyxy) == (noun, pytest.approx(box, abs=1))
    assert found.notes  # whatever was guessed is said
    assert set(found.unused) == {"num_object", "relation"} & set(entry)


@pytest.mark.parametrize("key", ["gligen_boxes", "locations", "bboxes_xyxy"])
def test_a_field_of_corners_says_so_where_the_numbers_do_not(key: str) -> None:
    for entry in ({key: LOW, "phrases": NAMES}, {key: [["lamp", box] for box in LOW]}):
        found, _ = read_lmd([{**TWO, **entry}], "x.json")
        assert found.records[0].layout is not None
        boxes = [instance.box_xyxy for instance in found.records[0].layout.instances]
        assert boxes == [pytest.approx([512 * v for v in box]) for box in LOW]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"objects": NAMED, "boxes": NAMED}, "objects are in several fields, 'objects', 'boxes'"),
        ({"object_list": NAMED, "obj1": NAMED[0]}, "objects are in several fields, 'object_list', 'obj1'"),
        ({"boxes": FRACTIONS}, "the boxes in 'boxes' have no names"),
        ({"boxes": FRACTIONS, "labels": ["lamp"]}, "the boxes in 'boxes' have no names"),
        ({"boxes": FRACTIONS, "masks": FRACTIONS}, "the boxes in 'boxes' have no names"),
        ({"boxes": [["lamp", FRACTIONS[0]], ["lamp"]]}, "objects.1"),
        ({"a": ["lamp", FRACTIONS[0]], "xyxy": ["lamp", CORNERS[0]]}, "boxes are in 'a', 'xyxy'"),
        ({"objects": [], "places": NAMED}, "boxes are in 'places'"),
        ({"objects": [["a lamp", [900, 900, 0, 40]]]}, "no box is inside"),
        ({"objects": [["a lamp", [-90, 20, 0, 40]], ["a cat", [20, 30, -5, 40]]]}, "no box is inside"),
        ({"objects": [["a lamp", [1200, 1300, 200, 400]]]}, "no box is inside"),
        ({"objects": [["a lamp", [0, 0, 500, 500]]], "width": 1024, "height": 512}, "its canvas is 1024x512"),
    ],
)
def test_boxes_that_cannot_be_read_are_never_dropped_in_silence(entry: dict[str, Any], reason: str) -> None:
    found, _ = read_lmd([{"prompt": "a lamp", **entry}, {"prompt": "x", "objects": []}], "x.json")
    assert len(found.invalid) == 1 and reason in found.invalid[0]


def test_a_single_small_box_is_in_pixels_and_a_filled_canvas_stays_no_box() -> None:
    small, filled = ({"prompt": "a cat", "objects": [["a cat", box]]} for box in ([100, 120, 60, 60], [0, 0, 512, 512]))
    found, _ = read_lmd([small, filled], "x.json")
    one, none = (record.layout for record in found.records)
    assert one is not None and one.instances[0].box_xyxy == (100, 120, 160, 180)
    assert none is not None and none.instances == ()


def test_fields_around_a_wrapper_that_it_has_as_well_are_named() -> None:
    inner = {"objects": NAMED, "background": "a shelf"}
    found, _ = read_lmd([{**TWO, "background": "a hill", "layout": inner}], "x.json")
    assert found.records[0].layout is not None and found.records[0].layout.background_prompt == "a shelf"
    assert any("ignored the fields 'background' around 'layout'" in note for note in found.notes)


def test_ids_of_prompts_may_be_numbers() -> None:
    found, kind = read_lmd([{"id": 7, "prompt": "a cat", "source": "x"}, {"id": "b", "prompt": "a dog"}], "p.json")
    assert (kind, [r.id for r in found.records], set(found.unused)) == ("prompts", ["7", "b"], {"source"})


def test_names_of_thousands_of_equal_entries_are_all_given() -> None:
    found, _ = read_lmd([{"prompt": "a cat", "id": "a"}] * 5_000, "p.json")
    assert [found.records[k].id for k in (0, 1, 4_999)] == ["a", "a-2", "a-5000"]
