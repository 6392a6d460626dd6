"""The attention of a run: what is borrowed, what is suppressed, what is read; one processor for every layer.

Self-attention is borrowed as queries and keys, `softmax(Q_source K_source) V`, so that no map of it ever exists; of cross-attention only
the rows that are edited or read are made explicit. Without the savings every map is made, copied and kept, as in the published code.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from llmgen.diffusion.guidance import layer_grid
from llmgen.diffusion.interaction.alignment import bounds
from llmgen.diffusion.interaction.energy import PlacedWord, suppression_mask
from llmgen.diffusion.interaction.layers import Layer
from llmgen.diffusion.interaction.passes import GuidedPass, PairSettings, Row, Suppression
from llmgen.errors import ModelError

_MOST_STORED = 1024
"""Cells of the largest maps that the published code keeps."""
_RUNS = ("down_blocks", "mid_block", "up_blocks")


@dataclass(frozen=True)
class Borrowing:
    """What the full prompt of one picture borrows, and its words.

    Attributes:
        places: For each token its place in the intransitive prompt, -1 for none. `int64[tokens]`.
        schedule: How much of each token is borrowed, `float32[steps + 1, tokens]`; 0 for tokens of the full prompt alone.
        prompt_tokens: Tokens of the longer of the two prompts, start and end included.
        words: Objects with boxes; none for a candidate.
        watched: Tokens of the object, for its box.
    """

    places: Tensor
    schedule: Tensor
    prompt_tokens: int
    words: tuple[PlacedWord, ...] = ()
    watched: tuple[int, ...] = ()


def borrowed_cross(source: Tensor, own: Tensor, places: Tensor, share: Tensor) -> Tensor:
    """Cross-attention with the shared tokens borrowed; rows are not made to sum to 1 again.

    Args:
        source: Probabilities of the row that lends, `[..., heads, cells, tokens]`.
        own: Those of the row that borrows.
        places: Of each token in the lending prompt, broadcastable to `source`; -1 where the share is 0.
        share: How much of each token is borrowed, broadcastable.
    """
    lent = source.gather(-1, places.clamp(min=0).expand_as(source))
    return share * lent + (1 - share) * own


def suppression_factors(
    mask: Tensor, words: Sequence[PlacedWord], prompt_tokens: int, tokens: int, how: Suppression, *, once: bool
) -> Tensor:
    """What each probability is multiplied by.

    Args:
        mask: For each object a value per cell, `[objects, cells]`.
        words: The objects.
        prompt_tokens: Tokens of the longer prompt.
        tokens: All tokens.
        how: Which words are suppressed.
        once: Suppress an object's own word once, not once for every other word.

    Returns:
        `[cells, tokens]`.
    """
    factors = mask.new_ones(mask.shape[1], tokens)
    for each, word in zip(mask, words, strict=True):
        if how == "others":
            columns = [t for t in range(prompt_tokens) if t not in word.tokens]
            factors[:, columns] *= each[:, None]
        elif how == "object":
            factors[:, list(word.tokens)] *= each[:, None] ** (1 if once else prompt_tokens - 1)
    return factors


class Enough(Exception):
    """The last map of a gradient pass was read."""


@dataclass
class Sum:
    """Maps added up."""

    total: Tensor | None = None
    count: int = 0

    def add(self, maps: Tensor, count: int) -> None:
        """Add maps that are a sum of so many."""
        self.total = maps if self.total is None else self.total + maps
        self.count += count

    @property
    def mean(self) -> Tensor:
        """Their mean.

        Raises:
            ModelError: If there are none.
        """
        if self.total is None:
            raise ModelError("no attention of the object's word was read; the U-Net did not run its layers")
        return self.total / self.count


@dataclass
class Control:
    """What the processors share during a run: which pass it is, and what they have read.

    Attributes:
        layers: Of the U-Net.
        settings: Constants.
        pairs: One for each picture of the batch.
        shape: Rows and columns of the latents.
        box_rows: Rows that the object's box is read from.
        masks: Of the suppression, `[pictures, objects, rows, columns]`; None before the first gradient pass.
        stored: Every map of the current pass, without the savings.
    """

    layers: Sequence[Layer]
    settings: PairSettings
    pairs: Sequence[Borrowing]
    shape: tuple[int, int]
    box_rows: tuple[Row, ...] = ()
    masks: Tensor | None = None
    guided: GuidedPass | None = None
    reads_box: bool = False
    energy: Sum = field(default_factory=Sum)
    mask: Sum = field(default_factory=Sum)
    box: Sum = field(default_factory=Sum)
    stored: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find where the gradient pass may end."""
        order = [layer for run in _RUNS for layer in self.layers if layer.name.startswith(run)]
        self._last_energy = next(layer.name for layer in reversed(order) if layer.energy_heads is not None)
        read = [
            each for each in order if each.energy_heads is not None or self._suppresses and each.mask_heads is not None
        ]
        self._last = read[-1].name

    @property
    def _suppresses(self) -> bool:
        return self.settings.suppression != "none"

    def begin_gradient(self) -> None:
        """The next pass is a gradient pass over the full prompts alone."""
        self.guided, self.energy, self.mask, self.stored = None, Sum(), Sum(), []

    def end_gradient(self) -> None:
        """Make the suppression of the pass that was read."""
        if not self._suppresses:
            return
        # Detached: nobody asks for its slope, and a graph that hangs on it would live until the next one.
        maps = self.mask.mean.detach().float()
        rows, columns = layer_grid(maps.shape[1], self.shape)
        self.masks = torch.stack(
            [
                torch.stack(
                    [
                        suppression_mask(
                            one[:, place].view(rows, columns), row_softmax=self.settings.quirks.row_softmax
                        )
                        for place in range(one.shape[1])
                    ]
                )
                for one in maps
            ]
        )

    def begin_guided(self, guided: GuidedPass, *, reads_box: bool) -> None:
        """The next pass is this guided pass."""
        self.guided, self.reads_box, self.stored = guided, reads_box, []

    def attend(self, layer: Layer, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """The attention of one layer, `[rows, heads, cells, width]`."""
        if self.guided is None:
            return self._read(layer, query, key, value, scale)
        if layer.cross:
            return self._cross(layer, self.guided, query, key, value, scale)
        return self._self(layer, self.guided, query, key, value, scale)

    # The gradient pass --------------------------------------------------------------------------------------------

    def _read(self, layer: Layer, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        # Layers of one grid are read for both from the same head on.
        first = layer.energy_heads if layer.energy_heads is not None else layer.mask_heads
        if not self.settings.savings:
            maps = _probabilities(query, key, scale, as_published=True)
            self._keep(maps)
            if first is not None:
                self._add(layer, maps[:, first:].sum(dim=1), maps.shape[1] - first)
            return maps @ value
        if first is not None:
            # Made again for the slope, in place of being kept: these maps are cheap, and there is one for each head.
            summed = checkpoint(
                _summed, query[:, first:], key[:, first:], scale, use_reentrant=False, preserve_rng_state=False
            )
            self._add(layer, summed, query.shape[1] - first)
        if layer.name == self._last:
            raise Enough
        attended = _fused(query, key, value, scale)
        if layer.name == self._last_energy:
            # What follows is for the mask only, which needs no slope; whoever switched slopes on restores them.
            torch.set_grad_enabled(False)
            return attended.detach()
        return attended

    def _add(self, layer: Layer, maps: Tensor, heads: int) -> None:
        """Take note of the maps of one layer, `[pictures, cells, tokens]`, summed over so many heads."""
        if layer.energy_heads is not None:
            self.energy.add(maps, heads)
        if layer.mask_heads is not None and self._suppresses:
            columns = [
                torch.stack([one[:, list(word.tokens)].mean(dim=-1) for word in pair.words], dim=-1)
                for one, pair in zip(maps.detach(), self.pairs, strict=True)
            ]
            self.mask.add(torch.stack(columns), heads)

    # The guided passes --------------------------------------------------------------------------------------------

    def _rows(self, guided: GuidedPass, rows: Sequence[Row]) -> list[int]:
        """Places of some rows of all pictures in the batch."""
        count = len(self.pairs)
        return [guided.rows.index(row) * count + picture for row in rows for picture in range(count)]

    def _self(
        self, layer: Layer, guided: GuidedPass, query: Tensor, key: Tensor, value: Tensor, scale: float
    ) -> Tensor:
        first, last = (int(self.settings.steps * share) for share in bounds(self.settings.self_replace))
        lends = list(range(len(query)))
        if layer.borrows and first <= guided.schedule_row < last:
            for source, destination in guided.copies:
                for one, other in zip(self._rows(guided, (source,)), self._rows(guided, (destination,)), strict=True):
                    lends[other] = one
        if self.settings.savings:
            if lends != list(range(len(query))):
                query, key = query[lends], key[lends]
            return _fused(query, key, value, scale)
        maps = _probabilities(query, key, scale, as_published=True)[lends]
        self._keep(maps)
        return maps.to(value.dtype) @ value

    def _cross(
        self, layer: Layer, guided: GuidedPass, query: Tensor, key: Tensor, value: Tensor, scale: float
    ) -> Tensor:
        suppressed = guided.suppressed if self.masks is not None else ()
        reads = layer.boxed and self.reads_box
        touched = [
            row
            for row in guided.rows
            if not self.settings.savings
            or row in suppressed
            or (reads and row in self.box_rows)
            or any(row in copy for copy in guided.copies)
        ]
        if not touched:
            return _fused(query, key, value, scale)
        picked = self._rows(guided, touched)
        maps = _probabilities(query[picked], key[picked], scale, as_published=not self.settings.savings)
        maps = maps.unflatten(0, (len(touched), len(self.pairs)))
        by_row = dict(zip(touched, maps, strict=True))
        lent = dict(by_row)
        for source, destination in guided.copies:
            by_row[destination] = self._borrowed(lent[source], lent[destination], guided.schedule_row)
        factors = self._factors(maps) if suppressed else None
        for row in suppressed:
            by_row[row] = by_row[row] * factors
        if reads:
            self._read_box(by_row)
        made = torch.cat([by_row[row] for row in touched])
        if not self.settings.savings:
            self._keep(made)
        attended = made.to(value.dtype) @ value[picked]
        if len(picked) == len(query):
            return attended
        others = [place for place in range(len(query)) if place not in picked]
        result = torch.empty_like(query)
        result[picked] = attended
        result[others] = _fused(query[others], key[others], value[others], scale)
        return result

    def _borrowed(self, source: Tensor, own: Tensor, row: int) -> Tensor:
        places = torch.stack([pair.places for pair in self.pairs]).to(own.device)[:, None, None]
        share = torch.stack([pair.schedule[row] for pair in self.pairs]).to(own)[:, None, None]
        return borrowed_cross(source, own, places, share)

    def _factors(self, maps: Tensor) -> Tensor:
        """`[pictures, 1, cells, tokens]`."""
        assert self.masks is not None
        rows, columns = layer_grid(maps.shape[-2], self.shape)
        masks = functional.interpolate(self.masks, size=(rows, columns), mode="bilinear", align_corners=False)
        made = [
            suppression_factors(
                mask.flatten(1),
                pair.words,
                pair.prompt_tokens,
                maps.shape[-1],
                self.settings.suppression,
                once=not self.settings.quirks.row_softmax,
            )
            for mask, pair in zip(masks, self.pairs, strict=True)
        ]
        return torch.stack(made)[:, None].to(maps)

    def _read_box(self, by_row: dict[Row, Tensor]) -> None:
        chosen = torch.stack([by_row[row] for row in self.box_rows])
        columns = [
            chosen[:, picture, :, :, list(pair.watched)].mean(dim=-1).sum(dim=(0, 1)).float()
            for picture, pair in enumerate(self.pairs)
        ]
        self.box.add(torch.stack(columns), chosen.shape[0] * chosen.shape[2])

    def _keep(self, maps: Tensor) -> None:
        if maps.shape[-2] <= _MOST_STORED:
            self.stored.append(maps)


class PairProcessor:
    """Attention of token sequences, as `Control` wants it."""

    def __init__(self, control: Control, layer: Layer) -> None:
        self.control, self.layer = control, layer

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """The computation of diffusers' `AttnProcessor` for token sequences without a mask."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            made.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for made in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        attended = self.control.attend(self.layer, query, key, value, attn.scale)
        joined = attended.transpose(1, 2).flatten(2).to(hidden_states.dtype)
        return attn.to_out[1](attn.to_out[0](joined))


@contextmanager
def controlled(unet: Any, control: Control) -> Iterator[None]:
    """Let a control have all attention of a U-Net; the former processors come back, whatever happens."""
    modules = {layer.name: unet.get_submodule(layer.name) for layer in control.layers}
    before = {name: module.processor for name, module in modules.items()}
    try:
        for layer in control.layers:
            modules[layer.name].set_processor(PairProcessor(control, layer))
        yield
    finally:
        for name, module in modules.items():
            module.set_processor(before[name])
        control.stored = []


def _probabilities(query: Tensor, key: Tensor, scale: float, *, as_published: bool = False) -> Tensor:
    """Softmax of scaled scores, in float32 at least unless as published: half precision makes the energy's slope useless."""
    # The keys are scaled: they are few, and autograd would keep a second copy of scaled queries.
    scores = query @ (key * scale).transpose(-1, -2)
    if not as_published and scores.dtype in (torch.float16, torch.bfloat16):
        return scores.float().softmax(dim=-1)
    return scores.softmax(dim=-1)


def _summed(query: Tensor, key: Tensor, scale: float) -> Tensor:
    return _probabilities(query, key, scale).sum(dim=1)


def _fused(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    return functional.scaled_dot_product_attention(query, key, value, scale=scale)
