"""Which samples a step sees: whole epochs in an order that follows from the seed, batches of pictures of one size only."""

from collections.abc import Hashable, Sequence

import numpy as np


class EpochOrder:
    """Batches of all steps.

    Args:
        kinds: What samples of one batch must have in common, one a sample, such as the size of their latents.
        batch: Samples of a batch and process.
        seed: Of the order.
        rank: Which of the processes.
        world: How many there are.
    """

    def __init__(self, kinds: Sequence[Hashable], batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        groups: dict[Hashable, list[int]] = {}
        for index, kind in enumerate(kinds):
            groups.setdefault(kind, []).append(index)
        self._groups, self._batch, self._seed = list(groups.values()), batch, seed
        self._rank, self._world = rank, world
        self._epoch, self._batches = -1, list[list[int]]()
        self.steps_an_epoch = -(-sum(-(-len(group) // batch) for group in self._groups) // world)
        """Steps in which every sample was seen at least once."""

    def __call__(self, step: int) -> list[int]:
        """Indices of the samples of a step; the last batch of a group is filled from its beginning."""
        epoch, place = divmod(step, self.steps_an_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffled(epoch)
        return self._batches[(place * self._world + self._rank) % len(self._batches)]

    def _shuffled(self, epoch: int) -> list[list[int]]:
        rng = np.random.default_rng([self._seed, epoch])
        batches = []
        for group in self._groups:
            mixed = [group[i] for i in rng.permutation(len(group))]
            full = mixed * (-(-self._batch // len(mixed)) + 1)
            batches += [full[start : start + self._batch] for start in range(0, len(mixed), self._batch)]
        return [batches[i] for i in rng.permutation(len(batches))]
