"""`--engine` and `--workers`, and the same in manifests."""

import importlib.util
import json

import pytest

PROMPTS = [f"thing {n}" for n in range(6)]
STAGES = ("layout", "generate", "detect", "correct", "refine", "evaluate")


def manifest(path, **changes):
    stages = [{"stage": stage, "method": "tiny"} for stage in STAGES]
    path.write_text(json.dumps({"name": "t", "seed": 3, "prompts": PROMPTS, "stages": stages, **changes}))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".llmgen" not in path.parts
    }


def test_a_manifest_may_name_its_engine_and_goes_on_with_another(llmgen, workplace):
    manifest(workplace / "m.json", engine="process", workers=2)
    done = llmgen("run", "m.json", "-o", "process", "--batch-size", "4")
    assert done.code == 0 and done.err.count("6/6 records") == 6
    # The folder says what was run, not by whom: one process takes it up, and finds it finished.
    manifest(workplace / "m.json")
    again = llmgen("run", "m.json", "-o", "process", "--batch-size", "4")
    assert again.code == 0 and again.err.count("6 done before") == 6
    assert llmgen("run", "m.json", "-o", "local", "--batch-size", "4").code == 0
    assert contents(workplace / "process") == contents(workplace / "local")


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--engine", "proces"], 3, "no engine 'proces'. Did you mean 'process'?"),
        (["--workers", "2"], 3, "2 workers need --engine process"),
        (["--engine", "local", "--workers", "2"], 3, "--engine local is one process"),
        (["--engine", "process", "--workers", "0"], 2, "--workers"),
        (["--engine", "ray"], 4, "pip install 'llmgen[ray]'"),
    ],
)
def test_who_cannot_work(llmgen, workplace, monkeypatch, flags, code, words):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))
    (workplace / "p.json").write_text(json.dumps(PROMPTS))
    done = llmgen("layout", "p.json", "--method", "tiny", *flags)
    assert done.code == code and words in done.err and done.out == ""


def test_a_manifests_workers_are_for_its_engine(llmgen, workplace):
    manifest(workplace / "m.json", engine="process", workers=2)
    plan = json.loads(llmgen("run", "m.json", "--dry-run").out)
    assert (plan["engine"], plan["workers"]) == ("process", 2)
    plan = json.loads(llmgen("run", "m.json", "--dry-run", "--engine", "local").out)
    assert (plan["engine"], plan["workers"]) == ("local", 1)
    manifest(workplace / "m.json", engine="threads")
    done = llmgen("run", "m.json", "--dry-run")
    assert done.code == 3 and "/engine" in done.err
