"""What `doctor` finds out about this machine."""

import os
import platform
import shutil
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from llmgen import __version__
from llmgen.engine.devices import resolve_device, resolve_dtype
from llmgen.presets import Preset, RoleSpec, load_preset, preset_names
from llmgen.settings import cache_dir

PACKAGES = (
    "accelerate",
    "diffusers",
    "numpy",
    "openai",
    "pillow",
    "pycocotools",
    "pydantic",
    "rich",
    "safetensors",
    "segment-anything",
    "torch",
    "torchvision",
    "transformers",
    "typer",
)


def examine(presets: list[str] | None = None) -> dict[str, Any]:
    """Look at the machine, the packages and the presets.

    Args:
        presets: Names; all by default.

    Returns:
        JSON values: `system`, `packages` (name to version or None), `presets` (name to `memory_gb` and the list `missing`).

    Raises:
        UnknownNameError: If there is no such preset.
    """
    names = presets or preset_names()
    device = resolve_device("auto")
    return {
        "system": {
            "llmgen": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(terse=True),
            "cpus": os.cpu_count(),
            "memory_gb": _memory_gb(),
            "free_disk_gb": round(shutil.disk_usage(Path()).free / 1e9, 1),
            "device": device,
            "dtype": resolve_dtype("auto", device),
            "openai_key": "set" if os.environ.get("OPENAI_API_KEY") else "not set",
            "cache": str(cache_dir()),
        },
        "packages": {name: _version(name) for name in PACKAGES},
        "presets": {name: _examine_preset(load_preset(name)) for name in names},
    }


def _examine_preset(preset: Preset) -> dict[str, Any]:
    # Roles often share a model: one line for each thing to do, and the roles that wait for it.
    waiting: dict[str, list[str]] = {}
    for role, spec in preset.roles.items():
        for problem in _missing(spec):
            waiting.setdefault(problem, []).append(role)
    missing = [f"{', '.join(roles)}: {problem}" for problem, roles in waiting.items()]
    if preset.planner == "openai" and not os.environ.get("OPENAI_API_KEY"):
        missing.append("planner: OPENAI_API_KEY is not set; export it or put it into .env")
    sources = {(spec.source, spec.revision): spec.memory_gb for spec in preset.roles.values()}
    return {"memory_gb": round(sum(sources.values()), 3), "missing": missing}


def _missing(spec: RoleSpec) -> list[str]:
    """What a role lacks, without loading or fetching anything."""
    bundled = spec.source.startswith("package:")
    if bundled or Path(spec.source).is_dir():
        folder = Path(str(files("llmgen"))) / spec.source.removeprefix("package:") if bundled else Path(spec.source)
        if not folder.is_dir():
            remedy = "reinstall llmgen, or make it with `llmgen train toybox`" if bundled else "correct the preset"
            return [f"the folder {spec.source} is not there; {remedy}"]
        return [f"{spec.source} lacks {name}" for name in spec.files if not (folder / name).is_file()]
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return ["huggingface_hub is not installed"]
    index = "model_index.json" if spec.family.startswith("stable-diffusion") else "config.json"
    wanted = spec.files or (index,)
    absent = [n for n in wanted if not isinstance(try_to_load_from_cache(spec.source, n, revision=spec.revision), str)]
    if not absent:
        return []
    revision = f" --revision {spec.revision}" if spec.revision else ""
    gate = " (gated: accept its licence first)" if spec.gated else ""
    return [f"{spec.source} is not downloaded{gate}; run `hf download {spec.source}{revision}`"]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf.
        return None
