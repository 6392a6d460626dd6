"""Instance-masked attention: in the fusers, a place sees only the places and the tokens of the instances it belongs to.

The original switches it off in its released settings; so do we by default.

Source: InstanceDiffusion (Wang et al., CVPR 2024), section 3.2.
"""

from collections.abc import Collection
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from llmgen.diffusion.instances.unifusion import Format, InstanceGrounding

Orientation = Literal["corrected", "reference"]


def instance_masks(
    grounding: InstanceGrounding,
    use: Collection[Format],
    height: int,
    width: int,
    orientation: Orientation = "corrected",
) -> Tensor:
    """Boxes of the instances on the grid of the U-Net's first level.

    Args:
        grounding: Instances of B pictures.
        use: Formats that count. Where neither boxes nor masks do, nothing is masked, as in the original.
        height: Rows of the latents.
        width: Columns of the latents.
        orientation: In the original, in its training too, x counts rows and y columns; `reference` does the same.

    Returns:
        `[B, N, height, width]`, boolean: the value of `att_masks`. Without a place for an empty slot.
    """
    boxes = grounding.boxes.float()
    if use and not {"box", "mask"} & set(use):
        return torch.zeros(*boxes.shape[:2], height, width, dtype=torch.bool, device=boxes.device)
    x, y = boxes[..., 0::2, None], boxes[..., 1::2, None]
    along_rows, along_columns = (x, y) if orientation == "reference" else (y, x)
    rows = torch.arange(height, device=boxes.device)
    columns = torch.arange(width, device=boxes.device)
    row_edges, column_edges = (along_rows * height).round(), (along_columns * width).round()
    inside_rows = (rows >= row_edges[..., 0, :]) & (rows < row_edges[..., 1, :])
    inside_columns = (columns >= column_edges[..., 0, :]) & (columns < column_edges[..., 1, :])
    real = grounding.masks > 0
    return inside_rows[..., :, None] & inside_columns[..., None, :] & real[..., None, None]


def allowed_pairs(masks: Tensor, tokens: int) -> Tensor:
    """Who may look at whom among V places and the tokens of N instances.

    Two places if they share an instance, or are the same place. A place and the box or polygon token of an instance if
    the instance covers the place. Everything else always: point, scribble and segment tokens, and tokens among each other.

    Args:
        masks: `[B, N, H, W]`, boolean; V = H W. A picture without any has no pair forbidden.
        tokens: 4 N + T, boxes, points, scribbles, polygons, segments.

    Returns:
        `[B, 1, V + tokens, V + tokens]`, boolean.
    """
    covered = masks.flatten(2)
    batch, slots, places = covered.shape
    # One product instead of one outer product per slot, which is what takes the original 2 GB for a picture.
    number = covered.to(torch.float32 if covered.device.type == "cpu" else torch.float16)
    together = number.transpose(1, 2) @ number > 0
    together.diagonal(dim1=1, dim2=2).fill_(True)
    allowed = torch.ones(batch, 1, places + tokens, places + tokens, dtype=torch.bool, device=masks.device)
    allowed[:, 0, :places, :places] = together
    for first in (places, places + 3 * slots):  # boxes and polygons
        allowed[:, 0, :places, first : first + slots] = covered.transpose(1, 2)
        allowed[:, 0, first : first + slots, :places] = covered
    return allowed | ~covered.flatten(1).any(dim=1)[:, None, None, None]


class AllowedPairs(Protocol):
    """Where the pairs of the current evaluation are found."""

    allowed: Tensor | None


class MaskedProcessor:
    """Self-attention of a fuser that obeys the pairs, at the level whose number of places they are for."""

    def __init__(self, source: AllowedPairs) -> None:
        self._source = source

    def __call__(self, attn: Any, hidden_states: Tensor, **_: None) -> Tensor:
        """Attend.

        Args:
            attn: diffusers' `Attention` with plain projections.
            hidden_states: `[B, L, C]`, places, then tokens.
            **_: What `Attention` hands to every processor; a fuser sets none of it.

        Returns:
            `[B, L, C]`.
        """
        allowed = self._source.allowed
        if allowed is not None and allowed.shape[-1] != hidden_states.shape[1]:
            allowed = None
        projections = (attn.to_q, attn.to_k, attn.to_v)
        q, k, v = (p(hidden_states).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for p in projections)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, scale=attn.scale)
        return attn.to_out[0](seen.transpose(1, 2).flatten(2))
