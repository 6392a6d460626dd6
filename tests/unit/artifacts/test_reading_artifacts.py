import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from llmgen.artifacts import PromptEntry, Record
from llmgen.artifacts.hashing import record_digest
from llmgen.artifacts.io import (
    parse_json,
    pretty_json,
    read_manifest,
    read_records,
    record_line,
    records_from_prompts,
    write_artifact,
)
from llmgen.errors import InputError, OutputError

LAYOUT = {"width": 16, "height": 16, "background_prompt": "a meadow"}


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "in.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "content",
    [
        ["a cat", "a dog"],
        [{"prompt": "a cat"}, {"prompt": "a dog"}],
        ["a cat", {"prompt": "a dog", "id": "0002"}],
        {"kind": "prompts", "schema_version": 1, "records": [{"prompt": "a cat"}, {"prompt": "a dog"}]},
        {"kind": "prompts", "records": ["a cat", "a dog"]},
        '{"prompt": "a cat"}\n{"prompt": "a dog"}\n',
        '"a cat"\n"a dog"',
        '\ufeff["a cat", "a dog"]',
        '{"kind": "prompts", "schema_version": 1, "id": "0001", "prompt": "a cat"}\r\n\r\n{"id": "0002", "prompt": "a dog"}',
    ],
)
def test_every_form_of_prompts_reads_the_same(tmp_path, content):
    read = read_records(written(tmp_path, content))
    assert read.kind == "prompts"
    assert [(r.id, r.prompt) for r in read.records] == [("0001", "a cat"), ("0002", "a dog")]
    assert read.base == tmp_path


def test_one_record_on_one_line_is_an_artifact(tmp_path):
    line = json.dumps({"kind": "layouts", "id": "a", "prompt": "x", "layout": LAYOUT})
    read = read_records(written(tmp_path, line))
    assert read.kind == "layouts" and read.records[0].layout.width == 16


def test_prompt_entries_keep_what_goes_with_them(tmp_path):
    entry = {
        "prompt": "a cat",
        "id": "c",
        "seed": 7,
        "type": "numeracy",
        "instruction": "why?",
        "source_image": "c.png",
    }
    record = read_records(written(tmp_path, [entry])).records[0]
    assert record.model_dump(include=set(entry)) == entry


def test_separators_inside_json_strings_do_not_end_a_line(tmp_path):
    lines = '{"prompt": "a\u2028cat"}\n{"prompt": "a\x85dog"}'
    assert [r.prompt for r in read_records(written(tmp_path, lines)).records] == ["a\u2028cat", "a\x85dog"]


