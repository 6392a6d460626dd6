"""What a journal trusts, what it refuses, and that each output has its own."""

import json
from pathlib import Path

import pytest

from llmgen.artifacts import ImageRef, Provenance, Record, RecordError
from llmgen.artifacts.hashing import plain_record
from llmgen.engine.journal import Journal, journal_path, lock_path, old_journal_path
from llmgen.errors import OutputError
from llmgen.vision.images import ImageStore

SETTINGS = {
    "stage": "generate",
    "method": "sd",
    "preset": "toybox",
    "seed": 0,
    "planner": "rules",
    "config": {"steps": 20},
}
DATA = Path(__file__).parents[2] / "data" / "version1"


def finished(name="a", seed=0, **changes):
    made = Provenance(
        stage="generate", method="sd", preset="toybox", config={"steps": 20}, seed=seed, input_sha256="0" * 64, llmgen="0.1.0",
        device="cpu", dtype="float32",
    )  # fmt: skip
    return Record(id=name, prompt="x", provenance=(made,), **changes)


def written(path, *names):
    journal = Journal(path, SETTINGS)
    for name in names:
        journal.append([(f"key of {name}", finished(name))], 0.5)
    return journal


def known(path, *names, **options):
    journal = Journal(path, options.pop("settings", SETTINGS), **options)
    return [name for name in names if journal.find(f"key of {name}", ImageStore(path.parent)) is not None]


def test_what_was_written_is_known(tmp_path):
    path = tmp_path / "j"
    assert written(path, "a", "b").seconds() == 1.0
    assert known(path, "a", "b", "c") == ["a", "b"] and Journal(path).seconds() == 1.0


def test_a_change_by_hand_is_noticed_and_the_journal_cut_there(tmp_path, caplog):
    path = tmp_path / "j"
    written(path, "a", "b", "c")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"prompt":"x"', b'"prompt":"y"')
    path.write_bytes(b"".join(lines))
    assert json.loads(lines[2])["line"]["records"][0]["record"]["prompt"] == "y"
    assert known(path, "a", "b", "c") == ["a"] and "line 3 is damaged" in caplog.text
    Journal(path, SETTINGS).append([("key of d", finished("d"))], 0.5)
    assert known(path, "a", "b", "c", "d") == ["a", "d"]


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 5000 + b"]" * 5000,
        b"\xff\xfe",
        b"{}",
        b'{"records": 3}',
        b'{"records": [{"key": 1, "record": {}}]}',
        b"1",
    ],
)
def test_broken_and_nested_lines_are_cut_even_when_their_digest_is_right(tmp_path, line):
    from llmgen.engine.journal_lines import sealed

    path = tmp_path / "j"
    written(path, "a")
    for end in (line + b"\n", sealed(line)):
        before = path.read_bytes()
        path.write_bytes(before + end)
        assert known(path, "a") == ["a"]
        path.write_bytes(before)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 7}, "seed 0, not 7"),
        ({"config": {"steps": 9}}, "steps 20, not 9"),
        ({"planner": "openai"}, '"rules", not "openai"'),
    ],
)
def test_going_on_in_another_way_is_refused_in_one_line(tmp_path, changes, words):
    path = journal_path(tmp_path / "x.json")
    written(path, "a")
    with pytest.raises(OutputError) as caught:
        known(path, settings={**SETTINGS, **changes})
    assert words in str(caught.value) and "x.json was begun" in str(caught.value) and "\n" not in str(caught.value)
    assert known(path, "a", settings={**SETTINGS, "new_setting": 1}) == ["a"]


def test_what_was_begun_otherwise_is_forgotten_where_nobody_asked_to_go_on(tmp_path):
    path = tmp_path / "j"
    written(path, "a")
    assert known(path, "a", settings={**SETTINGS, "seed": 7}, otherwise="forget") == []
    assert known(path, "a", settings={**SETTINGS, "seed": 7}) == []
    written(tmp_path / "k", "a")
    assert known(tmp_path / "k", "a", anew=True) == [] == known(tmp_path / "k", "a")


def test_each_file_has_its_own_journal_and_lock():
    outputs = [Path("f/x.json"), Path("f/x.jsonl"), Path("f/x")]
    assert len({journal_path(o) for o in outputs} | {lock_path(o) for o in outputs}) == 6
    assert not {journal_path(o) for o in outputs} & {old_journal_path(o) for o in outputs}


