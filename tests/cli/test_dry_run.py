"""`--dry-run` says what a run would cost, and does nothing."""

import json
from pathlib import Path

import pytest

from llmgen.engine.journal_lines import summed_up

UNKNOWN = "unknown"
STAGES = [{"stage": stage, "method": "tiny"} for stage in ("layout", "generate", "detect", "correct")]


def test_seconds_come_from_earlier_runs(llmgen, workplace: Path) -> None:
    for name, prompts in (("first", ["a", "b"]), ("second", ["c", "d", "e", "f"])):
        (workplace / f"{name}.json").write_text(json.dumps({"name": name, "prompts": prompts, "stages": STAGES}))
    before = json.loads(llmgen("run", "second.json", "--dry-run").out)
    assert before["estimate"]["seconds"] == UNKNOWN
    assert llmgen("run", "first.json").code == 0
    plan = json.loads(llmgen("run", "second.json", "--dry-run").out)
    spent = sum(summed_up(path)[2] for path in (workplace / "outputs/first/.llmgen").glob("*.journal"))
    assert plan["estimate"]["seconds"] == pytest.approx(2 * spent, abs=0.3)
    assert all(stage["estimate"]["seconds_from"].startswith("2 records in outputs/first") for stage in plan["stages"])
    # Other settings, other times.
    other = json.loads(llmgen("run", "second.json", "--dry-run", "--set", "correct.rounds=7").out)
    assert [stage["estimate"]["seconds"] == UNKNOWN for stage in other["stages"]] == [False, False, False, True]
    assert not (workplace / "outputs/second").exists()


def test_a_stage_alone(llmgen, workplace: Path) -> None:
    (workplace / "mine.txt").write_text("a ball\na car\n")
    plan = json.loads(llmgen("generate", "mine.txt", "--method", "tiny", "--dry-run").out)
    assert plan["estimate"]["records"] == 2 and plan["estimate"]["seconds"] == UNKNOWN
    for source in ("none.json", "-"):
        unknown = json.loads(llmgen("generate", source, "--method", "tiny", "--dry-run").out)["estimate"]
        assert unknown["records"] == UNKNOWN
