"""Telling foreign files apart by their content."""

import logging
from pathlib import Path
from typing import Any, Literal

from llmgen.artifacts import Record
from llmgen.artifacts.io import ReadArtifact, parse_entries, read_bytes, read_value
from llmgen.errors import InputError

_DOCUMENT = {"kind", "schema_version", "records"}
_FIELDS = frozenset(Record.model_fields)
_SECTIONS = _FIELDS - {"prompt", "id", "seed", "type", "instruction", "source_image", "target_image"}


def read_any(
    source: str | Path, images_from: Path | None = None, read_as: Literal["txt", "csv", "tsv"] | None = None
) -> ReadArtifact:
    """Read an artifact or prompts in any form; or tasks of SLD, inputs of InstanceDiffusion, caches and layouts of LMD as they are.

    Args:
        source: A path, or `-` for stdin.
        images_from: Folder of the pictures that SLD's tasks name; `src_image` beside the file by default.
        read_as: What it is, where somebody says so: a text with one prompt a line, or a table.

    Raises:
        InputError: If nothing usable can be read, or pictures are given for a file that brings its own.
    """
    name, base, data = read_bytes(source)
    return read_any_bytes(data, name, base, images_from, read_as)


def read_any_bytes(
    data: bytes,
    name: str,
    base: Path,
    images_from: Path | None = None,
    read_as: Literal["txt", "csv", "tsv"] | None = None,
) -> ReadArtifact:
    """What `read_any` reads, from the content of a file.

    Args:
        data: The content.
        name: The file, for messages.
        base: Its folder.
        images_from: As for `read_any`.
        read_as: Likewise.

    Raises:
        InputError: Likewise.
    """
    return read_any_value(parse_entries(data, name, read_as), name, base, images_from)


def read_any_value(value: Any, name: str, base: Path, images_from: Path | None = None) -> ReadArtifact:
    """What `read_any` reads, from the JSON value of a file.

    Args:
        value: The JSON value.
        name: The file, for messages.
        base: Its folder.
        images_from: As for `read_any`.

    Raises:
        InputError: Likewise.
    """
    if images_from is None and _is_ours(value):
        return read_value(value, name, base)
    # Readers of other programs' files bring numpy; the common case does without.
    from llmgen.formats.instancediffusion import is_instancediffusion, read_instancediffusion
    from llmgen.formats.lmd import is_cache_of_replies, is_layouts, read_lmd
    from llmgen.formats.sld import is_sld, read_sld

    if is_sld(value):
        found = read_sld(value, name, base, images_from)
        return found.artifact("images", images_from or base, level=logging.WARNING)
    if images_from is not None:
        raise InputError(f"{name}: --images-from is for SLD's data.json, whose tasks name pictures by their stem")
    if is_instancediffusion(value):
        return read_instancediffusion(value, name).artifact("layouts", base)
    if is_cache_of_replies(value) or (is_layouts(value) and not _is_artifact(value)):
        found, kind = read_lmd(value, name)
        return found.artifact(kind, base, level=logging.WARNING)
    return read_value(value, name, base)


def _is_ours(value: Any) -> bool:
    """Whether a value is surely prompts or records: texts, or objects without any field that a record lacks."""
    entries = value["records"] if isinstance(value, dict) and set(value) == _DOCUMENT else value
    return isinstance(entries, list) and all(
        isinstance(entry, str) or (isinstance(entry, dict) and set(entry) <= _FIELDS) for entry in entries
    )


def _is_artifact(value: Any) -> bool:
    """Whether entries have sections of records, which also hold boxes."""
    entries = value if isinstance(value, list) else [value]
    return any(isinstance(entry, dict) and set(entry) & _SECTIONS for entry in entries)
