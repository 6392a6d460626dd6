"""The energy that falls as the attention of an object's word fills its box, and the mask of the suppression.

Source: ReCorD (Lin et al. 2024); the energy is BoxDiff's (Xie et al. 2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from llmgen.diffusion.box_energies import SHARPNESS, smoothing_kernel
from llmgen.errors import InputError

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class PlacedWord:
    """A word and where its object should be.

    Attributes:
        tokens: Places of the noun's tokens in the full prompt; their maps are averaged.
        box: Unit box.
    """

    tokens: tuple[int, ...]
    box: Box


@dataclass(frozen=True)
class Terms:
    """The four terms of one object. `fg` and `bg` are None where the published code divides by no cell."""

    fg: Tensor | None
    bg: Tensor | None
    dx: Tensor
    dy: Tensor

    @property
    def loss(self) -> Tensor:
        """What is minimised."""
        loss = self.dx + self.dy
        if self.fg is not None:
            loss = loss + (1 - self.fg).clamp(min=0)
        return loss if self.bg is None else loss + self.bg.clamp(min=0)


def token_image(attention: Tensor, tokens: Sequence[int]) -> Tensor:
    """How much each cell belongs to a word: softmax over tokens of the sharpened attention.

    Args:
        attention: Averaged map `[rows, columns, tokens]` in [0, 1]; start token first.
        tokens: Places of the word's tokens; the first and the last of all tokens belong to no word.

    Returns:
        `[rows, columns]`.
    """
    sharp = (SHARPNESS * attention[:, :, 1:-1]).softmax(dim=-1)
    return sharp[:, :, [token - 1 for token in tokens]].mean(dim=-1)


def smoothed(image: Tensor) -> Tensor:
    """A map `[rows, columns]` after BoxDiff's 3x3 kernel, mirrored at the edges."""
    padded = functional.pad(image[None, None], (1, 1, 1, 1), mode="reflect")
    return functional.conv2d(padded, smoothing_kernel().to(image)[None, None])[0, 0]


def box_cells(box: Box, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Cells of a unit box, ends exclusive: each edge rounded half to even, none below 0.

    Returns:
        First column, first row, end column, end row; not yet checked.
    """
    x0, y0, x1, y1 = box
    return (
        max(round(x0 * columns), 0),
        max(round(y0 * rows), 0),
        max(round(x1 * columns), 0),
        max(round(y1 * rows), 0),
    )


def box_terms(image: Tensor, box: Box, *, top_share: float = 0.2, corner_cells: int = 1, least_cells: int = 1) -> Terms:
    """The terms of one object.

    Args:
        image: Smoothed map of the object's word, `[rows, columns]`.
        box: Unit box.
        top_share: Share of the cells inside, and outside, that count: the strongest.
        corner_cells: Cells on both sides of an edge that the corner terms look at.
        least_cells: Fewest cells that count, where there are any; at 0 a term with no cell is left out, as published.

    Raises:
        InputError: If the box is smaller than a cell, or ends outside the grid.
    """
    rows, columns = image.shape
    x0, y0, x1, y1 = box_cells(box, rows, columns)
    if x0 >= x1 or y0 >= y1 or x1 > columns or y1 > rows:
        shown = ", ".join(f"{side:.3g}" for side in box)
        raise InputError(f"the box [{shown}] (in shares of the sides) covers no cell of the {columns}x{rows} attention")
    inside = torch.zeros_like(image)
    inside[y0:y1, x0:x1] = 1
    fg = _top_mean(image * inside, max(int(top_share * float(inside.sum())), least_cells))
    outside = float((1 - inside).sum())
    bg = _top_mean(image * (1 - inside), max(int(top_share * outside), least_cells if outside else 0))
    near_x, near_y = _edges(x0, x1, columns, corner_cells), _edges(y0, y1, rows, corner_cells)
    dx = ((image.amax(dim=0) - inside.amax(dim=0)).abs() * near_x.to(image)).mean()
    dy = ((image.amax(dim=1) - inside.amax(dim=1)).abs() * near_y.to(image)).mean()
    return Terms(fg, bg, dx, dy)


def _top_mean(values: Tensor, count: int) -> Tensor | None:
    return values.flatten().topk(count).values.mean() if count else None


def _edges(first: int, last: int, cells: int, reach: int) -> Tensor:
    near = torch.zeros(cells)
    for edge in (first, last):
        near[max(edge - reach, 0) : edge + reach + 1] = 1
    return near


def pair_energy(
    attention: Tensor, words: Sequence[PlacedWord], *, top_share: float, corner_cells: int, least_cells: int
) -> Tensor:
    """The energy of one picture: the sum over its objects.

    Args:
        attention: Averaged map `[rows, columns, tokens]`.
        words: Objects and their boxes.
        top_share: As of `box_terms`.
        corner_cells: As of `box_terms`.
        least_cells: As of `box_terms`.
    """
    terms = [
        box_terms(
            smoothed(token_image(attention, word.tokens)),
            word.box,
            top_share=top_share,
            corner_cells=corner_cells,
            least_cells=least_cells,
        ).loss
        for word in words
    ]
    return torch.stack(terms).sum()


def suppression_mask(attention: Tensor, *, row_softmax: bool) -> Tensor:
    """What is left of a word's attention where another has taken the place.

    Args:
        attention: Averaged map of the object's word, `[rows, columns]` in [0, 1], neither smoothed nor sharpened.
        row_softmax: Compare the cells of each line of the picture only (Q3).

    Returns:
        `[rows, columns]` in [0, 1].
    """
    if row_softmax:
        return 1 - attention.softmax(dim=-1)
    return 1 - attention.flatten().softmax(dim=0).view_as(attention)
