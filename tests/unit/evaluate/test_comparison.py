"""Several artifacts, scored in one way, side by side."""

import pytest

from llmgen.artifacts import Record, RecordError, Score
from llmgen.errors import InputError
from llmgen.evaluate.comparison import compare, names_of


def scored(values, **changes):
    return [
        Record(
            id=name,
            prompt="x",
            scores=(Score(**{"metric": "lmd", "of": "final", "value": value, "by": "judge", **changes}),),
        )
        for name, value in values.items()
    ]


def test_each_is_held_against_the_first_record_by_record():
    first = scored({"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0})
    second = scored({"b": 1.0, "c": 1.0, "a": 0.0, "e": 1.0})
    failed = Record(id="z", prompt="x", error=RecordError(stage="evaluate", type="ModelError", message="no"))
    found = compare([("one", first), ("two", [*second, failed])], "lmd")
    assert [(row["name"], row["accuracy"], row["n"], row["n_failed"]) for row in found["rows"]] == [
        ("one", 0.25, 4, 0),
        ("two", 0.75, 4, 1),
    ]
    assert "against" not in found["rows"][0]
    against = found["rows"][1]["against"]
    assert (against["n"], against["fixed"], against["broken"], against["p_value"]) == (3, 2, 1, 1.0)
    assert against["difference"] == pytest.approx(1 / 3)


def test_what_is_no_verdict_has_a_difference_and_no_test():
    kind = {"unit": "px", "better": "lower"}
    found = compare(
        [("one", scored({"a": 4.0, "b": 8.0}, **kind)), ("two", scored({"a": 2.0, "b": 2.0}, **kind))], "lmd"
    )
    against = found["rows"][1]["against"]
    assert against["difference"] == -4.0 and "p_value" not in against and found["better"] == "lower"
    assert against["ci95"] == pytest.approx([-6.0, -2.0])


def test_artifacts_in_other_units_are_not_compared():
    with pytest.raises(InputError, match="px and share"):
        compare([("one", scored({"a": 1.0})), ("two", scored({"a": 3.0}, unit="px"))], "lmd")


def test_names_are_short_and_differ():
    assert names_of(["r/images.json", "r/other.jsonl"]) == ["images", "other"]
    assert names_of(["one/images.json", "two/images.json"]) == ["one-images", "two-images"]
    with pytest.raises(InputError, match="called like another"):
        names_of(["a/one/images.json", "b/one/images.json"])
