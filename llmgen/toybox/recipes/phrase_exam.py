"""An exam for text towers: what does a phrase ask for?

Left to the pictures alone, words that are rare and alike ("striped", "dotted") get one and the same embedding: as long as the pictures
do not tell them apart the words need not, and the other way round. Asking the words directly breaks that tie within minutes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmgen.toybox.recipes.phrase_queries import NOTHING
from llmgen.toybox.world.vocabulary import COLORS, MOODS, NOUNS, PATTERNS

_ANSWERS = tuple(1 + len(words) for words in (NOUNS, COLORS, PATTERNS, MOODS))


class PhraseExam(nn.Module):
    """Reads noun, colour, pattern and mood from the embedding of a phrase; thrown away after the training."""

    def __init__(self, width: int) -> None:
        """Make the exam.

        Args:
            width: Of an embedding.
        """
        super().__init__()
        self.head = nn.Linear(width, sum(_ANSWERS))

    def forward(self, embeddings: Tensor, asked: Tensor) -> Tensor:
        """Error of what is read.

        Args:
            embeddings: [Q, width] of phrases, of any length.
            asked: [Q, 4] indices of what each asks for, as `PhraseQuery.indices`; foreign phrases are not examined.

        Returns:
            Scalar.
        """
        known = asked[:, 0] != NOTHING
        states = functional.normalize(embeddings[known].float(), dim=-1) * embeddings.shape[-1] ** 0.5
        read = self.head(states).split(_ANSWERS, dim=-1)
        errors = [functional.cross_entropy(part, asked[known, index] + 1) for index, part in enumerate(read)]
        return torch.stack(errors).sum()
