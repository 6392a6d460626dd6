"""LoRAs: small changes of a model's weights in files of their own, added to it once when it is loaded.

They are read and placed by diffusers and peft and then fused, so that every method sees a plain model: those that hook into the attention,
too, and models that wait in main memory.

Source: Hu et al. 2021, LoRA: low-rank adaptation of large language models.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from llmgen.diffusion.checkpoints import LoraLike, local_path, lora_layers, read_shapes
from llmgen.errors import PresetError


def add_loras(pipe: Any, loras: Sequence[LoraLike]) -> None:
    """Fuse LoRAs into the models of a pipeline.

    Args:
        pipe: A pipeline of diffusers that takes LoRAs.
        loras: Files and weights, in any order.

    Raises:
        PresetError: If a file does not fit the model.
    """
    if not loras:
        return
    names = [f"lora_{number}" for number, _ in enumerate(loras)]
    for name, lora in zip(names, loras, strict=True):
        path = local_path(lora.source)
        wanted = len(lora_layers(read_shapes(path)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pipe.load_lora_weights(
                    str(path.parent), weight_name=path.name, adapter_name=name, local_files_only=True
                )
        except (ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError) as error:
            # Whatever diffusers meets in a file of another kind: it does not say which.
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise PresetError(f"the LoRA {lora.source!r} does not fit the model: {reason}") from error
        placed = sum(_layers_of(part, name) for part in pipe.components.values())
        if placed < wanted:
            raise PresetError(
                f"the LoRA {lora.source!r} does not fit the model: {placed} of its {wanted} layers have a place in it"
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.set_adapters(names, [lora.weight for lora in loras])
        pipe.fuse_lora(components=_adapted(pipe, names), adapter_names=names)
        pipe.unload_lora_weights()


def _adapted(pipe: Any, names: Sequence[str]) -> list[str]:
    """Parts of a pipeline that have layers of the LoRAs."""
    return [part for part, model in pipe.components.items() if any(_layers_of(model, name) for name in names)]


def _layers_of(part: Any, name: str) -> int:
    modules = part.modules() if hasattr(part, "modules") else ()
    return sum(name in getattr(module, "lora_A", {}) for module in modules)
