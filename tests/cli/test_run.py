import json

import pytest

from llmgen.artifacts.io import read_manifest, read_records

STAGES = ("layout", "generate", "detect", "correct", "refine")


@pytest.fixture
def manifest(workplace):
    def write(name="m.json", **changes):
        stages = [{"stage": stage, "method": "tiny"} for stage in STAGES] + [{"stage": "evaluate", "method": "tiny"}]
        value = {
            "name": "t",
            "prompts": ["a red ball", {"prompt": "two cats", "type": "numeracy"}],
            "stages": stages,
            **changes,
        }
        path = workplace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({key: value for key, value in value.items() if value is not None}))
        return path

    return write


def test_the_last_lines_say_what_was_made(llmgen, manifest, workplace):
    manifest()
    done = llmgen("run", "m.json")
    assert done.code == 0 and done.out == ""
    made, where, before, after, report = done.err.splitlines()[-5:]
    assert made.startswith("made 2 of 2 records with 6 pictures")
    assert "outputs/t" in where and "layouts.json" in where and "scores.json" in where
    assert before == "score tiny of initial by judge: 0.000 [0.00, 0.66] (n = 2)"
    assert after == "score tiny of final by judge: 1.000 [0.34, 1.00] (n = 2)"
    assert report == "report: outputs/t/report.html" and (workplace / "outputs/t/report.html").is_file()


def test_the_folder_says_what_was_run(llmgen, manifest, workplace):
    manifest()
    assert (
        llmgen("run", "m.json", "-o", "r", "--seed", "7", "--planner", "rules", "-q", "--set", "generate.label=x").err
        == ""
    )
    resolved = read_manifest(workplace / "r/manifest.json")
    assert resolved.seed == 7 and resolved.planner == "rules" and resolved.preset == "toybox"
    assert resolved.stages[1].config == {"label": "x"}
    assert [p.id for p in resolved.prompts] == ["0001", "0002"]
    # It can be run itself, in its own folder, without anything to do.
    done = llmgen("run", "r/manifest.json", "-o", "r")
    assert done.code == 0 and done.err.count("2 done before") == 6


def test_prompts_and_pictures_beside_the_manifest(llmgen, manifest, workplace):
    from PIL import Image

    manifest("sub/m.json", prompts=None, prompts_path="p.json")
    Image.new("RGB", (4, 4)).save(workplace / "sub/cat.png")
    (workplace / "sub/p.json").write_text(json.dumps([{"prompt": "a", "source_image": "cat.png"}]))
    assert llmgen("run", "sub/m.json").code == 0
    record = read_records(workplace / "outputs/t/scores.json").records[0]
    assert (workplace / "outputs/t" / record.source_image).read_bytes() == (workplace / "sub/cat.png").read_bytes()
    assert llmgen("run", "outputs/t/manifest.json").err.count("1 done before") == 6


def test_a_failed_record_does_not_stop_a_run(llmgen, manifest):
    manifest()
    done = llmgen("run", "m.json", "--set", "generate.fail=0001")
    assert done.code == 6 and "made 1 of 2 records" in done.err and "report: " in done.err
    assert "generate tiny: record '0001': cannot do 0001" in done.err


def test_a_prompt_that_says_nothing_does_not_stop_a_run(llmgen, manifest, workplace):
    manifest(prompts=["a red ball", "  "])
    (workplace / "own.json").write_text(json.dumps(["two cats", {"prompt": "x" * 20_000}]))
    for arguments in (["m.json", "-o", "r"], ["m.json", "-o", "r"], ["m.json", "--prompts", "own.json", "-o", "s"]):
        done = llmgen("run", *arguments)
        assert done.code == 6 and "1 of 2 records failed and carry `error`: 0002" in done.err, done.err
    for folder in ("r", "s"):
        assert [p.id for p in read_manifest(workplace / folder / "manifest.json").prompts] == ["0001"]
        assert [r.id for r in read_records(workplace / folder / "scores.json").records] == ["0001", "0002"]


