"""Files that a manifest names: they are looked for beside it, wherever it is run from, as the pictures of its prompts are."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

from llmgen.artifacts import Manifest
from llmgen.artifacts.manifest import StageEntry
from llmgen.registry import resolve

_REPLAY: Final = "replay:"


def found_beside(manifest: Manifest, folder: Path) -> Manifest:
    """A manifest whose files are named from the working directory.

    Args:
        manifest: As somebody wrote it.
        folder: Where it lies.

    Raises:
        UnknownNameError: If it names a stage or a method that there is not.
    """
    return _renamed(manifest, lambda name: str(folder / name))


def named_from(manifest: Manifest, folder: Path) -> Manifest:
    """The other way round: a manifest that can lie in a folder and names what it named before."""
    return _renamed(manifest, lambda name: Path(os.path.relpath(name, folder)).as_posix())


def _renamed(manifest: Manifest, rename: Callable[[str], str]) -> Manifest:
    def asked(name: str | None) -> str | None:
        if name is None or not name.startswith(_REPLAY) or name == _REPLAY:
            return name
        return _REPLAY + rename(name.removeprefix(_REPLAY))

    def entry_renamed(entry: StageEntry) -> StageEntry:
        files = file_settings(resolve(entry.stage, entry.method))
        config = {k: rename(v) if k in files and v and isinstance(v, str) else v for k, v in entry.config.items()}
        return entry.model_copy(update={"config": config})

    return manifest.model_copy(
        update={
            "preset": rename(manifest.preset) if manifest.preset.endswith(".json") else manifest.preset,
            "planner": asked(manifest.planner),
            "critic": asked(manifest.critic),
            "stages": tuple(map(entry_renamed, manifest.stages)),
        }
    )


def file_settings(method_class: Any) -> frozenset[str]:
    """Settings of a method that name a file."""
    fields = method_class.Config.model_fields
    return frozenset(name for name, field in fields.items() if Path in (field.annotation, *get_args(field.annotation)))
