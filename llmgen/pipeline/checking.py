"""What `validate` looks at: schema, names, and pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgen.artifacts.io import ReadArtifact
from llmgen.artifacts.pictures import image_refs
from llmgen.diffusion.checkpoints import is_single_file
from llmgen.engine.config import build_config
from llmgen.errors import InputError, LlmgenError, PresetError
from llmgen.formats.foreign import read_any_value
from llmgen.pipeline.manifest import ManifestRun, plan_of, resolve_run
from llmgen.presets import load_preset, section
from llmgen.registry import STAGES, resolve
from llmgen.vision.images import ImageStore


def check_manifest(value: Any, path: Path) -> tuple[str, list[str]]:
    """Check a manifest, its prompts and their pictures, the names of its methods and their settings.

    Args:
        value: The JSON value of the file.
        path: Where it lies; what it names lies beside it.

    Returns:
        What it is, and its problems.
    """
    run = ManifestRun(path, device="cpu")
    try:
        ready = resolve_run(run, value)
        plan = plan_of(run, ready)
    except LlmgenError as error:
        return "", [str(error)]
    stages = ", ".join(f"{s['stage']} {s['method']}" for s in plan["stages"])
    return f"manifest with {plan['records']} prompts: {stages}", _problems(ready.read)


def check_preset(path: str) -> tuple[str, list[str]]:
    """Check a preset: its fields, then the names of its methods and their settings, and the folders it names; nothing is loaded.

    Returns:
        What it is, and its problems.
    """
    try:
        preset = load_preset(path)
    except PresetError as error:
        text = Path(path).read_text(encoding="utf-8")
        methods = {k: v for k, v in section(text, "methods").items() if k in STAGES and isinstance(v, str)}
        settings = {k: v for k, v in section(text, "defaults").items() if isinstance(v, dict)}
        return "", [str(error), *_faults_of_methods(path, methods, settings)]
    problems = _faults_of_methods(path, preset.methods, preset.defaults)
    for role, spec in preset.roles.items():
        for source in filter(None, (spec.source, spec.base)):
            local = source.startswith((".", "~", "/")) or Path(source).is_absolute()
            if local and not is_single_file(source) and not Path(source).expanduser().is_dir():
                problems.append(f"{path}: /roles/{role}: there is no folder {source}")
    return f"preset {preset.name!r} with {len(preset.roles)} roles: {', '.join(sorted(preset.roles))}", problems


def _faults_of_methods(path: str, methods: Mapping[str, str], defaults: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Methods that there are not, and settings that they do not have."""
    problems = []
    for stage, method in methods.items():
        try:
            resolve(stage, method)
        except LlmgenError as error:
            problems.append(f"{path}: /methods/{stage}: {error}")
    for name, settings in defaults.items():
        stage, _, method = name.partition(".")
        try:
            build_config(resolve(stage, method), settings, {})
        except LlmgenError as error:
            problems.append(f"{path}: /defaults/{name}: {error}")
    return problems


def check_records(value: Any, name: str, base: Path) -> tuple[str, list[str]]:
    """Check prompts or an artifact, and that its pictures can be loaded.

    Args:
        value: The JSON value of the file.
        name: Words for messages.
        base: Folder that picture paths are relative to.

    Returns:
        What it is, and its problems.

    Raises:
        InputError: If nothing in it is usable.
    """
    read = read_any_value(value, name, base)
    failed = sum(r.error is not None for r in read.records) - len(read.invalid)
    more = f", {failed} with an error" if failed else ""
    return f"{len(read.records)} records of kind {read.kind!r}{more}", _problems(read)


def _problems(read: ReadArtifact) -> list[str]:
    """What does not fit its schema, and pictures that cannot be loaded."""
    problems = [*read.invalid, *read.dropped]
    store = ImageStore(read.base)
    for record in read.records:
        if record.error is not None:
            continue
        try:
            for ref in image_refs(record):
                store.load(ref)
            for path in (record.source_image, record.target_image):
                if path is not None:
                    store.refer(path)
        except InputError as error:
            problems.append(f"{read.name}: record {record.id!r}: {error}")
    return problems
