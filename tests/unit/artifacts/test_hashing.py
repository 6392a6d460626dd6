"""One record, written in several ways that must say the same."""

import json

from llmgen.artifacts import Provenance, Record
from llmgen.artifacts.hashing import plain_record, record_json
from llmgen.artifacts.pretty import INDENT

_HOW = {"input_sha256": "0" * 64, "llmgen": "0.1.0", "device": "cpu", "dtype": "float32"}


def made_by(**config) -> Record:
    provenance = Provenance(stage="layout", method="lmd", preset="toybox", config=config, **_HOW)
    return Record(id="a", prompt="a é ball", provenance=(provenance,))


def test_the_text_of_a_record_is_that_of_its_values():
    record = made_by(names=("x", "y"), scale=0.5)
    for indent in (None, INDENT):
        assert json.loads(record_json(record, indent)) == plain_record(record)
    assert "remarks" not in plain_record(record) and "seed" not in plain_record(record)


def test_null_in_settings_is_a_value_like_any_other():
    record = made_by(seed=None, more={"inner": None})
    wanted = {"seed": None, "more": {"inner": None}}
    assert plain_record(record)["provenance"][0]["config"] == wanted
    assert json.loads(record_json(record))["provenance"][0]["config"] == wanted


def test_half_a_character_in_settings_does_not_keep_a_record_from_the_journal():
    assert json.loads(record_json(made_by(name="\ud800")))["provenance"][0]["config"] == {"name": "\ud800"}
