"""SLD's tasks: records, replies, boxes at the border, entries that do not fit."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llmgen.errors import InputError
from llmgen.formats.foreign import read_any
from llmgen.formats.sld import clamp_unit_box
from llmgen.llm.replies.parse_reply import read_parse_reply


def task(**fields: Any) -> dict[str, Any]:
    return {
        "input_fname": "room",
        "output_dir": "room_swap",
        "prompt": "Swap the lamp and the mug",
        "generator": "dalle",
        "llm_parsed_prompt": {
            "objects": [["lamp", [None]], ["mug", ["blue"]], ["shadows", [None]]],
            "bg_prompt": "A realistic room",
            "neg_prompt": "shadows",
        },
        "llm_layout_suggestions": [["lamp #1", [0.5, 0.4, 0.2, 0.5]], ["blue mug #1", [0.9, 0.4, 0.2, 0.1]]],
        **fields,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src_image").mkdir()
    Image.new("RGB", (20, 10), "teal").save(tmp_path / "src_image" / "room.png")
    Image.new("RGB", (8, 8), "navy").save(tmp_path / "desk.png")
    return tmp_path


def read(folder: Path, tasks: Any, images_from: Path | None = None) -> Any:
    (folder / "data.json").write_text(json.dumps(tasks))
    return read_any(folder / "data.json", images_from)


def test_a_task_becomes_a_record_with_its_picture_and_replies(folder: Path) -> None:
    found = read(folder, [task()])
    (record,) = found.records
    assert (found.kind, record.kind, record.id, record.type) == ("images", "images", "room_swap", "dalle")
    assert record.prompt == "Swap the lamp and the mug"
    assert record.image is not None
    assert (record.image.path, record.image.width, record.image.height) == ("src_image/room.png", 20, 10)
    assert record.history[0].image == record.image
    assert [reply.call for reply in record.replies] == ["parse", "differences"]
    parsed = read_parse_reply(record.replies[0].text)
    assert [(o.noun, [i.attributes for i in o.instances]) for o in parsed.objects] == [
        ("lamp", [[]]),
        ("mug", [["blue"]]),
        ("shadow", []),
    ]
    assert (parsed.background, parsed.negative) == ("A realistic room", ["shadow"])
    # The mug reached over the border; the lamp stays as it was written.
    assert record.replies[1].text == (
        "Updated Objects: [('lamp #1', [0.5, 0.4, 0.2, 0.5]), ('blue mug #1', [0.9, 0.4, 0.1, 0.1])]\n"
    )


def test_pictures_beside_the_file_and_elsewhere(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (record,) = read(folder, [task(input_fname="desk")]).records
    assert record.image is not None and record.image.path == "desk.png"
    other = tmp_path_factory.mktemp("elsewhere")
    Image.new("RGB", (4, 6)).save(other / "room.png")
    found = read(folder, [task()], other)
    assert found.base == other
    assert (found.records[0].image.path, found.records[0].image.height) == ("room.png", 6)
    (folder / "prompts.json").write_text('["a ball"]')
    with pytest.raises(InputError, match="--images-from is for SLD"):
        read_any(folder / "prompts.json", other)


def test_what_is_null_is_left_to_a_planner(folder: Path) -> None:
    (record,) = read(folder, [task(llm_parsed_prompt=None, llm_layout_suggestions=None)]).records
    assert record.replies == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input_fname": "nowhere"}, "there is no picture nowhere.png"),
        ({"input_fname": "../desk"}, "leaves the folder"),
        ({"input_fname": 3}, "input_fname is missing"),
        ({"input_fname": "a\0b"}, "a"),
        ({"input_fname": "x" * 5000}, "no"),
        ({"input_fname": "text"}, "not a picture"),
        ({"llm_parsed_prompt": [1]}, "llm_parsed_prompt is not"),
        ({"llm_parsed_prompt": {"objects": [["lamp"]]}}, r"not \[noun"),
        ({"llm_parsed_prompt": {"objects": [["lamp", [3]]]}}, r"not \[noun"),
        ({"llm_parsed_prompt": {"objects": [], "bg_prompt": 4}}, "bg_prompt is no text"),
        ({"llm_layout_suggestions": {}}, "is no list"),
        ({"llm_layout_suggestions": [["lamp #1", [0, 0, 1]]]}, "not four numbers"),
        ({"llm_layout_suggestions": [["lamp #1", [0, 0, 1, True]]]}, "not four numbers"),
        ({"llm_layout_suggestions": [["lamp #1", [0, 0, 1, float("nan")]]]}, "not four numbers"),
    ],
)
def test_one_bad_task_keeps_its_name_and_the_others(folder: Path, fields: dict[str, Any], words: str) -> None:
    (folder / "text.png").write_text("no picture")
    found = read(folder, [task(), task(**fields)])
    good, bad = found.records
    assert good.error is None
    assert bad.error is not None and bad.error.message == found.invalid[0]
    assert bad.id == "room_swap-2" and "position 2" in bad.error.message and "\n" not in bad.error.message
    assert re.search(words, bad.error.message)


def test_what_is_no_task_is_left_out_and_bad_files_refused(folder: Path) -> None:
    found = read(folder, [task(), 5, task(prompt=None), task(prompt=" ")])
    assert [r.error is None for r in found.records] == [True, False, False]
    assert len(found.dropped) == 1 and "expected an object, found a number" in found.dropped[0]
    with pytest.raises(InputError, match="none of the 2 entries is valid"):
        read(folder, [task(input_fname="no"), task(prompt=7)])


def test_boxes_are_cut_at_the_border() -> None:
    assert clamp_unit_box((0.1, 0.2, 0.3, 0.7)) == (0.1, 0.2, 0.3, 0.7)
    assert clamp_unit_box((-0.5, 0.5, 1.0, 1.0)) == (0.0, 0.5, 0.5, 0.5)
    assert clamp_unit_box((1.2, 0.1, 0.2, 0.2)) is None
    assert clamp_unit_box((0.2, 0.1, -0.1, 0.2)) is None


@pytest.mark.parametrize("scale", [(100, 100), (1000, 1000)])
def test_suggestions_in_other_units(folder: Path, scale: tuple[int, int]) -> None:
    Image.new("RGB", (64, 32)).save(folder / "wide.png")
    box = [0.5 * scale[0], 0.25 * scale[1], 0.25 * scale[0], 0.5 * scale[1]]
    far = [0.75 * scale[0], 0.5 * scale[1], 0.25 * scale[0], 0.5 * scale[1]]
    (record,) = read(
        folder, [task(input_fname="wide", llm_layout_suggestions=[["mug #1", box], ["mug #2", far]])]
    ).records
    assert record.replies[1].text == (
        "Updated Objects: [('mug #1', [0.5, 0.25, 0.25, 0.5]), ('mug #2', [0.75, 0.5, 0.25, 0.5])]\n"
    )


def test_suggestions_that_lose_all_their_boxes_are_an_error(folder: Path) -> None:
    found = read(folder, [task(), task(llm_layout_suggestions=[["mug #1", [1.2, 0.1, 0.2, 0.2]]])])
    assert "no box is inside the picture" in found.invalid[0]


def test_half_a_character_costs_only_its_task(folder: Path) -> None:
    found = read(folder, [task(prompt="a \ud800"), task(generator="\ud800"), task()])
    assert [record.error is None for record in found.records] == [False, False, True] and not found.dropped
    assert all(line.isprintable() for line in found.invalid)
