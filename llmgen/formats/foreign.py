"""Telling foreign files apart by their content."""

from pathlib import Path

from llmgen.artifacts.io import ReadArtifact, parse_json, read_bytes, read_value
from llmgen.errors import InputError
from llmgen.formats.sld import is_sld, read_sld


def read_any(source: str | Path, images_from: Path | None = None) -> ReadArtifact:
    """Read an artifact or prompts in any form, or tasks of SLD (`data.json`) as they are.

    Args:
        source: A path, or `-` for stdin.
        images_from: Folder of the pictures that SLD's tasks name; `src_image` beside the file by default.

    Raises:
        InputError: If nothing usable can be read, or pictures are given for a file that brings its own.
    """
    name, base, data = read_bytes(source)
    value = parse_json(data, name)
    if is_sld(value):
        return read_sld(value, name, base, images_from).artifact("images", images_from or base)
    if images_from is not None:
        raise InputError(f"{name}: --images-from is for SLD's data.json, whose tasks name pictures by their stem")
    return read_value(value, name, base)
