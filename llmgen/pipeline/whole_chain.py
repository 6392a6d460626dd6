"""The chain as a manifest would say it, for whoever has prompts and no manifest."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from llmgen.artifacts import PromptEntry, Stage, StageEntry
from llmgen.artifacts.manifest import Manifest
from llmgen.pipeline.sources import Source
from llmgen.presets import Preset
from llmgen.registry import default_method, resolve

NEEDED_ROLES: Final[dict[Stage, tuple[str, ...]]] = {
    "layout": (),
    "generate": ("text_to_image",),
    "detect": ("detector",),
    "correct": ("detector", "layout_to_image"),
    "refine": ("refiner",),
    "evaluate": ("judge",),
}
"""Stages of the chain, in order, and the roles without which a preset cannot take part in them."""
_MOST_NAME: Final = 48
"""Characters of a name that is made of a prompt."""


def whole_chain(preset: Preset, name: str, prompts: Sequence[str | PromptEntry]) -> Manifest:
    """The manifest of all stages that a preset has models for, each by its default method.

    Args:
        preset: Whose models.
        name: Of the run.
        prompts: What to draw.
    """
    stages = []
    for stage in NEEDED_ROLES:
        if not missing_roles(preset, stage):
            method = preset.methods.get(stage) or default_method(stage)
            judged = stage == "evaluate" and "judge" in resolve(stage, method).Config.model_fields
            stages.append(StageEntry(stage=stage, method=method, config={"judge": True} if judged else {}))
    return Manifest(
        name=name,
        description="The whole chain by the preset's default methods.",
        preset=preset.name,
        prompts=tuple(prompts),
        stages=tuple(stages),
    )


def missing_roles(preset: Preset, stage: Stage) -> list[str]:
    """Roles that a stage of the chain needs and a preset does not fill."""
    return [role for role in NEEDED_ROLES[stage] if role not in preset.roles]


def name_of(source: Source) -> str:
    """A name for the run of some prompts: that of their file, or the words of the first."""
    if source.prompts:
        return _plain(source.prompts[0])
    return "run" if source.path == "-" else _plain(Path(source.path).stem)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9._]+", "-", letters)[:_MOST_NAME].strip("-._")
    return words or "run"
