"""Models that outlive the command that loaded them, where a process runs several."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from llmgen.engine.devices import Offload
from llmgen.engine.fingerprint import forget_local_weights, weights_digest
from llmgen.presets import Preset

if TYPE_CHECKING:
    from llmgen.diffusion.loading import ModelPool


class WarmModels:
    """The models of one preset on one device, kept as long as nothing about them changes.

    Args:
        preset: Name of the preset, as `Preset.name` has it.
        device: Resolved.
    """

    def __init__(self, preset: str, device: str) -> None:
        self._preset, self._device = preset, device
        self._key = ""
        self._pool: ModelPool | None = None

    def pool(self, preset: Preset, *, device: str, dtype: str, offload: Offload) -> "ModelPool":
        """The models that were loaded before, where these are the same; else none yet."""
        from llmgen.diffusion.loading import ModelPool

        if (preset.name, device) != (self._preset, self._device):
            return ModelPool(preset, device=device, dtype=dtype, offload=offload)
        weights = weights_digest(preset)
        # The same relative path is another folder elsewhere.
        places = [str(Path(source).expanduser().resolve()) for source in weights if not source.startswith("package:")]
        key = json.dumps([preset.model_dump(mode="json"), dtype, offload, weights, places], sort_keys=True)
        if self._pool is None or key != self._key:
            self._pool = None  # first, so that both are never in memory
            self._pool = ModelPool(preset, device=device, dtype=dtype, offload=offload)
            self._key = key
        return self._pool

    def look_again(self) -> None:
        """A new command begins: what is on the disk may have changed."""
        forget_local_weights()

    def forget(self) -> None:
        """Let go of all models, so that their memory is free."""
        self._pool = None


_kept: WarmModels | None = None


def keep(models: WarmModels | None) -> None:
    """From now on, all commands of this process share their models; with None, no longer."""
    global _kept
    _kept = models


def models_of(preset: Preset, *, device: str, dtype: str, offload: Offload) -> "ModelPool":
    """Models by role, each loaded on first use, by this command or one before.

    Args:
        preset: Fills the roles.
        device: Resolved.
        dtype: Resolved.
        offload: Resolved.
    """
    if _kept is not None:
        return _kept.pool(preset, device=device, dtype=dtype, offload=offload)
    from llmgen.diffusion.loading import ModelPool

    return ModelPool(preset, device=device, dtype=dtype, offload=offload)
