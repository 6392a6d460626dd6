"""`--shard` and `merge`: many processes, one artifact, the bytes of a run in one piece."""

import json
import shutil
from pathlib import Path

import pytest

STAGES = ("layout", "generate", "detect", "correct", "refine", "evaluate")


@pytest.fixture
def prompts(workplace):
    entries = [{"id": f"p{n:02}", "prompt": f"a picture of {n} balls", "seed": n} for n in range(11)]
    entries[4] = {**entries[4], "seed": -3}  # does not fit its schema, and is handed on with an error
    (workplace / "p.json").write_text(json.dumps([*entries, 7]))  # and one that cannot be named
    return workplace


def shards(llmgen, of, *command, code=6):
    for index in range(1, of + 1):
        done = llmgen(*command, "--shard", f"{index}/{of}", "-q", "--batch-size", 2)
        assert done.code in (0, code), done.err


def tree(folder: Path, leave=".llmgen"):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and leave not in path.parts and "-of-" not in path.name
    }


@pytest.mark.parametrize("of", [1, 2, 3, 9])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_merged_is_what_one_piece_is_pictures_included(llmgen, prompts, of, name):
    whole = llmgen(
        "generate", "p.json", "--method", "tiny", "-o", f"whole/{name}", "--batch-size", 2, "--set", "fail=p02,p07"
    )
    shards(llmgen, of, "generate", "p.json", "--method", "tiny", "-o", f"parts/{name}", "--set", "fail=p02,p07")
    done = llmgen("merge", f"parts/{name}")
    assert done.code == whole.code == 6
    assert done.err.splitlines()[-3:] == [
        f"parts/{name}: 11 records of kind 'images' from {of} shards",
        "warning: left out: p.json: record at position 12: expected a prompt or a record, found a number",
        whole.err.splitlines()[-1],
    ]
    assert tree(prompts / "whole") == tree(prompts / "parts")
    assert len(tree(prompts / "whole")) == 9


def test_a_shard_may_be_empty_and_is_written_all_the_same(llmgen, workplace):
    (workplace / "p.json").write_text('["a cat"]')
    shards(llmgen, 3, "layout", "p.json", "--method", "tiny", "-o", "a.json")
    assert [(workplace / f"a.{n}-of-3.jsonl").stat().st_size > 0 for n in (1, 2, 3)] == [False, False, True]
    assert llmgen("merge", *workplace.glob("a.*.jsonl"), "-o", "b.json").code == 0
    llmgen("layout", "p.json", "--method", "tiny", "-o", "a.json")
    assert (workplace / "a.json").read_bytes() == (workplace / "b.json").read_bytes()


def test_an_interrupted_shard_goes_on_in_its_own_journal(llmgen, prompts, monkeypatch):
    monkeypatch.setenv("TINY_WORK_LOG", str(prompts / "log"))
    command = ("generate", "p.json", "--method", "tiny", "-o", "a.json", "--shard", "2/3", "-q", "--batch-size", 2)
    assert llmgen(*command).code == 6
    first = (prompts / "a.2-of-3.jsonl").read_bytes()
    (prompts / "a.2-of-3.jsonl").unlink()
    assert llmgen(*command).code == 6 and (prompts / "a.2-of-3.jsonl").read_bytes() == first
    assert len((prompts / "log").read_text().splitlines()) == first.count(b"\n") - 1 == 4
    assert "exists; use --resume" in llmgen(*command).err
    assert llmgen(*command, "--resume").code == 6


def write_manifest(folder, **more):
    stages = [{"stage": stage, "method": "tiny"} for stage in STAGES]
    prompts = [{"prompt": f"{n} balls", "id": f"r{n}"} for n in range(7)]
    (folder / "m.json").write_text(json.dumps({"name": "t", "prompts": prompts, "stages": stages, **more}))


def test_a_run_in_shards_becomes_the_run(llmgen, workplace):
    write_manifest(workplace)
    assert llmgen("run", "m.json", "-o", "whole", "--batch-size", 2).code == 0
    shards(llmgen, 3, "run", "m.json", "-o", "parts")
    assert not (workplace / "parts/report.html").exists()
    done = llmgen("merge", "parts")
    assert done.code == 0 and done.err.count("7 records of kind") == 6
    whole, parts = tree(workplace / "whole"), tree(workplace / "parts")
    assert whole.keys() == parts.keys() and "report.html" in parts
    assert {k: v for k, v in whole.items() if k != "report.html"} == {
        k: v for k, v in parts.items() if k != "report.html"
    }
    write_manifest(workplace, seed=5)
    done = llmgen("run", "m.json", "-o", "parts", "--shard", "1/3")
    assert done.code == 1 and "holds the run of another manifest" in done.err


