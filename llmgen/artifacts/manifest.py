"""What a person writes: prompts, a preset, and the stages with their settings."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from llmgen.artifacts.base import SCHEMA_VERSION, ArtifactModel
from llmgen.artifacts.image import RelativePath
from llmgen.artifacts.record import Stage


class PromptEntry(ArtifactModel):
    """A prompt as a person writes it."""

    prompt: str = Field(min_length=1, max_length=10_000)
    id: str | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    type: str | None = None
    instruction: str | None = None
    source_image: RelativePath | None = None


class StageEntry(ArtifactModel):
    """One stage of a run."""

    stage: Stage
    method: str
    config: dict[str, Any] = Field(default_factory=dict)


class Manifest(ArtifactModel):
    """A run."""

    kind: Literal["manifest"] = "manifest"
    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Also the folder under `outputs/`."""
    description: str = ""
    preset: str = "toybox"
    planner: str | None = None
    """`rules`, `openai` or `replay:FILE`; the preset's by default."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    prompts: tuple[str | PromptEntry, ...] = ()
    prompts_path: RelativePath | None = None
    """A prompts file beside the manifest, instead of `prompts`."""
    stages: tuple[StageEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.prompts) == (self.prompts_path is not None):
            raise ValueError("give either `prompts` (not empty) or `prompts_path`")
        return self
