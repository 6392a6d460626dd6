"""Where an object that was drawn alone lies, how it gets to its box, and how such objects become one start.

Source: LLM-groundedDiffusion (Lian et al. 2023), utils/latents.py and utils/utils.py.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from llmgen.vision.boxes import BoxTuple

SHIFTS = 8
"""A shift is a multiple of this share of the picture, so that it is whole cells on every grid."""


def center_box(box: BoxTuple, *, horizontal_only: bool = False, floor_padding: float | None = None) -> BoxTuple:
    """A unit box of the same size in the middle, where models draw best.

    Args:
        box: Unit box.
        horizontal_only: Keep its height above the ground.
        floor_padding: Share of the picture under it; centred from top to bottom when None.

    Returns:
        Unit box; it may stick out at the top.
    """
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    left = 0.5 - width / 2
    if horizontal_only:
        return (left, y0, left + width, y1)
    top = 0.5 - height / 2 if floor_padding is None else 1 - floor_padding - height
    return (left, top, left + width, top + height)


def mass_center(mask: Tensor) -> tuple[float, float]:
    """Mean place of the cells of a mask.

    Args:
        mask: `bool[rows, columns]`, not empty.

    Returns:
        Column and row, in cells; the first cell is 0.
    """
    rows, columns = torch.nonzero(mask, as_tuple=True)
    return float(columns.double().mean()), float(rows.double().mean())


def enclosing_box(mask: Tensor, margin: int = 1) -> tuple[int, int, int, int]:
    """The half-open box around a mask.

    Args:
        mask: `bool[rows, columns]`, not empty.
        margin: Cells added on each side, inside the grid.

    Returns:
        First column, first row, end column, end row.
    """
    rows, columns = torch.nonzero(mask, as_tuple=True)
    x0, y0 = int(columns.min()) - margin, int(rows.min()) - margin
    x1, y1 = int(columns.max()) + 1 + margin, int(rows.max()) + 1 + margin
    return (max(x0, 0), max(y0, 0), min(x1, mask.shape[1]), min(y1, mask.shape[0]))


def align_offset(mask: Tensor, box: BoxTuple, *, horizontal_only: bool = False) -> tuple[float, float]:
    """How far a drawn object is from the middle of its box, as shares of the picture: right and down.

    Args:
        mask: Where it was drawn, `bool[rows, columns]`, not empty.
        box: Where it should be, unit box.
        horizontal_only: Do not move it up or down.
    """
    column, row = mass_center(mask)
    right = (box[0] + box[2]) / 2 - column / mask.shape[1]
    down = 0.0 if horizontal_only else (box[1] + box[3]) / 2 - row / mask.shape[0]
    return right, down


def shift(values: Tensor, right: float, down: float) -> Tensor:
    """Values moved on their grid, zeros where nothing comes from.

    Args:
        values: `[..., rows, columns]`.
        right: Share of the width, quantised to eighths (half to even).
        down: Share of the height, likewise.

    Returns:
        Same shape.
    """
    rows, columns = values.shape[-2:]
    dy, dx = round(round(down * SHIFTS) * rows / SHIFTS), round(round(right * SHIFTS) * columns / SHIFTS)
    moved = torch.zeros_like(values)
    if abs(dy) >= rows or abs(dx) >= columns:
        return moved
    to_y, from_y = slice(max(dy, 0), rows + min(dy, 0)), slice(max(-dy, 0), rows + min(-dy, 0))
    to_x, from_x = slice(max(dx, 0), columns + min(dx, 0)), slice(max(-dx, 0), columns + min(-dx, 0))
    moved[..., to_y, to_x] = values[..., from_y, from_x]
    return moved


def compose_objects(layers: Sequence[tuple[Tensor, Tensor]], noise: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Objects drawn alone on one background of noise.

    At the noisiest level the whole box around each mask is pasted, at all levels the masks, the largest first.

    Args:
        layers: Trajectories `[levels, c, h, w]` with masks `bool[h, w]`.
        noise: Background at the noisiest level, `[c, h, w]`.
        levels: Levels of a trajectory.

    Returns:
        Trajectory `[levels, c, h, w]`, zeros where a later level holds nothing; and which layer a cell shows, counted from 1,
        0 for the background, `int64[h, w]`.

    Source: LMD, utils/latents.py compose_latents_with_alignment.
    """
    composed = torch.zeros(levels, *noise.shape, dtype=noise.dtype, device=noise.device)
    composed[0] = noise
    shown = torch.zeros(noise.shape[-2:], dtype=torch.int64, device=noise.device)
    order = sorted(
        (i for i, (_, mask) in enumerate(layers) if bool(mask.any())), key=lambda i: -int(layers[i][1].sum())
    )
    for i in order:
        trajectory, mask = layers[i]
        x0, y0, x1, y1 = enclosing_box(mask)
        composed[0, :, y0:y1, x0:x1] = trajectory[0, :, y0:y1, x0:x1]
    for i in order:
        trajectory, mask = layers[i]
        composed = torch.where(mask, trajectory, composed)
        shown = torch.where(mask, i + 1, shown)
    return composed, shown
