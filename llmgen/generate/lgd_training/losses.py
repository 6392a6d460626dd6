"""The losses of LGD's training, on plain tensors.

Source: Latent-Guided Diffusion (Li et al. 2023), image-answering; section 4 of the specification.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

CODE_DROP: Final = 0.1
"""Share of the samples whose latent is replaced by the empty text before the predictive head."""
ANSWER_WEIGHT: Final = 0.1
CODE_WEIGHT: Final = 0.1
IGNORED: Final = -100


def answer_losses(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of answers: the mean over the tokens of each sample, however long the others are.

    Args:
        logits: [B, M, V].
        ids: [B, M] tokens of the answers.
        mask: [B, M], 1 for their tokens; at least one each.

    Returns:
        [B].
    """
    labels = ids.masked_fill(mask == 0, IGNORED)
    every = F.cross_entropy(logits.float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return every.sum(dim=1) / mask.sum(dim=1)


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """Mean over samples of weight above 0; 0 with its graph attached where there is none.

    Args:
        losses: [B].
        weights: [B].
    """
    return (losses * weights).sum() / weights.sum().clamp(min=1e-12) if bool(weights.any()) else losses.sum() * 0


class CodeDistances(NamedTuple):
    """Distances (1 - cosine, 0..2) of one code from its causal features."""

    positive: Tensor
    negative: Tensor

    @property
    def margin(self) -> Tensor:
        """By how much the farthest positive is farther than the nearest negative, at least 0."""
        return (self.positive.max() - self.negative.min()).clamp(min=0)


def code_distances(code: Tensor, rows: Tensor, positives: int) -> CodeDistances:
    """Compare a predictive code with causal features.

    Args:
        code: [D].
        rows: [n, D], positives first.
        positives: How many of them are, from 1 to n - 1.
    """
    distances = 1 - F.cosine_similarity(code[None], rows, dim=-1)
    return CodeDistances(distances[:positives], distances[positives:])


def code_loss(codes: Tensor, ends: Sequence[int], rows: Tensor, positives: Sequence[int]) -> Tensor:
    """Contrast causal predictive coding of a batch: the mean margin of the samples that have one.

    Args:
        codes: [B, L, D], the predictive head's of all rows of the latent.
        ends: The last row of each sample that belongs to queries or question; the code is the mean up to it.
        rows: [B, n, D] causal features, positives first.
        positives: How many of them are, for each sample; 0 gives no loss.

    Returns:
        A scalar with its graph attached, also when it is 0: every process of a training must send gradients of the same tensors.
    """
    margins = [
        code_distances(code[: end + 1].mean(dim=0), own, count).margin
        for code, end, own, count in zip(codes, ends, rows, positives, strict=True)
        if 0 < count < len(own)
    ]
    above = [margin for margin in margins if float(margin.detach()) > 0]
    return (torch.stack(above).mean() if above else codes.sum() * 0) + 0 * codes.sum()
