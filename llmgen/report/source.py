"""Where a report's records come from: a run folder or one artifact."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llmgen.artifacts import ImageRef, Kind, Manifest
from llmgen.artifacts.files import near_names
from llmgen.artifacts.io import ReadArtifact, read_manifest, read_records
from llmgen.artifacts.manifest import branches
from llmgen.artifacts.pictures import image_refs
from llmgen.artifacts.record import MAKES
from llmgen.errors import InputError
from llmgen.printable import quoted
from llmgen.vision.images import ImageStore

logger = logging.getLogger(__name__)

_MOST_NAMED: Final = 5
#: Kinds of artifacts, the one that knows most first.
_KINDS: Final[tuple[Kind, ...]] = (
    "scores",
    "refinements",
    "corrections",
    "detections",
    "images",
    "layouts",
    "prompts",
)


@dataclass(frozen=True, slots=True)
class Source:
    """What a report is made from."""

    artifact: ReadArtifact
    manifest: Manifest | None
    name: str
    """Name of the run, from its manifest if there is one."""
    finished: bool
    """Whether the manifest's last artifact is there; True without a manifest."""
    output: Path
    """Where the report goes unless told otherwise."""
    compared: tuple[tuple[str, ReadArtifact], ...] = ()
    """Artifacts that the manifest's last stage compares with this one, by what they were made of; the first is this one itself."""


def read_source(source: Path) -> Source:
    """Read a run folder (its most complete artifact) or one artifact file, and the manifest beside it.

    Raises:
        InputError: If there is nothing to report, or it cannot be read.
    """
    if not source.exists() and str(source) != "-":
        raise InputError(f"{source}: there is no such run; give the folder of one, or an artifact{near_names(source)}")
    folder = source.is_dir()
    beside = (source if folder else source.parent) / "manifest.json"
    manifest = read_manifest(beside) if beside.is_file() else None
    path = _last_artifact(source, manifest) if folder else source
    artifact = read_records(path)
    _say_missing(artifact)
    fallback = source.resolve().name if folder else source.stem
    output = source / "report.html" if folder else source.with_suffix(".html")
    name = manifest.name if manifest else fallback
    finished = manifest is None or artifact.kind == MAKES[manifest.stages[-1].stage]
    if folder and manifest is not None:
        finished = finished and path.name not in _files(manifest)[:-1]
    compared = _compared(path, manifest, artifact) if folder and manifest is not None else ()
    return Source(artifact, manifest, name, finished, output, compared)


def _compared(path: Path, manifest: Manifest, artifact: ReadArtifact) -> tuple[tuple[str, ReadArtifact], ...]:
    made = branches(manifest.stages)
    own = next((branch for branch in made if branch.file == path.name), None)
    beside = [branch for branch in made if own is not None and branch.place == own.place and branch != own]
    if own is None or not beside:
        return ()
    others = [(branch.source, path.parent / branch.file) for branch in beside]
    return ((own.source, artifact), *((name, read_records(file)) for name, file in others if file.is_file()))


def _say_missing(artifact: ReadArtifact) -> None:
    """Name the pictures that the page will only tell of; most often the artifact was copied without its `images`."""
    store = ImageStore(artifact.base)
    missing = list(
        dict.fromkeys(
            ref.path for record in artifact.records for ref in image_refs(record) if not _is_there(store, ref)
        )
    )
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        shown = ", ".join(quoted(path) for path in missing[:_MOST_NAMED])
        logger.warning(
            "%s: %d %s missing: %s%s; copy them beside it, the report has their places only",
            artifact.name,
            len(missing),
            "picture is" if len(missing) == 1 else "pictures are",
            shown,
            more,
        )


def _is_there(store: ImageStore, ref: ImageRef) -> bool:
    try:
        store.path(ref.path)
    except InputError:
        return False
    return True


def _last_artifact(folder: Path, manifest: Manifest | None) -> Path:
    names = [name for kind in _KINDS for name in _numbered(folder, kind)]
    if manifest is not None:
        # Detecting may come after refining, so the manifest's order counts; but scores made by hand know more than all of it.
        files = _files(manifest)[::-1]
        last = _KINDS.index(MAKES[manifest.stages[-1].stage])
        beyond = [f"{kind}.json" for kind in _KINDS[:last] if f"{kind}.json" not in files]
        names = [*beyond, *files, *names]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    expected = ", ".join(f"{kind}.json" for kind in _KINDS)
    raise InputError(f"{folder}: holds none of {expected}; give a run's folder or one artifact")


def _files(manifest: Manifest) -> list[str]:
    """The artifacts of a run in the order of its stages."""
    return [branch.file for branch in branches(manifest.stages)]


def _name(kind: Kind, number: int) -> str:
    return f"{kind}.json" if number == 1 else f"{kind}-{number}.json"


def _numbered(folder: Path, kind: Kind) -> list[str]:
    """Names of a kind's artifacts, the last made first."""
    number = 1
    while (folder / _name(kind, number + 1)).is_file():
        number += 1
    return [_name(kind, n) for n in range(number, 0, -1)]
