"""What `validate` looks at: schema, names, and pictures."""

from pathlib import Path
from typing import Any

from llmgen.artifacts.io import read_manifest
from llmgen.engine.journal import image_refs
from llmgen.errors import InputError, LlmgenError
from llmgen.formats.foreign import read_any_value
from llmgen.pipeline.manifest import ManifestRun, plan_manifest
from llmgen.vision.images import ImageStore


def check_manifest(path: Path) -> tuple[str, list[str]]:
    """Check a manifest, its prompts, the names of its methods and their settings.

    Returns:
        What it is, and its problems.
    """
    read_manifest(path)
    try:
        plan = plan_manifest(ManifestRun(path, device="cpu"))
    except LlmgenError as error:
        return "", [str(error)]
    stages = ", ".join(f"{s['stage']} {s['method']}" for s in plan["stages"])
    return f"manifest with {plan['records']} prompts: {stages}", []


def check_records(value: Any, name: str, base: Path) -> tuple[str, list[str]]:
    """Check prompts or an artifact, and that its pictures can be loaded.

    Args:
        value: The JSON value of the file.
        name: Words for messages.
        base: Folder that picture paths are relative to.

    Returns:
        What it is, and its problems.

    Raises:
        InputError: If nothing in it is usable.
    """
    read = read_any_value(value, name, base)
    problems = [*read.invalid, *read.dropped]
    store = ImageStore(base)
    for record in read.records:
        if record.error is not None:
            continue
        try:
            for ref in image_refs(record):
                store.load(ref)
        except InputError as error:
            problems.append(f"{name}: record {record.id!r}: {error}")
    failed = sum(r.error is not None for r in read.records) - len(read.invalid)
    return f"{len(read.records)} records of kind {read.kind!r}" + (
        f", {failed} with an error" if failed else ""
    ), problems
