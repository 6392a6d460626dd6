"""What a person writes: prompts, a preset, and the stages with their settings."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from llmgen.artifacts.base import SCHEMA_VERSION, ArtifactModel
from llmgen.artifacts.image import RelativePath
from llmgen.artifacts.record import Stage, check_prompt


class PromptEntry(ArtifactModel):
    """A prompt as a person writes it."""

    prompt: str = Field(default="", max_length=10_000)
    """What the picture should show; may be empty where `instruction` and `source_image` say it."""
    id: str | None = None
    """Names record and pictures; the position (`0001`) by default."""
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    """Seed of this record; derived by default."""
    type: str | None = None
    """Group for scores, for example `numeracy`."""
    instruction: str | None = None
    """What should change, or the question."""
    source_image: RelativePath | None = None
    """A picture to start from, relative to the file that names it."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        check_prompt(self.prompt, self.instruction, self.source_image)
        return self


class StageEntry(ArtifactModel):
    """One stage of a run."""

    stage: Stage
    """Name of the stage."""
    method: str
    """Name of one of its methods."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Settings of the method that differ from the preset's."""


class Manifest(ArtifactModel):
    """A run."""

    kind: Literal["manifest"] = "manifest"
    """Always `manifest`."""
    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this format."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Also the folder under `outputs/`."""
    description: str = ""
    """What the run is for."""
    preset: str = "toybox"
    """Which models fill the roles."""
    planner: str | None = None
    """`rules`, `openai` or `replay:FILE`; the preset's by default."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seed of the run; each record's own derives from it."""
    prompts: tuple[str | PromptEntry, ...] = ()
    """The prompts themselves."""
    prompts_path: RelativePath | None = None
    """A prompts file beside the manifest, instead of `prompts`."""
    stages: tuple[StageEntry, ...] = Field(min_length=1)
    """What to run, in order."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.prompts) == (self.prompts_path is not None):
            raise ValueError("give either `prompts` (not empty) or `prompts_path`")
        return self
