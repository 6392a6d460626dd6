"""What goes to which stream, and what a stage leaves behind."""

import errno
import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from llmgen.__main__ import open_closed_streams
from llmgen.artifacts.io import read_records
from llmgen.cli import main

PROMPTS = json.dumps(["a red ball", {"prompt": "two cats", "type": "numeracy"}])


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_pipe_of_all_stages(llmgen, workplace):
    text = PROMPTS
    for command in (["layout"], ["generate", "-"], ["detect"], ["correct", "-"], ["refine", "-"]):
        done = llmgen(*command, "--mode" if command[0] == "correct" else "--method", "tiny", stdin=text)
        assert done.code == 0, done.err
        assert len(lines(done.out)) == 2 and "2/2 records" in done.err
        text = done.out
    records = lines(text)
    assert [r["kind"] for r in records] == ["refinements"] * 2
    assert [h["stage"] for h in records[0]["history"]] == ["generate", "correct", "refine"]
    assert (workplace / records[0]["image"]["path"]).is_file()
    assert records[0]["image"]["path"].startswith("outputs/images/0001.refine-")
    done = llmgen("evaluate", "tiny", "-", stdin=text)
    assert done.code == 0 and lines(done.out)[1]["scores"] and "last picture" in done.err
    done = llmgen("evaluate", "tiny", "-", "--json", stdin=text)
    summary = json.loads(done.out)
    assert summary["metric"] == "tiny" and summary["overall"]["n"] == 2
    assert summary["by_type"]["numeracy"]["accuracy"] == 1.0 and len(summary["overall"]["ci95"]) == 2


def test_files_and_folders(llmgen, workplace):
    (workplace / "prompts.json").write_text(PROMPTS)
    assert llmgen("generate", "prompts.json", "--method", "tiny", "-o", "one/images.json").code == 0
    record = read_records(workplace / "one/images.json").records[0]
    assert record.image.path.startswith("images/0001.generate-")
    assert (workplace / "one" / record.image.path).is_file()
    # Another folder gets a copy of the pictures; the same folder names the same file.
    assert llmgen("detect", "one/images.json", "--method", "tiny", "-o", "two/d.json").code == 0
    moved = read_records(workplace / "two/d.json").records[0]
    assert moved.image == record.image and (workplace / "two" / moved.image.path).is_file()
    assert llmgen("detect", "one/images.json", "--method", "tiny", "-o", "one/d.json").code == 0
    assert read_records(workplace / "one/d.json").records[0].image == record.image
    # A folder above names the picture where it is.
    assert llmgen("detect", "one/images.json", "--method", "tiny", "-o", "d.jsonl").code == 0
    above = read_records(workplace / "d.jsonl").records[0]
    assert above.image.path == f"one/{record.image.path}" and above.image.sha256 == record.image.sha256
    assert not (workplace / "images").exists()
    # So does a pipe, whose folder is the working directory.
    assert (
        lines(llmgen("detect", "two/d.json", "--method", "tiny").out)[0]["image"]["path"] == f"two/{record.image.path}"
    )


def test_images_go_where_they_are_wanted(llmgen, workplace):
    done = llmgen("generate", "-", "--method", "tiny", "--images", "out/pics", stdin=PROMPTS)
    assert lines(done.out)[0]["image"]["path"].startswith("out/pics/0001.generate-")
    done = llmgen("generate", "-", "--method", "tiny", "-o", "out/i.json", "--images", "out/pics", stdin=PROMPTS)
    assert done.code == 0
    assert read_records(workplace / "out/i.json").records[0].image.path.startswith("pics/0001")
    done = llmgen("generate", "-", "--method", "tiny", "-o", "new/i.json", "--images", "out/pics", stdin=PROMPTS)
    assert done.code == 1 and "must lie in" in done.err


def test_quiet_says_nothing_and_verbose_more(llmgen):
    assert llmgen("layout", "-", "--method", "tiny", "-q", stdin=PROMPTS).err == ""
    assert llmgen("layout", "-", "--method", "tiny", "-v", stdin=PROMPTS).code == 0


def test_dry_run_prints_the_plan_and_does_nothing(llmgen, workplace):
    done = llmgen(
        "correct", "none.json", "--mode", "tiny", "--rounds", 5, "--set", "label=x", "--dry-run", "-o", "o/c.json"
    )
    plan = json.loads(done.out)
    assert done.code == 0 and plan["config"]["rounds"] == 5 and plan["config"]["label"] == "x"
    assert plan["method"] == "tiny" and plan["preset"] == "toybox" and plan["device"] == "cpu"
    assert list(workplace.iterdir()) == []


def test_some_records_fail_and_the_rest_is_written(llmgen):
    done = llmgen("generate", "-", "--method", "tiny", "--set", "fail=0002", stdin='["a", "b", "c"]')
    assert done.code == 6
    assert [("error" in r) for r in lines(done.out)] == [False, True, False]
    assert "record '0002': cannot do 0002" in done.err and "1 of 3 records failed" in done.err.splitlines()[-1]
    # The next stage hands them on and says so again.
    after = llmgen("detect", "-", "--method", "tiny", stdin=done.out)
    assert after.code == 6 and lines(after.out)[1]["error"] == lines(done.out)[1]["error"]
    assert "(1 failed)" in after.err and "done before" not in after.err


