"""What a dry run says of costs: by the journals of earlier runs, by the settings, by the preset, else that it is unknown."""

from pathlib import Path

import pytest

from llmgen.engine.journal import Journal
from llmgen.engine.journal_lines import summed_up
from llmgen.pipeline.estimate import UNKNOWN, estimate, journals_near, total
from llmgen.pipeline.options import Choice, RunOptions, choose
from llmgen.vision.images import ImageStore


def choice(stage: str, method: str, planner: str = "rules", **given: object) -> Choice:
    context = RunOptions(device="cpu", planner=planner).context(ImageStore(Path()))
    return choose(context, stage, method, given)


@pytest.mark.parametrize(
    ("stage", "method", "given", "before", "calls", "questions"),
    [
        ("layout", "lmd", {}, (), 0, 6),
        ("generate", "sd", {"num_inference_steps": 10, "samples": 4}, (), 240, 0),
        ("generate", "gligen", {"num_inference_steps": 10}, ("layout",), 60, 0),
        ("generate", "boxdiff", {"num_inference_steps": 20}, ("layout",), 120, 0),
        ("generate", "backward-guidance", {"num_inference_steps": 20}, ("layout",), 120, 0),
        ("generate", "lmd", {}, ("layout",), UNKNOWN, 0),
        ("detect", "owlv2", {}, (), 6, 6),
        ("detect", "owlv2", {}, ("layout",), 6, 0),
        ("correct", "self_correction", {"rounds": 3}, ("layout",), UNKNOWN, 24),
        ("correct", "context", {}, ("layout",), UNKNOWN, UNKNOWN),
        ("evaluate", "lmd", {"judge": True}, ("correct",), 12, 0),
        ("evaluate", "lmd", {"judge": False}, (), 0, 0),
    ],
)
def test_calls_by_the_settings(stage, method, given, before, calls, questions) -> None:
    found = estimate(choice(stage, method, "openai", **given), 6, [], stages_before=before)
    assert (found["model_calls"], found["language_model_calls"]) == (calls, questions)
    assert estimate(choice(stage, method, **given), 6, [])["language_model_calls"] == 0
    assert found["seconds"] == UNKNOWN


def test_an_unknown_part_makes_the_sum_unknown() -> None:
    parts = [estimate(choice("layout", "lmd"), 6, []), estimate(choice("generate", "lmd"), 6, [])]
    found = total(choice("layout", "lmd"), parts)
    assert found["language_model_calls"] == 0 and found["model_calls"] == UNKNOWN == found["seconds"]
    assert 0.05 < found["memory_gb"] < 1


def test_a_journal_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.journal").write_bytes(b"\x00{not json")
    assert summed_up(tmp_path / "a.journal") == ({}, 0, 0.0) == summed_up(tmp_path / "none.journal")
    assert journals_near(tmp_path / "nowhere") == []
    Journal(tmp_path / "b.journal", {"stage": "layout"}).append([], 2.5)
    assert summed_up(tmp_path / "b.journal") == ({"stage": "layout"}, 0, 2.5)
