"""Presets: JSON files that fill roles with models. The file name is the preset's name."""

import difflib
import json
import os
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from llmgen.artifacts import ArtifactModel
from llmgen.artifacts.files import why_unread
from llmgen.artifacts.schedulers import OWN, SchedulerName
from llmgen.errors import InputError, PresetError
from llmgen.presets.roles import FAMILIES, ROLES, checked_classes, family_faults
from llmgen.printable import printable
from llmgen.registry import STAGES, unknown

MAX_BYTES = 2**20
MOST_WEIGHT = 10.0
"""Of a LoRA. Pictures fall apart long before it."""


class LoraSpec(ArtifactModel):
    """A LoRA of a role."""

    source: str
    """A `.safetensors` file."""
    weight: float = Field(default=1.0, ge=-MOST_WEIGHT, le=MOST_WEIGHT)
    """How much of it is added; negative to take it away."""


class RoleSpec(ArtifactModel):
    """One model of a preset."""

    source: str
    """Hub repository, local folder, single `.safetensors` checkpoint, or `package:` and a path inside the package for bundled weights."""
    revision: str | None = None
    """Pinned commit of the repository."""
    family: str = Field(json_schema_extra={"enum": [*sorted(FAMILIES)]})
    """Which loader, one of `presets.roles.FAMILIES`, for example `stable-diffusion` or `owlv2`."""
    base: str | None = None
    """Where an `instancediffusion` role has its autoencoder, text encoder, tokenizer and scheduler from, and a single file its
    configurations and tokenizers: like `source`."""
    base_revision: str | None = None
    """Pinned commit of the base."""
    classes: dict[str, str] = Field(default_factory=dict)
    """Component to `module:Class` where it is not the family's own class, for example a U-Net subclass. Classes of llmgen and of the
    model libraries only."""
    scheduler: SchedulerName = OWN
    """What it draws by, for example `dpm++-2m-karras`; `own` is the scheduler of its repository. Methods with a loop of their own keep
    to that, and say so."""
    lora: tuple[LoraSpec, ...] = Field(default=(), max_length=16)
    """LoRAs that are added to its weights, all of them."""
    files: tuple[str, ...] = ()
    """Files that must be there before loading starts."""
    licence: str = "unknown"
    """Of the weights, for whoever lists the models."""
    gated: bool = False
    """Whether its licence must be accepted on the hub before it can be fetched."""
    memory_gb: float = Field(default=0.0, ge=0)
    """Weights in memory at the role's dtype, estimated from the parameter count."""
    largest_gb: float | None = Field(default=None, ge=0)
    """Its largest component alone: what must fit on the device when models are offloaded."""
    variant: str | None = None
    """Which of the repository's weight files, such as `fp16` for `model.fp16.safetensors`."""
    dtype: Literal["float32", "float16", "bfloat16"] | None = None
    """What it is computed in; by default the device's. On the CPU it is always float32."""

    @model_validator(mode="after")
    def _fits_its_family(self) -> Self:
        if faults := family_faults(self.family, scheduler=self.scheduler, lora=bool(self.lora)):
            raise ValueError("; ".join(faults))
        return self

    @field_validator("classes")
    @classmethod
    def _known_classes(cls, classes: dict[str, str]) -> dict[str, str]:
        return checked_classes(classes)

    @field_validator("family")
    @classmethod
    def _known_family(cls, family: str) -> str:
        return _one_of(FAMILIES, "family of models", family)


