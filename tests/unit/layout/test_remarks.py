"""What was not understood stands in the record, whoever read it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgen.artifacts.io import read_records
from llmgen.cli import main


@pytest.fixture(autouse=True)
def _library_log() -> Iterator[None]:
    """The command sets how much the library says; the tests that follow set it themselves."""
    yield
    logger = logging.getLogger("llmgen")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


def planned(folder: Path, prompt: str, *flags: str) -> tuple[str, ...]:
    (folder / "prompts.json").write_text(json.dumps([prompt]))
    assert main(["layout", str(folder / "prompts.json"), "-o", str(folder / "layouts.json"), "-q", *flags]) == 0
    (record,) = read_records(folder / "layouts.json").records
    assert all(remark.stage == "layout" for remark in record.remarks)
    return tuple(remark.text for remark in record.remarks)


def test_words_that_the_rules_do_not_understand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = planned(tmp_path, "a basket with more apples than oranges")
    assert "more" in line


def test_nothing_is_said_of_a_plain_prompt(tmp_path: Path) -> None:
    assert planned(tmp_path, "two red balls and a blue car in a meadow") == ()


def test_what_was_mended_in_a_reply(tmp_path: Path) -> None:
    reply = {"objects": [{"noun": "ball", "attributes": [], "box": [0.1, 0.1, 0.3, 0.3]}], "background": "a park"}
    call = {"call": "layout", "prompt": "a ball", "text": json.dumps(reply)}
    (tmp_path / "replies.json").write_text(json.dumps([call]))
    lines = planned(tmp_path, "a ball", "--planner", f"replay:{tmp_path / 'replies.json'}")
    assert any("units" in line or "fractions" in line for line in lines)
