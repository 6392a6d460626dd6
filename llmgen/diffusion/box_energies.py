"""Energies of the baselines that draw objects in boxes with a model that knows text only: backward guidance and BoxDiff."""

import torch
from torch import Tensor
from torch.nn import functional

from llmgen.diffusion.guidance import Box, GuidedPhrase, boxes_on_grid, layer_grid
from llmgen.diffusion.steering import Energy
from llmgen.errors import ModelError
from llmgen.vision.boxes import to_grid

SHARPNESS = 100.0
"""BoxDiff's factor on attention before its softmax over tokens."""
TOP_SHARE = 0.2
"""Share of the cells inside a box, and of those outside, that BoxDiff counts; at least one, where the original divides by none."""
CORNER_CELLS = 1
"""Cells on both sides of a box's edge that BoxDiff's corner terms look at."""


def ratio_energy(phrases: tuple[GuidedPhrase, ...], shape: tuple[int, int]) -> Energy | None:
    """Energy that falls as the share of a word's attention inside its boxes grows.

    For each layer, phrase and token: the mean over heads of `(1 - share inside)^2`; averaged over all of them.

    Args:
        phrases: What should be where; those without tokens are left out.
        shape: Rows and columns of the latents.

    Returns:
        The energy, None if nothing can be steered.

    Source: Training-free layout control with cross-attention guidance (Chen et al. 2023), as in LMD's repository.
    """
    kept = [phrase for phrase in phrases if phrase.tokens]
    if not kept:
        return None

    def energy(attention: dict[str, Tensor], index: int) -> Tensor:
        terms = []
        for maps in attention.values():
            rows, columns = layer_grid(maps.shape[1], shape)
            for phrase in kept:
                inside = boxes_on_grid(phrase.boxes, rows, columns).flatten().to(maps)
                words = maps[:, :, list(phrase.tokens)]
                share = (words * inside[None, :, None]).sum(dim=1) / words.sum(dim=1).clamp(min=1e-12)
                terms.append((1 - share).square().mean())
        return torch.stack(terms).mean()

    return energy


def boxdiff_energy(phrases: tuple[GuidedPhrase, ...], shape: tuple[int, int]) -> Energy | None:
    """BoxDiff's inner, outer and corner constraints on the attention averaged over layers and heads.

    Args:
        phrases: What should be where; those without tokens are left out.
        shape: Rows and columns of the latents.

    Returns:
        The energy, None if nothing can be steered.

    Source: BoxDiff (Xie et al. 2023), as in LMD's repository.
    """
    kept = [phrase for phrase in phrases if phrase.tokens]
    if not kept:
        return None

    def energy(attention: dict[str, Tensor], index: int) -> Tensor:
        layers = list(attention.values())
        if len({maps.shape[1] for maps in layers}) > 1:
            raise ModelError("boxdiff: the layers of the model's coarsest attention have different grids")
        mean = torch.stack([maps.mean(dim=0) for maps in layers]).mean(dim=0)
        return boxdiff_loss(mean, kept, layer_grid(mean.shape[0], shape))

    return energy


def boxdiff_loss(attention: Tensor, phrases: list[GuidedPhrase], grid: tuple[int, int]) -> Tensor:
    """The sum of BoxDiff's terms over all tokens of all phrases.

    Args:
        attention: Averaged map, `[cells, tokens]` in [0, 1]; the first and last token are the start and the end.
        phrases: What should be where.
        grid: Rows and columns.

    Returns:
        A number to minimise.
    """
    rows, columns = grid
    sharp = (SHARPNESS * attention[:, 1:-1]).softmax(dim=-1)
    maps = functional.pad(sharp.T.reshape(-1, 1, rows, columns), (1, 1, 1, 1), mode="reflect")
    smooth = functional.conv2d(maps, smoothing_kernel().to(maps)[None, None])[:, 0]
    total = attention.new_zeros(())
    for phrase in phrases:
        inside = boxes_on_grid(phrase.boxes, rows, columns).to(smooth)
        near_x, near_y = _edges(phrase.boxes, grid)
        for token in phrase.tokens:
            # The last token that the softmax left out belongs to no phrase.
            seen = smooth[token - 1]
            inner = _top_mean(seen * inside, int(inside.sum()))
            outer = _top_mean(seen * (1 - inside), int((1 - inside).sum()))
            across = ((seen.amax(dim=0) - inside.amax(dim=0)).abs() * near_x.to(seen)).mean()
            down = ((seen.amax(dim=1) - inside.amax(dim=1)).abs() * near_y.to(seen)).mean()
            total = total + (1 - inner).clamp(min=0) + outer + across + down
    return total


def smoothing_kernel(size: int = 3, sigma: float = 0.5) -> Tensor:
    """BoxDiff's kernel: per axis proportional to `exp(-((i - middle) / (2 sigma))^2)`, not quite a Gaussian; the sum is 1.

    Args:
        size: Odd side.
        sigma: Width in cells.

    Returns:
        `float32[size, size]`.
    """
    axis = torch.exp(-(((torch.arange(size) - (size - 1) / 2) / (2 * sigma)) ** 2))
    kernel = axis[:, None] * axis[None, :]
    return kernel / kernel.sum()


def _top_mean(values: Tensor, cells: int) -> Tensor:
    return values.flatten().topk(max(1, int(TOP_SHARE * cells))).values.mean()


def _edges(boxes: tuple[Box, ...], grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """1 for columns, and for rows, close to an edge of a box; the far edge is the first cell behind the box."""
    near_y, near_x = torch.zeros(grid[0]), torch.zeros(grid[1])
    for box in boxes:
        x0, y0, x1, y1 = to_grid(box, *grid)
        for near, edges in ((near_x, (x0, x1)), (near_y, (y0, y1))):
            for edge in edges:
                near[max(edge - CORNER_CELLS, 0) : edge + CORNER_CELLS + 1] = 1
    return near_x, near_y
