"""What can change the result of a stage, as one digest: the key by which the journal trusts a finished record."""

import functools
import hashlib
import re
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from llmgen import __version__
from llmgen.artifacts import Record
from llmgen.artifacts.hashing import digest, record_digest
from llmgen.engine.context import StageContext
from llmgen.presets import Preset
from llmgen.settings import openai_base_url, openai_max_tokens, openai_model

#: Packages whose version can change a picture or a plan; always all of them, so that equal runs write equal records.
PACKAGES = ("diffusers", "numpy", "openai", "pillow", "pydantic", "torch", "torchvision", "transformers")


def run_settings(context: StageContext, method_class: Any, config: BaseModel) -> dict[str, Any]:
    """How a stage is run, in words that a person gave or could give: what a run that goes on must share with its beginning."""
    return {
        "stage": method_class.stage,
        "method": method_class.name,
        "preset": context.preset.name,
        "planner": context.planner_name or context.preset.planner,
        "seed": context.seed,
        "device": context.device,
        "dtype": context.dtype,
        "metadata": context.metadata,
        "picture_format": context.images.form,
        "config": config.model_dump(mode="json"),
    }


class StageFingerprint:
    """Keys for the records of one stage under one set of settings.

    Args:
        context: Preset, device, seed and planner.
        stage: Name of the stage.
        method: Name of the method.
        config: Resolved settings.
    """

    def __init__(self, context: StageContext, stage: str, method: str, config: BaseModel) -> None:
        planner = context.planner_name or context.preset.planner
        self._base = digest(
            {
                "stage": stage,
                "method": method,
                "config": config.model_dump(mode="json"),
                "preset": context.preset.model_dump(mode="json"),
                "weights": weights_digest(context.preset),
                "planner": _provider_identity(planner),
                **({"critic": _provider_identity(context.critic_name)} if context.critic_name else {}),
                "seed": context.seed,
                "device": context.device,
                "dtype": context.dtype,
                **({} if context.metadata else {"metadata": False}),
                **({} if context.images.form == "png" else {"picture_format": context.images.form}),
                "llmgen": __version__,
            }
        )

    def digest_with(self, more: Any) -> str:
        """Digest of everything that can change what becomes of any record, and of something else.

        Args:
            more: JSON values.
        """
        return digest([self._base, more])

    def key(self, record: Record) -> str:
        """Digest of everything that can change what becomes of a record."""
        return digest([self._base, record_digest(record)])


def package_versions() -> dict[str, str]:
    """Versions of the packages in `PACKAGES` that are installed."""
    return dict(_versions())


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = []
    for name in PACKAGES:
        try:
            # `metadata.version` parses all that a package says of itself, which for these eight takes as long as planning two layouts.
            said = metadata.distribution(name).read_text("METADATA") or ""
        except metadata.PackageNotFoundError:
            continue
        version = re.search(r"^Version: *(.+)$", said, re.MULTILINE)
        found.append((name, version[1].strip() if version is not None else metadata.version(name)))
    return tuple(found)


def weights_digest(preset: Preset) -> dict[str, str]:
    """Digest of each bundled or local folder or file of weights that a preset names; hub weights have a revision instead."""
    named = [
        source
        for spec in preset.roles.values()
        for source in (spec.source, spec.base, *(lora.source for lora in spec.lora))
        if source is not None
    ]
    return {
        source: _folder_digest(source)
        for source in named
        if source.startswith("package:") or Path(source).expanduser().exists()
    }


def forget_local_weights() -> None:
    """Look again at folders and files of weights when they are asked about; what is bundled does not change."""
    _folder_digest.cache_clear()


@functools.cache
def _folder_digest(source: str) -> str:
    if source.startswith("package:"):
        return _bundled_digest(source.removeprefix("package:"))
    folder = Path(source).expanduser()
    if folder.is_file():
        stat = folder.stat()
        return hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()
    total = hashlib.sha256()
    for path in _files_in(folder):
        # Big folders: size and time of change tell them apart well enough, and at once.
        stat = path.stat()
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(f"{stat.st_size} {stat.st_mtime_ns}\0".encode())
    return total.hexdigest()


@functools.cache
def _bundled_digest(name: str) -> str:
    folder = Path(str(files("llmgen"))) / name
    if folder.is_file():
        return _content_digest(folder).hex()
    total = hashlib.sha256()
    for path in _files_in(folder):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(_content_digest(path))
    return total.hexdigest()


def _content_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _files_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _provider_identity(name: str) -> Any:
    if name.startswith("replay:"):
        path = Path(name.removeprefix("replay:"))
        return ["replay", hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None]
    if name == "openai":
        return ["openai", openai_model(), openai_base_url(), openai_max_tokens()]
    return name
