"""Models that wait in main memory and come to the accelerator when they are called.

`model` moves whole modules: one at a time is on the device, whichever pipeline it belongs to. diffusers' own
`enable_model_cpu_offload` is made for one call of one pipeline, text encoder to U-Net to autoencoder; methods here call these parts
directly and in any order, so the parts stand in one ring instead. `sequential` moves layer by layer: slow, and least memory.

Hooks fire where a module is called and, by diffusers, in `encode` and `decode` of the autoencoders. What is put on "the module's
device" beforehand must be put where it will compute: ask `device_of`.
"""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import nn

Offload = Literal["none", "model", "sequential"]


def device_of(module: nn.Module) -> torch.device:
    """Where a module computes; its weights may be elsewhere until it is called."""
    for part in module.modules():
        device = getattr(getattr(part, "_hf_hook", None), "execution_device", None)
        if device is not None:
            return torch.device(device)
    return next(module.parameters()).device


class _InTurn:
    """A hook of accelerate's kind: brings a module to the device and sends the others of its ring home."""

    no_grad = False

    def __init__(self, ring: list[nn.Module], device: torch.device) -> None:
        self.ring, self.execution_device = ring, device

    def init_hook(self, module: nn.Module) -> nn.Module:
        return module

    def pre_forward(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        from accelerate.utils import send_to_device

        for other in self.ring:
            if other is not module and next(other.parameters()).device != _HOME:
                other.to(_HOME)
        module.to(self.execution_device)
        return send_to_device(args, self.execution_device), send_to_device(kwargs, self.execution_device)

    def post_forward(self, module: nn.Module, output: Any) -> Any:
        return output

    def detach_hook(self, module: nn.Module) -> nn.Module:
        return module


_HOME = torch.device("cpu")


class Offloader:
    """Keeps the modules of all pipelines of a run in main memory.

    Args:
        how: `model` or `sequential`; `none` does nothing.
        device: Where they compute.
    """

    def __init__(self, how: Offload, device: str) -> None:
        self.how, self.device = how, torch.device(device)
        self.ring: list[nn.Module] = []

    def take(self, modules: Iterable[Any]) -> None:
        """Offload modules that are in main memory now. What is no module, or was taken before, is left alone."""
        from accelerate import cpu_offload
        from accelerate.hooks import add_hook_to_module

        for module in modules:
            if self.how == "none" or not isinstance(module, nn.Module) or any(module is known for known in self.ring):
                continue
            self.ring.append(module)
            if self.how == "sequential":
                cpu_offload(module, self.device, offload_buffers=bool(module._parameters))
            else:
                add_hook_to_module(module, _InTurn(self.ring, self.device))
