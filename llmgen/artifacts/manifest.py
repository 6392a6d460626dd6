"""What a person writes: prompts, a preset, and the stages with their settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from llmgen.artifacts.base import SCHEMA_VERSION, ArtifactModel
from llmgen.artifacts.image import RelativePath
from llmgen.artifacts.record import MAKES, MOST_PROMPT, MOST_SEED, Stage, check_prompt
from llmgen.registry import DEFAULT_PRESET


class PromptEntry(ArtifactModel):
    """A prompt as a person writes it."""

    prompt: str = Field(default="", max_length=MOST_PROMPT)
    """What the picture should show; may be empty where `instruction` and `source_image` say it."""
    id: str | None = None
    """Names record and pictures; the position (`0001`) by default."""
    seed: int | None = Field(default=None, ge=0, le=MOST_SEED)
    """Seed of this record; derived by default."""
    type: str | None = None
    """Group for scores, for example `numeracy`."""
    instruction: str | None = None
    """What should change, or the question."""
    source_image: RelativePath | None = None
    """A picture to start from, relative to the file that names it."""
    target_image: RelativePath | None = None
    """What the answer should look like, likewise; only `evaluate` and the report look at it."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        check_prompt(self.prompt, self.instruction, self.source_image)
        return self


PROMPTS = "prompts"
"""What a stage starts from that starts from the prompts."""
_RESERVED = ("manifest", "report", PROMPTS)
ArtifactName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]


SHORT_NAMES: Final = {"steps": "num_inference_steps", "guidance": "guidance_scale", "n": "samples"}
"""Settings as the flags of the command line call them, to what the methods call them."""


def long_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under the names that the methods have for them.

    Raises:
        ValueError: If one is given under both its names.
    """
    both = next((short for short, long in SHORT_NAMES.items() if short in settings and long in settings), None)
    if both is not None:
        raise ValueError(f"{both!r} and {SHORT_NAMES[both]!r} are one setting; give one of them")
    return {SHORT_NAMES.get(name, name): value for name, value in settings.items()}


class StageEntry(ArtifactModel):
    """One stage of a run."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    stage: Stage
    """Name of the stage."""
    method: str
    """Name of one of its methods."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Settings of the method that differ from the preset's; `steps`, `guidance` and `n` are understood, too."""
    from_: ArtifactName | tuple[ArtifactName, ...] | None = Field(default=None, alias="from")
    """Name of the artifact that it starts from, or `prompts`; that of the stage before by default. `evaluate` takes several and compares
    them."""
    name: ArtifactName | None = None
    """Name of the artifact that it leaves, without `.json`; its kind by default, with a number from the second on."""

    @field_validator("config")
    @classmethod
    def _by_long_names(cls, config: dict[str, Any]) -> dict[str, Any]:
        return long_names(config)

    @property
    def sources(self) -> tuple[str, ...]:
        """The artifacts that it names; none where it goes on from the stage before."""
        return (self.from_,) if isinstance(self.from_, str) else self.from_ or ()


@dataclass(frozen=True)
class Branch:
    """A stage and the one artifact that it works on; a stage that names several makes several of these."""

    entry: StageEntry
    place: int
    """Of the stage among those of the manifest."""
    source: str
    """Name of what it starts from; `PROMPTS` for the prompts."""
    name: str
    """Name of what it leaves."""

    @property
    def file(self) -> str:
        """Name of the file that it leaves."""
        return f"{self.name}.json"


def branches(stages: Sequence[StageEntry]) -> tuple[Branch, ...]:
    """What the stages of a manifest start from and leave, in order.

    Raises:
        ValueError: If a stage starts from what no stage before leaves, two leave the same, or one that is no `evaluate` names several.
    """
    made: list[Branch] = []
    for place, entry in enumerate(stages):
        if len(entry.sources) > 1 and entry.stage != "evaluate":
            raise ValueError(
                f"stage {place + 1}, {entry.stage}, starts from several artifacts; only `evaluate` compares"
            )
        known = (PROMPTS, *(branch.name for branch in made))
        for source in entry.sources or (known[-1],):
            if source not in known:
                raise ValueError(
                    f"stage {place + 1}, {entry.stage}, starts from {source!r}, which no stage before it leaves; "
                    f"there are {', '.join(known)}"
                )
            name = _name(entry, source, [branch.name for branch in made])
            if name in _RESERVED or any(branch.name == name for branch in made):
                raise ValueError(
                    f"stage {place + 1}, {entry.stage}, would leave a second {name!r}; give it another `name`"
                )
            made.append(Branch(entry, place, source, name))
    return tuple(made)


def _name(entry: StageEntry, source: str, taken: Sequence[str]) -> str:
    if len(entry.sources) > 1:
        return f"{entry.name or MAKES[entry.stage]}-{source}"
    if entry.name is not None:
        return entry.name
    kind: str = MAKES[entry.stage]
    number = 1 + sum(name == kind or name.startswith(f"{kind}-") for name in taken)
    return kind if number == 1 else f"{kind}-{number}"


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
    preset: str = DEFAULT_PRESET
    """Which models fill the roles."""
    planner: str | None = None
    """`rules`, `openai` or `replay:FILE`; the preset's by default."""
    critic: str | None = None
    """Who compares what was drawn with what was asked for, as `planner`; the planner by default."""
    seed: int = Field(default=0, ge=0, le=MOST_SEED)
    """Seed of the run; each record's own derives from it."""
    engine: Literal["local", "process", "ray"] | None = None
    """Who does the work; `local`, one process, by default. What comes out does not depend on it."""
    workers: int | None = Field(default=None, ge=1, le=1024)
    """How many processes or actors the engine has; one for each device by default."""
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
        branches(self.stages)
        return self
