"""What holds for a whole run, and the context that comes of it."""

from dataclasses import dataclass

from llmgen.engine.context import StageContext
from llmgen.engine.devices import resolve_device, resolve_dtype, resolve_offload
from llmgen.presets import Preset, load_preset
from llmgen.registry import methods
from llmgen.vision.images import ImageStore

DEFAULT_PRESET = "toybox"
DEFAULT_BATCH_SIZE = 8


@dataclass(frozen=True)
class RunOptions:
    """Choices that no single stage owns."""

    preset: str = DEFAULT_PRESET
    planner: str | None = None
    """`rules`, `openai` or `replay:FILE`; the preset's by default."""
    critic: str | None = None
    """Like the planner; who looks at what was drawn. The planner by default."""
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = DEFAULT_BATCH_SIZE
    offload: str | None = None
    """`none`, `model` or `sequential`; the preset's by default."""

    def context(self, images: ImageStore) -> StageContext:
        """Collaborators of the stages.

        Raises:
            UnknownNameError: If there is no such preset.
            InputError: If the device, the precision or the offload does not exist.
            MissingRequirementError: If the device is not here.
        """
        preset = load_preset(self.preset)
        device = resolve_device(self.device)
        return StageContext(
            preset=preset,
            images=images,
            device=device,
            dtype=resolve_dtype(self.dtype, device),
            seed=self.seed,
            planner_name=self.planner,
            critic_name=self.critic,
            batch_size=self.batch_size,
            offload=resolve_offload(self.offload, preset.offload, device),
        )


def method_for(stage: str, chosen: str | None, preset: Preset) -> str:
    """The method of a stage: the chosen one, else the preset's, else the first of the stage's table."""
    return chosen or preset.methods.get(stage) or next(iter(methods(stage)))
