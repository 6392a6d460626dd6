"""The loop: two prompts denoised in one batch from one noise, several pictures at once.

A candidate run has no boxes. A correcting run moves the latents of the full prompt down the slope of the energy before each of the first
steps, and suppresses words.

Source: ReCorD (Lin et al. 2024).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from llmgen.diffusion.guidance import layer_grid
from llmgen.diffusion.interaction.control import Borrowing, Control, Enough, controlled
from llmgen.diffusion.interaction.energy import pair_energy
from llmgen.diffusion.interaction.layers import read_layers
from llmgen.diffusion.interaction.passes import ROWS, GuidedPass, PairSettings, Row, guided_passes
from llmgen.diffusion.latents import make_noise
from llmgen.diffusion.sampling import Levels, ddim_step
from llmgen.errors import ModelError

Watch = Callable[[int, Tensor, Tensor], None]
"""Told after each step: its index and the latents of the intransitive and of the full prompts, `[pictures, c, h, w]`."""


@dataclass(frozen=True)
class PairText:
    """What a pair of prompts is to the model, rows `u0, u1, c0, c1`.

    Attributes:
        states: Token states `[4, tokens, width]`.
        added: What SDXL needs besides: name to `[4, ...]`.
    """

    states: Tensor
    added: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """One picture to draw.

    Attributes:
        text: Of its prompts.
        noise: Both prompts begin with it, `float32[c, h, w]`.
        borrowing: What the full prompt takes from the intransitive one.
    """

    text: PairText
    noise: Tensor
    borrowing: Borrowing


@dataclass
class Drawn:
    """What a run made of its pictures.

    Attributes:
        latents: Of the full prompts, `[pictures, c, h, w]`.
        first_latents: Of the intransitive prompts; unfinished unless it was asked for.
        attention: Averaged attention of each object's word before the last step, `[pictures, rows, columns]`; None if it was not
            asked for, or there is no step before the last.
        energies: For each picture its energy before each step.
    """

    latents: Tensor
    first_latents: Tensor
    attention: Tensor | None = None
    energies: list[list[float]] = field(default_factory=list)


def pair_noise(seed: int, shape: tuple[int, int, int], *, second_draw: bool) -> Tensor:
    """The noise that both prompts begin with.

    Args:
        seed: Of the picture.
        shape: Channels, rows and columns.
        second_draw: Take the second of two draws, as the published SDXL code does (Q5); the first is that of a single picture.
    """
    return make_noise(seed, (2, *shape))[int(second_draw)]


class PairSampler:
    """Draws pairs of prompts with one U-Net.

    Args:
        unet: A `UNet2DConditionModel` whose weights are frozen.
        levels: Noise levels, as many steps as the settings have.
        settings: Constants.

    Attributes:
        calls: Rows of latents that the U-Net has worked on, gradient passes included.

    Raises:
        ModelError: If the U-Net has no cross-attention.
    """

    def __init__(self, unet: Any, levels: Levels, settings: PairSettings) -> None:
        self.unet, self.levels, self.settings = unet, levels, settings
        self.layers = read_layers(unet, settings)
        self.calls = 0

    @torch.no_grad()
    def draw(
        self,
        pairs: Sequence[Pair],
        *,
        box_rows: tuple[Row, ...] = (),
        keep_first: bool = False,
        watch: Watch | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> Drawn:
        """Draw pictures in one batch; either all or none of them have boxes.

        Args:
            pairs: What to draw.
            box_rows: Rows whose attention to the object's word is read; none by default.
            keep_first: Finish the pictures of the intransitive prompts, too.
            watch: Shown the latents after each step.
            told: Called after each step.

        Raises:
            InputError: If a box covers no cell of the attention.
        """
        latents = torch.stack([pair.noise for pair in pairs]).to(pairs[0].text.states.device)
        first = latents
        borrowing = [pair.borrowing for pair in pairs]
        correcting = any(each.words for each in borrowing)
        control = Control(self.layers, self.settings, borrowing, (latents.shape[2], latents.shape[3]), box_rows)
        drawn = Drawn(latents, first, energies=[[] for _ in pairs])
        all_rows = set(box_rows) - {"u1", "c1"} != set()
        passes = guided_passes(self.settings, correcting=correcting, keep_first=keep_first, read_box=all_rows)
        with controlled(self.unet, control):
            for index, guided in enumerate(passes):
                if correcting and index < self.settings.altered_steps:
                    latents = self._down_the_slope(pairs, latents, index, control, drawn)
                control.begin_guided(guided, reads_box=bool(box_rows) and index == len(passes) - 2)
                first, latents = self._step(pairs, guided, first, latents, index)
                if watch is not None:
                    watch(index, first, latents)
                told()
        drawn.latents, drawn.first_latents = latents, first
        if control.box.total is not None:
            mean = control.box.mean
            drawn.attention = mean.view(len(pairs), *layer_grid(mean.shape[1], control.shape))
        return drawn

    def _step(
        self, pairs: Sequence[Pair], guided: GuidedPass, first: Tensor, latents: Tensor, index: int
    ) -> tuple[Tensor, Tensor]:
        """One guided pass and one step of DDIM; the latents of a prompt that has no row stay as they are."""
        rows = guided.rows
        output = self._call(pairs, rows, torch.cat([latents if row.endswith("1") else first for row in rows]), index)
        by_row = dict(zip(rows, output.chunk(len(rows)), strict=True))
        steps = []
        for number, before in ((0, first), (1, latents)):
            free, wanted = (by_row.get(name) for name in (_row("u", number), _row("c", number)))
            if free is None or wanted is None:
                steps.append(before)
                continue
            steps.append(ddim_step(self.levels, free + self.settings.guidance * (wanted - free), before, index))
        return steps[0], steps[1]

    def _down_the_slope(
        self, pairs: Sequence[Pair], latents: Tensor, index: int, control: Control, drawn: Drawn
    ) -> Tensor:
        """The latents of the full prompts after one step down the slope of their energies."""
        settings = self.settings
        control.begin_gradient()
        with torch.enable_grad():
            moving = latents.detach().requires_grad_(True)
            try:
                self._call(pairs, ("c1",), moving, index)
            except Enough:
                torch.set_grad_enabled(True)
            maps = control.energy.mean.float()
            maps = maps.unflatten(1, layer_grid(maps.shape[1], control.shape))
            energies = [
                pair_energy(
                    one,
                    pair.borrowing.words,
                    top_share=settings.top_share,
                    corner_cells=settings.corner_cells,
                    least_cells=settings.least_cells,
                )
                for one, pair in zip(maps, pairs, strict=True)
            ]
            (slope,) = torch.autograd.grad(torch.stack(energies).sum(), moving)
        control.end_gradient()
        for values, energy in zip(drawn.energies, energies, strict=True):
            values.append(float(energy.detach()))
        if not bool(torch.isfinite(slope).all()):
            raise ModelError("the energy of the attention has no finite slope; use --dtype float32 or bfloat16")
        return latents - settings.step_size(index) * slope.detach()

    def _call(self, pairs: Sequence[Pair], rows: Sequence[Row], latents: Tensor, index: int) -> Tensor:
        places = [ROWS.index(row) for row in rows]
        text = torch.cat([torch.stack([pair.text.states[place] for pair in pairs]) for place in places])
        added = {
            name: torch.cat([torch.stack([pair.text.added[name][place] for pair in pairs]) for place in places])
            for name in pairs[0].text.added
        }
        self.calls += len(latents)
        output = self.unet(
            latents.to(text.dtype),
            self.levels.timesteps[index],
            encoder_hidden_states=text,
            added_cond_kwargs=added or None,
            return_dict=False,
        )[0]
        return output.to(latents.dtype)


def _row(kind: str, number: int) -> Row:
    return next(row for row in ROWS if row == f"{kind}{number}")
