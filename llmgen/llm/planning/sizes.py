"""Sensible sizes of things."""

import random
from collections.abc import Iterable
from typing import Final

from llmgen.llm.english.lexicon import PEOPLE
from llmgen.llm.planning.placement import Canvas, Demand

SMALL: Final = (36 / 128, 40 / 128)
LARGE: Final = (50 / 128, 56 / 128)
_LARGE_SHARE: Final = (1.0, 1.0, 0.5, 0.4, 0.15)

#: Usual width over height of things that are far from square.
ASPECTS: Final[dict[str, float]] = {
    "car": 1.4, "fish": 1.4, "truck": 1.5, "bus": 1.7, "train": 2.0, "boat": 1.4, "bicycle": 1.4, "motorcycle": 1.4,
    "airplane": 1.8, "bench": 1.6, "sofa": 1.7, "couch": 1.7, "bed": 1.5, "table": 1.4, "laptop": 1.3, "dog": 1.1,
    "horse": 1.2, "cow": 1.3, "sheep": 1.3, "elephant": 1.2, "bear": 1.1, "cat": 0.95, "bowl": 1.3, "tree": 0.85,
    "palm tree": 0.7, "cup": 0.9, "chair": 0.8, "backpack": 0.85, "bottle": 0.45, "person": 0.45, "man": 0.45,
    "woman": 0.45, "boy": 0.5, "girl": 0.5, "child": 0.5, "vase": 0.6, "giraffe": 0.6, "tower": 0.4, "umbrella": 1.1,
    "fire hydrant": 0.6, "traffic light": 0.45, "wine glass": 0.5, "lamp": 0.55, "banana": 1.4, "pizza": 1.3,
}  # fmt: skip
_SIZE_WORDS: Final[dict[str, float]] = {
    "small": 0.85, "little": 0.85, "tiny": 0.75, "large": 1.15, "big": 1.15, "huge": 1.3, "giant": 1.3,
}  # fmt: skip

PEOPLE_SCALE = 1.35
"""How much larger people are planned than things: smaller ones are drawn as something else; measured by `benchmarks/toybox_people.py`."""
_ROOM_FOR_PEOPLE: Final = 3
"""Objects up to which there is room for it."""


def wished_size(noun: str, attributes: Iterable[str], total: int, canvas: Canvas, rng: random.Random) -> Demand:
    """A sensible size for an object among so many.

    Args:
        noun: Singular noun.
        attributes: Its attributes; "small" and the like count.
        total: Number of objects in the picture.
        canvas: The picture.
        rng: Source of randomness.

    Returns:
        A demand without group and preference.
    """
    low, high = LARGE if rng.random() < _LARGE_SHARE[min(total, 4)] else SMALL
    if total > 4:
        low, high = 33 / 128, 35 / 128
    longest = rng.uniform(low, high) * canvas.unit
    if total <= _ROOM_FOR_PEOPLE and noun.rpartition(" ")[2] in PEOPLE:
        longest *= PEOPLE_SCALE
    for attribute in attributes:
        longest *= _SIZE_WORDS.get(attribute, 1.0)
    longest = min(longest, 0.9 * canvas.unit)
    aspect = ASPECTS.get(noun, 1.0)
    return Demand(longest * min(1.0, aspect), longest / max(1.0, aspect))
