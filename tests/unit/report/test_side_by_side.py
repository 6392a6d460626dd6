"""Several artifacts in one table."""

import pytest

from llmgen.artifacts import ImageRef, Record, Sample, Score
from llmgen.report.side_by_side import side_by_side
from llmgen.report.summary import Scorer

IMAGE = ImageRef(path="a.png", width=8, height=8)


def score(metric: str, value: float, by: str = "judge", **more: str) -> Score:
    return Score(metric=metric, of="final", value=value, by=by, detail="seen", **more)  # type: ignore[arg-type]


def scored(name: str, *scores: Score, samples: tuple[float, ...] = ()) -> Record:
    drawn = tuple(
        Sample(index=i, seed=i, image=IMAGE, chosen=i == 0, scores=(score("m", value),))
        for i, value in enumerate(samples)
    )
    return Record(kind="scores", id=name, prompt="a ball", image=IMAGE, scores=scores, samples=drawn)


def test_a_row_for_each_and_a_column_for_what_tells_them_apart() -> None:
    reference = score("reference", 0.5, "clip", unit="cosine")
    table, told = side_by_side(
        [
            ("plain", [scored("1", score("m", 0.25), reference), scored("2", score("m", 0.75), reference)]),
            ("better", [scored("1", score("m", 1.0), reference), scored("2", score("m", 0.75), reference)]),
        ]
    )
    assert table is not None and told == {Scorer("m", "judge")}
    assert table.columns == (("m", "an independent judge"),)
    (plain, (first,)), (better, (second,)) = table.rows
    assert (plain, better) == ("plain", "better") and first is not None and second is not None
    assert (first.text, first.count, first.best, first.leads) == ("50\xa0%", "n = 2", "", False)
    assert (second.text, second.leads) == ("88\xa0%", True)


def test_of_several_pictures_all_count_and_the_best_is_told() -> None:
    table, _ = side_by_side(
        [
            ("a", [scored("1", score("m", 0.0), samples=(0.0, 1.0)), scored("2", score("m", 0.0), samples=(0.0, 0.5))]),
            ("b", [scored("1", score("m", 0.0), samples=(0.0, 0.0)), scored("2", score("m", 0.0), samples=(0.0, 0.5))]),
        ]
    )
    assert table is not None and table.pictures.startswith("all pictures")
    cells = [cells[0] for _, cells in table.rows]
    assert [(cell.text, cell.count, cell.best) for cell in cells if cell] == [
        ("38\xa0%", "n = 4", "best 75\xa0%"),
        ("13\xa0%", "n = 4", "best 25\xa0%"),
    ]


@pytest.mark.parametrize(("better", "leader"), [("higher", "b"), ("lower", "a")])
def test_who_leads_goes_by_the_direction_and_units_are_said(better: str, leader: str) -> None:
    def of(value: float) -> list[Record]:
        return [scored("1", score("gap", value, "pixels", unit="dB", better=better))]

    table, _ = side_by_side([("a", of(-0.25)), ("b", of(12.0)), ("none", [scored("1")])])
    assert table is not None
    assert table.columns[0][1] == ("pixels, dB" if better == "higher" else "pixels, dB, lower is better")
    assert [name for name, (cell,) in table.rows if cell and cell.leads] == [leader]
    assert [cell and cell.text for _, (cell,) in table.rows] == ["−0.250", "12.00", None]


def test_nothing_to_compare_is_no_table() -> None:
    records = [scored("1", score("m", 1.0))]
    assert side_by_side([("a", records), ("b", records)]) == (None, frozenset())
