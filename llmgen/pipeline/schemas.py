"""JSON Schemas (2020-12) of everything on disk, made from the models, so that other programs can read it without llmgen."""

import json
from typing import Any

from pydantic import RootModel, TypeAdapter

from llmgen.artifacts.io import Artifact
from llmgen.artifacts.manifest import Manifest, PromptEntry
from llmgen.artifacts.record import Record
from llmgen.presets import Preset


class Prompts(RootModel[tuple[str | PromptEntry, ...]]):
    """Prompts as a person writes them: texts, or objects with a prompt and what goes with it."""


#: Name of a schema to its model.
SCHEMAS: dict[str, Any] = {
    "artifact": Artifact,
    "manifest": Manifest,
    "preset": Preset,
    "prompts": Prompts,
    "record": Record,
}


def json_schema(name: str) -> dict[str, Any]:
    """The schema of a name in `SCHEMAS`."""
    schema = TypeAdapter(SCHEMAS[name]).json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"llmgen/{name}.json", **schema}


def schema_text(name: str) -> str:
    """The schema as it lies in `schemas/`."""
    return json.dumps(json_schema(name), indent=2, ensure_ascii=False) + "\n"
