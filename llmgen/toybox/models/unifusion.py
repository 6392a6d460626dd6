"""UniFusion of the toybox: the tokens of the original, and a painted map beside them.

The toybox U-Net binds what is painted on its cells far sooner than what it must look up in tokens (see `unet`). For boxes
the paint is exact. For points, scribbles and masks a small network guesses, from whatever is given, what the box would
have painted; the frozen U-Net then reads it as it reads boxes.
"""

from collections.abc import Collection, Sequence
from typing import Final

import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from llmgen.diffusion.instances.unifusion import Format, InstanceGrounding, UniFusion
from llmgen.toybox.models.unet import GEOMETRY_CHANNELS, LayoutPainter, paint_boxes

_BUMP_CELLS: Final = 1.6
_POINT_CHANNELS: Final = 3
_SCRIBBLE_CHANNELS: Final = 1 + GEOMETRY_CHANNELS
_MASK_CHANNELS: Final = 1 + GEOMETRY_CHANNELS
_FLAGS: Final = 4


def _grid(cells: int, like: Tensor) -> tuple[Tensor, Tensor]:
    middle = (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) / cells
    return middle[None, :].expand(cells, cells), middle[:, None].expand(cells, cells)


def _bumps(points: Tensor, cells: int) -> tuple[Tensor, Tensor, Tensor]:
    """Round hills on the points `[M, P, 2]` as `[M, P, cells, cells]`, and each cell's offset in x and in y."""
    x, y = _grid(cells, points)
    dx = (x - points[..., 0, None, None]) * cells
    dy = (y - points[..., 1, None, None]) * cells
    return torch.exp(-(dx**2 + dy**2) / (2 * _BUMP_CELLS**2)), dx / cells * 2, dy / cells * 2


def _extent(points: Tensor) -> Tensor:
    """The box `[M, 4]` around points `[M, P, 2]`."""
    return torch.cat([points.amin(1), points.amax(1)], dim=-1)


class InstancePainter(nn.Module):
    """Guesses what the box of an instance would paint, from any of the four formats."""

    def __init__(self, cells: int, width: int) -> None:
        """Make the painter; at first it guesses nothing.

        Args:
            cells: Side of the map.
            width: Hidden channels.
        """
        super().__init__()
        self.cells = cells
        channels = GEOMETRY_CHANNELS + _POINT_CHANNELS + _SCRIBBLE_CHANNELS + _MASK_CHANNELS + _FLAGS
        self.guess = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, GEOMETRY_CHANNELS, 3, padding=1),
        )
        last = self.guess[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)

    def forward(
        self, boxes: Tensor, points: Tensor, scribbles: Tensor, segments: Tensor, use: Collection[Format]
    ) -> Tensor:
        """Paint M instances.

        Args:
            boxes: [M, 4] xyxy in 0..1.
            points: [M, 2] in 0..1.
            scribbles: [M, P, 2] in 0..1; zeros where there is none.
            segments: [M, S, S] masks; zeros where there is none.
            use: Formats that count.

        Returns:
            [M, 5, cells, cells], as `paint_boxes`.
        """
        cells, count = self.cells, len(boxes)
        ones = boxes.new_ones(count)
        has_box, has_point = ones * ("box" in use), ones * ("point" in use)
        has_scribble = (scribbles.flatten(1).sum(1) > 0).to(boxes.dtype) * ("scribble" in use)
        covered = functional.adaptive_avg_pool2d(segments[:, None].to(boxes.dtype), cells)
        has_mask = (covered.flatten(1).amax(1) > 0).to(boxes.dtype) * ("mask" in use)
        exact = paint_boxes(boxes[:, None], cells, cells)[:, 0] * has_box[:, None, None, None]
        bump, dx, dy = _bumps(points[:, None], cells)
        point = torch.stack([bump[:, 0], (bump * dx)[:, 0], (bump * dy)[:, 0]], dim=1) * has_point[:, None, None, None]
        stroke = _bumps(scribbles, cells)[0].amax(1, keepdim=True)
        around = paint_boxes(_extent(scribbles)[:, None], cells, cells)[:, 0]
        scribble = torch.cat([stroke, around], dim=1) * has_scribble[:, None, None, None]
        shape = torch.cat([covered, paint_boxes(_mask_extent(covered)[:, None], cells, cells)[:, 0]], dim=1)
        mask = shape * has_mask[:, None, None, None]
        flags = torch.stack([has_box, has_point, has_scribble, has_mask], dim=1)[..., None, None]
        seen = torch.cat([exact, point, scribble, mask, flags.expand(-1, -1, cells, cells)], dim=1)
        weight = next(self.guess.parameters())
        return exact + self.guess(seen.to(weight.dtype)).to(exact.dtype)


