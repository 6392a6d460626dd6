"""A long run that is over, asked for again: the same words and files without a look at each record; any doubt, and each is looked at."""

import json
from pathlib import Path

import pytest

from llmgen.engine.journal import Journal, journal_path
from llmgen.engine.journal_lines import last_words

JOURNAL = journal_path(Path("o.json"))


@pytest.fixture
def ran(llmgen, workplace, monkeypatch):
    """Twenty records with pictures, read entry by entry as long files are, and looked at."""
    monkeypatch.setattr("llmgen.artifacts.streams._WHOLE_BYTES", 0)
    Path("p.jsonl").write_text("".join(json.dumps({"id": f"r{n}", "prompt": "a red ball"}) + "\n" for n in range(20)))
    assert llmgen("generate", "p.jsonl", "--method", "tiny", "-o", "i.jsonl").code == 0
    done = llmgen("detect", "i.jsonl", "--method", "tiny", "-o", "o.json")
    assert done.code == 0 and "o.json: 20 records" in done.err
    return Path("o.json").read_bytes()


@pytest.fixture
def again(llmgen):
    def run(*arguments):
        done = llmgen("detect", "i.jsonl", "--method", "tiny", "-o", "o.json", "--resume", *arguments)
        return done, "damaged" in done.err

    return run


def damage() -> None:
    """Spoil a batch, so that whoever reads the journal says so."""
    lines = JOURNAL.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"detect", b"detekt")
    JOURNAL.write_bytes(b"".join(lines))


def test_nothing_is_looked_at(ran, again):
    slow = JOURNAL.read_bytes()
    JOURNAL.write_bytes(b"".join(slow.splitlines(keepends=True)[:-1]))
    looked, _ = again()
    JOURNAL.write_bytes(slow)
    damage()
    done, read = again()
    assert not read and done.code == looked.code == 0 and done.out == looked.out == ""
    assert [line.split(" in ")[0] for line in done.err.splitlines()] == [
        line.split(" in ")[0] for line in looked.err.splitlines()
    ]
    assert "detect tiny: 20/20 records" in done.err and "(20 done before)" in done.err
    assert Path("o.json").read_bytes() == ran


def change_artifact():
    Path("o.json").write_bytes(Path("o.json").read_bytes().replace(b"red ball", b"red bull", 1))


def change_input():
    Path("i.jsonl").write_bytes(Path("i.jsonl").read_bytes() + b"\n")


def change_picture():
    next(Path("images").iterdir()).write_bytes(b"another")


def lose_picture():
    next(Path("images").iterdir()).unlink()


def lose_artifact():
    Path("o.json").unlink()


@pytest.mark.parametrize("change", [change_artifact, change_input, change_picture, lose_picture, lose_artifact])
def test_any_doubt_and_all_are_looked_at(ran, again, change):
    damage()
    change()
    done, read = again()
    assert read
    if "picture" in change.__name__:
        assert done.code in (3, 5, 6) and "image" in done.err
    else:
        assert done.code == 0 and Path("o.json").read_bytes() == ran


def test_other_settings_are_refused_as_ever(ran, again):
    done, _ = again("--set", "label=other")
    assert done.code == 1 and "was begun with" in done.err


def test_what_is_added_later_takes_the_lines_place(ran, llmgen, again):
    with Path("p.jsonl").open("a") as file:
        file.write(json.dumps({"id": "new", "prompt": "a star"}) + "\n")
    assert llmgen("generate", "p.jsonl", "--method", "tiny", "-o", "i.jsonl", "--resume").code == 0
    done, _ = again()
    assert "21/21 records" in done.err and "(16 done before)" in done.err  # whole batches of eight
    lines = [json.loads(line)["line"] for line in JOURNAL.read_text().splitlines()]
    assert [next(iter(line)) for line in lines] == ["begun", "records", "records", "records", "records", "ended"]
    assert last_words(JOURNAL)["count"] == 21 and len(Journal(JOURNAL)) >= 21
    assert "(21 done before)" in again()[0].err


def test_a_run_that_is_not_quite_whole_says_nothing_at_its_end(ran, llmgen, again):
    assert llmgen("detect", "i.jsonl", "--method", "tiny", "-o", "o.json", "--force", "--set", "fail=r3").code == 6
    assert last_words(JOURNAL) is None
    Path("i.jsonl").write_text(Path("i.jsonl").read_text() + "7\n")
    assert llmgen("detect", "i.jsonl", "--method", "tiny", "-o", "o.json", "--force").code != 0
    assert last_words(JOURNAL) is None


def test_what_is_said_of_all_is_said_again(llmgen, workplace, monkeypatch):
    monkeypatch.setattr("llmgen.artifacts.streams._WHOLE_BYTES", 0)
    Path("p.jsonl").write_text('{"id": "a", "prompt": "a red rhinoceros"}\n')
    first = llmgen("layout", "p.jsonl", "--method", "tiny", "-o", "l.json")
    assert "does not know 'rhinoceros'" in first.err and last_words(journal_path(Path("l.json"))) is not None
    assert (
        "does not know 'rhinoceros'" in llmgen("layout", "p.jsonl", "--method", "tiny", "-o", "l.json", "--resume").err
    )
