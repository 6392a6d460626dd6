"""Where a word looks: the loss that brings cross-attention into the boxes of what a word names, and the measure of it.

It does not come by itself: a denoiser of this size lets its attention wander and draws as well. A small pull on the known
boxes brings it within minutes, at the same denoising loss, and without it attention can steer nothing.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from llmgen.diffusion.attention import CapturingProcessor
from llmgen.toybox.models.unet import PositionedUNet2DConditionModel
from llmgen.toybox.recipes.sampling import TextToImage, build_scheduler
from llmgen.toybox.recipes.vae import to_tensor
from llmgen.toybox.world.captions import Caption, sample_caption
from llmgen.toybox.world.scenes import SIZE, Scene, SceneObject, render_image, sample_scene
from llmgen.toybox.world.vocabulary import (
    CHARACTERS,
    CLOTHES,
    COLORS,
    FINITE,
    MOODS,
    PATTERNS,
    PLURALS,
    VERBS,
    singular,
)

_WORDS: Final = re.compile(r"[a-z]+|[^\sa-z]")
_ATTRIBUTES: Final = frozenset({*COLORS, *PATTERNS, *MOODS})
_TELLING: Final = frozenset({*VERBS, *FINITE, *FINITE.values(), *CLOTHES.values()})
_ALIVE: Final = frozenset({word for noun in CHARACTERS for word in (noun, PLURALS[noun])})
_FOLLOWING: Final = _ATTRIBUTES | _TELLING | frozenset({"in", "a", "an", "is", "are", "dressed", "with", "who"})
"""What may stand between a character and the next noun and still speaks of the character."""


def finest_layers(unet: PositionedUNet2DConditionModel) -> list[str]:
    """Names of the cross-attention layers at the latents' own resolution, way down first."""
    names = [
        f"down_blocks.0.attentions.{i}" for i in range(len(getattr(unet.down_blocks[0], "attentions", None) or ()))
    ]
    last = len(unet.up_blocks) - 1
    names += [
        f"up_blocks.{last}.attentions.{i}" for i in range(len(getattr(unet.up_blocks[last], "attentions", None) or ()))
    ]
    return [f"{name}.transformer_blocks.0.attn2" for name in names]


@dataclass(frozen=True, slots=True)
class Named:
    """A word of a caption and the objects that it names.

    Attributes:
        position: Place of its token in the tokenised caption; the start token is 0.
        objects: What it names, never empty.
        is_noun: Whether it is the noun itself and not one of its attributes.
    """

    position: int
    objects: tuple[SceneObject, ...]
    is_noun: bool


def named_words(caption: Caption, scene: Scene) -> list[Named]:
    """Nouns of a caption, and the words that belong to each, with the objects of the scene that they name.

    Args:
        caption: In words of the closed list, each of which is one token.
        scene: What it describes.

    Returns:
        In the order of the caption; nouns that are denied are left out.
    """
    words = _WORDS.findall(caption.text)
    nouns = [index for index, word in enumerate(words) if singular(word) is not None]
    found: list[Named] = []
    for order, (place, mention) in enumerate(zip(nouns, caption.mentions, strict=False)):
        if mention is None:
            continue
        objects = tuple(scene.objects[member] for member in caption.members[mention])
        begin = place
        while begin and words[begin - 1] in _ATTRIBUTES:
            begin -= 1
        end = place + 1
        limit = nouns[order + 1] if order + 1 < len(nouns) else len(words)
        if words[place] in _ALIVE:
            while end < limit and words[end] in _FOLLOWING:
                end += 1
        for index in range(begin, end):
            if index == place or words[index] in _ATTRIBUTES or words[index] in _TELLING:
                found.append(Named(index + 1, objects, index == place))
    return found


@dataclass(frozen=True, slots=True)
class Targets:
    """Words of a batch and the cells of what they name.

    Attributes:
        rows: [K] picture of each word.
        positions: [K] place of its token.
        inside: [K, h * w] share of each cell that the boxes of what it names cover, 0..1.
        nouns: [K] whether the word is a noun.
    """

    rows: Tensor
    positions: Tensor
    inside: Tensor
    nouns: Tensor


def targets_of(captions: Sequence[Caption], scenes: Sequence[Scene], grid: int, most: int) -> Targets:
    """Find the words of a batch of captions.

    Args:
        captions: Captions.
        scenes: What each describes.
        grid: Side of the attention's grid in cells.
        most: Tokens of a padded caption; words cut off by it are left out.

    Returns:
        The words that name something.
    """
    rows, positions, inside, nouns = [], [], [], []
    for row, (caption, scene) in enumerate(zip(captions, scenes, strict=True)):
        for named in named_words(caption, scene):
            if named.position >= most - 1:
                continue
            rows.append(row)
            positions.append(named.position)
            nouns.append(named.is_noun)
            inside.append(_cells(named.objects, grid))
    empty = torch.zeros(0, grid * grid)
    return Targets(
        torch.tensor(rows, dtype=torch.long),
        torch.tensor(positions, dtype=torch.long),
        torch.stack(inside) if inside else empty,
        torch.tensor(nouns, dtype=torch.bool),
    )


