"""An interval for the mean of values that are no verdicts."""

from collections.abc import Sequence

import numpy as np

DRAWS = 2000


def bootstrap(values: Sequence[float], *, seed: int = 0) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of a mean.

    Args:
        values: One value a picture: pictures are drawn, not instances, because instances of one picture are no independent trials.
        seed: Of the draws; the same values give the same interval.

    Returns:
        Lower and upper bound; None where all values are equal, which says nothing of their spread.

    Source:
        B. Efron, Bootstrap Methods: Another Look at the Jackknife, Annals of Statistics 7 (1979).
    """
    if len(set(values)) < 2:
        return None
    sample = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(seed)
    # One draw at a time: all of them at once would take a gigabyte for a large benchmark.
    means = [sample[random.integers(len(sample), size=len(sample))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
