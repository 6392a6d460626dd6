"""What holds for a whole run, and what comes of it: collaborators, and a method with its settings. Names become objects here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmgen.engine.context import StageContext
from llmgen.engine.devices import resolve_device, resolve_dtype, resolve_offload
from llmgen.engine.engines import make_crew
from llmgen.presets import load_preset
from llmgen.registry import DEFAULT_PRESET, resolve
from llmgen.vision.images import ImageStore, PictureFormat

DEFAULT_BATCH_SIZE = 8


@dataclass(frozen=True)
class RunOptions:
    """Choices that no single stage owns."""

    preset: str = DEFAULT_PRESET
    planner: str | None = None
    """`rules`, `openai` or `replay:FILE`; the preset's by default."""
    critic: str | None = None
    """Like the planner; who looks at what was drawn. The planner by default."""
    metadata: bool = True
    """Whether new pictures say how they were made."""
    picture_format: PictureFormat = "png"
    """What new pictures are written as."""
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = DEFAULT_BATCH_SIZE
    concurrency: int | None = None
    """Questions that a language model is asked at the same time; as many as suit its server by default."""
    budget_tokens: int | None = None
    """Tokens after which a language model is asked no more; no end by default."""
    offload: str | None = None
    """`none`, `model` or `sequential`; the preset's by default."""
    engine: str = "local"
    """`local`, `process` or `ray`."""
    workers: int | None = None
    """Of the engine; one for each device by default."""

    def context(self, images: ImageStore) -> StageContext:
        """Collaborators of the stages.

        Args:
            images: Where pictures lie; what is new there is written in the chosen form.

        Raises:
            UnknownNameError: If there is no such preset or engine.
            InputError: If the device, the precision or the offload does not exist.
            MissingRequirementError: If the device is not here, or there are more workers than devices.
        """
        from llmgen.llm.providers.provider import check_provider

        preset = load_preset(self.preset)
        check_provider(self.planner or preset.planner, role="planner")
        if self.critic is not None:
            check_provider(self.critic, role="critic")
        images.form = self.picture_format
        device = resolve_device(self.device)
        context = StageContext(
            preset=preset,
            images=images,
            device=device,
            dtype=resolve_dtype(self.dtype, device),
            metadata=self.metadata,
            seed=self.seed,
            planner_name=self.planner,
            critic_name=self.critic,
            batch_size=self.batch_size,
            concurrency=self.concurrency,
            budget_tokens=self.budget_tokens,
            offload=resolve_offload(self.offload, preset.offload, device),
        )
        context.crew = make_crew(self.engine, self.workers, context)
        return context


@dataclass(frozen=True)
class Choice:
    """A method with its settings and its collaborators: all that a stage is run by."""

    context: StageContext
    method_class: Any
    config: Any
    given: dict[str, Any]
    """The settings that somebody gave."""

    @property
    def method(self) -> str:
        """Name of the method."""
        name: str = self.method_class.name
        return name

    def plan(self) -> dict[str, Any]:
        """The choice as JSON values."""
        context = self.context
        return {
            "preset": context.preset.name,
            "planner": context.planner_name or context.preset.planner,
            "critic": context.critic_name or context.planner_name or context.preset.planner,
            "seed": context.seed,
            "device": context.device,
            "dtype": context.dtype,
            "batch_size": context.batch_size,
            "offload": context.offload,
            "engine": "local" if context.crew is None else context.crew.engine.name,
            "workers": 1 if context.crew is None else context.crew.size,
        }


def choose(context: StageContext, stage: str, method: str | None, given: Mapping[str, Any]) -> Choice:
    """A method by its name.

    Args:
        context: Its collaborators.
        stage: Name of the stage.
        method: Name of the method; by default the preset's, else the stage's own.
        given: Settings that somebody gave.

    Raises:
        UnknownNameError: If there is no such stage or method.
        InputError: If a setting does not exist or has a bad value, or names a file that the method cannot use.
    """
    method_class = resolve(stage, method or context.preset.methods.get(stage))
    config = context.settings_of(method_class, given)
    if hasattr(method_class, "check_settings"):
        method_class.check_settings(context, config)
    return Choice(context, method_class, config, dict(given))
