"""Which causal features one training sample is contrasted with: own rows as positives, rows of others as negatives.

Source: Latent-Guided Diffusion (Li et al. 2023), image-answering; section 5 of the specification.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from llmgen.errors import InputError

MOST_POSITIVES: Final = 4
ROWS: Final = 8
"""Of one sample, positives and negatives together."""
OTHERS: Final = 9
"""Samples that are drawn for negatives."""


def draw_others(rng: random.Random, names: Sequence[str]) -> list[str]:
    """Names of samples to take negatives from; the sample itself may be among them and is passed over later.

    Raises:
        InputError: If there are too few samples; the original stops there too.
    """
    if len(names) < OTHERS:
        raise InputError(f"the causal features are of {len(names)} samples; the contrast needs {OTHERS} or more")
    return rng.sample(list(names), OTHERS)


def causal_rows(name: str, features: Mapping[str, Tensor], others: Sequence[str]) -> tuple[Tensor, int]:
    """The rows of one sample.

    Args:
        name: Of the sample; one without features has no positives and so no loss.
        features: Sample to its rows, `[n, width]`.
        others: Samples to take negatives from, in order.

    Returns:
        `[at most 8, width]`, positives first, and how many those are.
    """
    own = [features[name][:MOST_POSITIVES]] if name in features else []
    negatives = [features[other] for other in others if other != name]
    return torch.cat([*own, *negatives])[:ROWS], len(own[0]) if own else 0
