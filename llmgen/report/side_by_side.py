"""The table of several artifacts that were scored in the same ways: one row each, a column for each way that tells them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.artifacts import Record
from llmgen.artifacts.score import SHARE
from llmgen.report.charts import percent
from llmgen.report.summary import SCORER_WORDS, Scorer, ScoreTable, Share, score_tables

_FINAL: Final = "final"


@dataclass(frozen=True, slots=True)
class SideCell:
    """What one artifact came to, in one way of scoring.

    Attributes:
        text: The share or mean; of all pictures, where records have several.
        count: How many.
        interval: Of 95 %.
        best: The same of the best picture of each record; empty where there is one a record.
        leads: Whether no other artifact came to more.
    """

    text: str
    count: str
    interval: str
    best: str
    leads: bool


@dataclass(frozen=True, slots=True)
class SideTable:
    """The table.

    Attributes:
        columns: Metric, and who scored and in what unit.
        rows: Name of the artifact and its cells; None where it was not scored so.
        pictures: What a cell is the mean of, in words.
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[SideCell | None, ...]], ...]
    pictures: str


def side_by_side(named: Sequence[tuple[str, Sequence[Record]]]) -> tuple[SideTable | None, frozenset[Scorer]]:
    """Put artifacts beside each other.

    Args:
        named: What each is called, and its records.

    Returns:
        The table, None where they differ in nothing that was scored; and the ways of scoring that are its columns. Those in which all
        records of all artifacts score the same, such as what a reference comes to, would fill it for nothing.
    """
    tables = [{table.scorer: table for table in score_tables(records)} for _, records in named]
    scorers = [
        scorer
        for scorer in dict.fromkeys(scorer for known in tables for scorer in known)
        if len({_values(records, scorer) for _, records in named}) > 1
    ]
    if not scorers:
        return None, frozenset()
    rows = [[_cell(known.get(scorer), _best(tables, scorer)) for scorer in scorers] for known in tables]
    found = [next(known[scorer] for known in tables if scorer in known) for scorer in scorers]
    several = any(table.samples for known in tables for table in known.values())
    return (
        SideTable(
            columns=tuple((table.scorer.metric, _by(table)) for table in found),
            rows=tuple((name, tuple(cells)) for (name, _), cells in zip(named, rows, strict=True)),
            pictures="all pictures, and the best of each record" if several else "the last picture of each record",
        ),
        frozenset(scorers),
    )


def _values(records: Sequence[Record], scorer: Scorer) -> tuple[tuple[str, int, float], ...]:
    """All that records score in one way, their samples too."""
    return tuple(
        (record.id, place, score.value)
        for record in records
        for place, scores in enumerate((record.scores, *(sample.scores for sample in record.samples)))
        for score in scores or ()
        if (score.metric, score.by, score.of) == (scorer.metric, scorer.by, _FINAL)
    )


def _share(table: ScoreTable) -> Share | None:
    """What stands for an artifact: all its pictures, else the last of each record."""
    if table.samples is not None:
        return table.samples.mean
    return dict(zip(table.columns, table.overall.cells, strict=True)).get(_FINAL)


def _best(tables: Sequence[dict[Scorer, ScoreTable]], scorer: Scorer) -> float | None:
    """The best mean of all artifacts."""
    found = [
        (share.mean, known[scorer].better) for known in tables if scorer in known and (share := _share(known[scorer]))
    ]
    if not found:
        return None
    return (max if found[0][1] == "higher" else min)(mean for mean, _ in found)


def _cell(table: ScoreTable | None, leading: float | None) -> SideCell | None:
    share = _share(table) if table is not None else None
    if table is None or share is None:
        return None
    interval = ""
    if share.low is not None and share.high is not None:
        interval = f"{_text(share.low, table)} to {_text(share.high, table)}"
    return SideCell(
        text=_text(share.mean, table),
        count=f"n = {table.samples.pictures if table.samples is not None else share.n}",
        interval=interval,
        best=f"best {_text(table.samples.best.mean, table)}" if table.samples is not None else "",
        leads=share.mean == leading,
    )


def _text(value: float, table: ScoreTable) -> str:
    if table.unit == SHARE:
        return percent(value)
    return (f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}").replace("-", "\N{MINUS SIGN}")


def _by(table: ScoreTable) -> str:
    eyes = SCORER_WORDS.get(table.scorer.by, table.scorer.by)
    unit = "" if table.unit == SHARE else f", {table.unit}"
    return f"{eyes}{unit}" + ("" if table.better == "higher" else ", lower is better")
