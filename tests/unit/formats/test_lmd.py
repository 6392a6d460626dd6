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