def old_form(path, *records):
    lines = [
        {"records": [{"key": f"key of {r.id}", "record": plain_record(r)}], "seconds": 1.5, "finished_at": "Z"}
        for r in records
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_an_old_journal_is_still_read_and_left_where_it_is(tmp_path):
    output = tmp_path / "x.json"
    failed = Record(id="f", prompt="x", error=RecordError(stage="generate", type="ModelError", message="no"))
    old = old_journal_path(output)
    old_form(old, failed, finished("a"))
    before = old.read_bytes()
    path = journal_path(output)
    assert known(path, "f", "a", old=old) == ["f", "a"] and Journal(path).seconds() == 3.0
    old.write_text("")  # Once taken over it is not read again.
    assert known(path, "f", "a", old=old) == ["f", "a"]
    assert before.count(b"\n") == 2


def test_an_old_journal_of_another_seed_is_refused_and_that_of_another_stage_left_alone(tmp_path):
    output = tmp_path / "x.json"
    old_form(old_journal_path(output), finished("a", seed=3))
    with pytest.raises(OutputError, match="seed 3, not 0"):
        known(journal_path(output), "a", old=old_journal_path(output))
    other = {**SETTINGS, "stage": "detect", "method": "owlv2"}
    assert known(journal_path(output), "a", settings=other, old=old_journal_path(output)) == []


@pytest.mark.parametrize("name", sorted(path.name for path in (DATA / "journals").iterdir()))
def test_journals_of_version_1_are_read_whole(tmp_path, name):
    journal = Journal(tmp_path / "new", old=DATA / "journals" / name)
    lines = (DATA / "journals" / name).read_text().splitlines()
    keys = [entry["key"] for line in lines for entry in json.loads(line)["records"]]
    assert len(journal) == len(keys) and all(journal.find(key, ImageStore(DATA)) for key in keys)


def test_a_picture_that_became_a_link_is_made_again(tmp_path):
    from PIL import Image

    root = tmp_path / "run"
    store, picture = ImageStore(root), Image.new("RGB", (8, 8), "red")
    ref = store.save("a", "generate", picture)
    journal = Journal(tmp_path / "j", SETTINGS)
    journal.append([("k", finished("a", image=ref))], 0.1)
    outside = tmp_path / "outside.png"
    (root / ref.path).rename(outside)
    (root / ref.path).symlink_to(outside)
    assert Journal(tmp_path / "j", SETTINGS).find("k", store) is None
    assert store.save("a", "generate", picture) == ref
    assert not (root / ref.path).is_symlink() and outside.is_file() and isinstance(ref, ImageRef)
    assert Journal(tmp_path / "j", SETTINGS).find("k", store) is not None


def test_batches_share_a_sync_as_long_as_they_took_less_than_a_second_of_work(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("llmgen.engine.journal.os.fsync", lambda descriptor: synced.append(len(journal)))
    journal = Journal(tmp_path / "j", SETTINGS)
    for n in range(10):
        journal.append([(f"k{n}", finished(f"r{n}"))], 0.3)
        # However the process ends, what it finished is there.
        assert len(Journal(tmp_path / "j")) == n + 1
    assert len(synced) == 2  # after the fourth and the eighth
    journal.sync()
    journal.sync()
    assert len(synced) == 3
    for n in range(10, 75):
        journal.append([(f"k{n}", finished(f"r{n}"))], 0.001)
    assert len(synced) == 4
    journal.append([("long", finished("long"))], 5.0)
    assert len(synced) == 5


def test_a_setting_that_looks_like_an_entry_of_a_batch_is_none(tmp_path):
    made = finished("a").provenance[0].model_copy(update={"config": {"x": [{"key": "key of z", "record": {}}]}})
    journal = Journal(tmp_path / "j", SETTINGS)
    journal.append([("key of a", finished("a").grown(provenance=(made,)))], 0.1)
    assert known(tmp_path / "j", "a", "z", settings=None) == ["a"]


def test_a_closed_journal_takes_nothing_more(tmp_path):
    journal = written(tmp_path / "j", "a")
    before = (tmp_path / "j").read_bytes()
    journal.close()
    with pytest.raises(RuntimeError, match="closed"):
        journal.append([("key of b", finished("b"))], 0.1)
    assert (tmp_path / "j").read_bytes() == before and known(tmp_path / "j", "a", "b") == ["a"]
