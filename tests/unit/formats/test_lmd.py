"""LMD's files: caches, lists of layouts, prompts; and what the benchmark says of imported layouts."""

from typing import Any

import pytest

from llmgen.artifacts import Record
from llmgen.errors import InputError
from llmgen.evaluate.verdict import found_in_layout, judge_found
from llmgen.formats.lmd import read_lmd
from llmgen.llm.english.grammar import read_prompt

ONE_CAT = "[('a cat', [10, 20, 100, 200])]\nBackground prompt: A realistic scene\nNegative prompt: None"
NO_DOGS = "[]\nBackground prompt: A realistic scene\nNegative prompt: dogs, red birds"


def ok(record: Record) -> bool:
    assert record.layout is not None
    meaning = read_prompt(record.prompt)
    return judge_found(meaning, found_in_layout(meaning, record.layout), (512, 512)).ok


def test_a_cache_gives_one_record_a_reply() -> None:
    found, kind = read_lmd({"one cat": [ONE_CAT, ONE_CAT], "without dogs": NO_DOGS}, "cache.json")
    assert (kind, [r.id for r in found.records]) == ("layouts", ["000", "001", "002"])
    cat, _, none = found.records
    assert cat.layout is not None and none.layout is not None
    (instance,) = cat.layout.instances
    assert (instance.id, instance.noun, instance.box_xyxy) == ("cat-1", "cat", (10.0, 20.0, 110.0, 220.0))
    assert (cat.layout.width, cat.layout.height, cat.layout.background_prompt) == (512, 512, "A realistic scene")
    assert (none.layout.absent, none.layout.negative_prompt) == (("dog", "bird"), "dogs, red birds")
    assert cat.replies[0].text == ONE_CAT and cat.replies[0].call == "layout"


def test_a_list_of_prompts_orders_a_cache() -> None:
    prompts = [
        {"id": "b", "type": "negation", "prompt": "without dogs."},
        {"id": "a", "prompt": " one  cat"},
        {"id": "a2", "prompt": "one cat"},
    ]
    found, _ = read_lmd({"one cat": [ONE_CAT], "without dogs": [NO_DOGS]}, "cache.json", prompts)
    assert [(r.id, r.type, r.error is None) for r in found.records] == [
        ("b", "negation", True),
        ("a", None, True),
        ("a2", None, False),
    ]
    assert "1 replies" in found.invalid[0]
    with pytest.raises(InputError, match="--prompts orders a cache"):
        read_lmd([{"prompt": "x", "objects": []}], "layouts.json", prompts)


def layouts(*objects: Any, prompt: str) -> Record:
    entry = {"index": 7, "prompt": prompt, "objects": list(objects), "background_prompt": "b", "negative_prompt": ""}
    found, kind = read_lmd([entry], "layouts.json")
    assert (kind, found.records[0].id) == ("layouts", "007")
    return found.records[0]


def test_the_benchmark_judges_imported_layouts() -> None:
    cat, dog, bowl = ["a cat", [10, 20, 100, 200]], ["a dog", [10, 20, 100, 200]], ["a bowl", [10, 300, 90, 90]]
    assert ok(layouts(cat, prompt="A realistic photo of a scene with one cat"))
    assert ok(layouts(dog, bowl, prompt="A realistic photo of a scene with a dog on the top and a bowl on the bottom"))
    assert ok(layouts(prompt="A realistic photo of a scene without dogs"))
    # The ways in which cached replies fail: the whole canvas is no box, two in one box are one, same place twice.
    assert not ok(layouts(["a cat", [0, 0, 512, 512]], prompt="A realistic photo of a scene with one cat"))
    assert not ok(layouts(["two cats", [200, 200, 112, 112]], prompt="A realistic photo of a scene with two cats"))
    assert not ok(
        layouts(
            dog,
            ["a bowl", dog[1]],
            prompt="A realistic photo of a scene with a dog on the top and a bowl on the bottom",
        )
    )


def test_boxes_that_leave_the_canvas_are_scaled_with_a_note() -> None:
    entry = {"prompt": "a cat", "objects": [["a cat.", [-20, 100, 200, 200]], ["a dog", [400, 300, 200, 150]]]}
    found, _ = read_lmd([entry], "layouts.json")
    layout = found.records[0].layout
    assert layout is not None
    assert [(i.phrase, i.box_xyxy) for i in layout.instances] == [
        ("a cat", (0.0, 83.0, 165.0, 248.0)),
        ("a dog", (347.0, 248.0, 512.0, 372.0)),
    ]
    assert len(found.notes) == 1 and "scaled" in found.notes[0]


def test_prompts_become_prompts() -> None:
    found, kind = read_lmd(
        [{"index": 0, "id": "000", "type": "negation", "prompt": "no dogs", "queries": []}], "p.json"
    )
    assert (kind, found.records[0].id, found.records[0].type) == ("prompts", "000", "negation")


@pytest.mark.parametrize(
    "entry",
    [
        {"prompt": "x", "objects": 3},
        {"prompt": "x", "objects": [["a cat", [0, 0, 10]]]},
        {"prompt": "x", "objects": [["", [0, 0, 10, 10]]]},
        {"prompt": "x", "objects": [], "background_prompt": 4},
        {"prompt": "x", "objects": [["a cat", [0, 0, 10, 1e300]]]},
    ],
)
def test_a_bad_entry_is_an_error_of_its_record(entry: dict[str, Any]) -> None:
    found, _ = read_lmd([{"prompt": "x", "objects": []}, entry], "layouts.json")
    assert [r.error is None for r in found.records] == [True, False]
    assert "position 2" in found.invalid[0]


