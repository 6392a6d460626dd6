"""The evaluator of VQAI gives the original's tables, from scores, from features and from its folders."""

import math

import pytest
from parity.conftest import golden_folder
from parity.goldens import Case, GoldenSet, case_files

from llmgen.evaluate.vqai.figures import TOP, figures_by_category, figures_of, similarities
from llmgen.formats.vqai import CATEGORIES, TOTAL, sample_key
from llmgen.formats.vqai_folders import counts_in_the_original, roles_of

FAMILY = "lgd"


def test_evaluator(golden_case: Case) -> None:
    raw = golden_case.raw
    found = figures_by_category(raw["scores"], raw["categories"])
    assert set(raw["categories"]) <= {TOTAL, *CATEGORIES}
    if "exception" in raw["result"]:
        # The original stops at a missing category and at unequally many pictures; here both have their figures.
        for category, names in raw["categories"].items():
            assert found[category].samples == len({name for name in names if name in raw["scores"]})
        return
    for name, expected in raw["result"].items():
        category = name.split("(")[0]
        if category != TOTAL:
            assert name == f"{category}({CATEGORIES[category]})"
        figures = found[category]
        assert figures.samples == expected["samples"]
        told = (
            ("Sim-Avg", figures.sim_avg),
            ("Sim-Best", figures.sim_best),
            ("AUC-Avg", figures.auc_avg),
            ("AUC-Best", figures.auc_best),
        )
        for key, value in told:
            assert value == (pytest.approx(expected[key], abs=1e-6) if key in expected else None), (name, key)


def _section(request: pytest.FixtureRequest, name: str) -> dict:  # type: ignore[type-arg]
    import json

    for path in case_files(golden_folder(request.config), FAMILY):
        content = json.loads(path.read_text(encoding="utf-8"))
        if name in content:
            return dict(content[name])
    pytest.skip(f"the folder of goldens has no {name!r}")


def test_folders(request: pytest.FixtureRequest) -> None:
    section = _section(request, "folders")
    seeds = section["needed_jpg"] - 2
    found = [name for name, files in section["folders"].items() if counts_in_the_original(name, files, seeds)]
    assert sorted(found) == sorted(section["accepted"])
    for name, expected in section["roles"].items():
        roles = roles_of(section["folders"][name])
        assert (roles.input, roles.target, list(roles.drawn)) == (
            expected["input"],
            expected["target"],
            expected["generated"],
        )


def test_sample_keys(request: pytest.FixtureRequest) -> None:
    assert sample_key("0012a.jpg") == "0012"
    for case in _section(request, "sizing").get("cases", []):
        if "image1_name" in case:
            assert sample_key(case["image1_name"]) == case["sample_key"]


def test_scores_of_features(request: pytest.FixtureRequest, golden_set: GoldenSet) -> None:
    section = _section(request, "feature_scores")
    features = golden_set["eval.features"].numpy()
    scale = section["log_logit_scale"]
    of_targets = []
    for (name, expected), own in zip(section["scores"].items(), features, strict=True):
        told = similarities(own[1], own[2:], scale)
        assert told == pytest.approx(expected["target_vs_generated"], abs=1e-3), name
        assert similarities(own[0], own[2:], scale) == pytest.approx(expected["input_vs_generated"], abs=1e-3)
        assert similarities(own[1], own[:1], scale) == pytest.approx([expected["input_vs_target"]], abs=1e-3)
        of_targets.append(told)
    figures = figures_of(of_targets)
    logged = dict(line.split(":", 1) for line in section["logged_total"])
    for key, value in (
        ("Sim-Avg", figures.sim_avg),
        ("Sim-Best", figures.sim_best),
        ("AUC-Avg", figures.auc_avg),
        ("AUC-Best", figures.auc_best),
    ):
        assert value == pytest.approx(float(logged[key]), abs=1e-5), key
    assert math.exp(scale) == pytest.approx(TOP, rel=1e-4)
