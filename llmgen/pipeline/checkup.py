"""What `doctor` finds out about this machine."""

import os
import platform
import re
import shutil
from collections.abc import Collection
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from llmgen import __version__
from llmgen.diffusion.checkpoints import SUFFIX, config_folder, cut_short, is_single_file
from llmgen.diffusion.hub import absent_files, download_command
from llmgen.diffusion.published import is_address, lacking
from llmgen.engine.devices import resolve_device, resolve_dtype
from llmgen.errors import MissingRequirementError
from llmgen.presets import Preset, RoleSpec, load_preset, preset_names
from llmgen.presets.roles import ADAPTED, FAMILIES
from llmgen.settings import cache_dir, config_path

PACKAGES = (
    "accelerate",
    "diffusers",
    "faster-coco-eval",
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

#: What a role takes of its base on the hub: all but the U-Net, which the role has its own of.
_BASE_FILES = (
    "scheduler/scheduler_config.json",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
)
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_COMMIT = re.compile(r"[0-9a-f]{40}")


class _Weight(NamedTuple):
    """Gigabytes of a role's weights as they are loaded: all, and the largest component."""

    whole: float
    largest: float


def examine(presets: list[str] | None = None) -> dict[str, Any]:
    """Look at the machine, the packages and the presets.

    Args:
        presets: Names; all by default.

    Returns:
        JSON values: `system`, `packages` (name to version or None), `presets`. A preset has `memory_gb`, the weights of all its
        models as they are loaded here; `largest_gb`, the largest part of it that is on the device at once with `--offload model`;
        `missing`, what must be done before it can run; and `remarks`, what is good to know.

    Raises:
        UnknownNameError: If there is no such preset.
    """
    config, _ = config_path()
    names = presets or preset_names()
    device = resolve_device("auto")
    dtype = resolve_dtype("auto", device)
    free_gb = _free_gb(device)
    return {
        "system": {
            "llmgen": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(terse=True),
            "cpus": os.cpu_count(),
            "memory_gb": _memory_gb(),
            "free_gb": free_gb,
            "free_disk_gb": round(shutil.disk_usage(Path()).free / 1e9, 1),
            "device": device,
            "dtype": dtype,
            "openai_key": "set" if os.environ.get("OPENAI_API_KEY") else "not set",
            "cache": str(cache_dir()),
            "config": str(config)
            if config is not None and config.is_file()
            else f"none at {config}"
            if config
            else "none",
        },
        "packages": {name: _version(name) for name in PACKAGES},
        "presets": {name: _examine_preset(load_preset(name), device, dtype, free_gb) for name in names},
    }


def _examine_preset(preset: Preset, device: str, dtype: str, free_gb: float | None) -> dict[str, Any]:
    # Roles often share a model: one line for each thing to do, and the roles that wait for it.
    missing, remarks = _Lines(), _Lines()
    weights = {}
    for role, spec in preset.roles.items():
        for part in _sources(spec):
            missing.add(role, *_missing(part))
            remarks.add(role, *_unpinned(part))
        missing.add(role, *_lacking_packages(spec))
        weights[spec.source, spec.revision] = weight = _weight(spec, device, dtype)
        if device == "cpu" and spec.dtype not in (None, "float32"):
            remarks.add(
                role, f"{spec.dtype} is computed as float32 on the CPU: slow, and {weight.whole:.1f} GB of weights"
            )
        if device.startswith("cuda") and spec.dtype == "bfloat16" != dtype:
            remarks.add(role, "bfloat16 is not a precision of this GPU, which emulates it slowly; float16 is")
        if free_gb is not None and weight.largest > free_gb:
            missing.add(role, f"{weight.largest:.1f} GB of weights at once, and {free_gb:g} GB are free on {device}")
    whole, largest = _sums(weights.values())
    lines = missing.lines()
    if preset.planner == "openai" and not os.environ.get("OPENAI_API_KEY"):
        lines.append("planner: OPENAI_API_KEY is not set; export it or put it into .env")
    notes = remarks.lines()
    if preset.words:
        notes.append(f"draws and sees {', '.join(preset.words)}, and nothing else")
    if free_gb is not None and whole > free_gb >= largest:
        advice = "run its stages one by one" if device == "cpu" else f"--offload model needs {largest:.1f} GB at a time"
        notes.append(f"all models together are {whole:.1f} GB, and {free_gb:g} GB are free on {device}; {advice}")
    return {"memory_gb": round(whole, 3), "largest_gb": round(largest, 3), "missing": lines, "remarks": notes}


def preset_memory_gb(preset: Preset, device: str, dtype: str) -> tuple[float, float]:
    """Weights of all models of a preset as a device loads them, and the largest part that is there at once when offloaded, in GB."""
    weights = {(spec.source, spec.revision): _weight(spec, device, dtype) for spec in preset.roles.values()}
    whole, largest = _sums(weights.values())
    return round(whole, 3), round(largest, 3)


def _sums(weights: Collection[_Weight]) -> tuple[float, float]:
    return sum(weight.whole for weight in weights), max((weight.largest for weight in weights), default=0.0)


class _Lines:
    """Texts, each with the roles that it is about."""

    def __init__(self) -> None:
        self._roles: dict[str, list[str]] = {}

    def add(self, role: str, *texts: str) -> None:
        for text in texts:
            self._roles.setdefault(text, []).append(role)

    def lines(self) -> list[str]:
        return [f"{', '.join(roles)}: {text}" for text, roles in self._roles.items()]


def _sources(spec: RoleSpec) -> list[RoleSpec]:
    """The role, and the repository it completes itself from, if any."""
    if spec.base is None or is_single_file(spec.source):
        return [spec]
    base = spec.model_copy(update={"source": spec.base, "revision": spec.base_revision, "files": (), "base": None})
    return [spec, base if _is_here(base) else base.model_copy(update={"files": _BASE_FILES})]


def _is_here(spec: RoleSpec) -> bool:
    return spec.source.startswith("package:") or _is_folder(spec.source)


def _is_folder(source: str) -> bool:
    return Path(source).expanduser().is_dir()


def _weight(spec: RoleSpec, device: str, dtype: str) -> _Weight:
    loaded = "float32" if device == "cpu" else (spec.dtype or dtype)
    factor = _BYTES[loaded] / _BYTES[spec.dtype or "float32"]
    largest = spec.memory_gb if spec.largest_gb is None else spec.largest_gb
    return _Weight(spec.memory_gb * factor, largest * factor)


def _lacking_packages(spec: RoleSpec) -> list[str]:
    needed = (*FAMILIES[spec.family], *(("peft",) if spec.lora else ()))
    return [
        f"the package {name} is not installed; run `pip install {name}`" for name in needed if _version(name) is None
    ]


def _unpinned(spec: RoleSpec) -> list[str]:
    if is_single_file(spec.source):
        return (
            []
            if spec.base is None or spec.base_revision or _is_folder(spec.base)
            else [f"its base {spec.base} is not pinned"]
        )
    if _is_here(spec) or is_address(spec.source):
        return []
    if spec.revision is None:
        return [f"{spec.source} is not pinned: its files may change"]
    if not _COMMIT.fullmatch(spec.revision):
        return [f"{spec.source} follows {spec.revision!r}, which is no commit: its files may change"]
    return []


def _missing_of_single_file(spec: RoleSpec) -> list[str]:
    """What a single file lacks beside it; its own faults are the preset's, which is not read with them."""
    try:
        config_folder(spec)
    except MissingRequirementError as error:
        return [str(error)]
    return []


def _missing(spec: RoleSpec) -> list[str]:
    """What a role lacks, without loading or fetching anything."""
    bundled = spec.source.startswith("package:")
    if is_single_file(spec.source):
        return _missing_of_single_file(spec)
    if is_address(spec.source):
        absent_here = lacking(spec)
        return [] if absent_here is None else [absent_here]
    if _is_here(spec):
        root = Path(str(files("llmgen"))) if bundled else Path()
        folder = root / Path(spec.source.removeprefix("package:")).expanduser()
        if not folder.is_dir():
            return [f"the folder {spec.source} is not there; reinstall llmgen, or make it with `llmgen train toybox`"]
        lacking_here = [f"{spec.source} lacks {name}" for name in spec.files if not (folder / name).is_file()]
        broken = (
            (name, cut_short(folder / name))
            for name in spec.files
            if name.endswith(SUFFIX) and (folder / name).is_file()
        )
        return [*lacking_here, *(f"{spec.source}: {name} {fault}" for name, fault in broken if fault is not None)]
    index = "model_index.json" if spec.family in ADAPTED else "config.json"
    wanted = spec.files or (index,)
    try:
        absent = absent_files(spec, wanted)
    except MissingRequirementError as error:
        return [str(error)]
    if not absent:
        return []
    gate = ""
    if spec.gated:
        gate = f" (gated: accept its licence, {spec.licence}, at https://huggingface.co/{spec.source}, then `hf auth login`)"
    what = "is not downloaded" if len(absent) == len(wanted) else f"is only half downloaded, {absent[0]} is missing"
    return [f"{spec.source} {what}{gate}; run `{download_command(spec, spec.files)}`"]


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


def _free_gb(device: str) -> float | None:
    """Memory that models can still take on the device, or None where nobody says."""
    if device.startswith("cuda"):
        import torch

        return round(torch.cuda.mem_get_info(device)[0] / 1e9, 1)
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    except OSError:
        return None
    return round(int(found[1]) * 1024 / 1e9, 1) if found else None