def test_stdout_that_is_full(llmgen, monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    done = llmgen("layout", "-", "--method", "tiny", stdin=PROMPTS)
    assert done.code == 1
    assert "error: cannot write to stdout: No space left on device; free some space" in done.err.splitlines()[-1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_device_that_is_full_is_named(llmgen):
    done = llmgen("layout", "-", "--method", "tiny", "-o", "/dev/full", stdin=PROMPTS)
    assert done.code == 1
    assert "error: cannot write to /dev/full: No space left on device" in done.err.splitlines()[-1]


def test_streams_that_the_caller_closed(llmgen, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", None)
    open_closed_streams()
    with sys.stdin as nothing, sys.stdout:
        assert nothing.read() == "" and not sys.stdout.isatty()
        for command in (["layout", "--prompt", "a ball", "--method", "tiny"], ["methods"]):
            assert main(command) == 1
            assert "error: cannot write to stdout: it is closed" in capsys.readouterr().err.splitlines()[-1]


def test_the_seed_of_the_run_counts(llmgen):
    def seeds(seed):
        out = llmgen("generate", "-", "--method", "tiny", "--seed", seed, stdin=PROMPTS).out
        return [r["seed"] for r in lines(out)]

    assert seeds(1) == seeds(1) != seeds(2)


def test_output_exists(llmgen, workplace):
    arguments = ["layout", "-", "--method", "tiny", "-o", "l.json"]
    assert llmgen(*arguments, stdin=PROMPTS).code == 0
    before = (workplace / "l.json").read_bytes()
    done = llmgen(*arguments, stdin='["another"]')
    assert done.code == 1 and "--resume" in done.err and (workplace / "l.json").read_bytes() == before
    done = llmgen(*arguments, "--resume", stdin=PROMPTS)
    assert done.code == 0 and "2 done before" in done.err and (workplace / "l.json").read_bytes() == before
    done = llmgen(*arguments, "--force", stdin=PROMPTS)
    assert done.code == 0 and "done before" not in done.err and (workplace / "l.json").read_bytes() == before


def test_validate(llmgen, workplace):
    llmgen("generate", "-", "--method", "tiny", "-o", "i.json", stdin=PROMPTS)
    assert "2 records of kind 'images'" in llmgen("validate", "i.json").err
    next((workplace / "images").glob("0002*")).unlink()
    done = llmgen("validate", "i.json")
    assert done.code == 3 and "record '0002'" in done.err and "missing" in done.err
    done = llmgen("validate", "-", stdin='{"name": "x", "prompts": ["a"], "stages": []}')
    assert done.code == 3
    (workplace / "m.json").write_text(
        json.dumps(
            {"name": "x", "prompts": ["a"], "stages": [{"stage": "layout", "method": "tiny", "config": {"r": 1}}]}
        )
    )
    done = llmgen("validate", "m.json")
    assert done.code == 3 and "no setting 'r'" in done.err


def test_validate_says_what_a_run_would(llmgen, workplace):
    manifest = {"name": "x", "prompts": ["a", " "], "stages": [{"stage": "layout", "method": "tiny"}]}
    done = llmgen("validate", "-", stdin=json.dumps(manifest))
    assert done.code == 3 and "record at position 2: the prompt is empty" in done.err
    manifest["prompts"].pop()
    done = llmgen("validate", "-", stdin=json.dumps(manifest))
    assert done.code == 0 and "valid: manifest with 1 prompts: layout tiny" in done.err
    Image.new("RGB", (4, 4)).save(workplace / "mine.png")
    (workplace / "text.png").write_text("no picture")
    asked = {"instruction": "remove the ball", "source_image": "mine.png"}
    assert llmgen("validate", "-", stdin=json.dumps([asked])).code == 0
    for wrong, words in (({"source_image": "gone.png"}, "missing"), ({"target_image": "text.png"}, "is not a picture")):
        done = llmgen("validate", "-", stdin=json.dumps([asked | wrong]))
        assert done.code == 3 and words in done.err
        (workplace / "m.json").write_text(json.dumps({**manifest, "prompts": [asked | wrong]}))
        assert (
            llmgen("validate", "m.json")
            .err.splitlines()[-1]
            .endswith(done.err.splitlines()[-1].rpartition("record '0001'")[2])
        )


def test_looking_around(llmgen):
    assert json.loads(llmgen("methods", "--json").out)["layout"] == ["tiny"]
    assert json.loads(llmgen("methods", "correct", "--json").out)["tiny"]["rounds"]["default"] == 2
    assert "toybox" in json.loads(llmgen("models", "--json").out)
    found = json.loads(llmgen("doctor", "--json").out)
    assert found["packages"]["typer"] and found["system"]["device"] and "toybox" in found["presets"]
    assert json.loads(llmgen("schema", "record").out)["$id"] == "llmgen/record.json"
    assert llmgen("--version").out.startswith("llmgen ")


def test_schemas_are_written_on_request(llmgen, workplace):
    assert llmgen("schema", "--write", "--folder", "s").code == 0
    assert {p.name for p in (workplace / "s").iterdir()} == {
        "artifact.json",
        "manifest.json",
        "preset.json",
        "prompts.json",
        "record.json",
    }


def test_dotenv_fills_but_never_overwrites(llmgen, workplace, monkeypatch):
    import os

    monkeypatch.setenv("TINY_A", "kept")
    monkeypatch.delenv("TINY_B", raising=False)
    monkeypatch.setenv("TINY_C", "")
    (workplace / ".env").write_text(
        "# keys\nTINY_A=new\nexport TINY_B='b # b'\nTINY_C=x\nnot a line\nTINY_D=d # comment\n"
    )
    llmgen("--version")
    assert os.environ["TINY_A"] == "kept" and os.environ["TINY_B"] == "b # b" and os.environ["TINY_C"] == ""
    assert os.environ["TINY_D"] == "d"
    monkeypatch.delenv("TINY_B")
    monkeypatch.delenv("TINY_D")
