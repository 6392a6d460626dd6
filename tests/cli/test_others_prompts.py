"""Prompts and layouts of other programs on the command line, given to a stage as they are."""

import json

import pytest

LAMPS = [["a lamp", [0.10, 0.30, 0.20, 0.40]], ["a lamp", [0.60, 0.30, 0.25, 0.40]]]


def records(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.txt", "a lamp\ntwo lamps\n"),
        ("p.csv", "id,prompt\n1,a lamp\n2,two lamps\n"),
        (
            "evaluation_metadata.jsonl",
            '{"tag": "x", "include": [], "prompt": "a lamp"}\n{"tag": "x", "prompt": "two lamps"}',
        ),
        ("ids.json", '[{"id": 7, "prompt": "a lamp"}, {"id": "b c", "prompt": "two lamps"}]'),
        ("list.json", '{"prompts": ["a lamp", "two lamps"]}'),
    ],
)
def test_a_stage_takes_prompts_of_any_form(llmgen, workplace, name, content):
    (workplace / name).write_text(content)
    assert [r["prompt"] for r in records(llmgen("layout", name, "--method", "tiny"))] == ["a lamp", "two lamps"]
    assert llmgen("validate", name).code == 0


def test_prompts_come_through_a_pipe(llmgen):
    done = llmgen("layout", "-", "--method", "tiny", stdin="a lamp\n\ntwo lamps\n")
    assert [r["prompt"] for r in records(done)] == ["a lamp", "two lamps"] and "read as text: 2 prompts" in done.err


@pytest.mark.parametrize(("seed", "kept"), [("18446744073709551615", 2**64 - 1), ('"42"', 42), ("42.0", 42)])
def test_seeds_of_other_tools_are_kept(llmgen, workplace, seed, kept):
    (workplace / "p.json").write_text(f'{{"prompt": "a lamp", "seed": {seed}}}')
    assert records(llmgen("layout", "p.json", "--method", "tiny"))[0]["seed"] == kept
    done = llmgen("import", "lmd", "-", "--seed", 2**64 - 1, stdin=json.dumps([{"prompt": "x", "objects": LAMPS}]))
    assert records(done)[0]["seed"] == 2**64 - 1


@pytest.mark.parametrize(
    "value",
    [
        [{"index": 3, "prompt": "two lamps", "objects": LAMPS, "background_prompt": "a shelf", "negative_prompt": ""}],
        [{"id": 12, "prompt": "two lamps", "object_list": LAMPS, "num_object": [["lamp", 2]]}],
        {
            "two lamps": [
                "[('a lamp', [51, 154, 102, 205]), ('a lamp', [307, 154, 128, 205])]\nBackground prompt: a shelf"
            ]
        },
    ],
)
def test_a_stage_takes_layouts_of_lmd_and_others(llmgen, workplace, value):
    (workplace / "layouts.json").write_text(json.dumps(value))
    (record,) = records(llmgen("generate", "layouts.json", "--method", "tiny"))
    boxes = [instance["box_xyxy"] for instance in record["layout"]["instances"]]
    assert boxes[0] == pytest.approx([51.2, 153.6, 153.6, 358.4], abs=1)
    assert llmgen("validate", "layouts.json").code == 0


def test_an_object_of_texts_is_a_prompt_and_no_cache(llmgen):
    (record,) = records(llmgen("layout", "-", "--method", "tiny", stdin='{"id": "a", "prompt": "two lamps"}'))
    assert (record["id"], record["prompt"]) == ("a", "two lamps")


def test_layouts_that_lose_everything_are_refused(llmgen):
    lost = [{"prompt": "two lamps", "objects": [["a lamp", [900, 900, 0, 9]]]}]
    done = llmgen("import", "lmd", "-", stdin=json.dumps(lost))
    assert done.code == 3 and "no box is inside the 512x512 canvas" in done.err and not done.out


def test_output_to_nowhere_works(llmgen, workplace):
    done = llmgen("layout", "-", "--method", "tiny", "-o", "/dev/null", stdin='["a lamp"]')
    assert (done.code, done.out) == (0, "")
    done = llmgen("import", "lmd", "-", "-o", "/dev/null", stdin=json.dumps([{"prompt": "x", "objects": LAMPS}]))
    assert (done.code, done.out) == (0, "")


def test_a_detections_run_lengths_are_checked_by_validate(llmgen, workplace):
    mask = {"size": [16, 16], "counts": "1"}
    found = {"id": "lamp #1", "phrase": "lamp", "noun": "lamp", "box_xyxy": [1, 1, 9, 9], "score": 0.5, "mask": mask}
    image = {"path": "a.png", "width": 16, "height": 16}
    record = {"id": "a", "prompt": "x", "image": image, "detections": [found]}
    (workplace / "d.json").write_text(json.dumps({"kind": "detections", "records": [record]}))
    done = llmgen("validate", "d.json")
    assert done.code == 3 and "/detections/0/mask: the run lengths leave" in done.err
