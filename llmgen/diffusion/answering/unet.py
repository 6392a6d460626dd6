"""The editor's U-Net: that of Stable Diffusion with more input channels, for the picture that is edited."""

from typing import Any

import torch
from torch import nn


def widen_input(unet: Any) -> Any:
    """Give a text-to-image U-Net channels for the picture to edit, so that it predicts at first as if it had none.

    Args:
        unet: A `UNet2DConditionModel` whose first convolution takes the latents before anything else; changed in place. One that
            has the channels is left as it is. The picture's latents come behind the noisy ones and are as many.

    Returns:
        The U-Net.

    Source: InstructPix2Pix (Brooks et al. 2023): the weights of new channels are zero.
    """
    old, place, picture_channels = unet.conv_in, int(unet.config.in_channels), int(unet.config.out_channels)
    if place == 2 * picture_channels:
        return unet
    new = nn.Conv2d(old.in_channels + picture_channels, old.out_channels, old.kernel_size, old.stride, old.padding)
    new.to(old.weight.device, old.weight.dtype)
    with torch.no_grad():
        new.weight.zero_()
        new.weight[:, :place] = old.weight[:, :place]
        new.weight[:, place + picture_channels :] = old.weight[:, place:]
        if new.bias is not None:
            new.bias.copy_(old.bias)
    unet.conv_in = new
    unet.register_to_config(in_channels=place + picture_channels)
    return unet
