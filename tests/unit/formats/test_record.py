"""ReCorD's tables: what becomes of their rows, and what their scripts would have let through."""

import json
from pathlib import Path

import pytest
from PIL import Image

from llmgen.artifacts import AddEdit, MoveEdit, Record
from llmgen.cli import main
from llmgen.correct.given_plans import waiting_plan
from llmgen.correct.interaction.plan import placed_box
from llmgen.errors import InputError
from llmgen.formats.record import read_record_file, read_record_rows

ROW = {
    "intransitive_prompt": "a boy is feeding",
    "full_prompt": "a boy is feeding a red bird",
    "obj_nouns": "red bird",
    "seeds": "[12, 34, 56]",
    "selected_image_idx": "1",
    "object_bbox": "[300, 300, 400, 400]",
    "updated_object_bbox": "[100, 300, 200, 400]",
}


def only(row: dict[str, object], images_from: Path | None = None) -> tuple[Record, list[str]]:
    found = read_record_rows([row], "table.csv", images_from)
    (record,) = found.records
    return record, found.notes


def test_a_row_becomes_a_layout_with_its_interaction_seed_and_box() -> None:
    record, _ = only(ROW)
    assert (record.kind, record.seed, record.prompt) == ("layouts", 34, "a boy is feeding a red bird")
    assert record.layout is not None and record.layout.interaction is not None
    acting = record.layout.interaction
    assert (acting.subject.text, acting.verb.text, acting.object.text) == ("a boy", "feeding", "a red bird")
    assert acting.intransitive_prompt == "a boy is feeding" and acting.object_noun.text == "bird"
    assert record.layout.instances[1].box_xyxy == (100, 300, 200, 400) and record.edits is None


def test_with_the_candidate_the_box_is_a_plan_that_waits(tmp_path: Path) -> None:
    folder = tmp_path / "a boy is feeding a red bird"
    folder.mkdir()
    Image.new("RGB", (256, 128)).save(folder / "seed_34_1.png")
    record, _ = only(ROW, tmp_path)
    assert (
        record.kind == "images" and record.image is not None and (record.image.width, record.image.height) == (256, 128)
    )
    plan = waiting_plan(record)
    assert plan is not None and isinstance(plan.edits[0], MoveEdit)
    assert placed_box(record, plan) == (50, 75, 100, 100) and plan.edits[0].from_box_xyxy == (150, 75, 200, 100)
    added, _ = only({**ROW, "object_bbox": ""}, tmp_path)
    assert added.edits is not None and isinstance(added.edits.edits[0], AddEdit)
    missing, _ = only({**ROW, "selected_image_idx": "0"}, tmp_path)
    assert missing.error is not None and "seed_12_1.png" in missing.error.message
    outside, _ = only({**ROW, "full_prompt": "../a boy is feeding a bird"}, tmp_path)
    assert outside.error is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"updated_object_bbox": "[300, 100, 200, 400]"}, "is inverted: [300.0, 100.0, 200.0, 400.0]; the original draws a candidate"),
        ({"updated_object_bbox": "[5, 5, 5, 5]"}, "has no area inside the 512x512 frame"),
        ({"updated_object_bbox": "[600, 10, 700, 90]"}, "has no area inside the 512x512 frame"),
        ({"updated_object_bbox": "[1, 2, 3]"}, "is no box of four numbers: '[1, 2, 3]'; the original stops here"),
        ({"updated_object_bbox": "__import__('os')"}, "is no list of numbers"),
        ({"selected_image_idx": "3"}, "is none of its 3 seeds"),
        ({"seeds": "[1.5]"}, "`seeds` is a whole number"),
        ({"full_prompt": "a meadow"}, "has no word 'is'"),
    ],
)  # fmt: skip
def test_what_the_original_lets_through_or_stops_at_is_an_error_of_its_row(changes: dict[str, str], said: str) -> None:
    found = read_record_rows([{**ROW, **changes}, ROW], "table.csv")
    bad, good = found.records
    assert bad.error is not None and said in bad.error.message and "position 1" in bad.error.message
    assert good.error is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"updated_object_bbox": ""}, "it has no corrected box: its object is placed by the critic"),
        ({"updated_object_bbox": "null"}, "it has no corrected box"),
        ({"updated_object_bbox": "[-20, 5, 700, 600]"}, "is cut to the frame"),
        ({"selected_image_idx": ""}, "it has 3 seeds and no selected_image_idx; the first is taken"),
        ({"intransitive_prompt": "a boy is standing"}, "its intransitive prompt stays 'a boy is standing'"),
        ({"obj_nouns": "big cat"}, "its obj_nouns say 'big cat'"),
        ({"obj_nouns": "red bird"}, "its object is 'a red bird', not 'red bird'"),
        ({"subject_index": "2"}, "token places of the table are not used"),
    ],
)
def test_what_is_mended_or_not_used_is_said(changes: dict[str, str], said: str) -> None:
    record, notes = only({**ROW, **changes})
    assert record.error is None and any(said in note for note in notes), notes


