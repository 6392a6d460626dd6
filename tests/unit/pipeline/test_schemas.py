"""The schemas in `schemas/` are those of the models. If this fails: `llmgen schema --write`."""

from pathlib import Path

import pytest

from llmgen.pipeline.schemas import SCHEMAS, json_schema, schema_text

FOLDER = Path(__file__).parents[3] / "schemas"


@pytest.mark.parametrize("name", SCHEMAS)
def test_written_schema_is_fresh(name):
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == schema_text(name)


def test_no_schema_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_everything_is_described(name):
    schema = json_schema(name)
    for model, definition in [(name, schema), *schema.get("$defs", {}).items()]:
        assert definition.get("description"), model
        for field, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{model}.{field}"
            assert definition["additionalProperties"] is False
