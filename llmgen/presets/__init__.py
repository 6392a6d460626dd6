"""Presets: JSON files that fill roles with models. The file name is the preset's name."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from llmgen.artifacts import ArtifactModel
from llmgen.errors import InputError
from llmgen.registry import unknown

MAX_BYTES = 2**20


class RoleSpec(ArtifactModel):
    """One model of a preset."""

    source: str
    """Hub repository, local folder, or `package:` and a path inside the package for bundled weights."""
    revision: str | None = None
    """Pinned commit of the repository."""
    family: str
    """Which loader: `stable-diffusion`, `stable-diffusion-xl-refiner`, `instancediffusion`, `owlv2`, `sam`, `clip`, `vitpose`,
    `phrase-detector`."""
    base: str | None = None
    """Where an `instancediffusion` role has its autoencoder, text encoder, tokenizer and scheduler from: like `source`."""
    base_revision: str | None = None
    """Pinned commit of the base."""
    classes: dict[str, str] = Field(default_factory=dict)
    """Component to `module:Class` where it is not the family's own class, for example a U-Net subclass."""
    files: tuple[str, ...] = ()
    """Files that must be there before loading starts."""
    licence: str
    gated: bool = False
    memory_gb: float = Field(ge=0)
    """Weights in memory at the role's dtype, estimated from the parameter count."""
    largest_gb: float | None = Field(default=None, ge=0)
    """Its largest component alone: what must fit on the device when models are offloaded."""
    variant: str | None = None
    """Which of the repository's weight files, such as `fp16` for `model.fp16.safetensors`."""
    dtype: Literal["float32", "float16", "bfloat16"] | None = None
    """What it is computed in; by default the device's. On the CPU it is always float32."""


class Preset(ArtifactModel):
    """A named set of models with the settings that suit them."""

    name: str
    description: str
    planner: str = "rules"
    """`rules`, `openai` or `replay:FILE`."""
    width: int = Field(gt=0)
    """Width of the canvas in pixels."""
    height: int = Field(gt=0)
    roles: dict[str, RoleSpec]
    """text_to_image, layout_to_image, instances_to_image, refiner, detector, segmenter, judge, clip, pose."""
    offload: Literal["none", "model", "sequential"] = "none"
    """Where an accelerator computes: keep its diffusion models in main memory and bring them when they are called."""
    methods: dict[str, str] = Field(default_factory=dict)
    """Default method of a stage, for example `{"detect": "owlv2"}`."""
    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings by `stage.method`; a manifest and flags override them."""

    def role(self, name: str) -> RoleSpec:
        """The model of a role.

        Raises:
            InputError: If the preset does not fill the role.
        """
        if name not in self.roles:
            raise InputError(
                f"preset {self.name!r} has no model for the role {name!r}; it fills: {', '.join(sorted(self.roles))}"
            )
        return self.roles[name]


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(f.name.removesuffix(".json") for f in files("llmgen.presets").iterdir() if f.name.endswith(".json"))


def load_preset(name: str) -> Preset:
    """Read a preset.

    Args:
        name: Of a preset that ships with llmgen, or the path of a JSON file of your own: it ends in `.json`.

    Raises:
        UnknownNameError: If there is none of that name.
        InputError: If its file is not a valid preset.
    """
    if name.endswith(".json"):
        path = Path(name)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise InputError(f"preset {name!r} is larger than {MAX_BYTES // 2**20} MiB; that is no preset")
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"preset {name!r} cannot be read; give the path of a JSON file: {error}") from error
    elif name in preset_names():
        text = (files("llmgen.presets") / f"{name}.json").read_text(encoding="utf-8")
    else:
        raise unknown("preset", name, preset_names())
    try:
        return Preset.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"]))
        raise InputError(f"preset {name!r} is not valid at /{where}: {first['msg']}") from error
