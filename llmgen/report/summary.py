"""The arithmetic of the report: pure functions from records to tables, outcomes and the success curve."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from llmgen.artifacts import Record, Score
from llmgen.artifacts.score import SCORED, SCORERS, SHARE, VERDICTS, Better, best_of, counts_successes, is_verdict
from llmgen.artifacts.statistics import mean_of

Outcome = Literal["right", "fixed", "wrong", "worse", "error", "unscored"]

OUTCOMES: Final[tuple[Outcome, ...]] = ("right", "fixed", "wrong", "worse", "error", "unscored")
_TYPES: Final = ("negation", "numeracy", "attribution", "spatial")
SCORER_WORDS: Final = {"judge": "an independent judge", "detector": "the loop's own detector", "layout": "the plan"}
"""Who scored, in words."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A way of scoring: what was computed, and who looked."""

    metric: str
    by: str

    @property
    def verdicts(self) -> bool:
        """Whether a score of 1 means right and anything less wrong."""
        return is_verdict(self.metric)


@dataclass(frozen=True, slots=True)
class Share:
    """Mean of some scores.

    Attributes:
        mean: In the unit of the scores.
        n: How many records.
        successes: How many of them scored 1; None when the scores are not successes and failures.
        low: Lower end of the 95 % interval: Wilson's for successes and failures, else a bootstrap's; None where all
            such values are equal.
        high: Its upper end.
    """

    mean: float
    n: int
    successes: int | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Scores of one group of prompts; `cells` are in the order of the table's columns."""

    type: str
    cells: tuple[Share | None, ...]


@dataclass(frozen=True, slots=True)
class SamplesShare:
    """Scores of records with several pictures: all of them, and the best of each record."""

    pictures: int
    mean: Share
    best: Share


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores by one scorer, by type; `overall` covers all types."""

    scorer: Scorer
    columns: tuple[str, ...]
    """What was scored: layout, detections, initial, final."""
    rows: tuple[ScoreRow, ...]
    overall: ScoreRow
    unit: str = SHARE
    better: Better = "higher"
    samples: SamplesShare | None = None
    """Where records have several pictures that were scored."""


@dataclass(frozen=True, slots=True)
class RoundShare:
    """Share of records whose planner was satisfied at the latest after a round."""

    round: int
    share: Share


def _rank(value: str, order: Sequence[str]) -> tuple[int, str]:
    return (order.index(value) if value in order else len(order), value)


def share(values: Sequence[float], verdicts: bool = True) -> Share:
    """Mean with its interval.

    Args:
        values: At least one score.
        verdicts: Whether they are successes and failures.
    """
    mean = mean_of(values, verdicts=verdicts)
    assert mean.value is not None
    return Share(mean.value, mean.n, mean.successes, *(mean.ci95 or (None, None)))


def scores_of(record: Record, scorer: Scorer) -> dict[str, Score]:
    """A record's scores by one scorer, keyed by what was scored; of several the latest counts."""
    return {s.of: s for s in record.scores or () if (s.metric, s.by) == (scorer.metric, scorer.by)}


def scorers(records: Sequence[Record]) -> tuple[Scorer, ...]:
    """All ways of scoring that occur: those that saw pictures first, of these verdicts, of these the judge's."""
    seen = Counter(Scorer(s.metric, s.by) for r in records for s in r.scores or ())
    looked = {Scorer(s.metric, s.by) for r in records for s in r.scores or () if s.of in ("initial", "final")}
    order = {s: (s not in looked, not s.verdicts, _rank(s.by, SCORERS), _rank(s.metric, VERDICTS)) for s in seen}
    return tuple(sorted(seen, key=order.__getitem__))


def score_tables(records: Sequence[Record]) -> tuple[ScoreTable, ...]:
    """One table for each way of scoring, the most telling first."""
    tables = []
    for scorer in scorers(records):
        scored = [(record, scores_of(record, scorer)) for record in records]
        columns = sorted({of for _, scores in scored for of in scores}, key=lambda of: _rank(of, SCORED))
        groups: dict[str, dict[str, list[float]]] = {}
        overall: dict[str, list[float]] = {}
        measures: set[tuple[str, Better]] = set()
        for record, scores in scored:
            for of, score in scores.items():
                group = score.type or record.type or "other"
                groups.setdefault(group, {}).setdefault(of, []).append(score.value)
                overall.setdefault(of, []).append(score.value)
                measures.add((score.unit, score.better))

        def row(name: str, values: dict[str, list[float]], scorer: Scorer, columns: Sequence[str]) -> ScoreRow:
            cells = (share(values[of], counts_successes(scorer.metric)) if of in values else None for of in columns)
            return ScoreRow(name, tuple(cells))

        names = sorted(groups, key=lambda name: _rank(name, _TYPES))
        rows = tuple(row(name, groups[name], scorer, columns) for name in names)
        # Scores that do not agree on what they count have no mean to show as a share.
        unit, better = next(iter(measures)) if len(measures) == 1 else ("mixed units", "higher")
        several = _samples_share(records, scorer, better)
        all_types = row("overall", overall, scorer, columns)
        tables.append(ScoreTable(scorer, tuple(columns), rows, all_types, unit, better, several))
    return tuple(tables)


def _samples_share(records: Sequence[Record], scorer: Scorer, better: Better) -> SamplesShare | None:
    several = [
        [
            score.value
            for sample in record.samples
            for score in sample.scores or ()
            if (score.metric, score.by, score.of) == (scorer.metric, scorer.by, "final")
        ]
        for record in records
    ]
    several = [values for values in several if len(values) > 1]
    if not several:
        return None
    means = share([sum(values) / len(values) for values in several], verdicts=False)
    best = share([best_of(values, better) for values in several], counts_successes(scorer.metric))
    return SamplesShare(sum(map(len, several)), means, best)


def outcome(record: Record, scorer: Scorer | None) -> Outcome:
    """What became of a record, in one word.

    A verdict of 1 is right, anything less is not. `fixed` was wrong before correction and is right after, `worse` scored less after
    than before, `wrong` is neither. Scores that are no verdicts, such as an F1, make nothing right or wrong.
    """
    if record.error is not None:
        return "error"
    scores = scores_of(record, scorer) if scorer and scorer.verdicts else {}
    if not scores:
        return "unscored"
    after = scores[max(scores, key=SCORED.index)].value
    before = scores["initial"].value if "initial" in scores and "final" in scores else after
    if after < before:
        return "worse"
    if after < 1:
        return "wrong"
    return "fixed" if before < 1 else "right"


def success_at_round(records: Sequence[Record]) -> tuple[RoundShare, ...]:
    """How many records had nothing left to correct, round by round.

    This is what the loop itself saw through its own detector, not the verdict of the judge, which never looks inside the loop. A
    record that was satisfied once stays counted; records at which no loop looked are left out.
    """
    first: list[int | None] = []
    last = 0
    for record in records:
        looked = [entry for entry in record.history if entry.satisfied is not None]
        if looked:
            last = max(last, *(entry.round for entry in looked))
            first.append(min((entry.round for entry in looked if entry.satisfied), default=None))
    if not first:
        return ()
    return tuple(
        RoundShare(number, share([float(f is not None and f <= number) for f in first])) for number in range(last + 1)
    )
