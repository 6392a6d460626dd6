"""Small statistics that `evaluate`, the end of a run and the report share."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: Draws of a bootstrap.
DRAWS = 2000

#: Two-sided 95 % quantile of the standard normal distribution.
Z_95 = 1.959963984540054


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share.

    Unlike the textbook normal interval it stays inside [0, 1] and does not shrink to nothing at 0 or n successes, which
    is where small benchmarks live.

    Args:
        successes: How many of `n` trials succeeded, from 0 to `n`.
        n: Number of trials. 0 gives `(0.0, 1.0)`: nothing is known.

    Returns:
        Lower and upper bound, each in [0, 1].

    Raises:
        ValueError: If `successes` is not in `0..n`, or `n` is negative.

    Source:
        E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22 (1927), 209-212.
    """
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"wilson needs 0 <= successes <= n, got successes={successes}, n={n}")
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    spread = Z_95 * Z_95 / n
    centre = (share + spread / 2) / (1 + spread)
    half = Z_95 / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    # At the ends the bound is exact; rounding would leave 1e-17 there.
    lower = 0.0 if successes == 0 else max(0.0, centre - half)
    upper = 1.0 if successes == n else min(1.0, centre + half)
    return lower, upper


def bootstrap(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of a mean.

    Args:
        values: One value a picture: pictures are drawn, not instances, because instances of one picture are no independent trials.

    Returns:
        Lower and upper bound, the same ones for the same values; None where there are no two different ones, which say nothing of a spread.

    Source:
        B. Efron, Bootstrap Methods: Another Look at the Jackknife, Annals of Statistics 7 (1979).
    """
    import numpy as np

    if len(set(values)) < 2:
        return None
    sample = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(0)
    # One draw at a time: all of them at once would take a gigabyte for a large benchmark.
    means = [sample[random.integers(len(sample), size=len(sample))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean of some values.

    Attributes:
        value: In the unit of the values; None of none.
        n: How many values.
        successes: How many of them are 1; None where they are not successes and failures.
        ci95: Its 95 % interval: Wilson's of successes and failures, else a bootstrap's; None where that says nothing of the spread.
    """

    value: float | None
    n: int
    successes: int | None
    ci95: tuple[float, float] | None

    def to_json(self, name: str) -> dict[str, Any]:
        """The mean under a name, `n` and `ci95`, ready for JSON."""
        return {name: self.value, "n": self.n, "ci95": list(self.ci95) if self.ci95 else None}


def mean_of(values: Sequence[float], *, verdicts: bool = False) -> Mean:
    """A mean with its 95 % interval.

    Args:
        values: One value a picture or record.
        verdicts: Whether they are right or wrong. An F1 that happens to be 0 or 1 everywhere is still no verdict, and a value between
            these makes none of all of them.
    """
    if not values:
        return Mean(None, 0, None, None)
    mean = sum(values) / len(values)
    if verdicts and all(value in (0.0, 1.0) for value in values):
        successes = round(sum(values))
        return Mean(mean, len(values), successes, wilson(successes, len(values)))
    return Mean(mean, len(values), None, bootstrap(values))


def mcnemar(pairs: Iterable[tuple[float, float]]) -> dict[str, Any]:
    """Exact McNemar test of paired verdicts.

    Args:
        pairs: Value before and after for each record; 1 is right, anything less is not.

    Returns:
        `fixed` (wrong before, right after), `broken` (the other way) and the two-sided `p_value` of the binomial test on them.

    Source:
        Q. McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 12 (1947).
    """
    verdicts = [(before >= 1, after >= 1) for before, after in pairs]
    fixed = sum(after and not before for before, after in verdicts)
    broken = sum(before and not after for before, after in verdicts)
    n, fewer = fixed + broken, min(fixed, broken)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return {"fixed": fixed, "broken": broken, "p_value": min(1.0, 2 * tail / 2**n)}
