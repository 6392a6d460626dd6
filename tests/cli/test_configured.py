"""A person's own defaults, one table of variables, and JSON from what prints tables."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGES = ("layout", "generate", "detect", "correct", "refine", "evaluate")


@pytest.fixture
def config(workplace, monkeypatch):
    def write(text):
        (workplace / "config.toml").write_text(text)
        monkeypatch.setenv("LLMGEN_CONFIG", str(workplace / "config.toml"))

    return write


def plan(llmgen, *arguments):
    done = llmgen(*arguments, "--dry-run")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_defaults_hold_and_flags_win(llmgen, config):
    config('batch-size = 3\nplanner = "rules"\nseed = 5\n\n[generate]\nn = 2\nseed = 6\n')
    assert plan(llmgen, "layout", "-", "--method", "tiny")["seed"] == 5
    made = plan(llmgen, "generate", "-", "--method", "tiny")
    assert made["seed"] == 6 and made["batch_size"] == 3 and made["config"]["samples"] == 2
    made = plan(llmgen, "generate", "-", "--method", "tiny", "--seed", 7, "-n", 1)
    assert made["seed"] == 7 and made["config"]["samples"] == 1


def test_a_table_wins_wherever_it_stands(llmgen, config):
    config("seed = 5\n[layout]\nseed = 9\n")
    assert plan(llmgen, "layout", "-", "--method", "tiny")["seed"] == 9
    assert plan(llmgen, "detect", "-", "--method", "tiny")["seed"] == 5


def test_a_manifest_wins(llmgen, config, workplace):
    config('seed = 5\npreset = "sd15"\nbatch_size = 2\n')
    stages = [{"stage": "layout", "method": "tiny"}]
    (workplace / "m.json").write_text(json.dumps({"name": "t", "prompts": ["a"], "stages": stages, "seed": 1}))
    made = plan(llmgen, "run", "m.json")
    assert made["seed"] == 1 and made["preset"] == "toybox" and made["batch_size"] == 2
    config("[run]\nseed = 8\n")
    assert plan(llmgen, "run", "m.json")["seed"] == 8


def test_without_a_manifest_the_file_says_which_models(llmgen, config, workplace):
    own = {"name": "own", "description": "", "width": 16, "height": 16, "roles": {}, "methods": {"layout": "tiny"}}
    (workplace / "own.json").write_text(json.dumps(own))
    config('preset = "own.json"\nseed = 3\n')
    made = plan(llmgen, "run", "a red ball")
    assert made["preset"] == "own" and made["seed"] == 3 and [s["stage"] for s in made["stages"]] == ["layout"]
    config("seed = true\n")
    assert "not of the kind int" in llmgen("run", "a red ball", "--dry-run").err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("presett = 'a'\n", "Did you mean 'preset'"),
        ("[generat]\nn = 2\n", "Did you mean 'generate'"),
        ("[generate]\nstep = 2\n", "Did you mean 'steps'"),
        ("[generate]\nsteps = 'many'\n", "[generate] steps = 'many' does not fit its flag"),
        ("[generate]\nsteps = [1, {a = 2}]\n", "does not fit its flag"),
        ("seed = -1\n", "seed = -1 does not fit its flag"),
        ("output = 'x'\n", "no flag to set there 'output'"),
        ("preset = \n", "is no TOML"),
        ("a = " + "[" * 2000 + "]" * 2000, "is no TOML"),
        ("# " + "x" * 70_000, "larger than 64 KiB"),
    ],
)
def test_files_that_are_wrong(llmgen, config, text, words):
    config(text)
    done = llmgen("layout", "-", "--method", "tiny", stdin='["a"]')
    assert done.code == 3 and words in done.err


def test_a_named_file_that_is_not_there(llmgen, monkeypatch, workplace):
    monkeypatch.setenv("LLMGEN_CONFIG", "none.toml")
    done = llmgen("methods")
    assert done.code == 3 and "LLMGEN_CONFIG names" in done.err
    monkeypatch.delenv("LLMGEN_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(workplace / "home"))
    monkeypatch.setenv("HOME", str(workplace / "home"))
    assert llmgen("methods").code == 0
    assert "none at" in json.loads(llmgen("doctor", "--json").out)["system"]["config"]


def test_the_table_of_variables_is_whole():
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "llmgen").rglob("*.py"))
    read = set(
        re.findall(r"\b(?:LLMGEN|OPENAI)_(?:[A-Z]+_)*(?:CONFIG|DIR|MODEL|TIMEOUT|TOKENS|DEBUG|KEY|URL|ID)\b", code)
    )
    told = set(re.findall(r"`([A-Z_]+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert read and read - {"OPENAI_MAX_TOKENS"} <= told


def test_a_run_in_json(llmgen, workplace):
    stages = [{"stage": stage, "method": "tiny"} for stage in STAGES]
    (workplace / "m.json").write_text(json.dumps({"name": "t", "prompts": ["a", "b"], "stages": stages}))
    done = llmgen("run", "m.json", "--json", "-q")
    found = json.loads(done.out)
    assert found["records"] == 2 and found["failed"] == [] and len(found["pictures"]) == 6
    assert [line["mean"] for line in found["scores"]] == [0.0, 1.0]
    assert (workplace / found["report"]).is_file() and len(found["artifacts"]) == 6 and done.err == ""
    assert json.loads(llmgen("run", "m.json", "--json").out)["pictures"] == found["pictures"]
    stages[-1]["from"] = ["images", "refinements"]
    (workplace / "m.json").write_text(json.dumps({"name": "u", "prompts": ["a", "b"], "stages": stages}))
    assert len(json.loads(llmgen("run", "m.json", "--json").out)["comparisons"]) == 1
