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


LAMPS = [("lamp", (51.2, 153.6, 153.6, 358.4)), ("lamp", (307.2, 153.6, 435.2, 358.4))]
TWO = {"prompt": "two lamps on a shelf"}
FRACTIONS = [[0.10, 0.30, 0.20, 0.40], [0.60, 0.30, 0.25, 0.40]]
CORNERS = [[0.10, 0.30, 0.30, 0.70], [0.60, 0.30, 0.85, 0.70]]
NAMED = [["lamp", box] for box in FRACTIONS]


@pytest.mark.parametrize(
    "entry",
    [
        {**TWO, "id": 12, "num_object": [["lamp", 2]], "object_list": NAMED, "type": "template"},  # LayoutGPT, counting
        {**TWO, "obj1": NAMED[0], "obj2": NAMED[1], "relation": "left of"},  # LayoutGPT, spatial
        {**TWO, "objects": NAMED, "background_prompt": "a shelf", "negative_prompt": ""},
        {**TWO, "objects": [[name, [100 * v for v in box]] for name, box in NAMED]},
        {**TWO, "objects": [[name, [1000 * v for v in box]] for name, box in NAMED]},
        {**TWO, "objects": [{"name": name, "bbox": box} for name, box in NAMED]},
        {**TWO, "layout": {"lamp": FRACTIONS}},
        {**TWO, "bboxes": CORNERS, "phrases": ["lamp", "lamp"]},
        {**TWO, "gligen_boxes": CORNERS, "gligen_phrases": ["lamp", "lamp"]},
        {**TWO, "boxes": [{"label": "lamp", "x": 100 * x, "y": 100 * y, "w": 100 * w, "h": 100 * h} for x, y, w, h in FRACTIONS]},
        {**TWO, "regions": [dict(zip(("label", "x0", "y0", "x1", "y1"), ("lamp", *box), strict=True)) for box in CORNERS]},
        {**TWO, "width": 1024, "height": 1024, "objects": [[name, [1024 * v for v in box]] for name, box in NAMED]},
    ],
)  # fmt: skip
def test_boxes_of_other_lists_are_read_whatever_their_field_and_unit(entry: dict[str, Any]) -> None:
    found, kind = read_lmd([entry], "x.json")
    (record,) = found.records
    assert kind == "layouts" and record.layout is not None, record.error
    assert record.id == ("12" if "id" in entry else "000")
    for instance, (noun, box) in zip(record.layout.instances, LAMPS, strict=True):
        assert (instance.noun, instance.box_xyxy) == (noun, pytest.approx(box, abs=1))
    assert found.notes  # whatever was guessed is said
    assert set(found.unused) == {"num_object", "relation"} & set(entry)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"objects": NAMED, "boxes": NAMED}, "boxes are in `objects` and in 'boxes'"),
        ({"boxes": FRACTIONS}, "the boxes in 'boxes' have no names"),
        ({"boxes": FRACTIONS, "masks": FRACTIONS}, "boxes are in several fields"),
        ({"boxes": [["lamp", FRACTIONS[0]], ["lamp"]]}, "'boxes': entry 2 is not"),
        ({"a": ["lamp", FRACTIONS[0]], "xyxy": ["lamp", CORNERS[0]]}, "some boxes are corners and some are sizes"),
        ({"objects": [["a lamp", [900, 900, 0, 40]]]}, "nothing is left of its 1 objects"),
        ({"objects": [["a lamp", [-90, 20, 0, 40]], ["a cat", [20, 30, -5, 40]]]}, "nothing is left of its 2 objects"),
        ({"objects": [["a lamp", [1200, 1300, 200, 400]]]}, "nothing is left of its 1 objects"),
        ({"objects": [["a lamp", [0, 0, 500, 500]]], "width": 1024, "height": 512}, "its canvas is 1024x512"),
    ],
)
def test_boxes_that_cannot_be_read_are_never_dropped_in_silence(entry: dict[str, Any], reason: str) -> None:
    found, _ = read_lmd([{"prompt": "a lamp", **entry}, {"prompt": "x", "objects": []}], "x.json")
    assert len(found.invalid) == 1 and reason in found.invalid[0]


def test_a_single_small_box_is_in_pixels_and_a_filled_canvas_stays_no_box() -> None:
    record = layouts(["a cat", [10, 20, 60, 60]], prompt="a cat")
    assert record.layout is not None and record.layout.instances[0].box_xyxy == (10, 20, 70, 80)
    filled = layouts(["a cat", [0, 0, 512, 512]], prompt="a cat").layout
    assert filled is not None and filled.instances == ()


def test_ids_of_prompts_may_be_numbers() -> None:
    found, kind = read_lmd([{"id": 7, "prompt": "a cat", "source": "x"}, {"id": "b", "prompt": "a dog"}], "p.json")
    assert (kind, [r.id for r in found.records], set(found.unused)) == ("prompts", ["7", "b"], {"source"})


def test_names_of_thousands_of_equal_entries_take_no_time_that_grows() -> None:
    found, _ = read_lmd([{"prompt": "a cat", "id": "a"}] * 5_000, "p.json")
    assert [found.records[k].id for k in (0, 1, 4_999)] == ["a", "a-2", "a-5000"]
