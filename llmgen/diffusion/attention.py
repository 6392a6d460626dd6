"""Cross-attention made visible: probabilities of a few layers, only while somebody looks.

Capturing replaces the fused attention of the listed layers by an explicit one. All other layers, and these at all other times, stay fused.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from llmgen.diffusion.compiling import is_compiled

Keep = Callable[[Tensor], Tensor]
"""What of the probabilities `[b, heads, cells, tokens]` of one call is kept."""


class CapturingProcessor:
    """Cross-attention that keeps its probabilities.

    Args:
        keep: What of them is kept; all by default.

    Attributes:
        probabilities: `[b, heads, cells, tokens]` of the last call, or what `keep` made of it, or None; `cells` is the layer's
            grid, row by row.
    """

    def __init__(self, keep: Keep = lambda probabilities: probabilities) -> None:
        self.keep = keep
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
        self.probabilities = self.keep(probabilities.unflatten(0, (batch, attn.heads)))
        return attn.to_out[1](attn.to_out[0](attn.batch_to_head_dim(probabilities @ value)))


_UNKNOWN_SIDE = 2.0**20
ATTENTION_GRID = 16
"""Longest side of the maps that methods read, in cells, unless told otherwise: that of Stable Diffusion 1 at 512 pixels."""


def guidance_layers(unet: Any, grid: int = ATTENTION_GRID) -> list[str]:
    """Names of the layers whose cross-attention steers: the middle block, and one block on the way up.

    For Stable Diffusion 1 these are mid-0, up-1-0, up-1-1 and up-1-2, as in LMD and SLD.

    Args:
        unet: A `UNet2DConditionModel`.
        grid: Longest side of the maps, in cells, at the size the U-Net was trained at: the block with the finest maps up to it is taken,
            or else the one with the coarsest.
    """
    middle = [f"mid_block.attentions.{i}" for i in range(len(getattr(unet.mid_block, "attentions", None) or ()))]
    return [f"{name}.transformer_blocks.0.attn2" for name in (*middle, *_block_layers(unet, "up", grid))]


def lowest_layers(unet: Any, grid: int = ATTENTION_GRID) -> list[str]:
    """Names of the cross-attention layers of one grid that both ways share, first down, then up; not the middle block.

    For Stable Diffusion 1 these are down-2-0, down-2-1, up-1-0, up-1-1 and up-1-2, all 16x16 for 512 pixels, as in BoxDiff.

    Args:
        unet: A `UNet2DConditionModel`.
        grid: As of `guidance_layers`.
    """
    names = [*_block_layers(unet, "down", grid), *_block_layers(unet, "up", grid)]
    return [f"{name}.transformer_blocks.0.attn2" for name in names]


def _block_layers(unet: Any, way: str, grid: int) -> list[str]:
    """Attention layers of the block on a way whose maps are the finest up to a grid, or else the coarsest."""
    sides = {
        number: side
        for number, (block, side) in enumerate(zip(getattr(unet, f"{way}_blocks"), _sides(unet, way), strict=True))
        if getattr(block, "attentions", None)
    }
    if not sides:
        return []
    fitting = {number: side for number, side in sides.items() if side <= grid}
    chosen = max(fitting, key=fitting.__getitem__) if fitting else min(sides, key=sides.__getitem__)
    attentions = getattr(unet, f"{way}_blocks")[chosen].attentions
    return [f"{way}_blocks.{chosen}.attentions.{i}" for i in range(len(attentions))]


def _sides(unet: Any, way: str) -> list[float]:
    """Longest side of the grid that each block works on, in cells, at the size the U-Net was trained at."""
    trained = unet.config.sample_size
    # Of a U-Net that does not say its size all maps count as too fine, so the coarsest are taken.
    side = _UNKNOWN_SIDE if trained is None else float(max(trained) if isinstance(trained, tuple | list) else trained)
    down = []
    for block in unet.down_blocks:
        down.append(side)
        side = side / 2 if block.downsamplers is not None else side
    if way == "down":
        return down
    up = []
    for block in unet.up_blocks:
        up.append(side)
        side = side * 2 if block.upsamplers is not None else side
    return up


def attention_sides(unet: Any) -> dict[str, float]:
    """Self- and cross-attention layers of a U-Net to the longest side of their grids, in cells, at the size it was trained at.

    Layers of grounding are not among them.
    """
    down = _sides(unet, "down")
    halved = unet.down_blocks[-1].downsamplers is not None
    blocks = {
        **{f"down_blocks.{number}.": side for number, side in enumerate(down)},
        "mid_block.": down[-1] / 2 if halved else down[-1],
        **{f"up_blocks.{number}.": side for number, side in enumerate(_sides(unet, "up"))},
    }
    names = [name for name, _ in unet.named_modules() if name.endswith(("attn1", "attn2"))]
    return {name: side for name in names for block, side in blocks.items() if name.startswith(block)}


def all_layers(unet: Any) -> list[str]:
    """Names of all cross-attention layers of a U-Net."""
    return [name for name, _ in unet.named_modules() if name.endswith("attn2")]


@contextmanager
def capture_attention(
    unet: Any, layers: Sequence[str], keep: Keep | None = None
) -> Iterator[dict[str, CapturingProcessor]]:
    """Watch the cross-attention of some layers.

    Args:
        unet: A `UNet2DConditionModel`.
        layers: Names of `attn2` modules, such as those of `guidance_layers`.
        keep: What is kept of a call's probabilities; all by default.

    Yields:
        Layer name to its processor, whose `probabilities` are those of the last call.
    """
    modules = {name: unet.get_submodule(name) for name in layers}
    before = {name: module.processor for name, module in modules.items()}
    watching = {name: CapturingProcessor(keep) if keep else CapturingProcessor() for name in layers}
    try:
        for name, module in modules.items():
            module.set_processor(watching[name])
        yield watching
    finally:
        for name, module in modules.items():
            module.set_processor(before[name])
            watching[name].probabilities = None


class Remembering:
    """A `predict` that remembers, for some steps, how the cells of each picture attend to one token.

    Only that token's column of the conditional rows is kept; the rest of the attention is gone when a layer has run, or, of a compiled
    U-Net, when it is through: which column it is must not be compiled in.

    Args:
        predict: A guided model that calls the U-Net once for all pictures, conditional rows last.
        unet: That U-Net.
        layers: Names of watched `attn2` modules.
        tokens: For each picture the place of its token in the tokenised prompt, or None to remember nothing of it.
        steps: How many steps are remembered, from the first.

    Attributes:
        attention: For each picture and remembered step, layer to `[heads, cells]`; empty for a picture without a token.
    """

    def __init__(
        self,
        predict: Callable[[Tensor, int, int], Tensor],
        unet: Any,
        layers: Sequence[str],
        tokens: Sequence[int | None],
        steps: int,
    ) -> None:
        self.predict, self.unet, self.layers, self.tokens, self.steps = predict, unet, layers, tokens, steps
        self.attention: list[list[dict[str, Tensor]]] = [[] for _ in tokens]

    def __call__(self, latents: Tensor, timestep: int, index: int) -> Tensor:
        """Guided model output for `latents [n, c, h, w]`."""
        if index >= self.steps:
            return self.predict(latents, timestep, index)
        late = is_compiled(self.unet)
        with capture_attention(self.unet, self.layers, None if late else self._columns) as watched:
            output = self.predict(latents, timestep, index)
            maps = {name: p.probabilities for name, p in watched.items() if p.probabilities is not None}
        if late:
            maps = {name: self._columns(probabilities) for name, probabilities in maps.items()}
        for row, (steps, token) in enumerate(zip(self.attention, self.tokens, strict=True)):
            steps.append({name: kept[row] for name, kept in maps.items()} if token is not None else {})
        return output

    def _columns(self, probabilities: Tensor) -> Tensor:
        """`[n, heads, cells]` of each picture's own token; indexing by lists copies, so that the rest is let go."""
        count = len(self.tokens)
        rows = torch.arange(len(probabilities) - count, len(probabilities))
        return probabilities[rows, :, :, torch.tensor([token or 0 for token in self.tokens])]
