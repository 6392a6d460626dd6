"""ReCorD's preparation of HICO-DET: sentences, and boxes and joints on the 512 frame."""

import json
from typing import Any

import pytest
from parity.conftest import case_files, golden_folder
from parity.goldens import Case

from llmgen.formats.hico_preparation import (
    NO_INTERACTION,
    box_moved,
    on_square,
    points_moved,
    sentence_with_is,
    spoken_sentence,
)

FAMILY = "record"
SHIFTS = {
    "smallest shift": lambda least, most: least,
    "largest shift": lambda least, most: most,
    "middle shift": lambda least, most: (least + most) // 2,
}


def contents(request: pytest.FixtureRequest, group: str) -> list[Any]:
    """A group that is no list of objects, from every file that has it."""
    files = case_files(golden_folder(request.config), FAMILY)
    found = [json.loads(path.read_text(encoding="utf-8")).get(group) for path in files]
    if not any(found):
        pytest.skip(f"the folder of goldens has no group {group!r} of {FAMILY}")
    return [content for content in found if content]


def test_table_from_hico(request: pytest.FixtureRequest) -> None:
    for table in contents(request, "table_from_hico"):
        columns = table["columns_in"]
        rows = [dict(zip(columns, row, strict=True)) for row in table["rows_in"]]
        acting = [row for row in rows if row["Verb"] != NO_INTERACTION]
        for row, wanted in zip(acting, table["rows"], strict=True):
            made = sentence_with_is(row["Prompt"], json.loads(row["token indices"]))
            assert (made.intransitive, made.full) == (wanted["Intransitive_prompt"], wanted["full_prompt"])
            assert made.noun == wanted["obj_nouns"]
            places = [wanted[f"{name}_index"] for name in ("subject", "verb", "obj")]
            assert [str(place) for place in (made.subject, made.verb, made.object)] == places


def test_hico_to_512(request: pytest.FixtureRequest) -> None:
    for content in contents(request, "hico_to_512"):
        assert set(content["out_by_shift"]) <= set(SHIFTS)
        for name, wanted in content["out_by_shift"].items():
            assert on_square(content["in"], SHIFTS[name]) == wanted


def test_keypoint_shift(golden_case: Case) -> None:
    told = golden_case.file["keypoint_shift"]
    choose = SHIFTS[golden_case.raw["shift"]]
    assert points_moved(told["keypoints"], choose, told["frame"]) == golden_case.raw["keypoints"]
    assert box_moved(json.loads(told["box_text"]), choose, told["frame"]) == golden_case.raw["box"]


def test_sentence(golden_case: Case) -> None:
    raw = golden_case.raw
    assert spoken_sentence(raw["subject"], raw["verb"], raw["object"]) == raw["sentence"]
