"""What the shell offers after a flag; names come from literal tables, so nothing heavy is imported."""

from collections.abc import Callable
from pathlib import Path


def method_names(stage: str) -> Callable[[str], list[str]]:
    """Completion of the methods of a stage."""

    def complete(incomplete: str) -> list[str]:
        from llmgen.registry import methods

        return [name for name in methods(stage) if name.startswith(incomplete)]

    return complete


def presets(incomplete: str) -> list[str]:
    """Completion of preset names."""
    from llmgen.presets import preset_names

    return [name for name in preset_names() if name.startswith(incomplete)]


def schedulers(incomplete: str) -> list[str]:
    """Completion of schedulers."""
    from llmgen.artifacts.schedulers import SCHEDULER_LABELS

    return [name for name in SCHEDULER_LABELS if name.startswith(incomplete)]


def shipped_manifests() -> dict[str, Path]:
    """The manifests that come with llmgen, by name."""
    from importlib.resources import files

    package = Path(str(files("llmgen")))
    # In a wheel they are in the package; what lies beside an installed package belongs to another.
    inside = package / "_manifests"
    folder = inside if inside.is_dir() else package.parent / "manifests"
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def manifests(incomplete: str = "") -> list[str]:
    """Completion of the manifests that come along."""
    return [name for name in shipped_manifests() if name.startswith(incomplete)]


def words(*choices: str) -> Callable[[str], list[str]]:
    """Completion of fixed words."""
    return lambda incomplete: [word for word in choices if word.startswith(incomplete)]
