"""How weights are written: whole files only, in half precision."""

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def to_half(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Float tensors in fp16, whole-number tensors (batch-norm counters) as they are."""
    return {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}


def save_atomically(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file under a temporary name and rename it, so that no reader meets half a file."""
    temporary = path.with_name(path.name + ".partial")
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, temporary, metadata)
    os.replace(temporary, path)