def _cells(objects: Sequence[SceneObject], grid: int) -> Tensor:
    edges, cell = torch.arange(grid, dtype=torch.float32), SIZE / grid
    covered = torch.zeros(grid, grid)
    for item in objects:
        x0, y0, x1, y1 = (value / cell for value in item.box_xyxy)
        across = (torch.clamp(edges + 1, max=x1) - torch.clamp(edges, min=x0)).clamp(min=0)
        down = (torch.clamp(edges + 1, max=y1) - torch.clamp(edges, min=y0)).clamp(min=0)
        covered = torch.maximum(covered, down[:, None] * across[None, :])
    return covered.flatten()


class Watch:
    """Keeps the attention of the finest layers of a denoiser while it is in use.

    Args:
        unet: The denoiser; its other layers get the plain processor, which is faster backwards on a CPU at these sizes.
    """

    def __init__(self, unet: PositionedUNet2DConditionModel) -> None:
        unet.set_attn_processor(AttnProcessor())
        self._watching = [CapturingProcessor() for _ in finest_layers(unet)]
        for name, processor in zip(finest_layers(unet), self._watching, strict=True):
            unet.get_submodule(name).set_processor(processor)

    def maps(self, targets: Targets) -> list[Tensor]:
        """Attention of the words of the last call, one a layer: [K, h * w], mean of heads."""
        rows, positions = targets.rows, targets.positions
        return [
            watching.probabilities.float().mean(1)[rows, :, positions]
            for watching in self._watching
            if watching.probabilities is not None
        ]


def mass_inside(maps: Tensor, inside: Tensor) -> Tensor:
    """Share of each map that lies inside.

    Args:
        maps: [K, cells], not negative.
        inside: [K, cells], 0..1.

    Returns:
        [K], 0..1.
    """
    return (maps * inside).sum(1) / maps.sum(1).clamp(min=1e-9)


def localisation_loss(maps: Sequence[Tensor], inside: Tensor) -> Tensor:
    """(1 - share of the attention inside the boxes)^2, mean over words and layers.

    Each layer is asked by itself, so that each can be read and steered by itself.

    Args:
        maps: [K, cells] a layer.
        inside: [K, cells].

    Returns:
        Scalar; 0 without words.
    """
    if not len(inside):
        return maps[0].sum() * 0
    return torch.stack([(1 - mass_inside(each, inside)).square().mean() for each in maps]).mean()


THIRDS: Final[dict[str, tuple[int, int]]] = {"333..667": (333, 667), "667..850": (667, 850), "850..1000": (850, 1000)}
"""Ranges of the time step that localisation is measured in."""


@torch.no_grad()
def measure_localisation(models: TextToImage, count: int = 96, seed: int = 5_000_000) -> dict[str, float]:
    """How well the noun of each object finds it, boxes withheld, by time step and layer.

    Args:
        models: With a denoiser.
        count: Held-out scenes.
        seed: Picks them.

    Returns:
        By "peak/RANGE" and "mass/RANGE" of the mean of the layers, and the same with "/LAYER" behind: the share of nouns whose
        greatest cell lies at least half inside a box of what it names; the share of the map inside, mean over nouns.
    """
    unet = models.unet
    assert unet is not None
    processors = unet.attn_processors
    watch, layers = Watch(unet), finest_layers(unet)
    rng = random.Random(f"localisation:{seed}")
    scenes = [sample_scene(rng) for _ in range(count)]
    captions = [sample_caption(rng, scene) for scene in scenes]
    device, grid = unet.device, SIZE // 8
    latents = models.vae.encoder(to_tensor([render_image(s) for s in scenes]).to(device)).float()
    latents = latents * models.vae.config.scaling_factor
    signal = build_scheduler().alphas_cumprod.to(device)
    targets, states = (
        targets_of(captions, scenes, grid, models.tokenizer.model_max_length),
        models.states([c.text for c in captions]),
    )
    chance = torch.Generator().manual_seed(seed)
    result: dict[str, float] = {}
    inside, kept = targets.inside.to(device), targets.nouns.to(device)
    for name, (low, high) in THIRDS.items():
        times = torch.randint(low, high, (count,), generator=chance).to(device)
        alpha = signal[times][:, None, None, None]
        noise = torch.randn(latents.shape, generator=chance).to(device)
        unet(alpha.sqrt() * latents + (1 - alpha).sqrt() * noise, times, states)
        maps = watch.maps(targets)
        named = {
            "": torch.stack(maps).mean(0),
            **{f"/{layer.split('.transformer')[0]}": m for layer, m in zip(layers, maps, strict=True)},
        }
        for suffix, each in named.items():
            peaks = inside[torch.arange(len(each)), each.argmax(1)] >= 0.5
            result[f"peak/{name}{suffix}"] = float(peaks[kept].float().mean())
            result[f"mass/{name}{suffix}"] = float(mass_inside(each, inside)[kept].mean())
    unet.set_attn_processor(processors)
    return result
