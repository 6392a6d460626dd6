"""LoRAs at a tiny size, under the names of diffusers and under those of the usual trainer."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

RANK = 2


def lora_pairs(
    model: Any, seed: int, ends: tuple[str, ...] = ("to_q", "to_k")
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Layer to its two halves, for the linear layers of the attentions."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, layer in model.named_modules():
        if name.endswith(ends) and isinstance(layer, torch.nn.Linear):
            down = torch.randn(RANK, layer.in_features, generator=generator)
            found[name] = (down, torch.randn(layer.out_features, RANK, generator=generator))
    return found


def save_lora(model: Any, path: Path, *, part: str = "unet", seed: int = 1, form: str = "diffusers") -> Path:
    """A LoRA of a model in `path`; `form` is `diffusers` or `kohya`, which has a scale of its own."""
    tensors: dict[str, torch.Tensor] = {}
    for name, (down, up) in lora_pairs(model, seed).items():
        if form == "kohya":
            key = f"lora_{part}_{name.replace('.', '_')}"
            tensors |= {
                f"{key}.lora_down.weight": down,
                f"{key}.lora_up.weight": up,
                f"{key}.alpha": torch.tensor(float(RANK)),
            }
        else:
            tensors |= {f"{part}.{name}.lora_A.weight": down, f"{part}.{name}.lora_B.weight": up}
    save_file(tensors, path)
    return path
