"""What a method is given: preset, device, picture store, planner, models, and other stages as collaborators."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmgen.engine.devices import Offload
from llmgen.engine.stage import StageMethod
from llmgen.presets import Preset
from llmgen.registry import resolve
from llmgen.vision.images import ImageStore

if TYPE_CHECKING:
    from llmgen.diffusion.loading import ModelPool
    from llmgen.llm.providers.provider import Provider


@dataclass
class StageContext:
    """Collaborators of a stage. One context serves a whole run, so that models load once."""

    preset: Preset
    images: ImageStore
    device: str
    """Resolved: `cpu`, `cuda`, `cuda:1`, `mps`."""
    dtype: str
    """Resolved: `float32`, `float16`, `bfloat16`."""
    seed: int = 0
    """Seed of the run; a record's own seed derives from it and the record's id."""
    planner_name: str | None = None
    """Overrides the preset's planner."""
    critic_name: str | None = None
    """Who looks at what was drawn; the planner by default."""
    offload: Offload = "none"
    """Where diffusion models wait on an accelerator; resolved, too."""
    batch_size: int = 8
    """Most records in one call of a model."""
    progress: Callable[[str], None] = lambda message: None
    """Told about long steps inside a batch, one short line each."""
    remark: Callable[[str], None] = lambda text: None
    """Told what is worth knowing of a stage when it is over, such as what it cost; the last remark counts."""
    _models: "ModelPool | None" = field(default=None, repr=False)
    _planner: "Provider | None" = field(default=None, repr=False)
    _critic: "Provider | None" = field(default=None, repr=False)
    _methods: dict[str, StageMethod] = field(default_factory=dict, repr=False)

    @property
    def models(self) -> "ModelPool":
        """Models by role, loaded on first use."""
        if self._models is None:
            from llmgen.diffusion.loading import ModelPool

            self._models = ModelPool(self.preset, device=self.device, dtype=self.dtype, offload=self.offload)
        return self._models

    @property
    def planner(self) -> "Provider":
        """Who plans: a language model, or rules."""
        if self._planner is None:
            from llmgen.llm.providers.provider import load_provider

            self._planner = load_provider(self.planner_name or self.preset.planner)
        return self._planner

    @property
    def critic(self) -> "Provider":
        """Who compares what was drawn with what was asked for; the planner, unless somebody else is named."""
        if self.critic_name is None:
            return self.planner
        if self._critic is None:
            from llmgen.llm.providers.provider import load_provider

            self._critic = load_provider(self.critic_name, role="critic")
        return self._critic

    def config_for(self, stage: str, method: str, given: dict[str, Any] | None = None) -> Any:
        """A method's settings: its own defaults, then the preset's, then what was given.

        A method with an attribute `settings_like` takes the preset's settings of that method of its stage, too.

        Raises:
            InputError: If a setting does not exist or has a bad value.
        """
        from llmgen.engine.config import build_config

        method_class, defaults = resolve(stage, method), self.preset.defaults
        like = getattr(method_class, "settings_like", method)
        preset_defaults = {**defaults.get(f"{stage}.{like}", {}), **defaults.get(f"{stage}.{method}", {})}
        return build_config(method_class, preset_defaults, given or {})

    def collaborator(self, stage: str) -> StageMethod:
        """Another stage's method with the preset's settings, for example the detector inside a correction loop."""
        if stage not in self._methods:
            method = self.preset.methods[stage]
            self._methods[stage] = resolve(stage, method)(self, self.config_for(stage, method))
        return self._methods[stage]
