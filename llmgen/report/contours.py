"""The outline of a mask as SVG path data."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from llmgen.artifacts import Mask
from llmgen.vision.masks import BoolMask, cell_coverage, decode_mask

_MOST_CELLS: Final = 256
"""Cells along the longer side: a report shows pictures no larger than some hundred pixels."""
_MOST_EDGES: Final = 12_000
"""Sides of cells in one outline; a mask that is all holes is drawn coarser."""

_Cell = tuple[int, int]


def outline(mask: Mask, scale_xy: tuple[float, float]) -> str:
    """Path data around a mask's pixels, holes included; for `fill-rule: evenodd`.

    Args:
        mask: A mask that decodes and is not empty.
        scale_xy: Pixels of the picture for one pixel of the mask, along x and y.
    """
    pixels = decode_mask(mask)
    height, width = pixels.shape
    # Averages over all pixels of a very large mask would take gigabytes.
    step = max(1, max(height, width) // (4 * _MOST_CELLS))
    sampled = pixels[::step, ::step]
    pixels = sampled if sampled.any() else pixels
    factor = -(-max(pixels.shape) // _MOST_CELLS)
    cells = _coarser(pixels, factor)
    while (edges := _edges(cells)).shape[0] > _MOST_EDGES:
        factor *= 2
        cells = _coarser(pixels, factor)
    # The last row and column may be partial: cells stretch so that they cover the mask exactly.
    x_unit, y_unit = width / cells.shape[1] * scale_xy[0], height / cells.shape[0] * scale_xy[1]
    return "".join(_path(loop, x_unit, y_unit) for loop in _loops(edges))


def _coarser(pixels: BoolMask, factor: int) -> BoolMask:
    if factor == 1:
        return pixels
    rows, columns = (max(1, round(side / factor)) for side in pixels.shape)
    covered = cell_coverage(pixels, rows, columns)
    half = covered >= 0.5
    # A line thinner than half a cell must not vanish.
    return half if half.any() else covered > 0


def _edges(cells: BoolMask) -> NDArray[np.int64]:
    """Sides between cells inside and outside, clockwise around the inside: `int[n, 4]` of x, y from and x, y to."""
    framed = np.pad(cells, 1)
    inside = framed[1:-1, 1:-1]
    sides = []
    for neighbour, start, end in (
        (framed[:-2, 1:-1], (0, 0), (1, 0)),
        (framed[1:-1, 2:], (1, 0), (1, 1)),
        (framed[2:, 1:-1], (1, 1), (0, 1)),
        (framed[1:-1, :-2], (0, 1), (0, 0)),
    ):
        ys, xs = np.nonzero(inside & ~neighbour)
        sides.append(np.stack([xs + start[0], ys + start[1], xs + end[0], ys + end[1]], axis=1))
    return np.concatenate(sides)


def _loops(edges: NDArray[np.int64]) -> Iterator[list[_Cell]]:
    """Closed walks along the edges, by their corners."""
    ways: dict[_Cell, list[_Cell]] = {}
    for x0, y0, x1, y1 in edges.tolist():
        ways.setdefault((x0, y0), []).append((x1, y1))
    for first, onward in ways.items():
        while onward:
            at, corners = first, [first]
            # Each corner has as many ways in as out, so the walk ends where it began.
            while True:
                ahead = ways[at].pop()
                if len(corners) > 1 and _straight(corners[-2], corners[-1], ahead):
                    corners[-1] = ahead
                else:
                    corners.append(ahead)
                at = ahead
                if at == first:
                    break
            yield corners


def _straight(a: _Cell, b: _Cell, c: _Cell) -> bool:
    return a[0] == b[0] == c[0] or a[1] == b[1] == c[1]


def _path(corners: list[_Cell], x_unit: float, y_unit: float) -> str:
    (x, y), *rest = corners
    parts = [f"M{_short(x * x_unit)} {_short(y * y_unit)}"]
    for nx, ny in rest[:-1]:
        parts.append(f"H{_short(nx * x_unit)}" if ny == y else f"V{_short(ny * y_unit)}")
        x, y = nx, ny
    return "".join(parts) + "z"


def _short(value: float) -> str:
    text = f"{value:.1f}"
    return text.removesuffix(".0")
