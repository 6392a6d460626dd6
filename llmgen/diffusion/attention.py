"""Cross-attention made visible: probabilities of a few layers, only while somebody looks.

Capturing replaces the fused attention of the listed layers by an explicit one. All other layers, and these at all other times, stay fused.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor


class CapturingProcessor:
    """Cross-attention that keeps its probabilities.

    Attributes:
        probabilities: `[b, heads, cells, tokens]` of the last call, or None; `cells` is the layer's grid, row by row.
    """

    def __init__(self) -> None:
        self.probabilities: Tensor | None = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """The computation of diffusers' `AttnProcessor` for token sequences."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        batch = hidden_states.shape[0]
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(context))
        value = attn.head_to_batch_dim(attn.to_v(context))
        probabilities = attn.get_attention_scores(query, key, attention_mask)
        self.probabilities = probabilities.unflatten(0, (batch, attn.heads))
        return attn.to_out[1](attn.to_out[0](attn.batch_to_head_dim(probabilities @ value)))


def guidance_layers(unet: Any) -> list[str]:
    """Names of the layers whose cross-attention steers: the middle block, and the first block on the way up that has attention.

    For Stable Diffusion 1 these are mid-0, up-1-0, up-1-1 and up-1-2, as in LMD and SLD.
    """
    names: list[str] = []
    if getattr(unet.mid_block, "attentions", None):
        names += [f"mid_block.attentions.{i}" for i in range(len(unet.mid_block.attentions))]
    for number, block in enumerate(unet.up_blocks):
        if getattr(block, "attentions", None):
            names += [f"up_blocks.{number}.attentions.{i}" for i in range(len(block.attentions))]
            break
    return [f"{name}.transformer_blocks.0.attn2" for name in names]


def lowest_layers(unet: Any) -> list[str]:
    """Names of the cross-attention layers of the coarsest grid that both ways share, first down, then up; not the middle block.

    For Stable Diffusion 1 these are down-2-0, down-2-1, up-1-0, up-1-1 and up-1-2, all 16x16 for 512 pixels, as in BoxDiff.
    """
    names: list[str] = []
    for side, blocks in (("down", list(enumerate(unet.down_blocks))[::-1]), ("up", list(enumerate(unet.up_blocks)))):
        for number, block in blocks:
            if getattr(block, "attentions", None):
                names += [f"{side}_blocks.{number}.attentions.{i}" for i in range(len(block.attentions))]
                break
    return [f"{name}.transformer_blocks.0.attn2" for name in names]


@contextmanager
def capture_attention(unet: Any, layers: Sequence[str]) -> Iterator[dict[str, CapturingProcessor]]:
    """Watch the cross-attention of some layers.

    Args:
        unet: A `UNet2DConditionModel`.
        layers: Names of `attn2` modules, such as those of `guidance_layers`.

    Yields:
        Layer name to its processor, whose `probabilities` are those of the last call.
    """
    modules = {name: unet.get_submodule(name) for name in layers}
    before = {name: module.processor for name, module in modules.items()}
    watching = {name: CapturingProcessor() for name in layers}
    try:
        for name, module in modules.items():
            module.set_processor(watching[name])
        yield watching
    finally:
        for name, module in modules.items():
            module.set_processor(before[name])
            watching[name].probabilities = None
