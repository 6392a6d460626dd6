"""The arithmetic of the report, on cases small enough to count by hand."""

from pathlib import Path

import pytest
from report_run import RunFolder, draw, records, score

from llmgen.artifacts import HistoryEntry, Record, Score
from llmgen.artifacts.statistics import wilson
from llmgen.report.charts import curve, percent
from llmgen.report.summary import Scorer, outcome, score_tables, scorers, success_at_round
from llmgen.report.tables import make_tables

JUDGE = Scorer("lmd", "judge")


def _scored(*scores: Score, type: str | None = None) -> Record:
    return Record(kind="scores", id="a", prompt="a ball", type=type, scores=scores)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(8, 10, 0.4901625, 0.9433178), (0, 10, 0.0, 0.2775328), (10, 10, 0.7224672, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilson_matches_published_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2), (0, -1)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="wilson needs"):
        wilson(successes, n)


@pytest.mark.parametrize(
    ("before", "after", "became"),
    [(1.0, 1.0, "right"), (0.0, 1.0, "fixed"), (0.0, 0.0, "wrong"), (1.0, 0.0, "worse"), (0.5, 0.75, "wrong")],
)
def test_outcome_compares_before_and_after(before: float, after: float, became: str) -> None:
    record = _scored(score("initial", before, "numeracy", ""), score("final", after, "numeracy", ""))
    assert outcome(record, JUDGE) == became


def test_outcome_without_a_before_is_right_or_wrong() -> None:
    assert outcome(_scored(score("layout", 1.0, "numeracy", "")), JUDGE) == "right"
    assert outcome(_scored(score("final", 0.0, "numeracy", "")), JUDGE) == "wrong"
    assert outcome(_scored(), JUDGE) == "unscored"
    assert outcome(_scored(), None) == "unscored"


def test_every_fate_of_the_run(tmp_path: Path) -> None:
    fates = [outcome(record, JUDGE) for record in records(RunFolder(tmp_path))]
    assert fates == ["fixed", "right", "fixed", "wrong", "worse", "error", "unscored"]


def test_tables_group_by_type_and_cover_all(tmp_path: Path) -> None:
    (table,) = score_tables(records(RunFolder(tmp_path)))
    assert table.columns == ("initial", "final")
    assert [row.type for row in table.rows] == ["negation", "numeracy", "attribution", "spatial"]
    before, after = table.overall.cells
    assert before is not None and after is not None
    assert (before.successes, before.n) == (2, 5)
    assert (after.successes, after.n) == (3, 5)
    assert (after.low, after.high) == wilson(3, 5)


def test_the_judge_leads_and_plans_come_last() -> None:
    record = _scored(
        Score(metric="lmd", of="layout", value=1.0, by="layout"),
        Score(metric="coco", of="final", value=0.4, by="detector"),
        Score(metric="lmd", of="final", value=1.0, by="detector"),
        Score(metric="lmd", of="final", value=1.0, by="judge"),
    )
    assert [(s.metric, s.by) for s in scorers([record])] == [
        ("lmd", "judge"),
        ("lmd", "detector"),
        ("coco", "detector"),
        ("lmd", "layout"),
    ]


def test_fractions_have_a_mean_and_a_bootstrap_interval_but_not_wilsons() -> None:
    (table,) = score_tables([_scored(Score(metric="coco", of="final", value=v, by="judge")) for v in (0.5, 0.25)])
    (cell,) = table.overall.cells
    assert cell is not None
    assert (cell.mean, cell.n, cell.successes) == (0.375, 2, None)
    # Of two values, a draw is one of them twice, or both.
    assert (cell.low, cell.high) == (0.25, 0.5)
    equal = score_tables([_scored(Score(metric="coco", of="final", value=0.5, by="judge")) for _ in range(2)])[0]
    assert equal.overall.cells[0] is not None and equal.overall.cells[0].low is None


def test_an_f1_of_one_is_no_verdict() -> None:
    record = _scored(Score(metric="coco", of="final", value=1.0, by="detector"))
    (table,) = score_tables([record])
    assert table.overall.cells[0] is not None and table.overall.cells[0].low is None
    assert outcome(record, Scorer("coco", "detector")) == "unscored"


