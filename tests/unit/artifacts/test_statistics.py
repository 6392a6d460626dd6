"""A mean and its interval, of verdicts and of other values."""

import pytest

from llmgen.artifacts.statistics import bootstrap, mean_of, wilson


def test_a_mean_of_verdicts_has_wilsons_interval_and_any_other_a_bootstraps() -> None:
    values = [1.0, 0.0, 1.0, 1.0]
    right, other = mean_of(values, verdicts=True), mean_of(values)
    assert (right.value, right.n, right.successes, right.ci95) == (0.75, 4, 3, wilson(3, 4))
    assert (other.value, other.n, other.successes, other.ci95) == (0.75, 4, None, bootstrap(values))
    assert mean_of([1.0, 1.0], verdicts=True).ci95 == wilson(2, 2) and mean_of([1.0, 1.0]).ci95 is None


def test_a_value_between_right_and_wrong_makes_verdicts_of_none() -> None:
    half = mean_of([1.0, 0.5], verdicts=True)
    assert (half.successes, half.ci95) == (None, pytest.approx((0.5, 1.0)))


def test_it_goes_into_json_under_the_name_that_is_asked_for() -> None:
    assert mean_of([0.25, 0.25]).to_json("accuracy") == {"accuracy": 0.25, "n": 2, "ci95": None}
    assert mean_of([1.0], verdicts=True).to_json("value")["ci95"] == list(wilson(1, 1))
    assert mean_of([], verdicts=True).to_json("mean") == {"mean": None, "n": 0, "ci95": None}
