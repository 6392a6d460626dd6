"""The attention layers of a U-Net: from which is borrowed, and whose maps are read for energy, suppression and box.

Source: ReCorD (Lin et al. 2024).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from llmgen.diffusion.attention import attention_sides
from llmgen.diffusion.interaction.passes import PairSettings
from llmgen.errors import ModelError

_WAYS = ("up_blocks", "down_blocks", "mid_block")
"""The order in which the published code joins its maps."""


@dataclass(frozen=True)
class Layer:
    """One attention layer.

    Attributes:
        name: Of its module.
        cross: Whether it attends to the text.
        borrows: Whether self-attention of its grid is borrowed.
        energy_heads: First head that is read for the energy, None for a layer that is not.
        mask_heads: The same for the suppression.
        boxed: Whether the object's box is read from it.
    """

    name: str
    cross: bool
    borrows: bool = False
    energy_heads: int | None = None
    mask_heads: int | None = None
    boxed: bool = False


def read_layers(unet: Any, settings: PairSettings) -> list[Layer]:
    """The attention layers of a U-Net and what is done to each.

    Raises:
        ModelError: If it has no cross-attention.
    """
    sides = attention_sides(unet)
    crossing = {name: side for name, side in sides.items() if name.endswith("attn2")}
    if not crossing:
        raise ModelError("the model's U-Net has no cross-attention; ReCorD borrows and steers it")
    own_side = finest_side(crossing.values(), settings.attention_grid)
    energy = _kept_heads(unet, crossing, own_side, settings)
    mask = _kept_heads(unet, crossing, finest_side(crossing.values(), settings.suppression_grid), settings)
    return [
        Layer(
            name,
            cross=name in crossing,
            borrows=side <= own_side,
            energy_heads=energy.get(name),
            mask_heads=mask.get(name),
            boxed=name in crossing and side == own_side,
        )
        for name, side in sides.items()
    ]


def finest_side(sides: Collection[float], grid: int) -> float:
    """The finest side up to a grid, else the coarsest."""
    return max((side for side in sides if side <= grid), default=min(sides))


def _kept_heads(unet: Any, crossing: dict[str, float], side: float, settings: PairSettings) -> dict[str, int]:
    """Layer to its first head that is read, of the layers of one grid. Q2: the first half of all heads, joined, is dropped."""
    names = [name for way in _WAYS for name, own in crossing.items() if own == side and name.startswith(way)]
    heads = {name: int(unet.get_submodule(name).heads) for name in names}
    dropped = sum(heads.values()) // 2 if settings.quirks.half_maps else 0
    kept: dict[str, int] = {}
    for name, count in heads.items():
        if dropped < count:
            kept[name] = dropped
        dropped = max(0, dropped - count)
    return kept
