"""Prompts as people and other programs write them: texts, tables, lists with fields of their own."""

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from llmgen.artifacts import Record
from llmgen.artifacts.foreign_prompts import FreeNames, adopt_prompts
from llmgen.artifacts.io import parse_entries, read_manifest, read_records
from llmgen.errors import InputError


def read(folder: Path, name: str, content: str) -> list[Record]:
    (folder / name).write_bytes(content.encode())
    return list(read_records(folder / name).records)


def only(folder: Path, entry: dict[str, Any]) -> Record:
    (record,) = read(folder, "p.json", json.dumps([entry]))
    return record


TABLES = {
    "prompts.txt": "a lamp\n\n  two lamps  \r\n",
    "list.txt": "# my prompts\na lamp\n#\ntwo lamps",
    "prompts": "a lamp\ntwo lamps",
    "p.csv": "prompt\na lamp\ntwo lamps\n",
    "q.csv": "a lamp\ntwo lamps\n",
    "DrawBench.csv": 'Prompts,Category\n"a lamp",Colors\ntwo lamps,Counting\n',
    "PartiPrompts.tsv": "Prompt\tCategory\tNote\na lamp\tObjects\tx\ntwo lamps\tObjects\t\n",
    "excel.csv": "\ufeffId;Prompt\r\n1;a lamp\r\n2;two lamps\r\n",
    "tab.txt": "id\tprompt\n1\ta lamp\n2\ttwo lamps\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_texts_and_tables_are_prompts(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    records = read(tmp_path, name, TABLES[name])
    assert [r.prompt for r in records] == ["a lamp", "two lamps"]
    assert "read as" in caplog.text


def test_columns_are_fields(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = 'id,prompt,seed,type,note\n7,"a lamp, lit",3,lamps,x\nb c,two lamps,,,\n'
    first, second = read(tmp_path, "p.csv", text)
    assert (first.id, first.prompt, first.seed, first.type) == ("7", "a lamp, lit", 3, "lamps")
    assert (second.id, second.seed, second.type) == ("b_c", None, None)
    assert (
        "id 'b c' cannot name a file and becomes 'b_c'" in caplog.text and "not used: 'note', in 1 of 2" in caplog.text
    )


REFUSED = {
    "a.csv": ("name,colour\nx,red\n", "no column of the table is called prompt: its first line has name, colour"),
    "b.csv": ("prompt,seed\na lamp, lit, red\n", "row 2 of the table has 3 cells, its head 2"),
    "c.csv": ('prompt\n"a lamp\n', "the table cannot be read"),
    "d.csv": ("prompt,Prompt\na,b\n", "two columns of the table have the same name"),
    "e.csv": ("prompt,seed\n", "holds no prompts"),
    "f.txt": ('{"prompt": "a lamp"', "not JSON"),
    "g.json": ("a lamp\n", "not JSON"),
    "h.md": ("# A page\n", "not JSON"),
    "i.txt": ("# only a comment\n", "holds no prompts"),
    "j.csv": ('prompt\n"' + "x" * 200_000 + '"\n', "the table cannot be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_text_or_table_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, reason = REFUSED[name]
    with pytest.raises(InputError, match=reason) as caught:
        read(tmp_path, name, content)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_prompt_with_the_words_of_a_head_is_a_prompt(tmp_path: Path) -> None:
    lines = ["a sign, text, neon", "prompt", '"Stop" sign on a road', "3 cats", "a\u2028lamp"]
    assert [r.prompt for r in read(tmp_path, "p.txt", "\n".join(lines))] == lines


FOREIGN = {
    "GenEval": {"tag": "two_object", "include": [{"class": "lamp", "count": 1}], "prompt": "a lamp"},
    "GenEval position": {"tag": "position", "include": [{"class": "lamp", "position": ["left of", 0]}], "prompt": "a lamp"},
    "GenEval 2": {"prompt": "a lamp", "atom_count": 3, "vqa_list": [["Is there a lamp?", "Yes"]], "skills": ["object"]},
    "captions": {"image_id": 5, "caption": "a lamp"},
    "capitals": {"Prompt": "a lamp", "Category": "Colors", "Challenge": "x"},
    "pid": {"pid": 4, "prompt_id": 3, "text": "a lamp", "sex": None},
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_fields_of_other_programs_are_said_and_no_error(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    record = only(tmp_path, FOREIGN[name])
    assert (record.id, record.prompt) == ("0001", "a lamp")
    assert record.type == {"GenEval": "two_object", "GenEval position": "position", "capitals": "Colors"}.get(name)
    unused = set(FOREIGN[name]) - {"prompt", "caption", "Prompt", "text", "tag", "Category"}
    assert "not used: " in caplog.text and all(repr(key) in caplog.text for key in unused)


def test_a_line_speaks_for_a_whole_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = "".join(json.dumps({"tag": "counting", "prompt": f"{n} lamps"}) + "\n" for n in range(553))
    assert len(read(tmp_path, "evaluation_metadata.jsonl", lines)) == 553
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert line.endswith("'tag' is read as 'type' in 553 of 553 entries")


SEEDS = [
    (18446744073709551615, 18446744073709551615),
    ("42", 42),
    (42.0, 42),
    (-1, None),
    ("-1", None),
    (" 7 ", 7),
    ("42.0", 42),
    ("18446744073709551615", 18446744073709551615),
    (0, 0),
]


@pytest.mark.parametrize(("seed", "wanted"), SEEDS)
def test_seeds_of_other_tools(tmp_path: Path, seed: Any, wanted: int | None) -> None:
    assert only(tmp_path, {"prompt": "a lamp", "seed": seed}).seed == wanted


IDS = [
    (7, "7"),
    (0, "0"),
    (12.0, "12"),
    ("a lamp", "a_lamp"),
    ("-a", "a"),
    ("straße 7", "stra_e_7"),
    ("電灯", "0001"),
    ("a" * 200, "a" * 120),
    ("ok-1.b_c", "ok-1.b_c"),
    ("  ", None),
    (True, None),
    (["a"], None),
    ("a/b", "a_b"),
    ("set 1/7.png", "set_1_7.png"),
    ("a\\b/", "a_b"),
    ("../../etc", None),
    ("a/../b", None),
    ("/etc/passwd", None),
    ("C:\\a", None),
    (".hidden", None),
    (7.5, None),
]


@pytest.mark.parametrize(("id_", "wanted"), IDS)
def test_ids_of_other_tools(tmp_path: Path, id_: Any, wanted: str | None) -> None:
    if wanted is None:
        with pytest.raises(InputError, match="/id"):
            only(tmp_path, {"prompt": "a lamp", "id": id_})
    else:
        assert only(tmp_path, {"prompt": "a lamp", "id": id_}).id == wanted


@pytest.mark.parametrize("wrap", [lambda r: {"kind": "layouts", "schema_version": 1, "records": r}, lambda r: r])
def test_ids_of_records_are_mended_and_said(tmp_path: Path, wrap: Any, caplog: pytest.LogCaptureFixture) -> None:
    layout = {"width": 64, "height": 64, "background_prompt": "a meadow", "instances": []}
    entries = [{"kind": "layouts", "id": name, "prompt": "a", "layout": layout} for name in ("a/b", 7, "a_b")]
    assert [r.id for r in read(tmp_path, "p.json", json.dumps(wrap(entries)))] == ["a_b-2", "7", "a_b"]
    assert caplog.text.count("id 'a/b' cannot name a file and becomes 'a_b-2'") == 1


def test_a_mended_id_takes_none_that_is_given(tmp_path: Path) -> None:
    entries = [{"prompt": "a", "id": name} for name in ("a b", "a_b", "a  b", "a b")]
    assert [r.id for r in read(tmp_path, "p.json", json.dumps(entries))] == ["a_b-2", "a_b", "a_b-3", "a_b-4"]


def test_of_artifacts_only_the_ids_are_mended(tmp_path: Path) -> None:
    for change in ({"id": "../a"}, {"id": "a", "seed": "42"}, {"id": "a", "tag": "x"}):
        with pytest.raises(InputError):
            read(tmp_path, "a.json", json.dumps({"kind": "prompts", "records": [{"prompt": "a lamp", **change}]}))


def test_manifests_take_numbers_for_ids_and_texts_for_seeds(tmp_path: Path) -> None:
    value = {
        "name": "x",
        "prompts": [{"prompt": "a", "id": 7, "seed": "8"}, "b", {"prompt": "c", "id": "set/1"}],
        "stages": [{"stage": "layout", "method": "lmd"}],
    }
    (tmp_path / "m.json").write_text(json.dumps(value))
    entry, _, mended = read_manifest(tmp_path / "m.json").prompts
    assert not isinstance(entry, str) and (entry.id, entry.seed) == ("7", 8)
    assert not isinstance(mended, str) and mended.id == "set_1"


def test_a_list_under_its_name_is_a_list(tmp_path: Path) -> None:
    assert [r.prompt for r in read(tmp_path, "p.json", '{"prompts": ["a", {"prompt": "b"}]}')] == ["a", "b"]


def test_what_takes_quadratic_time_elsewhere_does_not_here() -> None:
    """Sizes at which the square of the length would take minutes."""
    names = FreeNames()
    for _ in range(50_000):
        last = names.take("a")
    assert last == "a-50000"
    many = {f"k{n}": n for n in range(50_000)}
    assert len(adopt_prompts([{"prompt": "a", **many}], Record.model_fields).notes) == 1
    text = json.dumps(many)[:-1] + ', "k49999": 1}'
    with pytest.raises(InputError, match="'k49999' twice"):
        parse_entries(text.encode(), "x.json")
    with pytest.raises(InputError, match="not JSON that can be read"):
        parse_entries(b"[" + b"9" * 1_500_000 + b"]", "x.json")


@pytest.mark.parametrize("name", ["p.txt", "p.csv", "p.json", "p.jsonl"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('["a red ball"]'.encode("utf-16"), "is UTF-16 text, as some shells write it with >; save it as UTF-8"),
        # Without the time, which two test processes would not agree on.
        (gzip.compress(b'["a red ball"]', mtime=0), "is compressed; unpack it first"),
        ("ein Käse".encode("latin-1"), r"not UTF-8 text \(byte 5\); save it as UTF-8"),
    ],
    ids=["utf-16", "gzip", "latin-1"],
)
def test_what_is_no_text_is_refused_by_what_it_is(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        list(read_records(tmp_path / name).records)


@pytest.mark.parametrize("name", ["p.txt", "p.csv"])
def test_text_of_two_bytes_a_letter_is_not_taken_for_prompts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(
        "prompt\na red ball\n".encode("utf-16-be")
    )  # without its mark it is UTF-8 with a NUL before each letter
    with pytest.raises(InputError, match="holds NUL characters, as UTF-16 text"):
        list(read_records(tmp_path / name).records)
