"""SLD's tasks with all that can be wrong in them: a line for each, the others done."""

import json

import pytest
from PIL import Image

GOOD = {
    "input_fname": "room",
    "prompt": "a red ball",
    "llm_parsed_prompt": {"objects": [["ball", ["red"]]], "bg_prompt": "a meadow", "neg_prompt": None},
    "llm_layout_suggestions": [["red ball #1", [0.2, 0.2, 0.3, 0.3]]],
}

#: What is wrong with a task, and words that must be said of it by its name; None where it is done all the same.
FAILING = {
    "gone": ({"input_fname": "nowhere"}, "there is no picture nowhere.png"),
    "unreadable": ({"input_fname": "text"}, "not a picture"),
    "parsed": ({"llm_parsed_prompt": {"objects": "ball"}}, "llm_parsed_prompt is not {objects"),
    "three": ({"llm_layout_suggestions": [["ball #1", [0.2, 0.2, 0.3]]]}, "'ball #1' is not four numbers"),
    "words": ({"llm_layout_suggestions": [["ball #1", "everywhere"]]}, "'ball #1' is not four numbers"),
    "thin": ({"llm_layout_suggestions": [["ball #1", [0.1, 0.1, 0, 0.3]]]}, "no box is inside the picture"),
    "endless": ({"llm_layout_suggestions": [["ball #1", [0, 0, 1e300, 1]]]}, "'ball #1' is not four numbers"),
}
MENDED = {
    "beyond": ([["ball #1", [0.9, 0.2, 0.3, 0.3]]], "beyond: cut 'ball #1' at the border"),
    "outside": ([["ball #1", [0.1, 0.1, 0.3, 0.3]], ["star #1", [1.5, 1.5, 0.2, 0.2]]], "outside: dropped 'star #1'"),
    "units": (
        [["ball #1", [200, 300, 400, 500]], ["star #1", [700, 300, 200, 90]]],
        "units: boxes were in thousandths",
    ),
    "empty": ([["ball #1", [0.1, 0.1, 0, 0.3]], ["star #1", [0.5, 0.5, 0.2, 0.2]]], "empty: dropped 'ball #1'"),
}


@pytest.fixture
def tasks(workplace):
    (workplace / "src_image").mkdir()
    Image.new("RGB", (16, 16), "teal").save(workplace / "src_image" / "room.png")
    (workplace / "src_image" / "text.png").write_text("no picture")

    def write(**entries):
        good = {**GOOD, "output_dir": "good"}
        listed = [good, *({**GOOD, "output_dir": name, **fields} for name, fields in entries.items()), 7]
        (workplace / "data.json").write_text(json.dumps(listed))

    return write


def test_a_task_that_does_not_fit_fails_alone(llmgen, tasks):
    tasks(**{name: fields for name, (fields, _) in FAILING.items()})
    done = llmgen("detect", "data.json", "--method", "tiny")
    records = {r["id"]: r for r in map(json.loads, done.out.splitlines())}
    assert done.code == 6 and "Traceback" not in done.err
    assert set(records) == {"good", *FAILING} and "detections" in records["good"]
    for name, (_, words) in FAILING.items():
        assert words in records[name]["error"]["message"] and f"'{name}'" in records[name]["error"]["message"]
    lines = done.err.splitlines()
    for name, (_, words) in FAILING.items():
        assert any(f"'{name}'" in line and words in line for line in lines)
    assert any("task at position 9: expected an object" in line for line in lines)


def test_what_was_mended_in_a_task_is_said(llmgen, tasks):
    tasks(**{name: {"llm_layout_suggestions": boxes} for name, (boxes, _) in MENDED.items()})
    done = llmgen("detect", "data.json", "--method", "tiny")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [r["id"] for r in records if "error" not in r or r["error"] is None] == ["good", *MENDED]
    for _, words in MENDED.values():
        assert any(words in line for line in done.err.splitlines())
    quiet = llmgen("detect", "data.json", "--method", "tiny", "-q")
    assert "cut" not in quiet.err


def test_a_file_that_is_cut_off_says_where(llmgen, tasks, workplace):
    tasks()
    text = (workplace / "data.json").read_text()
    (workplace / "data.json").write_text(text[:-20])
    done = llmgen("detect", "data.json", "--method", "tiny")
    assert done.code == 3 and "not JSON" in done.err and "line 1" in done.err
