"""A prompt as a prompt: on the command line, one a line on stdin, in files of any form, through the whole chain."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmgen.artifacts.io import read_manifest, read_records

PROGRAM = (sys.executable, str(Path(__file__).parents[1] / "tiny_stages.py"))
PROMPT = "a red ball and a blue car"


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def preset(workplace):
    """A second preset, whose stages are all tiny."""

    def write(*left_out):
        roles = {"text_to_image", "layout_to_image", "detector", "refiner", "judge"} - set(left_out)
        spec = {"source": "none/none", "family": "stable-diffusion", "licence": "MIT", "memory_gb": 0.0}
        stages = ("layout", "generate", "detect", "correct", "refine", "evaluate")
        value = {
            "name": "own",
            "description": "",
            "width": 16,
            "height": 16,
            "roles": dict.fromkeys(sorted(roles), spec),
            "methods": dict.fromkeys(stages, "tiny"),
        }
        (workplace / "own.json").write_text(json.dumps(value))
        return "own.json"

    return write


def test_several_words_are_a_prompt(llmgen, workplace):
    done = llmgen("generate", PROMPT, "--method", "tiny")
    (record,) = lines(done.out)
    assert done.code == 0 and record["prompt"] == PROMPT and record["id"] == "0001"
    assert f"picture: {record['image']['path']}" in done.err.splitlines()
    # The same record as from a file, so the same picture.
    (workplace / "p.txt").write_text(PROMPT + "\n")
    assert lines(llmgen("generate", "p.txt", "--method", "tiny").out)[0]["image"] == record["image"]
    # In another folder, twice in one process, and by the next stage of a pipe.
    assert llmgen("generate", PROMPT, "--method", "tiny", "-o", "sub/i.json").code == 0
    assert "done before" in llmgen("generate", PROMPT, "--method", "tiny", "-o", "sub/i.json", "--resume").err
    assert lines(llmgen("detect", "-", "--method", "tiny", stdin=done.out).out)[0]["detections"]


def test_every_sample_is_named(llmgen):
    done = llmgen("generate", "--prompt", "ball", "--prompt", "two cats", "-n", 3, "--method", "tiny")
    records = lines(done.out)
    assert [r["prompt"] for r in records] == ["ball", "two cats"]
    pictures = [line for line in done.err.splitlines() if line.startswith("picture: ")]
    assert pictures == [f"picture: {s['image']['path']}" for r in records for s in r["samples"]] and len(pictures) == 6


def test_what_is_no_prompt(llmgen, workplace):
    (workplace / "mine.json").write_text('["a"]')
    cases = [
        (["ball"], 3, ["--prompt ball", "./ball"]),
        (["mine"], 3, ["did you mean 'mine.json'"]),
        (["mien.json"], 3, ["no such file (did you mean 'mine.json'?)"]),
        (["a red/blue ball"], 3, ["no such file", "goes to --prompt"]),
        (["a\0b.json"], 3, ["cannot be read"]),
        (["x" * 5000 + ".json"], 3, ["cannot be read"]),
        (["mine.json", "--prompt", "x"], 2, ["not both"]),
    ]
    for arguments, code, words in cases:
        done = llmgen("layout", *arguments, "--method", "tiny")
        assert done.code == code and all(word in done.err for word in words), (arguments, done.err)
    # What exists is a path, whatever it is called.
    (workplace / "a red ball").write_text('["two cats"]')
    assert lines(llmgen("layout", "a red ball", "--method", "tiny").out)[0]["prompt"] == "two cats"
    assert lines(llmgen("layout", "--prompt", "a red ball", "--method", "tiny").out)[0]["prompt"] == "a red ball"


def test_other_stages_say_what_a_prompt_lacks(llmgen):
    done = llmgen("detect", "a red ball", "--method", "tiny")
    assert done.code == 3 and "make it first with `llmgen generate`" in done.err


def test_lines_on_stdin(llmgen):
    done = llmgen("layout", "-", "--format", "txt", "--method", "tiny", stdin='a red ball\n["not json"]\n')
    assert [r["prompt"] for r in lines(done.out)] == ["a red ball", '["not json"]']
    done = llmgen("layout", "-", "--format", "csv", "--method", "tiny", stdin="type,caption\nx,a red ball\n")
    assert lines(done.out)[0]["type"] == "x"


def test_what_stdout_gets(llmgen, workplace):
    text = '["a", "b"]'
    done = llmgen("layout", "-", "--format", "json", "--method", "tiny", stdin=text)
    document = json.loads(done.out)
    assert document["kind"] == "layouts" and len(document["records"]) == 2
    assert (
        document["records"]
        == lines(llmgen("layout", "-", "--format", "jsonl", "--method", "tiny", stdin=text).out)
        == lines(llmgen("layout", "-", "--method", "tiny", stdin=text).out)
    )
    both = llmgen("layout", "-", "--format", "txt", "--format", "json", "--method", "tiny", stdin="a\nb")
    assert both.out == done.out
    assert llmgen("generate", "-", "--method", "tiny", stdin=done.out).code == 0
    for arguments, word in [
        (["-", "--format", "xml"], "'xml'"),
        (["-", "--format", "txt", "--format", "csv"], "give one"),
        (["-", "--format", "jsonl", "-o", "l.json"], "as its ending says"),
        (["a b", "--format", "txt"], "of stdin, not of a"),
    ]:
        refused = llmgen("layout", *arguments, "--method", "tiny", stdin=text)
        assert refused.code == 2 and word in " ".join(refused.err.split()), (arguments, refused.err)
    assert llmgen("layout", "-", "--format", "json", "-o", "l.json", "--method", "tiny", stdin=text).code == 0
    assert (workplace / "l.json").read_text() == done.out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.txt", "a red ball\ntwo cats\n"),
        ("mine.csv", "prompt,type\na red ball,x\ntwo cats,y\n"),
        ("mine.jsonl", '{"prompt": "a red ball"}\n{"prompt": "two cats"}\n'),
        ("mine.json", '["a red ball", "two cats"]'),
    ],
)
def test_a_manifest_on_own_prompts(llmgen, workplace, name, text):
    (workplace / name).write_text(text)
    (workplace / "m.json").write_text(
        json.dumps({"name": "t", "prompts": ["not this"], "stages": [{"stage": "generate", "method": "tiny"}]})
    )
    done = llmgen("run", "m.json", "--prompts", name)
    assert done.code == 0, done.err
    records = read_records(workplace / "outputs/t-mine/images.json").records
    assert [r.prompt for r in records] == ["a red ball", "two cats"]
    assert llmgen("run", "m.json", "--prompts", name).err.count("2 done before") == 1
    # The folder's own manifest holds the prompts, and is the same run.
    again = llmgen("run", "outputs/t-mine/manifest.json")
    assert again.code == 0 and "2 done before" in again.err
    assert llmgen("run", "m.json").code == 0 and (workplace / "outputs/t").is_dir()


def test_the_whole_chain_without_a_manifest(llmgen, workplace, preset):
    done = llmgen("run", PROMPT, "--preset", preset(), "-n", 2)
    assert done.code == 0, done.err
    folder = workplace / "outputs/a-red-ball-and-a-blue-car"
    (record,) = read_records(folder / "scores.json").records
    assert record.prompt == PROMPT and len(record.samples) == 2 and (folder / "report.html").is_file()
    assert [s.stage for s in read_manifest(folder / "manifest.json").stages][0] == "layout"
    assert llmgen("run", PROMPT, "--preset", "own.json", "-n", 2).err.count("1 done before") == 6
    assert llmgen("run", PROMPT, "--preset", "own.json").code == 1
    (workplace / "mine.txt").write_text("a red ball\n\n# a remark\ntwo cats\n")
    assert llmgen("run", "mine.txt", "--preset", "own.json").code == 0
    assert llmgen("run", "--prompts", "mine.txt", "--preset", "own.json").err.count("2 done before") == 6
    assert len(read_records(workplace / "outputs/mine/scores.json").records) == 2
    assert llmgen("run", "--prompts", "-", "--preset", "own.json", "-o", "piped", stdin="a red ball\n").code == 0


def test_stages_without_a_model_are_left_out_and_said(llmgen, workplace, preset):
    done = llmgen("run", "zwei Bälle", "--preset", preset("refiner", "judge"))
    assert done.code == 0
    assert "refine is left out: preset 'own' has no refiner" in done.err and "evaluate is left out" in done.err
    assert (workplace / "outputs/zwei-Balle/corrections.json").is_file()


def test_run_refuses_what_it_cannot_understand(llmgen, workplace):
    (workplace / "p.txt").write_text("a\n")
    for arguments, code, words in [
        ([], 2, "name a manifest"),
        (["quikstart"], 3, "Did you mean 'quickstart'?"),
        (["ball"], 3, "--prompt"),
        (["none.json"], 3, "no such file"),
        (["p.txt", "--prompt", "b"], 2, "besides"),
        (["--prompts", "p.txt", "--prompt", "b"], 2, "not both"),
    ]:
        done = llmgen("run", *arguments)
        assert done.code == code and words in " ".join(done.err.split()), (arguments, done.err)


def test_short_names_of_settings(llmgen, workplace):
    stages = [{"stage": "generate", "method": "tiny", "config": {"n": 2}}]
    (workplace / "m.json").write_text(json.dumps({"name": "t", "prompts": ["a"], "stages": stages}))
    assert llmgen("run", "m.json").code == 0
    assert len(read_records(workplace / "outputs/t/images.json").records[0].samples) == 2
    assert read_manifest(workplace / "outputs/t/manifest.json").stages[0].config == {"samples": 2}
    assert llmgen("run", "m.json", "-n", 2).err.count("1 done before") == 1
    stages[0]["config"] = {"n": 2, "samples": 3}
    (workplace / "m.json").write_text(json.dumps({"name": "t", "prompts": ["a"], "stages": stages}))
    done = llmgen("run", "m.json")
    assert done.code == 3 and "are one setting" in done.err


def test_a_terminal_is_told_that_it_is_listened_to(tmp_path):
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    ours, theirs = pty.openpty()
    os.write(ours, b"a red ball\n\x04")
    try:
        arguments = [*PROGRAM, "layout", "--method", "tiny"]
        done = subprocess.run(arguments, stdin=theirs, capture_output=True, cwd=tmp_path, text=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert lines(done.stdout)[0]["prompt"] == "a red ball" and "Ctrl-D ends them" in done.stderr


def test_an_interrupted_stage_says_what_is_kept(tmp_path):
    arguments = [*PROGRAM, "generate", "-", "--method", "tiny", "--batch-size", "1", "-o", "i.json"]
    text = json.dumps([f"prompt {i}" for i in range(400)])
    environment = {**os.environ, "TINY_WORK_LOG": str(tmp_path / "log")}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*arguments, "--set", "seconds=0.1"], stdin=pipe, stderr=pipe, cwd=tmp_path, env=environment, text=True
    ) as running:
        assert running.stdin is not None and running.stderr is not None
        running.stdin.write(text)
        running.stdin.close()
        while not (tmp_path / "log").exists() and running.poll() is None:
            time.sleep(0.05)
        running.terminate()
        said = running.stderr.read()
    assert running.returncode == 143 and "--resume takes up from there" in said
