"""Files that manifests name are looked for beside them."""

import json
import os
from pathlib import Path

import pytest

from llmgen.artifacts import Manifest
from llmgen.artifacts.io import read_manifest
from llmgen.cli import main
from llmgen.pipeline.naming import file_settings, found_beside, named_from
from llmgen.registry import resolve

MANIFESTS = Path(__file__).parents[3] / "manifests"


def manifest(**given: object) -> Manifest:
    config = {"truths": "right/answers.jsonl", "answers": None, "round_trips": False}
    stages = [{"stage": "evaluate", "method": "vqai", "config": config}]
    return Manifest.model_validate_json(json.dumps({"name": "m", "prompts": ["a ball"], "stages": stages, **given}))


def test_preset_replies_and_settings_are_found_beside_it_and_named_from_elsewhere(tmp_path: Path) -> None:
    written = manifest(preset="mine.json", planner="replay:said.jsonl", critic="rules")
    found = found_beside(written, tmp_path / "a")
    assert found.preset == str(tmp_path / "a" / "mine.json")
    assert (found.planner, found.critic) == (f"replay:{tmp_path / 'a' / 'said.jsonl'}", "rules")
    truths = str(tmp_path / "a" / "right" / "answers.jsonl")
    assert found.stages[0].config == {"truths": truths, "answers": None, "round_trips": False}
    moved = named_from(found, tmp_path / "b" / "c")
    assert moved.stages[0].config["truths"] == "../../a/right/answers.jsonl"
    again = found_beside(moved, tmp_path / "b" / "c")
    assert os.path.normpath(again.stages[0].config["truths"]) == truths
    assert os.path.normpath(again.preset) == found.preset


def test_names_are_no_files_and_whole_paths_stay(tmp_path: Path) -> None:
    config = {"truths": str(tmp_path / "t.jsonl")}
    written = manifest(planner="openai", stages=[{"stage": "evaluate", "method": "vqai", "config": config}])
    assert found_beside(written, Path("elsewhere")) == written
    assert file_settings(resolve("evaluate", "hoi")) == {"answers"}
    assert file_settings(resolve("generate", "sd")) == set()


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_manifests_name_files_that_come_along(path: Path) -> None:
    found = found_beside(read_manifest(path), path.parent)
    for entry in found.stages:
        for name in file_settings(resolve(entry.stage, entry.method)) & entry.config.keys():
            assert Path(entry.config[name]).is_file()


def test_a_manifest_is_run_from_anywhere(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "runs").mkdir()
    (workplace / "runs" / "t.jsonl").write_text("")
    written = manifest(stages=[{"stage": "evaluate", "method": "vqai", "config": {"truths": "t.jsonl"}}])
    (workplace / "runs" / "m.json").write_text(written.model_dump_json(exclude_none=True, by_alias=True))
    assert main(["run", "runs/m.json", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["config"]["truths"] == str(Path("runs", "t.jsonl"))
    assert main(["run", "runs/m.json", "--dry-run", "--set", "evaluate.truths=here.jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["config"]["truths"] == "here.jsonl"
