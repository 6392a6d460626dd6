"""The score tables in words: one for the verdict that leads, one for all other verdicts, one for all that are only means."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from llmgen.artifacts.score import SCORED, SHARE
from llmgen.report.charts import Dot, dot, percent
from llmgen.report.summary import SCORER_WORDS, Scorer, ScoreTable, Share

COLUMN_WORDS: Final = {"layout": "Plan", "detections": "Found", "initial": "Before", "final": "After"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a score table."""

    text: str
    count: str
    interval: str
    dot: Dot | None
    """None for what is no share and has no place between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a score table; `change` is in points, signed, and empty without a before and an after."""

    type: str
    cells: tuple[Cell | None, ...]
    change: str
    trend: str


@dataclass(frozen=True, slots=True)
class Table:
    """A score table in words."""

    title: str
    heading: str
    """Of the first column."""
    by: str
    columns: tuple[tuple[str, str], ...]
    """Key and heading."""
    rows: tuple[Row, ...]
    overall: Row | None
    """None where the rows have nothing to do with each other."""
    changes: bool
    """Whether there is a before and an after."""
    verdicts: bool
    """Whether the cells are shares of verdicts; means otherwise."""
    shares: bool = True
    """Whether all cells lie between 0 and 1."""
    samples: str = ""
    """Mean and best of all pictures, where records have several."""
    folded: bool = False
    """Whether it is looked at when asked for only."""


def make_tables(tables: Sequence[ScoreTable], *, same: bool = False) -> tuple[Table, ...]:
    """Put scores into words.

    The verdict that leads has a table of its own, by type of prompt. So has a single other one, and a single mean; more of them would push
    the pictures off the page, so they share a table, with a row for each.

    Args:
        tables: The scores.
        same: Those but for the verdict that leads are the same for all artifacts that the report shows, so that they are no comparison.
    """
    lead = leading_metric(tables)
    verdicts = [table for table in tables if table.scorer.verdicts and table.scorer.metric != lead]
    means = [table for table in tables if not table.scorer.verdicts]
    if len(means) < 2 and len(verdicts) < 2:
        return tuple(map(_table, tables))
    made = [_table(table) for table in tables if table.scorer.metric == lead]
    for title, of_all, group in (
        ("Verdicts", "Verdicts, the same for all", verdicts),
        ("Measures", "The same for all", means),
    ):
        if len(group) < 2:
            made += map(_table, group)
            continue
        shared = _shared_table(title, group)
        made.append(replace(shared, title=of_all, samples="", folded=True) if same else shared)
    return tuple(made)


def leading_metric(tables: Sequence[ScoreTable]) -> str | None:
    """The most telling metric that says right or wrong; None where there is none."""
    return next((table.scorer.metric for table in tables if table.scorer.verdicts), None)


def column_words(of: str, paired: bool) -> str:
    """What was scored, in a word."""
    return "Picture" if of == "final" and not paired else COLUMN_WORDS[of]


def headline(tables: Sequence[ScoreTable]) -> tuple[str, str, str] | None:
    """Share right before and after, and who says so; None unless verdicts lead and there is a before and an after."""
    if not tables or not tables[0].scorer.verdicts:
        return None
    pair = _before_and_after(tables[0].columns, tables[0].overall.cells)
    return (percent(pair[0].mean), percent(pair[1].mean), _by(tables[0].scorer)) if pair else None


def _before_and_after(columns: Sequence[str], cells: Sequence[Share | None]) -> tuple[Share, Share] | None:
    """The two shares that can be compared: both there, and about equally many records."""
    by_column = dict(zip(columns, cells, strict=True))
    before, after = by_column.get("initial"), by_column.get("final")
    return (before, after) if before and after and before.n == after.n else None


def _by(scorer: Scorer) -> str:
    return SCORER_WORDS.get(scorer.by, scorer.by)


def _table(table: ScoreTable) -> Table:
    changes = {"initial", "final"} <= set(table.columns)
    several = len(table.rows) > 1
    return Table(
        title=table.scorer.metric,
        heading="Type",
        by=f"scored by {_by(table.scorer)}{_unit_words(table)}",
        columns=tuple((column, column_words(column, changes)) for column in table.columns),
        rows=tuple(_row(r.type, table.columns, r.cells, table) for r in table.rows) if several else (),
        overall=_row("overall" if several else table.rows[0].type, table.columns, table.overall.cells, table),
        changes=changes,
        verdicts=table.scorer.verdicts,
        shares=table.unit == SHARE,
        samples=_samples(table),
    )


def _shared_table(title: str, tables: Sequence[ScoreTable]) -> Table:
    there = {column for table in tables for column in table.columns}
    columns = tuple(of for of in SCORED if of in there)
    changes = {"initial", "final"} <= there
    eyes = list(dict.fromkeys(_by(table.scorer) for table in tables))
    rows = []
    for table in tables:
        cells = dict(zip(table.columns, table.overall.cells, strict=True))
        name = table.scorer.metric if len(eyes) == 1 else f"{table.scorer.metric}, by {table.scorer.by}"
        name += "" if table.unit == SHARE else f" ({table.unit})"
        rows.append(_row(name, columns, [cells.get(column) for column in columns], table))
    return Table(
        title=title,
        heading="Measure",
        by=f"scored by {' and '.join(eyes)}",
        columns=tuple((column, column_words(column, changes)) for column in columns),
        rows=tuple(rows),
        overall=None,
        changes=changes,
        verdicts=tables[0].scorer.verdicts,
        shares=all(table.unit == SHARE for table in tables),
        samples=" ".join(f"{table.scorer.metric}: {_samples(table)}" for table in tables if table.samples),
    )


def _unit_words(table: ScoreTable) -> str:
    return "" if table.unit == SHARE else f", in {table.unit}, {table.better} is better"


def _samples(table: ScoreTable) -> str:
    several = table.samples
    if several is None:
        return ""
    mean, best = _cell(several.mean, table.unit), _cell(several.best, table.unit)
    return f"{several.pictures} pictures of {several.mean.n} records: mean {mean.text}, best of each {best.text}."


def _row(name: str, columns: Sequence[str], cells: Sequence[Share | None], table: ScoreTable) -> Row:
    pair = _before_and_after(columns, cells)
    shares = table.unit == SHARE
    # Shares change by points; anything else by its own unit, to the digits that are shown.
    moved = round((pair[1].mean - pair[0].mean) * 100) if pair else None
    sign = "" if moved is None else "−" if moved < 0 else "+" if moved else "±"
    better = 0 if moved is None else moved if table.better == "higher" else -moved
    trend = "" if moved is None else "down" if better < 0 else "up" if better else "level"
    change = "" if moved is None else f"{sign}{abs(moved)}" if shares else f"{sign}{abs(moved) / 100:.2f}"
    return Row(name, tuple(_cell(cell, table.unit) if cell else None for cell in cells), change, trend)


def _cell(value: Share, unit: str) -> Cell:
    place = dot(value) if unit == SHARE else None
    if value.low is None or value.high is None:
        return Cell(f"{value.mean:.2f}", f"n = {value.n}", "", place)
    if value.successes is None:
        return Cell(f"{value.mean:.2f}", f"n = {value.n}", f"{value.low:.2f}–{value.high:.2f}", place)
    interval = f"{percent(value.low).split()[0]}–{percent(value.high)}"
    return Cell(percent(value.mean), f"{value.successes} of {value.n}", interval, place)
