"""`llmgen schema`: JSON Schemas of what llmgen reads and writes."""

from pathlib import Path
from typing import Annotated

import typer

from llmgen.cli.output import out


def schema(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="artifact, manifest, preset, prompts or record.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write all schemas to the folder instead.")] = False,
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="For --write.")] = Path("schemas"),
) -> None:
    """Print a JSON Schema, or all of them in one object."""
    from llmgen.artifacts.files import write_atomic
    from llmgen.pipeline.schemas import SCHEMAS, json_schema, schema_text
    from llmgen.registry import unknown

    out.configure(quiet=False, verbose=False)
    if kind is not None and kind not in SCHEMAS:
        raise unknown("schema", kind, SCHEMAS)
    if write:
        for name in [kind] if kind else SCHEMAS:
            write_atomic(folder / f"{name}.json", schema_text(name).encode())
            out.note(f"{folder / f'{name}.json'}")
    elif kind is not None:
        out.data(schema_text(kind))
    else:
        out.json({name: json_schema(name) for name in SCHEMAS})
