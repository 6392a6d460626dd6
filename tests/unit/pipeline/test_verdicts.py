"""What is right or wrong is so for `evaluate`, at the end of a run and in the report, and has one interval in all of them."""

import pytest

from llmgen.artifacts import Record, Score
from llmgen.artifacts.score import is_verdict
from llmgen.artifacts.statistics import bootstrap, wilson
from llmgen.evaluate.comparison import compare
from llmgen.evaluate.summary import summarize
from llmgen.pipeline.summary import score_lines
from llmgen.report.summary import Scorer, outcome, score_tables

VALUES = (1.0, 0.0, 1.0, 1.0)


def scored(metric: str) -> list[Record]:
    return [
        Record(
            kind="scores",
            id=str(number),
            prompt="a ball",
            scores=(
                Score(metric=metric, of="initial", value=0.0, by="judge"),
                Score(metric=metric, of="final", value=value, by="judge"),
            ),
        )
        for number, value in enumerate(VALUES)
    ]


@pytest.mark.parametrize(
    ("metric", "verdict"),
    [
        ("lmd", True),
        ("vqai", True),
        ("vqai.rest", True),
        ("vqai.target.right", True),
        ("hoi.subject", True),
        ("hoi.object", True),
        ("hoi.relation", True),
        ("hoi.iou", False),
        ("coco", False),
        ("pim.point", False),
        ("attributes.color", False),
        ("my-own", False),
    ],
)
def test_all_that_is_said_of_a_metric_agrees(metric: str, verdict: bool) -> None:
    records, scorer = scored(metric), Scorer(metric, "judge")
    # What another program calls its scores is right or wrong to nobody here, but zeros and ones are counted.
    counted = verdict or metric == "my-own"
    interval = wilson(3, 4) if counted else bootstrap(VALUES)
    summary = summarize(records, metric)
    (line,) = [line for line in score_lines(records) if line.of == "final"]
    cell = score_tables(records)[0].overall.cells[1]
    assert cell is not None
    assert is_verdict(metric) is verdict
    assert tuple(summary["overall"]["ci95"]) == line.ci95 == (cell.low, cell.high) == interval
    assert ("change" in summary) is counted
    assert ("fixed" in compare([("a", records), ("b", records)], metric)["rows"][1]["against"]) is counted
    assert [outcome(record, scorer) for record in records[:2]] == (["fixed", "wrong"] if verdict else ["unscored"] * 2)
