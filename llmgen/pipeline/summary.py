"""The few numbers that a run ends with."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from llmgen.artifacts import Record
from llmgen.artifacts.statistics import wilson


@dataclass(frozen=True)
class ScoreLine:
    """Mean of one metric over one kind of picture."""

    metric: str
    of: str
    """`initial`, `final`, `layout` or `detections`."""
    by: str
    mean: float
    """In [0, 1]."""
    n: int
    ci95: tuple[float, float] | None
    """Wilson interval; None where the scores are not all 0 or 1."""


def score_lines(records: Sequence[Record]) -> list[ScoreLine]:
    """Means of all scores of the records, the first picture before the last one.

    Args:
        records: As the last stage left them; those with `error` do not count.
    """
    groups: dict[tuple[str, str, str], list[float]] = {}
    for record in records:
        for score in (record.scores or ()) if record.error is None else ():
            groups.setdefault((score.metric, score.by, score.of), []).append(score.value)
    order = ("layout", "detections", "initial", "final")
    lines = []
    for metric, by, of in sorted(groups, key=lambda g: (g[0], g[1], order.index(g[2]))):
        values = groups[metric, by, of]
        binary = all(value in (0.0, 1.0) for value in values)
        interval = wilson(round(sum(values)), len(values)) if binary else None
        lines.append(ScoreLine(metric, of, by, fmean(values), len(values), interval))
    return lines
