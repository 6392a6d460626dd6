"""Several pictures of a prompt, and metrics that are no shares, in the summary of `evaluate`."""

import pytest

from llmgen.artifacts import ImageRef, Record, Sample, Score
from llmgen.errors import InputError
from llmgen.evaluate.summary import summarize
from llmgen.pipeline.summary import score_lines

PICTURE = ImageRef(path="images/a.png", width=8, height=8)


def score(value, **changes):
    return Score(**{"metric": "lmd", "of": "final", "value": value, "by": "judge", **changes})


def record(name, values, **changes):
    samples = tuple(
        Sample(index=i, seed=i, image=PICTURE, scores=(score(value, **changes),), chosen=i == 0)
        for i, value in enumerate(values)
    )
    return Record(id=name, prompt="x", image=PICTURE, scores=samples[0].scores, samples=samples)


def test_mean_and_best_of_all_pictures():
    summary = summarize([record("a", [0.0, 1.0, 1.0, 0.0]), record("b", [0.0, 0.0, 0.0, 0.0])], "lmd")
    assert summary["overall"]["accuracy"] == 0.0 and summary["unit"] == "share"
    samples = summary["samples"]
    assert (samples["n"], samples["pictures"]) == (2, 8)
    assert samples["mean"]["value"] == 0.25 and samples["best"]["value"] == 0.5
    assert samples["best"]["ci95"][1] == pytest.approx(0.9055, abs=1e-4)  # Wilson, 1 of 2
    (line,) = score_lines([record("a", [0.0, 1.0])])
    assert (line.mean, line.best) == (0.0, 1.0)


def test_the_best_of_a_distance_is_the_smallest():
    kind = {"unit": "px", "better": "lower"}
    summary = summarize([record("a", [12.0, 3.0], **kind), record("b", [5.0, 9.0], **kind)], "lmd")
    assert summary["better"] == "lower" and summary["samples"]["best"]["value"] == 4.0
    assert summary["overall"]["accuracy"] == 8.5
    assert "change" not in summary and "accuracy_failed_as_wrong" not in summary


def test_scores_that_count_different_things_have_no_mean():
    one, other = record("a", [1.0, 1.0]), record("b", [4.0, 4.0], unit="px")
    with pytest.raises(InputError, match="px .* and share"):
        summarize([one, other], "lmd")


def test_without_samples_nothing_is_said_of_them():
    assert "samples" not in summarize([Record(id="a", prompt="x", scores=(score(1.0),))], "lmd")
