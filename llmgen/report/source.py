"""Where a report's records come from: a run folder or one artifact."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llmgen.artifacts import Manifest
from llmgen.artifacts.io import ReadArtifact, read_manifest, read_records
from llmgen.errors import InputError

#: A run's artifacts, the one that knows most first.
ARTIFACTS: Final = (
    "scores.json",
    "refinements.json",
    "corrections.json",
    "detections.json",
    "images.json",
    "layouts.json",
    "prompts.json",
)


@dataclass(frozen=True, slots=True)
class Source:
    """What a report is made from."""

    artifact: ReadArtifact
    manifest: Manifest | None
    name: str
    """Name of the run, from its manifest if there is one."""
    output: Path
    """Where the report goes unless told otherwise."""


def read_source(source: Path) -> Source:
    """Read a run folder (its most complete artifact) or one artifact file, and the manifest beside it.

    Raises:
        InputError: If there is nothing to report, or it cannot be read.
    """
    folder = source.is_dir()
    path = _last_artifact(source) if folder else source
    artifact = read_records(path)
    beside = path.parent / "manifest.json"
    manifest = read_manifest(beside) if beside.is_file() else None
    fallback = source.resolve().name if folder else source.stem
    output = source / "report.html" if folder else source.with_suffix(".html")
    return Source(artifact, manifest, manifest.name if manifest else fallback, output)


def _last_artifact(folder: Path) -> Path:
    for name in ARTIFACTS:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: holds none of {', '.join(ARTIFACTS)}; give a run's folder or one artifact")
