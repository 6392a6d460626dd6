"""Everything that version 1 of the formats has ever written still reads; `data/version1` was written before they grew."""

import json
from pathlib import Path

import pytest

from llmgen.artifacts import SCHEMA_VERSION
from llmgen.artifacts.hashing import plain_record
from llmgen.artifacts.io import KINDS, read_manifest, read_records
from llmgen.vision.images import ImageStore

FOLDER = Path(__file__).parents[2] / "data" / "version1"
ARTIFACTS = sorted(path.name for path in FOLDER.glob("*.json*") if path.name != "manifest.json")


def old_records(name):
    """The records as they lie there, without any code of ours."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith("l") else json.loads(text)["records"]


def test_there_is_one_of_each_kind():
    assert {json.loads((FOLDER / name).read_text())["kind"] for name in ARTIFACTS if name.endswith(".json")} == set(
        KINDS
    )


@pytest.mark.parametrize("name", ARTIFACTS)
def test_an_old_artifact_reads(name):
    read = read_records(FOLDER / name)
    assert not read.invalid and not read.dropped and SCHEMA_VERSION == 1
    old = old_records(name)
    assert [record.id for record in read.records] == [record["id"] for record in old]
    for record, before in zip(read.records, old, strict=True):
        assert_keeps(plain_record(record), before)
        if record.image is not None:
            ImageStore(FOLDER).load(record.image)


def assert_keeps(now, before):
    """What was said is still said; more may be said beside it."""
    if isinstance(before, dict):
        for key, value in before.items():
            assert_keeps(now[key], value)
    elif isinstance(before, list):
        assert len(now) == len(before)
        for one, other in zip(now, before, strict=True):
            assert_keeps(one, other)
    else:
        assert now == before


def test_an_old_manifest_reads():
    manifest = read_manifest(FOLDER / "manifest.json")
    assert [entry.stage for entry in manifest.stages][:2] == ["layout", "generate"]
