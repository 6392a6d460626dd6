"""Records to files of other programs: what `export` does."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmgen.artifacts import Record
from llmgen.artifacts.files import write_named
from llmgen.artifacts.io import pretty_json
from llmgen.errors import InputError, OutputError
from llmgen.formats.foreign import read_any
from llmgen.formats.instancediffusion import write_instancediffusion
from llmgen.registry import unknown

DIALECTS = ("instancediffusion",)


@dataclass(frozen=True)
class Export:
    """Records to hand over."""

    dialect: str
    """One of `DIALECTS`."""
    source: str = "-"
    """Path, or `-` for stdin."""
    output: Path | None = None
    """Folder for a file of each record, or None to hand the values back only."""
    bbox_format: Literal["xywh", "xyxy"] = "xywh"
    """What to write as boxes."""
    force: bool = False


def export_foreign(request: Export) -> tuple[list[dict[str, Any]], list[str]]:
    """Turn layouts into another program's inputs.

    Args:
        request: What to read, and where to write it.

    Returns:
        The inputs, and one line for each record that has no layout or carries `error`.

    Raises:
        UnknownNameError: If there is no such dialect.
        InputError: If no record has a layout.
        OutputError: If a file exists or cannot be written.
    """
    if request.dialect not in DIALECTS:
        raise unknown("format to export", request.dialect, DIALECTS)
    read = read_any(request.source)
    left_out = [*read.dropped, *_reasons(read.records)]
    good = [record for record in read.records if record.error is None and record.layout is not None]
    if not good:
        raise InputError(f"{read.name}: no record has a layout; {left_out[0]}")
    values = [write_instancediffusion(record, request.bbox_format) for record in good]
    if request.output is not None:
        paths = [request.output / f"{record.id}.json" for record in good]
        taken = next((path for path in paths if path.exists()), None)
        if taken is not None and not request.force:
            raise OutputError(f"{taken} exists; --force replaces it")
        for path, value in zip(paths, values, strict=True):
            write_named(path, pretty_json(value).encode())
    return values, left_out


def line_of(value: dict[str, Any]) -> str:
    """One input on one line."""
    return json.dumps(value, ensure_ascii=False) + "\n"


def _reasons(records: tuple[Record, ...]) -> Iterator[str]:
    for record in records:
        if record.error is not None:
            yield f"record {record.id!r}: {record.error.message}"
        elif record.layout is None:
            yield f"record {record.id!r} has no layout"