REFUSED = {
    "not JSON": ("{", "not JSON"),
    "where": ('["a",\n  b]', "line 2, column 3"),
    "JSON Lines broken in line 3": ('{"prompt": "a"}\n{"prompt": "b"}\n{"prompt": \n', "line 3"),
    "empty": ("  \n", "is empty"),
    "empty list": ("[]", "holds no prompts"),
    "empty records": ('{"kind": "prompts", "records": []}', "holds no prompts"),
    "number": ("12", "found a number"),
    "null": ("null", "found null"),
    "records no list": ('{"kind": "prompts", "records": {}}', "/records: should be a list"),
    "wrong kind": ('{"kind": "pictures", "records": ["a"]}', "'pictures' is no kind"),
    "kind of another type": ('{"kind": ["x"], "records": ["a"]}', "is no kind"),
    "manifest": ('{"kind": "manifest", "name": "x", "stages": []}', "llmgen run"),
    "neither": ('{"foo": 1}', "neither prompts nor an artifact"),
    "unknown field of the document": ('{"kind": "prompts", "records": ["a"], "recrods": 1}', "unknown field 'recrods'"),
    "newer version": ('{"kind": "prompts", "schema_version": 2, "records": ["a"]}', "newer llmgen"),
    "newer record": ('{"kind": "prompts", "schema_version": 9, "id": "a", "prompt": "b"}', "newer llmgen"),
    "version zero": ('{"kind": "prompts", "schema_version": 0, "records": ["a"]}', "no version"),
    "twice the same id": ('[{"prompt": "a", "id": "x"}, {"prompt": "b", "id": "x"}]', "two records are called 'x'"),
    "id taken by a position": ('["a", {"prompt": "b", "id": "0001"}]', "positions 1 and 2"),
    "twice the same field": ('[{"prompt": "a", "prompt": "b"}]', "'prompt' twice"),
    "nested": ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "huge integer": ("[" + "9" * 10_000 + "]", "not JSON that can be read"),
    "blank prompt": ('["  "]', "the prompt is empty"),
    "no prompt": ('[{"id": "a"}]', "the prompt is empty; give one, or an `instruction` and the `source_image`"),
    "prompt of another type": ('[{"prompt": 3}]', "/prompt"),
    "misspelt": ('[{"prompt": "a", "sed": 3}]', "did you mean 'seed'"),
    "bad id": ('[{"prompt": "a", "id": "../../etc"}]', "/id"),
    "negative seed": ('[{"prompt": "a", "seed": -2}]', "/seed"),
    "seed too large": ('[{"prompt": "a", "seed": 18446744073709551616}]', "/seed"),
    "seed of another type": ('[{"prompt": "a", "seed": "many"}]', "/seed"),
    "seed with a fraction": ('[{"prompt": "a", "seed": 0.5}]', "/seed"),
    "boxes under another name": ('[{"prompt": "a", "bboxes": [["a cat", [1, 2, 3, 4]]]}]', "unknown field 'bboxes'"),
    "boxes with named sides": (
        '[{"prompt": "a", "things": [{"name": "a cat", "x": 1, "y": 2, "width": 3, "height": 4}]}]',
        "unknown field 'things'",
    ),
    "lone surrogate": ('["\\ud800"]', "position 1"),
    "list of lists": ("[[1]]", "found a list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_says_nothing_usable_is_refused_in_one_line(tmp_path, case):
    content, reason = REFUSED[case]
    with pytest.raises(InputError) as caught:
        read_records(written(tmp_path, content))
    message = str(caught.value)
    assert reason in message
    assert message.startswith(str(tmp_path / "in.json")) and "\n" not in message and len(message) < 500


def test_other_encodings_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "in.json"
    path.write_bytes('["é"]'.encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_records(path)
    with pytest.raises(InputError, match="no such file"):
        read_records(tmp_path / "none.json")
    with pytest.raises(InputError, match="directory"):
        read_records(tmp_path)


def test_size_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("llmgen.artifacts.io.MAX_INPUT_BYTES", 2**20)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        read_records(written(tmp_path, ["x" * 2**20]))


BAD_RECORDS = {
    "unknown field": ({"colour": "red"}, "unknown field 'colour'"),
    "box outside": ({"instances": [[1, 2, 30, 4]]}, "leaves the 16x16 picture"),
    "box inverted": ({"instances": [[9, 2, 3, 4]]}, "/layout/instances/0/box_xyxy: box is inverted"),
    "box not a number": (
        {"instances": [[float("nan"), 2, 3, 4]]},
        "/layout/instances/0/box_xyxy/0: Input should be a finite",
    ),
    "box too short": ({"instances": [[1, 2, 3]]}, "/layout/instances/0/box_xyxy"),
    "section missing": ({"layout": None}, "needs the section 'layout'"),
    "image leaves": (
        {"image": {"path": "../a.png", "width": 4, "height": 4}},
        "/image/path: image path '../a.png' leaves",
    ),
    "image absolute": ({"image": {"path": "/etc/a.png", "width": 4, "height": 4}}, "leaves the folder"),
    "image on a drive": ({"image": {"path": "C:/a.png", "width": 4, "height": 4}}, "leaves the folder"),
}


#: 16 x 16 pixels of background, then as `encode_mask` writes a square, then what cannot be decoded.
EMPTY_MASK, SQUARE_MASK = "P8", "T14<00000000000\\3"
BAD_INSTANCES = {
    "point outside": ({"point_xy": [3, 17]}, "instance 'i': point [3, 17] lies outside the 16x16 picture"),
    "scribble outside": ({"scribble_xy": [[3, 4], [-2, 4]]}, "scribble point [-2, 4] lies outside"),
    "scribble without points": ({"scribble_xy": []}, "instance 'i': its scribble has no points"),
    "scribble of one point": ({"scribble_xy": [[3, 4]]}, "its scribble has one point"),
    "scribble too long": ({"scribble_xy": [[1, 1]] * 1001}, "scribble_xy"),
    "point without y": ({"point_xy": [3]}, "/layout/instances/0/point_xy/1"),
    "mask of another size": ({"mask": {"size": [16, 8], "counts": "P4"}}, "its mask is 8x16, the picture 16x16"),
    "mask without end": ({"mask": {"size": [16, 16], "counts": "P"}}, "end in the middle of a number"),
    "mask too short": ({"mask": {"size": [16, 16], "counts": "1"}}, "leave 255 of 256 pixels out"),
    "mask too long": ({"mask": {"size": [16, 16], "counts": "P8P8"}}, "do not fit a mask of 16x16"),
    "mask that runs backwards": ({"mask": {"size": [16, 16], "counts": "O"}}, "do not fit a mask of 16x16"),
    "mask in other letters": ({"mask": {"size": [16, 16], "counts": "é"}}, "cannot be decoded"),
    "mask of endless number": ({"mask": {"size": [16, 16], "counts": "P" * 10**6}}, "cannot be decoded"),
    "mask of nothing": ({"mask": {"size": [16, 16], "counts": EMPTY_MASK}}, "its mask is empty"),
}


@pytest.mark.parametrize("case", BAD_INSTANCES)
def test_an_instance_that_cannot_be_drawn_is_refused_and_the_others_go_on(tmp_path, case):
    change, reason = BAD_INSTANCES[case]
    instance = {"id": "i", "phrase": "a ball", "box_xyxy": [1, 2, 9, 8]}
    entry = {"prompt": "a ball", "layout": LAYOUT}
    bad = {"id": "bad", **entry, "layout": {**LAYOUT, "instances": [{**instance, **change}]}}
    records = [bad, {"id": "good", **entry}]
    first, second = read_records(written(tmp_path, {"kind": "layouts", "records": records})).records
    assert first.error is not None and reason in first.error.message and "\n" not in first.error.message
    assert len(first.error.message) < 500
    assert second.error is None


def test_an_instance_keeps_point_scribble_and_mask(tmp_path):
    drawn = {
        "point_xy": [3.5, 4],
        "scribble_xy": [[0, 0], [16, 16]],
        "mask": {"size": [16, 16], "counts": SQUARE_MASK},
    }
    instance = {"id": "i", "phrase": "a ball", "box_xyxy": [1, 2, 9, 8], **drawn}
    layout = {**LAYOUT, "instances": [instance]}
    record = read_records(
        written(tmp_path, {"kind": "layouts", "records": [{"id": "a", "prompt": "x", "layout": layout}]})
    )
    kept = record.records[0].layout.instances[0]
    assert kept.model_dump(mode="json", include=set(drawn)) == drawn


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_record_that_does_not_fit_goes_on_with_its_error(tmp_path, case):
    change, reason = BAD_RECORDS[case]
    good = {"id": "good", "prompt": "a cat", "layout": LAYOUT}
    bad = {"id": "bad", "prompt": "a dog", "type": "spatial", "layout": LAYOUT}
    if "instances" in change:
        instance = {"id": "i", "phrase": "a ball", "box_xyxy": change["instances"][0]}
        bad["layout"] = {**LAYOUT, "instances": [instance]}
    else:
        bad |= change
    read = read_records(written(tmp_path, {"kind": "layouts", "records": [bad, good]}))
    first, second = read.records
    assert (first.id, first.prompt, first.type, first.kind) == ("bad", "a dog", "spatial", "layouts")
    assert first.error is not None and first.error.type == "InputError"
    assert reason in first.error.message and "record 'bad' (position 1)" in first.error.message
    assert second.error is None and second.layout is not None
    assert read.dropped == ()


def test_an_entry_without_a_name_is_left_out_and_said(tmp_path):
    read = read_records(written(tmp_path, ["a cat", "", {"kind": "prompts", "prompt": "no id"}, "a dog"]))
    assert [r.id for r in read.records] == ["0001", "0002", "0004"] and "position 2" in read.invalid[0]
    assert len(read.dropped) == 1 and "/id: missing" in read.dropped[0]


def test_both_forms_hold_the_same_records(tmp_path):
    records = [Record(id="a", prompt="ä\n\u2028 🎈 [\n 1\n]"), Record(id="b", prompt="x", seed=3)]
    write_artifact(tmp_path / "doc.json", "prompts", records)
    (tmp_path / "lines.jsonl").write_text("".join(map(record_line, records)), encoding="utf-8")
    for name in ("doc.json", "lines.jsonl"):
        assert list(read_records(tmp_path / name).records) == records


def test_rows_of_numbers_stay_on_a_line_and_texts_stay_as_they_are():
    value = {"box": [1.5, -2e-05, 3], "text": "[\n  1,\n  2\n]", "empty": [], "words": ["a"]}
    text = pretty_json(value)
    assert '"box": [1.5, -2e-05, 3]' in text
    assert json.loads(text) == value


def test_manifests(tmp_path):
    path = written(tmp_path, {"name": "x", "prompts": ["a"], "stages": [{"stage": "layout", "method": "lmd"}]})
    assert read_manifest(path).preset == "toybox"
    for change, reason in [
        ({"stages": []}, "/stages: needs at least 1 entry, has 0"),
        ({"prompts": []}, "either `prompts`"),
        ({"prompts_path": "p.json"}, "either `prompts`"),
        ({"kind": "layouts"}, "not a manifest"),
        ({"pressets": "toybox"}, "did you mean 'preset'"),
        ({"name": "../x"}, "/name"),
        ({"stages": [{"stage": "dream", "method": "x"}]}, "/stages/0/stage"),
    ]:
        value = {"name": "x", "prompts": ["a"], "stages": [{"stage": "layout", "method": "lmd"}], **change}
        with pytest.raises(InputError, match=reason):
            read_manifest(written(tmp_path, value))
    with pytest.raises(InputError, match="not a list"):
        read_manifest(written(tmp_path, []))


def test_prompts_of_a_manifest_get_ids(tmp_path):
    read = records_from_prompts(["a", PromptEntry(prompt="b", id="x")], "m.json", tmp_path)
    assert [r.id for r in read.records] == ["0001", "x"]


def test_digest_ignores_how_a_record_was_written(tmp_path):
    loose = written(tmp_path, '{"seed": 3, "prompt": "a", "id": "x", "layout": null, "history": []}')
    assert record_digest(read_records(loose).records[0]) == record_digest(Record(id="x", prompt="a", seed=3))
    assert record_digest(Record(id="x", prompt="a", seed=3)) != record_digest(Record(id="x", prompt="a", seed=4))


def test_the_field_that_an_object_has_twice_is_named_however_many_it_has() -> None:
    fields = ", ".join(f'"k{k}": 0' for k in range(20_000))
    with pytest.raises(InputError, match="has the field 'k19999' twice"):
        parse_json(f'{{{fields}, "k19999": 1}}'.encode(), "wide.json")


def test_half_characters_are_refused_in_every_text_field() -> None:
    with pytest.raises(ValidationError, match="half of a character"):
        Record(id="a", prompt="b", type="\ud800")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_nothing_is_written_that_no_stage_would_read(tmp_path, monkeypatch, name):
    monkeypatch.setattr("llmgen.artifacts.io.MAX_INPUT_BYTES", 2**20)
    records = [Record(id=f"r{i}", prompt="x" * 9000) for i in range(120)]
    with pytest.raises(OutputError, match="no stage reads more than 1; split the input"):
        write_artifact(tmp_path / name, "prompts", records)
    assert not list(tmp_path.iterdir())
    write_artifact(tmp_path / name, "prompts", records[:9])
    assert len(read_records(tmp_path / name).records) == 9


def test_an_instruction_and_a_picture_stand_for_a_prompt(tmp_path):
    question = {"instruction": "What if it rains?", "source_image": "a.png"}
    for form in (question, [question], {"kind": "prompts", "records": [{"prompt": "", **question}]}):
        (record,) = read_records(written(tmp_path, form)).records
        assert (record.prompt, record.instruction, record.error) == ("", "What if it rains?", None)
    for lacking in ("instruction", "source_image"):
        with pytest.raises(InputError, match="nothing is said about the picture|there is no picture"):
            read_records(written(tmp_path, [{**question, lacking: None}]))
