"""Large files and pipes are read entry by entry, and say the same as when they are read whole."""

import io
import json
import os
import threading

import pytest

from llmgen.artifacts import Record, streams
from llmgen.artifacts.io import artifact_text, read_records, record_line
from llmgen.artifacts.streams import EntryStream, WholeFile, open_entries
from llmgen.artifacts.writing import ArtifactWriter
from llmgen.errors import InputError, OutputError

RECORDS = [Record(id=f"r{n}", prompt=f'thing {n} [é \u2028 🎈 \\ " ]}} ,') for n in range(40)]
LINES = "".join(map(record_line, RECORDS))
PLAIN = [json.loads(line) for line in LINES.split("\n")[:-1]]  # the prompts hold other separators
FORMS = {
    "lines": LINES,
    "lines, the last one open, blank ones between": "\n" + LINES.replace("\n", "\r\n\n").rstrip(),
    "list": json.dumps(PLAIN),
    "list, indented": json.dumps(PLAIN, indent=1, ensure_ascii=False),
    "list of texts": json.dumps([record.prompt for record in RECORDS]),
    "document": artifact_text("prompts", RECORDS),
    "document, in one line": json.dumps({"kind": "prompts", "records": PLAIN, "schema_version": 1}),
    "document with a mark": "\ufeff" + artifact_text("prompts", RECORDS),
}


@pytest.fixture(params=[1, 7, 64, 2**16])
def small_steps(request, monkeypatch):
    """Everything is large, and read in pieces of a few bytes."""
    monkeypatch.setattr(streams, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(streams, "_CHUNK", request.param)


def read(path):
    opened = open_entries(path)
    assert isinstance(opened, EntryStream), "it was read whole"
    with opened:
        return opened.kind, list(opened)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_entries(tmp_path, small_steps, form):
    path = tmp_path / "in.json"
    path.write_text(FORMS[form], encoding="utf-8", newline="")
    kind, entries = read(path)
    assert entries == ([record.prompt for record in RECORDS] if "texts" in form else PLAIN)
    assert kind == ("prompts" if "document" in form else None)


@pytest.mark.parametrize(
    "content",
    [
        '{"prompt": "a",\n "id": "x"}',
        '{"name": "x", "prompts": ["a"], "stages": []}',
        '{"prompts": ["a", "b"]}',
        '{"records": ["a"], "kind": "prompts"}',
        '[{"input_fname": "a"}]',
        '{"prompt": "a", "objects": []}\n',
        "a red ball\na blue car",
        '"a red ball"\n',
        "[]",
        '{"kind": "prompts", "records": []}',
        '{"kind": "prompts", "schema_version": 2, "records": ["a"]}',
        "12",
        "{",
        "[1",
    ],
)
def test_what_must_be_seen_whole_is_read_whole(tmp_path, small_steps, content):
    path = tmp_path / "in.json"
    path.write_text(content + " " * 20)
    opened = open_entries(path)
    assert isinstance(opened, WholeFile) and opened.data == path.read_bytes()


def test_small_files_texts_and_tables_are_read_whole(tmp_path, monkeypatch):
    (tmp_path / "in.jsonl").write_text(LINES, encoding="utf-8")
    assert isinstance(open_entries(tmp_path / "in.jsonl"), WholeFile)
    monkeypatch.setattr(streams, "_WHOLE_BYTES", 0)
    (tmp_path / "in.txt").write_text(LINES, encoding="utf-8")
    assert isinstance(open_entries(tmp_path / "in.txt"), WholeFile)


BROKEN = {
    "line": ('{"id": "a", "prompt": "b"}\n{"id": "b",\n', "line 2, column 12"),
    "list": ('["a",\n "b",\n  c]', "line 3, column 3"),
    "list without comma": ('["a"\n "b"]', "Expecting ',' delimiter at line 2, column 2"),
    "list without end": ('["a",\n "b"', "line 2"),
    "text behind a list": ('["a"]\n  x', "Extra data at line 2, column 3"),
    "document without end": ('{"kind": "prompts", "records": ["a"]', "line 1, column 37"),
    "other version behind": ('{"kind": "prompts", "records": ["a"], "schema_version": 9}', "newer llmgen"),
    "field behind": ('{"kind": "prompts", "records": ["a"], "recrods": 9}', "/recrods"),
    "field twice": ('{"id": "a", "prompt": "b"}\n{"id": "b", "id": "c"}', "has the field 'id' twice"),
    "nested": ('["a", ' + "[" * 5000 + "]" * 5000 + "]", "nested too deeply"),
    "digits": ('["a", ' + "9" * 5000 + "]", "not JSON that can be read"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_said_where_it_is(tmp_path, small_steps, case):
    content, words = BROKEN[case]
    path = tmp_path / "in.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert words in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_bytes_that_are_no_text_and_entries_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(streams, "_CHUNK", 64)
    monkeypatch.setattr(streams, "MAX_ENTRY_BYTES", 1000)
    path = tmp_path / "in.json"
    first = '{"id": "a", "prompt": "b"}'
    for content, words in (
        (first.encode() + b"\n" * 70 + b"\xff", "not UTF-8 text (byte 96)"),
        (first.encode() + b"\n" + b'{"id": "' + b"x" * 5000, "an entry is larger"),
        (b"[" + first.encode() + b', {"id": "' + b"x" * 5000, "an entry is larger"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read(path)
        assert words in str(caught.value)


def test_the_first_record_of_a_pipe_is_there_while_the_second_is_not(monkeypatch):
    out, into = os.pipe()
    with os.fdopen(out, "rb") as file, os.fdopen(into, "wb", buffering=0) as pipe:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        pipe.write(record_line(RECORDS[0]).encode())
        with open_entries("-") as stream:
            entries = iter(stream)
            assert next(entries) == PLAIN[0]
            threading.Timer(0.1, lambda: (pipe.write(record_line(RECORDS[1]).encode()), pipe.close())).start()
            assert list(entries) == [PLAIN[1]]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("count", [1, 3])
def test_written_one_by_one_it_is_the_same_file(tmp_path, name, count):
    path = tmp_path / name
    with ArtifactWriter(path, "prompts") as writer:
        for record in RECORDS[:count]:
            writer.add([record])
            assert not path.exists()
        writer.finish()
    lines = "".join(map(record_line, RECORDS[:count]))
    assert path.read_text(encoding="utf-8") == (
        lines if name == "a.jsonl" else artifact_text("prompts", RECORDS[:count])
    )
    assert list(read_records(path).records) == RECORDS[:count] and not list((tmp_path / ".llmgen").iterdir())


def test_what_was_not_finished_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), ArtifactWriter(path, "prompts") as writer:
        writer.add(RECORDS)
        raise KeyboardInterrupt
    assert path.read_text() == "old" and not list((tmp_path / ".llmgen").iterdir())


def test_a_record_that_no_stage_would_read_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("llmgen.artifacts.writing.MAX_ENTRY_BYTES", 30)
    with (
        ArtifactWriter(tmp_path / "a.jsonl", "prompts") as writer,
        pytest.raises(OutputError, match="record 'r0' would be"),
    ):
        writer.add(RECORDS)


def test_a_full_disk_is_said_with_the_name_that_was_given(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("llmgen.artifacts.writing.os.fsync", full)
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "target.json")
    with pytest.raises(OutputError, match="link.json: No space left"), ArtifactWriter(link, "prompts") as writer:
        writer.add(RECORDS)
        writer.finish()
    assert not (tmp_path / "target.json").exists() and not list((tmp_path / ".llmgen").iterdir())
