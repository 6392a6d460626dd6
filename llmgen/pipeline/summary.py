"""The few numbers that a run ends with."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from llmgen.artifacts import Record, Score
from llmgen.artifacts.score import SCORED, SHARE, Scored, best_of, counts_successes
from llmgen.artifacts.statistics import mean_of


@dataclass(frozen=True)
class ScoreLine:
    """Mean of one metric over one kind of picture."""

    metric: str
    of: str
    """`initial`, `final`, `layout` or `detections`."""
    by: str
    mean: float
    """In the metric's unit."""
    n: int
    ci95: tuple[float, float] | None
    """Wilson's of verdicts, else a bootstrap's; None where such scores are all equal."""
    unit: str = SHARE
    best: float | None = None
    """Mean over records of their best picture, where they have several."""


def score_lines(records: Sequence[Record]) -> list[ScoreLine]:
    """Means of all scores of the records, the first picture before the last one.

    Args:
        records: As the last stage left them; those with `error` do not count.
    """
    groups: dict[tuple[str, str, Scored], list[Score]] = {}
    best: dict[tuple[str, str, Scored], list[float]] = {}
    for record in records:
        for score in (record.scores or ()) if record.error is None else ():
            groups.setdefault((score.metric, score.by, score.of), []).append(score)
        of_samples: dict[tuple[str, str, Scored], list[Score]] = {}
        for score in [score for sample in record.samples for score in sample.scores or () if record.error is None]:
            of_samples.setdefault((score.metric, score.by, score.of), []).append(score)
        for group, scores in of_samples.items():
            best.setdefault(group, []).append(best_of([score.value for score in scores], scores[0].better))
    lines = []
    for metric, by, of in sorted(groups, key=lambda g: (g[0], g[1], SCORED.index(g[2]))):
        group = metric, by, of
        unit = groups[group][0].unit
        mean = mean_of([score.value for score in groups[group]], verdicts=counts_successes(metric) and unit == SHARE)
        assert mean.value is not None
        of_best = fmean(best[group]) if group in best else None
        lines.append(ScoreLine(metric, of, by, mean.value, mean.n, mean.ci95, unit, of_best))
    return lines
