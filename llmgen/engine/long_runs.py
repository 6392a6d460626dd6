"""Drawing by compiled models where a run is long enough to pay for it: setting, decision and models, the same for all methods."""

from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError, MissingRequirementError

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

Compile = Literal["auto", "always", "never"]

LONG_RUN: Final = 40_000
"""Steps of all pictures together from which on compiling a U-Net pays: on one core of a CPU the toybox's models take about 70 s to compile
and then save 3.5 ms a step and picture (`benchmarks/generate.py`), so that they have paid after 20,000. Not measured on a GPU."""
COMPILED: Final = ("stable-diffusion", "stable-diffusion-xl", "instancediffusion")
"""Families whose denoiser is called with shapes that, but for the rows, stay the same for a whole run."""


class CompileConfig(StageConfig):
    """The setting of every method that can draw by compiled models."""

    compile: Compile = "auto"
    """Draw by a compiled U-Net and decoder: faster after a minute or more of compiling, numbers equal to about 1e-5. `auto` where a
    compiler is found, pictures stay within one grey level (not `lmd` and the corrections, which decide by thresholds) and the run is long
    enough to pay for it: 40,000 steps of all pictures together for each kind of call."""


class CompiledMethod:
    """Base of the methods that can draw by compiled models. What `settling` asks of a method is answered here."""

    stage: ClassVar[str]
    name: ClassVar[str]
    compiled_role: ClassVar[str]
    """The role whose U-Net and decoder are compiled."""
    draws_alike: ClassVar[bool] = True
    """Whether compiled pictures stay within one grey level; where they do not, `auto` compiles nothing."""
    _context: "StageContext"
    _config: Any

    @classmethod
    def call_kinds(cls, config: Any) -> int:
        """Kinds of calls of the U-Net, each of which is compiled for itself: with boxes or without, watched or not.

        Args:
            config: Settings; where they rule out what can be compiled, the answer is 0.
        """
        return 1

    @classmethod
    def check_settings(cls, context: "StageContext", config: Any) -> None:
        """Refuse to compile what cannot be.

        Raises:
            InputError: If the settings contradict each other.
        """
        if config.compile != "always":
            return
        if not cls.call_kinds(config):
            raise InputError(
                f"{cls.stage} {cls.name} compiles nothing with these settings; leave compile='always' away"
            )
        if context.offload != "none":
            raise InputError(f"offload {context.offload!r} does not go with compile='always'; leave one of them away")

    @classmethod
    def long_from(cls, config: Any) -> int | None:
        """From how many records on a run is long; None where that decides nothing."""
        kinds = cls.call_kinds(config)
        if config.compile != "auto" or not kinds or not cls.draws_alike:
            return None
        # Only the steps of the pictures themselves count; what is drawn besides, such as objects alone, is on the safe side.
        return ceil(LONG_RUN * kinds / (config.num_inference_steps * getattr(config, "samples", 1)))

    @classmethod
    def settled(cls, context: "StageContext", config: Any, is_long: bool, say: Callable[[str], None]) -> Any:
        """The settings with what the length of the run decides."""
        is_possible = context.preset.role(cls.compiled_role).family in COMPILED and context.offload == "none"
        if not is_long or not is_possible:
            return config.model_copy(update={"compile": "never"})
        from llmgen.diffusion.compiling import trouble

        why_not = trouble(context.device)
        if why_not is not None:
            say(
                f"{cls.stage} {cls.name}: the run is long enough to compile the U-Net, but nothing compiles here ({why_not}); "
                "it is drawn uncompiled"
            )
        return config.model_copy(update={"compile": "always" if why_not is None else "never"})

    def _compiled(self, pipe: Any) -> Any:
        """The pipeline as the settings want it.

        Raises:
            InputError: If it must be compiled and these settings or this model do not allow it.
            MissingRequirementError: If nothing compiles on this machine.
        """
        from llmgen.diffusion.compiling import compiled, trouble

        context = self._context
        if self._config.compile != "always":
            return pipe
        self.check_settings(context, self._config)
        if getattr(pipe, "unet", None) is None:
            raise InputError(f"{type(pipe).__name__} has no U-Net to compile; leave the setting `compile` away")
        why_not = trouble(context.device)
        if why_not is not None:
            raise MissingRequirementError(
                f"nothing compiles here ({why_not}); install a C++ compiler and Python's headers, or draw with --set compile=never"
            )
        return compiled(pipe, size=self._compiled_size, told=context.progress)

    @property
    def _compiled_size(self) -> tuple[int, int]:
        """The canvas of the pictures that are drawn compiled: what is asked for, else the preset's."""
        preset, config = self._context.preset, self._config
        return getattr(config, "width", None) or preset.width, getattr(config, "height", None) or preset.height

    def _remark_if_uncompiled(self, record_id: str, size: tuple[int, int]) -> None:
        """Say of a record that its picture is not drawn by what was compiled."""
        if self._config.compile == "always" and size != self._compiled_size:
            self._context.remark_on(
                record_id, "drawn uncompiled, on {}x{}; {}x{} is compiled".format(*size, *self._compiled_size)
            )
