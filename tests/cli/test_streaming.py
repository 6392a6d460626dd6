"""Records that come one by one: what is said of all of them at once is said of a stream too, with the same exit codes."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

PROGRAM = [sys.executable, str(Path(__file__).parents[1] / "tiny_stages.py")]
PROMPTS = [{"id": f"r{n}", "prompt": f"thing {n}"} for n in range(20)]


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    """No file is so small that it is read whole."""
    monkeypatch.setattr("llmgen.artifacts.streams._WHOLE_BYTES", 0)
    monkeypatch.setattr("llmgen.artifacts.streams._CHUNK", 100)


def lines(values):
    return "".join(json.dumps(value) + "\n" for value in values)


def ids(text):
    return [json.loads(line)["id"] for line in text.splitlines()]


@pytest.mark.parametrize("name", ["p.json", "p.jsonl"])
@pytest.mark.parametrize("output", ["o.json", "o.jsonl"])
def test_large_files_give_the_files_of_small_ones(llmgen, workplace, monkeypatch, name, output):
    (workplace / name).write_text(json.dumps(PROMPTS) if name == "p.json" else lines(PROMPTS))
    done = llmgen("generate", name, "--method", "tiny", "-o", f"large/{output}", "--set", "fail=r3")
    assert done.code == 6 and "20/20 records" in done.err and "1 of 20 records failed" in done.err
    monkeypatch.setattr("llmgen.artifacts.streams._WHOLE_BYTES", 2**20)
    assert llmgen("generate", name, "--method", "tiny", "-o", f"small/{output}", "--set", "fail=r3").code == 6
    assert (workplace / "large" / output).read_bytes() == (workplace / "small" / output).read_bytes()
    # And the next stage reads either.
    for folder in ("large", "small"):
        assert llmgen("detect", f"{folder}/{output}", "--method", "tiny", "-o", f"{folder}/d.jsonl").code == 6
    assert (workplace / "large/d.jsonl").read_bytes() == (workplace / "small/d.jsonl").read_bytes()


def test_what_is_wrong_far_in_the_file_ends_with_its_exit_code_and_loses_nothing(llmgen, workplace):
    for bad, words in (
        ('{"id": "r3", "prompt": "again"}\n', "two records are called 'r3' (positions 4 and 21)"),
        ('{"id": "x", \n', "not JSON"),
        ('{"kind": "prompts", "schema_version": 9, "id": "x", "prompt": "y"}\n', "newer llmgen"),
    ):
        (workplace / "p.jsonl").write_text(lines(PROMPTS) + bad)
        done = llmgen("generate", "p.jsonl", "--method", "tiny", "--batch-size", "4")
        assert done.code == 3 and words in done.err and ids(done.out) == [f"r{n}" for n in range(20)]
        done = llmgen("generate", "p.jsonl", "--method", "tiny", "--batch-size", "4", "-o", "o.json", "--resume")
        assert done.code == 3 and words in done.err and not (workplace / "o.json").exists()
    (workplace / "p.jsonl").write_text(lines(PROMPTS))
    done = llmgen("generate", "p.jsonl", "--method", "tiny", "--batch-size", "4", "-o", "o.json", "--resume")
    assert done.code == 0 and "20 done before" in done.err


def test_an_input_of_another_kind_is_refused_before_anything_is_handed_on(llmgen, workplace):
    (workplace / "p.jsonl").write_text(lines(PROMPTS))
    done = llmgen("detect", "p.jsonl", "--method", "tiny")
    assert done.code == 3 and done.out == "" and "has no section 'image'" in done.err and "records in" not in done.err
    many = [{"id": f"m{n}", "prompt": "x"} for n in range(600)]
    (workplace / "p.jsonl").write_text(lines(many))
    done = llmgen("detect", "p.jsonl", "--method", "tiny", "-q", "-o", "o.json")
    assert done.code == 3 and "has no section 'image'" in done.err.splitlines()[-1]
    assert not (workplace / "o.json").exists()


def test_entries_that_do_not_fit_go_on_with_their_error_or_are_left_out(llmgen, workplace):
    bad = [{"id": "b", "prompt": "x", "seed": -7}, {"kind": "prompts", "prompt": "no id"}]
    (workplace / "p.jsonl").write_text(lines([PROMPTS[0], *bad, PROMPTS[1]]))
    done = llmgen("layout", "p.jsonl", "--method", "tiny")
    assert done.code == 6 and ids(done.out) == ["r0", "b", "r1"]
    assert done.err.count("/seed") == 1 and "left out: p.jsonl: record at position 3: /id: missing" in done.err
    assert "1 entry of the input was left out" in done.err
    (workplace / "p.jsonl").write_text(lines([PROMPTS[0], *bad][1:]))
    done = llmgen("layout", "p.jsonl", "--method", "tiny")
    assert done.code == 3 and "none of the 2 entries is valid" in done.err


def test_ids_that_cannot_name_a_file_are_mended_to_nobody_elses(llmgen, workplace):
    given = [{"id": 1, "prompt": "a"}, {"id": "a b", "prompt": "b"}, {"id": "a_b", "prompt": "c"}]
    (workplace / "p.jsonl").write_text(lines(given))
    done = llmgen("layout", "p.jsonl", "--method", "tiny")
    assert done.code == 0 and ids(done.out) == ["1", "a_b-2", "a_b"] and "becomes 'a_b-2'" in done.err


def test_unknown_words_are_said_when_all_have_gone_by(llmgen, workplace):
    (workplace / "p.jsonl").write_text(lines([{"prompt": "a giraffe", "id": f"r{n}"} for n in range(3)]))
    done = llmgen("layout", "p.jsonl", "--method", "tiny")
    assert done.code == 0 and done.err.count("does not know 'giraffe' (3 of 3 records)") == 1


def test_one_document_on_stdout_is_whole_or_nothing(llmgen, workplace):
    (workplace / "p.jsonl").write_text(lines(PROMPTS))
    done = llmgen("layout", "p.jsonl", "--method", "tiny", "--format", "json")
    llmgen("layout", "p.jsonl", "--method", "tiny", "-o", "o.json")
    assert done.code == 0 and done.out == (workplace / "o.json").read_text()
    (workplace / "p.jsonl").write_text(lines([*PROMPTS, PROMPTS[0]]))
    done = llmgen("layout", "p.jsonl", "--method", "tiny", "--format", "json")
    assert done.code == 3 and done.out == ""


def test_the_first_records_of_a_pipe_come_within_the_first_batch(tmp_path):
    command = [*PROGRAM, "layout", "-", "--method", "tiny", "--batch-size", "2", "-q"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        watch = threading.Timer(60, process.kill)  # whoever waits for the end of the input never begins
        watch.start()
        process.stdin.write(lines(PROMPTS[:2]))
        process.stdin.flush()
        assert [json.loads(process.stdout.readline())["id"] for _ in range(2)] == ["r0", "r1"]
        process.stdin.write(lines(PROMPTS[2:]))
        process.stdin.close()
        rest = process.stdout.read()
        watch.cancel()
    assert ids(rest) == [f"r{n}" for n in range(2, 20)] and process.returncode == 0
