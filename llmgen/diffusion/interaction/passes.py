"""Which pass of a run does what to the attention: the schedule of ReCorD, with what looks unintended in it as switches.

A guided pass has up to four rows a picture: `u0, u1` without and `c0, c1` with the text of the intransitive and of the full prompt.
"""

from dataclasses import dataclass
from typing import Final, Literal

Row = Literal["u0", "u1", "c0", "c1"]
Suppression = Literal["others", "object", "none"]
ROWS: Final[tuple[Row, ...]] = ("u0", "u1", "c0", "c1")
_CONDITIONAL: Final[tuple[Row, ...]] = ("c0", "c1")
_FULL: Final[tuple[Row, ...]] = ("u1", "c1")
_LENDING: Final[tuple[Row, ...]] = ("u1", "c0", "c1")


@dataclass(frozen=True)
class Quirks:
    """What the published code does and probably does not mean; True is as published.

    Attributes:
        crossed_phase: Q1. In the second half of the editing passes each prompt borrows the attention of the empty prompt, in place of
            the pose of the other.
        half_maps: Q2. The first half of the maps, layers on the way up first, is left out of the energy and of the suppression.
        row_softmax: Q3. The suppression compares cells of one line of the picture only, in place of all cells; where it acts on the
            object's own word, it does so once for every other word.
        odd_steps: Q4. Candidates borrow the pose in every other step only, and later than planned.
        second_draw: Q5. SDXL begins with the second draw of the noise, where Stable Diffusion takes the first.
    """

    crossed_phase: bool = True
    half_maps: bool = True
    row_softmax: bool = True
    odd_steps: bool = True
    second_draw: bool = True


@dataclass(frozen=True)
class PairSettings:
    """Constants of a run; the defaults are those for Stable Diffusion.

    Attributes:
        steps: Denoising steps.
        guidance: Classifier-free guidance.
        altered_steps: M. So many steps, from the first, are altered.
        scale: Factor of the gradient step; it falls to its root of one half over the steps.
        self_replace: Share of the steps in which self-attention is borrowed.
        top_share: P. Share of the cells inside and outside a box that count.
        least_cells: Fewest cells that count; 0 as published, where a term with no cell is left out.
        corner_cells: L. Cells on both sides of an edge that the corner terms look at.
        attention_grid: Longest side of the maps that the energy and the box are read from, in cells at the size the U-Net was trained
            at; self-attention is borrowed up to it.
        suppression_grid: The same for the maps that the suppression is made of.
        suppression: Whether it weakens all other words (SDXL's code), the object's own word (Stable Diffusion's), or nothing.
        quirks: What is done as published.
        borrows: Whether anything is borrowed at all; else the intransitive prompt is not drawn.
        savings: Leave out what nobody reads; False computes and keeps everything, as the published code does.
    """

    steps: int = 50
    guidance: float = 7.5
    altered_steps: int = 15
    scale: float = 15.0
    self_replace: float | tuple[float, float] = 0.2
    top_share: float = 0.2
    least_cells: int = 1
    corner_cells: int = 1
    attention_grid: int = 16
    suppression_grid: int = 32
    suppression: Suppression = "object"
    quirks: Quirks = Quirks()
    borrows: bool = True
    savings: bool = True

    def step_size(self, index: int) -> float:
        """Factor on the slope at a step: `scale * sqrt` of a line from 1 to one half."""
        share = index / (self.steps - 1) if self.steps > 1 else 0.0
        return self.scale * float((1 - 0.5 * share) ** 0.5)


@dataclass(frozen=True)
class GuidedPass:
    """One guided pass.

    Attributes:
        number: s, as the published code counts: gradient passes count, too.
        rows: Those that are computed, in the order of the batch.
        copies: From which row to which the attention is copied.
        suppressed: Rows whose attention is suppressed.
    """

    number: int
    rows: tuple[Row, ...] = ROWS
    copies: tuple[tuple[Row, Row], ...] = ()
    suppressed: tuple[Row, ...] = ()

    @property
    def schedule_row(self) -> int:
        """r, the row of the word schedule."""
        return self.number // 2


def guided_passes(
    settings: PairSettings, *, correcting: bool, keep_first: bool = False, read_box: bool = False
) -> list[GuidedPass]:
    """The guided passes of a run, one a step.

    Args:
        settings: Constants.
        correcting: Whether objects have boxes; else candidates are drawn.
        keep_first: Finish the picture of the intransitive prompt, too.
        read_box: Compute all rows up to the pass before the last, from which the object's box is read.
    """
    passes = [_guided_pass(settings, index, correcting) for index in range(settings.steps)]
    if not settings.savings or keep_first:
        return passes
    # The full prompt depends on the other until it has borrowed from it for the last time.
    lending = max((i for i, each in enumerate(passes) if ("c0", "c1") in each.copies), default=-1)
    last = max(lending, settings.steps - 2) if read_box else lending
    kept = [each if index <= last else _only(each, _FULL) for index, each in enumerate(passes)]
    if 0 <= lending == last and not read_box:
        # What lends for the last time is not denoised any more, so nobody needs its row without text.
        kept[last] = _only(kept[last], _LENDING)
    return kept


def _guided_pass(settings: PairSettings, index: int, correcting: bool) -> GuidedPass:
    altered, quirks = settings.altered_steps, settings.quirks
    if not correcting and quirks.odd_steps:
        number = index
    else:
        number = 2 * index + 1 if index < altered else index + altered
    edits = number < 2 * altered and number % 2 == 1
    proper = edits and (number < altered or not quirks.crossed_phase)
    copies: tuple[tuple[Row, Row], ...] = ()
    if edits and settings.borrows:
        copies = (("c0", "c1"),) if proper else (("u0", "c0"), ("u1", "c1"))
    suppressed: tuple[Row, ...] = ()
    if correcting and (
        settings.suppression == "others" or settings.suppression == "object" and 1 < number < 2 * altered
    ):
        suppressed = _CONDITIONAL if proper else ROWS
    return GuidedPass(number, ROWS, copies, suppressed)


def _only(each: GuidedPass, rows: tuple[Row, ...]) -> GuidedPass:
    return GuidedPass(
        each.number,
        rows,
        tuple(copy for copy in each.copies if set(copy) <= set(rows)),
        tuple(row for row in each.suppressed if row in rows),
    )