def test_many_measures_share_a_table_and_one_has_its_own() -> None:
    def measured(*metrics: str) -> Record:
        means = tuple(
            Score(metric=m, of=of, value=v, by="detector")
            for m in metrics
            for of, v in (("initial", 0.25), ("final", 0.5))
            if not (m == "coco" and of == "initial")
        )
        return _scored(*means, score("initial", 0.0, "spatial", ""), score("final", 1.0, "spatial", ""))

    lmd, means = make_tables(score_tables([measured("pim.point", "coco")]))
    assert (lmd.title, lmd.heading, lmd.verdicts) == ("lmd", "Type", True)
    assert (means.title, means.heading, means.overall, means.verdicts) == ("Measures", "Measure", None, False)
    assert [(r.type, [c and c.text for c in r.cells], r.change) for r in means.rows] == [
        ("coco", [None, "0.50"], ""),
        ("pim.point", ["0.25", "0.50"], "+25"),
    ]
    assert [t.title for t in make_tables(score_tables([measured("coco")]))] == ["lmd", "coco"]
    eyes = _scored(*(Score(metric=m, of="final", value=1.0, by=by) for m, by in (("coco", "detector"), ("iou", "vlm"))))
    (both,) = make_tables(score_tables([eyes]))
    assert [r.type for r in both.rows] == ["coco, by detector", "iou, by vlm"]
    assert [words for _, words in both.columns] == ["Picture"]


def test_the_verdict_on_the_whole_leads_and_others_share_a_table() -> None:
    def seen(right: float, by: str = "detector") -> Record:
        values = {"subject": 1.0, "object": 1.0, "iou": 0.5, "verb_clip": 0.25, "relation": right}
        return _scored(
            *(Score(metric=f"hoi.{m}", of=of, value=v, by=by) for of in ("initial", "final") for m, v in values.items()),
            Score(metric="hoi.pose", of="final", value=0.1, by="a pose model", unit="heights", better="lower"),
            type="riding",
        )  # fmt: skip

    scored = [seen(1.0), seen(0.0)]
    leading = scorers(scored)[0]
    assert leading == Scorer("hoi.relation", "detector")
    assert [outcome(record, leading) for record in scored] == ["right", "wrong"]
    tables = make_tables(score_tables(scored))
    assert [(t.title, t.verdicts) for t in tables] == [("hoi.relation", True), ("Verdicts", True), ("Measures", False)]
    assert [r.type for r in tables[1].rows] == ["hoi.subject", "hoi.object"]
    assert tables[1].rows[0].cells[0] and tables[1].rows[0].cells[0].count == "2 of 2"
    assert {t.title: t.folded for t in make_tables(score_tables(scored), same=True)} == {
        "hoi.relation": False,
        "Verdicts, the same for all": True,
        "The same for all": True,
    }


def test_of_repeated_scores_the_latest_counts() -> None:
    record = _scored(score("final", 0.0, "numeracy", ""), score("final", 1.0, "numeracy", ""))
    (table,) = score_tables([record])
    assert table.overall.cells[0] is not None and table.overall.cells[0].n == 1
    assert outcome(record, JUDGE) == "right"


def test_success_stays_once_reached_and_skips_what_no_loop_saw(tmp_path: Path) -> None:
    picture = RunFolder(tmp_path).save("x", draw([]))

    def looked(*satisfied: bool | None) -> Record:
        history = tuple(
            HistoryEntry(stage="correct", round=i, image=picture, satisfied=s) for i, s in enumerate(satisfied)
        )
        return Record(kind="images", id="a", prompt="p", image=picture, history=history)

    rounds = success_at_round([looked(True), looked(False, True), looked(False, False, False), looked(None)])
    assert [(r.round, r.share.successes, r.share.n) for r in rounds] == [(0, 1, 3), (1, 2, 3), (2, 2, 3)]
    drawn = curve(rounds)
    assert drawn is not None
    assert drawn.words.replace("\N{NO-BREAK SPACE}", " ") == "drawn 33 %; round 1 67 %; round 2 67 %"
    assert success_at_round([looked(None)]) == ()
    assert curve(rounds[:1]) is None


def test_percent_rounds_halves_up() -> None:
    assert [percent(v).split()[0] for v in (0.125, 0.005, 0.994, 0.29, 1.0)] == ["13", "1", "99", "29", "100"]


def test_a_measure_that_is_no_share_has_no_place_on_the_strip_and_falls_when_it_should() -> None:
    def distance(of: str, value: float) -> Score:
        return Score(metric="reach", of=of, value=value, unit="px", better="lower", by="pose")  # type: ignore[arg-type]

    (table,) = make_tables(score_tables([_scored(distance("initial", 12.0), distance("final", 4.5))]))
    assert table.overall is not None and not table.shares
    assert [cell.dot for cell in table.overall.cells if cell] == [None, None]
    assert (table.overall.change, table.overall.trend) == ("−7.50", "up")
    assert "in px, lower is better" in table.by