def _mask_extent(covered: Tensor) -> Tensor:
    """The box `[M, 4]` in 0..1 around the cells of `[M, 1, C, C]` that are covered by half."""
    inside = covered[:, 0] > 0.5
    cells = covered.shape[-1]

    def ends(along: Tensor) -> tuple[Tensor, Tensor]:
        index = torch.arange(cells, device=covered.device)
        low = torch.where(along, index, cells).amin(1)
        high = torch.where(along, index + 1, 0).amax(1)
        return low / cells, torch.maximum(high, low) / cells

    (x0, x1), (y0, y1) = ends(inside.any(1)), ends(inside.any(2))
    return torch.stack([x0, y0, x1, y1], dim=-1).to(covered.dtype)


class ToyboxUniFusion(UniFusion):
    """`UniFusion` at toybox size, with the painted map."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_dim: int = 128,
        out_dim: int = 128,
        mid_dim: int = 128,
        max_objs: int = 12,
        n_scribble_points: int = 20,
        n_polygon_points: int = 64,
        fourier_freqs: int = 16,
        seg_resize: int = 128,
        seg_tokens: int = 16,
        convnext_dims: Sequence[int] = (16, 32, 48, 64),
        convnext_depths: Sequence[int] = (1, 1, 1, 1),
        map_cells: int = 16,
        painter_dim: int = 48,
    ) -> None:
        """Make the tokenizer.

        Args:
            in_dim: As for the parent.
            out_dim: As for the parent.
            mid_dim: As for the parent.
            max_objs: As for the parent.
            n_scribble_points: As for the parent.
            n_polygon_points: As for the parent.
            fourier_freqs: As for the parent.
            seg_resize: As for the parent.
            seg_tokens: As for the parent.
            convnext_dims: As for the parent.
            convnext_depths: As for the parent.
            map_cells: Side of the painted map.
            painter_dim: Hidden channels of the painter.
        """
        super().__init__(
            in_dim, out_dim, mid_dim, max_objs, n_scribble_points, n_polygon_points,
            fourier_freqs, seg_resize, seg_tokens, convnext_dims, convnext_depths,
        )  # fmt: skip
        self.instance_painter = InstancePainter(map_cells, painter_dim)
        self.layout_painter = LayoutPainter(in_dim)

    def paint(self, grounding: InstanceGrounding, use: Collection[Format]) -> Tensor:
        """Paint the instances of B pictures, `[B, N, 5, cells, cells]`, zeros in empty slots."""
        painter, kept = self.instance_painter, frozenset(use) or frozenset({"box"})
        cells = painter.cells
        painting = grounding.boxes.new_zeros(*grounding.masks.shape, GEOMETRY_CHANNELS, cells, cells)
        there = grounding.masks > 0
        if bool(there.any()):
            scribbles = grounding.scribbles[there].unflatten(-1, (-1, 2))
            painted = painter(
                grounding.boxes[there], grounding.points[there], scribbles, grounding.segments[there], kept
            )
            painting[there] = painted.to(painting.dtype)
        return painting

    def conditioning(self, grounding: InstanceGrounding, use: Collection[Format]) -> dict[str, Tensor]:
        """Tokens, and the map under the key `map`, `[B, 32, cells, cells]`."""
        painted = self.layout_painter.compose(self.paint(grounding, use), grounding.text, grounding.masks)
        return {**super().conditioning(grounding, use), "map": painted}