def test_refusals(llmgen, manifest, workplace):
    cases = [
        ({"stages": [{"stage": "layout", "method": "tinny"}]}, [], 3, "Did you mean 'tiny'?"),
        ({"stages": [{"stage": "layout", "method": "tiny", "config": {"a": 1}}]}, [], 3, "no setting 'a'"),
        ({"preset": "toybocks"}, [], 3, "Did you mean 'toybox'?"),
        ({"prompts": None, "prompts_path": "none.json"}, [], 3, "none.json: no such file"),
        ({"prompts": None, "prompts_path": "../p.json"}, [], 3, "/prompts_path"),
        (
            {"prompts": ["a", {"prompt": "a", "source_image": "/b.png"}]},
            [],
            3,
            "/prompts/1/source_image: image path '/b.png' leaves",
        ),
        ({"prompts": ["a", {"prompt": "a", "seeed": 1}]}, [], 3, "/prompts/1/seeed: unknown field 'seeed'\n"),
        ({"prompts": ["a", 4]}, [], 3, "/prompts/1: Input should be an object, got 4\n"),
        ({"stages": [{"stage": "detect", "method": "tiny"}]}, [], 3, "no section 'image'"),
        ({}, ["--set", "detects.label=3"], 3, "'detects'"),
        ({}, ["--set", "label=3"], 2, "STAGE.NAME"),
        ({}, ["--resume", "--force"], 2, "exclude"),
    ]
    for changes, arguments, code, words in cases:
        manifest(**changes)
        done = llmgen("run", "m.json", *arguments)
        assert done.code == code and words in done.err, (words, done.err)
    (workplace / "outputs/t").mkdir(parents=True, exist_ok=True)
    (workplace / "outputs/t/manifest.json").unlink(missing_ok=True)
    (workplace / "outputs/t/images.json").write_text("mine")
    manifest()
    done = llmgen("run", "m.json")
    assert done.code == 1 and "images.json exists" in done.err
    assert (workplace / "outputs/t/images.json").read_text() == "mine"
    assert llmgen("run", "m.json", "--force").code == 0


def test_dry_run(llmgen, manifest, workplace):
    manifest()
    plan = json.loads(llmgen("run", "m.json", "--dry-run", "--set", "correct.rounds=4").out)
    assert plan["records"] == 2 and plan["output"] == "outputs/t"
    assert [s["output"] for s in plan["stages"]][3:] == ["corrections.json", "refinements.json", "scores.json"]
    assert plan["stages"][3]["config"]["rounds"] == 4
    assert not (workplace / "outputs").exists()


def test_a_stage_may_run_twice(llmgen, manifest, workplace):
    stages = [{"stage": s, "method": "tiny"} for s in ("generate", "refine", "refine")]
    manifest(stages=stages)
    assert llmgen("run", "m.json").code == 0
    records = read_records(workplace / "outputs/t/refinements-2.json").records
    assert [h.stage for h in records[0].history] == ["generate", "refine", "refine"]


def test_a_person_sees_bars(llmgen, manifest, monkeypatch):
    from llmgen.cli.output import Output

    manifest()
    monkeypatch.setattr(Output, "watched", property(lambda self: True))
    done = llmgen("run", "m.json", "--set", "detect.fail=0002")
    assert done.code == 6 and done.out == ""
    assert "refine tiny" in done.err and "record '0002': cannot do 0002" in done.err


def test_manifests_that_come_along_are_found(tmp_path, monkeypatch):
    from pathlib import Path

    from llmgen.cli.run import find_manifest

    monkeypatch.chdir(tmp_path)
    assert find_manifest(Path("none.json")) == Path("none.json")
    shipped = Path(__file__).parents[2] / "manifests"
    for path in shipped.glob("*.json"):
        assert find_manifest(Path("manifests") / path.name).read_bytes() == path.read_bytes()
        assert find_manifest(Path(path.stem)).read_bytes() == path.read_bytes()