def refused(llmgen, workplace, *arguments, code=3):
    before = tree(workplace, leave="nothing")
    done = llmgen("merge", *arguments)
    assert done.code == code and len(done.err.splitlines()) == 1, done.err
    assert tree(workplace, leave="nothing") == before
    return done.err


def test_what_does_not_belong_together_is_refused(llmgen, workplace):
    (workplace / "p.json").write_text(json.dumps([f"prompt {n}" for n in range(8)]))
    (workplace / "q.json").write_text(json.dumps([f"other {n}" for n in range(8)]))
    shards(llmgen, 3, "layout", "p.json", "--method", "tiny", "-o", "a.json")
    shards(llmgen, 2, "layout", "p.json", "--method", "tiny", "-o", "two/a.json")
    shards(llmgen, 3, "layout", "q.json", "--method", "tiny", "-o", "other/a.json")
    shards(llmgen, 3, "layout", "p.json", "--method", "tiny", "-o", "set/a.json", "--set", "label=b")
    shards(llmgen, 3, "layout", "p.json", "--method", "tiny", "-o", "seed/a.json", "--seed", 4)
    one, two, three = (workplace / f"a.{n}-of-3.jsonl" for n in (1, 2, 3))
    assert "shard 2 of 3 is there twice" in refused(llmgen, workplace, one, two, three, two)
    assert "shard 2 of 3 of a.json is missing" in refused(llmgen, workplace, three, one)
    assert "shards 1, 3 of 3 of a.json are missing" in refused(llmgen, workplace, two)
    assert "of 3 and of 2 shards" in refused(llmgen, workplace, one, two, "two/a.2-of-2.jsonl")
    assert "made of different inputs" in refused(llmgen, workplace, one, two, "other/a.3-of-3.jsonl")
    assert 'label "plain" and "b"' in refused(llmgen, workplace, one, two, "set/a.3-of-3.jsonl")
    assert "seed 0 and 4" in refused(llmgen, workplace, one, two, "seed/a.3-of-3.jsonl")
    assert "no shard of b.json is there" in refused(llmgen, workplace, "b.json")
    assert "is not the folder of a run" in refused(llmgen, workplace, "two")
    shutil.copy("a.1-of-3.jsonl", "other/a.1-of-3.jsonl")
    assert "is not what shard 1 of 3 wrote" in refused(llmgen, workplace, "other/a.json")
    shutil.copy("a.1-of-3.jsonl", "b.1-of-3.jsonl")
    assert "its note" in refused(llmgen, workplace, "b.json")
    assert llmgen("merge", "a.json").code == 0
    assert "exists; use --force to make it anew" in refused(llmgen, workplace, "a.json", code=1)
    assert llmgen("merge", "a.json", "--force").code == 0
    assert "is a shard" in refused(llmgen, workplace, one, two, three, "-o", one, "--force", code=1)


def test_shards_of_another_batch_size_are_refused(llmgen, workplace):
    """Their batches would be cut elsewhere."""
    (workplace / "p.json").write_text(json.dumps([f"prompt {n}" for n in range(8)]))
    llmgen("layout", "p.json", "--method", "tiny", "-o", "a.json", "--shard", "1/2", "--batch-size", 2)
    llmgen("layout", "p.json", "--method", "tiny", "-o", "a.json", "--shard", "2/2", "--batch-size", 3)
    assert "batch_size 2 and 3" in refused(llmgen, workplace, "a.json")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/", "1/1000000", "١/٣x"])
def test_what_is_no_shard_is_a_wrong_flag(llmgen, prompts, text):
    for command in (("layout", "p.json", "--method", "tiny", "-o", "a.json"), ("run", "p.json")):
        done = llmgen(*command, "--shard", text)
        assert done.code == 2 and "--shard" in done.err
    done = llmgen("layout", "p.json", "--method", "tiny", "--shard", "1/2")
    assert done.code == 2 and "give -o" in " ".join(done.err.split())
    assert json.loads(
        llmgen("layout", "p.json", "--method", "tiny", "-o", "a.json", "--shard", "1/2", "--dry-run").out
    )["output"] == ("a.1-of-2.jsonl")