class Preset(ArtifactModel):
    """A named set of models with the settings that suit them."""

    name: str = Field(min_length=1)
    """What records and messages call it."""
    description: str = ""
    """What it is, in a sentence."""
    planner: str = "rules"
    """`rules`, `openai` or `replay:FILE`."""
    width: int = Field(gt=0)
    """Width of the canvas in pixels."""
    height: int = Field(gt=0)
    """Height of the canvas in pixels."""
    roles: dict[str, RoleSpec] = Field(json_schema_extra={"propertyNames": {"enum": [*sorted(ROLES)]}})
    """Role to its model; the roles are those of `presets.roles.ROLES`."""
    words: tuple[str, ...] = ()
    """Everything that its models can draw and see, as singular nouns; empty for models that know no such bounds."""
    offload: Literal["none", "model", "sequential"] = "none"
    """Where an accelerator computes: keep its diffusion models in main memory and bring them when they are called."""
    methods: dict[str, str] = Field(default_factory=dict, json_schema_extra={"propertyNames": {"enum": [*STAGES]}})
    """Default method of a stage, for example `{"detect": "owlv2"}`; llmgen's own (`llmgen methods`) for a stage that is not named."""
    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings by `stage.method`; a manifest and flags override them."""

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, roles: dict[str, RoleSpec]) -> dict[str, RoleSpec]:
        return {_one_of(ROLES, "role", name): spec for name, spec in roles.items()}

    @field_validator("methods")
    @classmethod
    def _known_stages(cls, methods: dict[str, str]) -> dict[str, str]:
        return {_one_of(STAGES, "stage", stage): method for stage, method in methods.items()}

    def role(self, name: str) -> RoleSpec:
        """The model of a role.

        Raises:
            PresetError: If the preset does not fill the role.
        """
        if name not in self.roles:
            raise PresetError(
                f"preset {self.name!r} has no model for the role {name!r}; it fills: {', '.join(sorted(self.roles))}"
            )
        return self.roles[name]


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(f.name.removesuffix(".json") for f in files("llmgen.presets").iterdir() if f.name.endswith(".json"))


def load_preset(name: str) -> Preset:
    """Read a preset.

    Args:
        name: Of a preset that ships with llmgen, or the path of a JSON file of your own: it ends in `.json`. Folders that it names are
            looked for beside it.

    Raises:
        UnknownNameError: If there is none of that name.
        InputError: If its file cannot be read.
        PresetError: If it is not a valid preset; all faults are named.
    """
    if name.endswith(".json"):
        path = Path(name)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise InputError(f"preset {name!r} is larger than {MAX_BYTES // 2**20} MiB; that is no preset")
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"preset {name!r} cannot be read: {why_unread(error)}; give the path of a JSON file"
            ) from error
    elif name in preset_names():
        text = (files("llmgen.presets") / f"{name}.json").read_text(encoding="utf-8")
    else:
        raise unknown("preset", name, preset_names())
    folder = Path(name).parent if name.endswith(".json") else None
    try:
        preset, faults = Preset.model_validate_json(text), list[str]()
    except ValidationError as error:
        preset, faults = None, _faults(error)
        strange = [str(unknown("role", name, ROLES)) for name in section(text, "roles") if name not in ROLES]
        # Pydantic looks at the names only where all that they hold is sound.
        faults += [f"/roles: {line}" for line in strange if not any(line in known for known in faults)]
    if folder is not None:
        # A plan by rules is made without it.
        from llmgen.diffusion.checkpoints import checkpoint_faults

        roles = preset.roles if preset is not None else _whole_roles(text)
        roles = {role: _beside(spec, folder) for role, spec in roles.items()}
        faults += [f"/roles/{role}/{fault}" for role, spec in roles.items() for fault in checkpoint_faults(role, spec)]
        preset = preset and preset.model_copy(update={"roles": roles})
    if preset is None or faults:
        raise PresetError(f"preset {name!r} is not valid: {'; '.join(faults)}")
    return preset


def section(text: str, name: str) -> dict[str, Any]:
    """An object in the text of a preset that may be faulty; empty where there is none."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found = values.get(name) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}


def _whole_roles(text: str) -> dict[str, RoleSpec]:
    """Those roles of a faulty preset that are sound as far as their fields go, so that their files can be looked at in the same go."""
    whole = {}
    for role, spec in section(text, "roles").items():
        try:
            whole[role] = RoleSpec.model_validate_json(json.dumps(spec))
        except ValidationError:
            continue  # its faults are said already
    return whole


def _faults(error: ValidationError) -> list[str]:
    """Every fault, as JSON pointer and reason; of an unknown field the one that may be meant."""
    lines = []
    for fault in error.errors(include_url=False):
        reason = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            fields = RoleSpec.model_fields if len(fault["loc"]) > 1 else Preset.model_fields
            near = difflib.get_close_matches(str(fault["loc"][-1]), fields, n=1, cutoff=0.6)
            reason = "unknown field" + (f"; did you mean {near[0]!r}?" if near else "")
        lines.append(f"/{'/'.join(printable(str(part), 80) for part in fault['loc'])}: {reason}")
    return lines


def _beside(spec: RoleSpec, folder: Path) -> RoleSpec:
    """A role whose relative folders and files are those beside its preset, wherever it is read from.

    What is not there stays as it is: a repository of the hub, an address, or a folder of the working directory.
    """

    def found(source: str | None) -> str | None:
        if source is None or "://" in source or source.startswith(("package:", "~")) or Path(source).is_absolute():
            return source
        beside = folder / source
        if beside.exists():
            return str(beside)
        # One that begins with a dot was meant as a folder, so it must not be taken for a repository afterwards.
        return os.path.join(os.curdir, beside) if source.startswith(".") else source

    lora = tuple(lora.model_copy(update={"source": found(lora.source)}) for lora in spec.lora)
    return spec.model_copy(update={"source": found(spec.source), "base": found(spec.base), "lora": lora})


def _one_of(known: Iterable[str], what: str, name: str) -> str:
    if name not in known:
        raise ValueError(str(unknown(what, name, known)))
    return name