def test_both_names_of_the_corrected_box_are_read() -> None:
    row = {key: value for key, value in ROW.items() if key != "updated_object_bbox"}
    for name in ("updates_object_bbox", "updated_object_location"):
        record, _ = only({**row, name: [1, 2, 30, 40]})
        assert record.layout is not None and record.layout.instances[1].box_xyxy == (1, 2, 30, 40)


def test_sentences_of_hico_get_their_is_and_keep_nouns_of_two_words() -> None:
    rows = [
        {"object": "hot_dog", "verb": "eat", "prompt": "a man eating a hot dog.", "token_indices": "[2, 6]"},
        {"object": "bird", "verb": "no_interaction", "prompt": "a person and a bird", "token_indices": "[2, 5]"},
        {"object": "dog", "verb": "walk", "prompt": "a person walking a dog", "token_indices": "[2, 9]"},
        {"prompt": ""},
    ]
    found = read_record_rows(rows, "hico.csv")
    good, bad = found.records
    assert (
        good.prompt == "a man is eating a hot dog" and good.layout is not None and good.layout.interaction is not None
    )
    assert good.layout.interaction.object_noun.text == "hot dog"
    assert bad.error is not None and "are not subject and object" in bad.error.message
    assert "1 rows of the verb no_interaction are left out" in found.notes
    assert "1 blank rows are left out; the original stops at the first one" in found.notes


def test_tables_are_read_as_csv_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "Intransitive_prompt;full_prompt;Updates_object_bbox\n"
        "a boy is feeding;a boy is feeding a bird;[1, 2, 30, 40]\n;;\n"
    )
    (tmp_path / "t.json").write_text(
        json.dumps([{"Full_prompt": "a boy is feeding a bird", "updated_object_bbox": [1, 2, 30, 40]}])
    )
    tables = [read_record_file(str(tmp_path / name), None) for name in ("t.csv", "t.json")]
    assert {kind for _, kind, _ in tables} == {"layouts"}
    first, second = (found.records[0].layout for found, _, _ in tables)
    assert first == second
    for text in ("a,b\n1,2\n", "[1]", "full_prompt\na,b\n", '"x\n'):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(InputError):
            read_record_file(str(tmp_path / "bad"), None)


def test_the_command_writes_layouts_and_names_bad_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "Intransitive_prompt,full_prompt,seeds,updated_object_bbox\n"
    rows = [
        'a boy is feeding,a boy is feeding a bird,12,"[1, 2, 30, 40]"',
        'a boy is feeding,a boy is feeding a bird,12,"[9, 2, 3, 40]"',
    ]
    (tmp_path / "t.csv").write_text(head + "\n".join(rows) + "\n")
    code = main(["import", "record", str(tmp_path / "t.csv"), "-o", str(tmp_path / "layouts.json")])
    said = capsys.readouterr().err
    assert code == 6 and "1 of 2 records failed" in said
    records = json.loads((tmp_path / "layouts.json").read_text())["records"]
    assert [bool(record.get("error")) for record in records] == [False, True] and records[0]["seed"] == 12
    assert "is inverted" in records[1]["error"]["message"]
