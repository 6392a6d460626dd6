"""`llmgen train toybox`: what it refuses, and a training of one step from a folder to a folder."""

import json

import pytest

from llmgen.toybox import WEIGHTS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a model"),
        (("pose", "--fresh", "--from", "x"), "--fresh"),
        (("all", "--ship"), "OUT/weights"),
        (("all", "--from", "x"), "OUT/weights"),
        (("judge", "--drawn", "x"), "only the detector"),
        (("cat",), "'cat' is not one of"),
    ],
)
def test_wrong_usage_is_said(llmgen, arguments, message):
    done = llmgen("train", "toybox", *arguments)
    # Long lines of a usage error are wrapped in a box.
    assert done.code == 2 and message in " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("start", "message"),
    [("nowhere", "holds no weights"), (WEIGHTS / "segmenter", "another kind of model")],
)
def test_a_start_that_is_none_is_one_clear_line(llmgen, start, message):
    done = llmgen("train", "toybox", "pose", "--steps", "1", "--device", "cpu", "--from", start)
    assert done.code == 3 and message in done.err and "Traceback" not in done.err


def test_a_training_of_one_step_logs_and_saves(llmgen, workplace):
    done = llmgen("train", "toybox", "segmenter", "--steps", "1", "--device", "cpu", "--out", "work")
    assert done.code == 0, done.err
    assert done.out == "" and "training segmenter in work on cpu" in done.err
    # How far it is is no warning.
    assert "step 1, 100 % done" in done.err and "warning: step" not in done.err
    assert (workplace / "work" / "model" / "model.safetensors").is_file()
    again = llmgen("train", "toybox", "segmenter", "--steps", "1", "--device", "cpu", "--out", "work", "--resume")
    assert again.code == 0 and "resumed from work at step 1" in again.err


def test_one_model_is_measured(llmgen):
    done = llmgen("train", "toybox", "text", "--eval", "--count", "4", "--device", "cpu", "--json")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)
    assert row["model"] == "text" and row["value"] < 0.95 and row["count"] == 66