def test_a_reply_that_cannot_be_read_is_an_error_of_its_record() -> None:
    found, _ = read_lmd({"a": ["[('a cat', [1, 2])]\nBackground prompt: b", "nothing", ONE_CAT]}, "cache.json")
    assert [r.error is None for r in found.records] == [False, False, True]


@pytest.mark.parametrize("value", [{}, [], 3, None, {"a": 1}, [1], [{"prompt": 2}]])
def test_other_files_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match="neither a cache|is no prompt"):
        read_lmd(value, "x.json")


FARM = "[('a goat', [60, 200, 150, 180]), ('a well', [300, 190, 160, 200])]\nBackground prompt: A farm yard\nNegative prompt: "
LAMPS = [(51.2, 153.6, 153.6, 358.4), (307.2, 153.6, 435.2, 358.4)]


def boxes(record: Record) -> list[Any]:
    assert record.layout is not None, record.error
    return [pytest.approx(instance.box_xyxy) for instance in record.layout.instances]


def test_a_cached_reply_that_runs_on_ends_where_its_answer_does() -> None:
    further = "\n\nCaption: A tram in the rain\nObjects: [('a tram', [100, 200, 300, 160])]\nBackground prompt: A rainy street"
    found, _ = read_lmd({"a goat and a well": [FARM + further, FARM + "\nCategory: relation(left of)"]}, "cache.json")
    for record in found.records:
        assert record.layout is not None
        assert [i.noun for i in record.layout.instances] == ["goat", "well"]
        layout = record.layout
        assert (layout.background_prompt, layout.negative_prompt, layout.absent) == ("A farm yard", "", ())


@pytest.mark.parametrize(
    "fields",
    [
        {"object_list": [["lamp", [0.1, 0.3, 0.2, 0.4]], ["lamp", [0.6, 0.3, 0.25, 0.4]]], "image_id": 340},
        {
            "objects": [["a lamp", [0.1, 0.3, 0.2, 0.4]], ["a lamp", [0.6, 0.3, 0.25, 0.4]]],
            "background_prompt": "a shelf",
        },
        {"objects": [["a lamp", [10, 30, 20, 40]], ["a lamp", [60, 30, 25, 40]]]},
        {"objects": [["a lamp", [100, 300, 200, 400]], ["a lamp", [600, 300, 250, 400]]]},
        {"bboxes": [[0.1, 0.3, 0.2, 0.4], [0.6, 0.3, 0.25, 0.4]], "labels": ["lamp", "lamp"]},
        {"boxes": [{"label": "lamp", "bbox": [0.1, 0.3, 0.2, 0.4]}, {"label": "lamp", "bbox": [0.6, 0.3, 0.25, 0.4]}]},
        {"layout": [["lamp", [0.1, 0.3, 0.3, 0.7]], ["lamp", [0.6, 0.3, 0.85, 0.7]]]},
    ],
)
def test_layouts_in_other_units_and_fields(fields: dict[str, Any]) -> None:
    found, kind = read_lmd([{"id": 12, "prompt": "two lamps", "type": "template", **fields}], "val.json")
    (record,) = found.records
    assert (kind, record.id, record.type) == ("layouts", "12", "template")
    assert boxes(record) == LAMPS
    assert any("units" in note or "hundredths" in note or "thousandths" in note for note in found.notes)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"places": [["lamp", [10, 30, 20, 40]]]}, "boxes are in 'places'"),
        ({"lamp_bboxes": [[0.1, 0.3, 0.2, 0.4]]}, "boxes are in 'lamp_bboxes'"),
        ({"bboxes": [[0.1, 0.3, 0.2, 0.4]]}, "boxes in 'bboxes' have no names"),
        ({"objects": [["a lamp", [9000, 30, 20, 40]]]}, "no box is inside the 512x512 canvas"),
        ({"objects": [["a lamp", [0.1, 0.3, 0, 0.4]]]}, "no box is inside"),
        ({"objects": [["a lamp", [0, 0, 1, 1]]]}, "no box is inside"),
    ],
)
def test_boxes_that_would_be_lost_are_an_error(fields: dict[str, Any], why: str) -> None:
    found, kind = read_lmd([{"prompt": "a lamp", **fields}, {"prompt": "none", "objects": []}], "val.json")
    assert kind == "layouts" and [record.error is None for record in found.records] == [False, True]
    assert why in found.invalid[0]


def test_unknown_fields_without_boxes_are_named() -> None:
    found, _ = read_lmd([{"prompt": "a lamp", "objects": [["a lamp", [10, 30, 200, 140]]], "mood": "calm"}], "val.json")
    assert found.notes == ["000: ignored the fields 'mood'"]


def test_ids_that_are_numbers_are_kept() -> None:
    found, _ = read_lmd(
        [{"id": 7, "prompt": "a"}, {"id": "q", "prompt": "b"}, {"id": 7.0, "prompt": "c"}, {"id": True, "prompt": "d"}],
        "p.json",
    )
    assert [record.id for record in found.records] == ["7", "q", "7-2", "003"]


def test_one_hostile_reply_costs_only_its_record() -> None:
    cache = {
        "a \ud800": ["[]\nBackground prompt: x"],
        "b": [f"[('a cat', [{nines}, 2, 30, 40])]\nBackground prompt: x" for nines in ("9" * 400, "1e999", "9" * 9999)],
        "c": ["[" * 3000, "[('a \ud800', [1, 2, 30, 40])]\nBackground prompt: x", ONE_CAT],
    }
    found, _ = read_lmd(cache, "cache.json")
    assert [record.error is None for record in found.records] == [False] * 6 + [True]
    assert not found.dropped and all(line.isprintable() and len(line) < 500 for line in found.invalid)
