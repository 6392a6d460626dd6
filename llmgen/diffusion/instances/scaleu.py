"""ScaleU: learned scales of the U-Net's decoder features and of the low frequencies of its skip connections.

Source: InstanceDiffusion (Wang et al., CVPR 2024), section 3.3; the closed form of the Fourier mask is ours.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


def _gain(raw: Tensor) -> Tensor:
    return raw.float().tanh() + 1


def scale_skip(skip: Tensor, raw: Tensor) -> Tensor:
    """Scale the lowest frequencies of a feature map.

    The original multiplies the centred spectrum by a mask that is `tanh(raw) + 1` on the frequencies {-1, 0} x {-1, 0}
    and 1 elsewhere, and keeps the real part. Four plane waves do the same without a Fourier transform.

    Args:
        skip: `[B, C, H, W]`.
        raw: `[1]`, before the tanh.

    Returns:
        `[B, C, H, W]` in the dtype of `skip`, computed in float32.
    """
    height, width = skip.shape[-2:]
    x = skip.float()
    y_axis = torch.arange(height, device=x.device, dtype=torch.float32) / height
    x_axis = torch.arange(width, device=x.device, dtype=torch.float32) / width
    low = torch.zeros_like(x)
    for p in (-1, 0) if height > 1 else (0,):
        for q in (-1, 0) if width > 1 else (0,):
            phase = 2 * math.pi * (p * y_axis[:, None] + q * x_axis[None, :])
            wave, quadrature = phase.cos(), phase.sin()
            a = (x * wave).sum((-2, -1), keepdim=True)
            b = (x * quadrature).sum((-2, -1), keepdim=True)
            low = low + (a * wave + b * quadrature) / (height * width)
    return (x + (_gain(raw) - 1) * low).to(skip.dtype)


class ScaleU(ModelMixin, ConfigMixin):
    """The scales of all blocks of the decoder, in the order in which they run."""

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, widths: Sequence[int] = (1280,) * 7 + (640,) * 3 + (320,) * 2) -> None:
        """Make scales that change nothing yet.

        Args:
            widths: Channels of the backbone features that enter each block.
        """
        super().__init__()
        self.backbone = nn.ParameterList([nn.Parameter(torch.zeros(width)) for width in widths])
        self.skip = nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in widths])

    def forward(self, block: int, joined: Tensor) -> Tensor:
        """Scale what enters a block of the decoder.

        Args:
            block: Which one, 0 is the deepest.
            joined: `[B, C, H, W]`, backbone features and skip connection one after the other.

        Returns:
            The same shape.
        """
        width = len(self.backbone[block])
        backbone, skip = joined[:, :width], joined[:, width:]
        # The scales are no part of the U-Net, so they do not move with it when models are offloaded.
        b, s = self.backbone[block].to(joined.device), self.skip[block].to(joined.device)
        scaled = (backbone.float() * _gain(b)[:, None, None]).to(joined.dtype)
        return torch.cat([scaled, scale_skip(skip, s)], dim=1)

    def attach(self, unet: Any) -> list[RemovableHandle]:
        """Let every residual block of a U-Net's decoder be preceded by its scales.

        Args:
            unet: A `UNet2DConditionModel` with as many decoder blocks as there are scales.

        Returns:
            Handles whose `remove` undoes it.

        Raises:
            ValueError: If the numbers differ.
        """
        blocks = decoder_blocks(unet)
        if len(blocks) != len(self.backbone):
            raise ValueError(f"ScaleU has {len(self.backbone)} blocks, the U-Net's decoder {len(blocks)}")
        return [block.register_forward_pre_hook(_Hook(self, index)) for index, block in enumerate(blocks)]


class _Hook:
    def __init__(self, scales: ScaleU, block: int) -> None:
        self._scales, self._block = scales, block

    def __call__(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self._scales(self._block, inputs[0]), *inputs[1:])


def decoder_blocks(unet: Any) -> list[nn.Module]:
    """The residual blocks of a U-Net's decoder, deepest first."""
    return [resnet for block in unet.up_blocks for resnet in block.resnets]


def backbone_widths(unet: Any) -> list[int]:
    """Channels of the backbone features that enter each block of a U-Net's decoder, deepest first."""
    widths = []
    width = unet.mid_block.resnets[-1].out_channels
    for resnet in decoder_blocks(unet):
        widths.append(width)
        width = resnet.out_channels
    return widths
