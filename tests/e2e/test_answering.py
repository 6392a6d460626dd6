"""Questions about pictures through the command line, on tiny models: all three methods, one run, one report."""

import json
from pathlib import Path

import pytest
from tiny_answering import SIDE, answering_preset
from tiny_models import noise_image

from llmgen.artifacts.io import read_records
from llmgen.cli import main

METHODS = ("question-guided", "answer-guided", "lgd")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("questions")
    preset = answering_preset(folder)
    (folder / "own.json").write_text(preset.model_dump_json())
    noise_image(0, SIDE, SIDE).save(folder / "a.png")
    noise_image(1, SIDE, SIDE).save(folder / "b.png")
    return folder


def test_a_manifest_of_three_methods(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = [
        {"id": "night", "instruction": "what happens when the sun goes down", "source_image": "a.png"},
        {"id": "snow", "instruction": "What if it snows all day?", "source_image": "b.png"},
        {"id": "again", "instruction": "What if the heavy clouds burst?", "source_image": "b.png"},
        {"id": "gone", "instruction": "what happens", "source_image": "c.png"},
    ]
    stages = [
        {
            "stage": "generate",
            "method": method,
            "from": "prompts",
            "name": method,
            "config": {
                "samples": 2,
                "num_inference_steps": 2,
                **({"look": False} if method == "answer-guided" else {}),
            },
        }
        for method in METHODS
    ]
    manifest = {"kind": "manifest", "name": "three", "preset": str(folder / "own.json")}
    (folder / "three.json").write_text(json.dumps({**manifest, "prompts": questions, "stages": stages}))
    code = main(["run", str(folder / "three.json"), "-o", str(folder / "out"), "--batch-size", "9"])
    said = capsys.readouterr().err
    assert code == 6, said
    assert "c.png" in said
    for method in METHODS:
        records = {record.id: record for record in read_records(folder / "out" / f"{method}.json").records}
        assert [len(records[name].samples) for name in ("night", "snow", "again", "gone")] == [2, 2, 2, 0]
        assert records["gone"].error is not None
        seeds = [[sample.seed for sample in records[name].samples] for name in ("night", "snow")]
        assert seeds[0] != seeds[1]
        assert records["snow"].image is not None and records["again"].image is not None
        if method != "question-guided":
            assert records["snow"].image.sha256 != records["again"].image.sha256
    pages = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "what happens when the sun goes down" in pages and "<b>Input</b>" in pages


def test_the_same_seeds_for_all_methods(folder: Path) -> None:
    for method in METHODS:
        assert (folder / "out" / f"{method}.json").is_file()
    drawn = [read_records(folder / "out" / f"{method}.json").records[0].samples for method in METHODS]
    assert len({tuple(sample.seed for sample in samples) for samples in drawn}) == 1


def test_a_preset_without_the_roles_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise_image(0, SIDE, SIDE).save(tmp_path / "a.png")
    record = {"id": "q", "instruction": "why", "source_image": "a.png"}
    (tmp_path / "q.json").write_text(json.dumps([record]))
    code = main(
        ["generate", str(tmp_path / "q.json"), "--method", "lgd", "--preset", "sd15", "-o", str(tmp_path / "i.json")]
    )
    assert code != 0
    assert "no model for the role 'answer_to_image'" in capsys.readouterr().err
