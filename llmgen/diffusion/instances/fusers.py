"""What a stock gated U-Net needs besides its weights: tokens that come ready-made, and a strength of its fusers.

Source: InstanceDiffusion (Wang et al., CVPR 2024), section 3.2; scheduled sampling is that of GLIGEN (Li et al. 2023).
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from diffusers.models.attention import GatedSelfAttentionDense
from torch import Tensor, nn

from llmgen.diffusion.instances.masked_attention import MaskedProcessor, allowed_pairs


def gated_fusers(unet: Any) -> list[GatedSelfAttentionDense]:
    """The fusers of a U-Net, in the order of its modules."""
    return [module for module in unet.modules() if isinstance(module, GatedSelfAttentionDense)]


class TokenPassage(nn.Module):
    """Stands where a GLIGEN U-Net turns boxes into tokens, and hands on tokens that were made before.

    With masks of the instances it also tells the fusers which tokens may see each other.
    """

    def __init__(self) -> None:
        """Make the passage; it has no parameters."""
        super().__init__()
        self.allowed: Tensor | None = None
        self.masks_attention = False

    def forward(self, objs: Tensor, att_masks: Tensor | None = None) -> Tensor:
        """Hand on the tokens.

        Args:
            objs: `[B, 4 N + T, D]` tokens of UniFusion.
            att_masks: `[B, N, H, W]`, boolean, as `instance_masks` makes them; without them nothing is masked.

        Returns:
            `objs`.

        Raises:
            ValueError: If there are masks but `enable_masked_attention` was not called.
        """
        if att_masks is not None and not self.masks_attention:
            raise ValueError("masks of instances were given to a U-Net without masked attention")
        self.allowed = None if att_masks is None else allowed_pairs(att_masks, objs.shape[1])
        return objs


def attach_grounding(unet: Any) -> TokenPassage:
    """Let a U-Net take tokens: `cross_attention_kwargs={"gligen": {"objs": tokens}}`.

    Args:
        unet: A `UNet2DConditionModel` of attention type "gated". Its own position net, GLIGEN's, is dropped.

    Returns:
        What stands in the place of the position net.

    Raises:
        ValueError: If the U-Net has no fusers, so that tokens would change nothing.
    """
    if not gated_fusers(unet):
        raise ValueError('the U-Net has no fusers; build it with attention_type="gated"')
    unet.position_net = TokenPassage()
    return unet.position_net


def enable_masked_attention(unet: Any) -> None:
    """Let the fusers of a U-Net obey masks of instances: the key `att_masks` beside `objs`.

    Args:
        unet: After `attach_grounding`. Without masks it does what it did before.
    """
    passage = unet.position_net
    passage.masks_attention = True
    for fuser in gated_fusers(unet):
        fuser.attn.set_processor(MaskedProcessor(passage))


@contextlib.contextmanager
def fuser_scale(unet: Any, scale: float) -> Iterator[None]:
    """Run a U-Net with fusers of another strength.

    Args:
        unet: A gated U-Net.
        scale: Lambda in 0..1, a factor of both gates of every fuser. With 0 the fusers are skipped, not multiplied away.

    Yields:
        Nothing; afterwards the fusers are as they were.

    Raises:
        ValueError: If the scale is outside 0..1.
    """
    if not 0 <= scale <= 1:
        raise ValueError(f"the scale of the fusers is a number from 0 to 1, not {scale}")
    fusers = gated_fusers(unet)
    before = [fuser.enabled for fuser in fusers]
    hooks = []
    try:
        for fuser in fusers:
            fuser.enabled = scale > 0
            if 0 < scale < 1:
                # Each gate is a factor of what its branch gives, so scaling the branch scales the gate.
                hooks += [branch.register_forward_hook(_Scaled(scale)) for branch in (fuser.attn, fuser.ff)]
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for fuser, enabled in zip(fusers, before, strict=True):
            fuser.enabled = enabled


class _Scaled:
    def __init__(self, scale: float) -> None:
        self._scale = scale

    def __call__(self, _module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output * self._scale
