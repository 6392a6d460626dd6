"""Two runs laid side by side."""

import json
from dataclasses import replace

import pytest

from llmgen.artifacts import ModelUse, Score
from llmgen.artifacts.io import read_records, write_artifact
from llmgen.report.comparison import make_comparison
from llmgen.report.source import read_source


@pytest.fixture
def runs(llmgen, workplace):
    """A and B: twelve prompts, of which the judge finds others right."""
    stages = [{"stage": stage, "method": "tiny"} for stage in ("layout", "generate", "evaluate")]
    prompts = [{"prompt": f"<b>{n}</b> balls", "type": "xy"[n % 2]} for n in range(12)]
    for name, seed in (("a", 1), ("b", 2)):
        stages[1]["config"] = {"label": name}
        text = json.dumps({"name": name, "prompts": prompts, "stages": stages, "seed": seed})
        (workplace / f"{name}.json").write_text(text)
        assert llmgen("run", f"{name}.json").code == 0
        path = workplace / "outputs" / name / "scores.json"
        right = {"a": lambda n: n < 4, "b": lambda n: n != 3}[name]
        records = [
            record.grown(
                scores=(Score(metric="lmd", of="final", value=float(right(n)), by="judge", detail=f"why {n}"),)
            )
            for n, record in enumerate(read_records(path).records)
        ]
        write_artifact(path, "scores", records)
    return workplace / "outputs/a", workplace / "outputs/b"


def test_what_changed_and_whether_it_is_chance(runs):
    found = make_comparison(*map(read_source, runs))
    (measure,) = found.measures
    assert measure.first.startswith("4 of 12") and measure.second.startswith("11 of 12") and measure.difference == "+7"
    assert measure.test == "8 right in B alone, 1 in A alone; McNemar's p = 0.0391"
    assert [card.outcome for card in found.cards][:5] == ["right", "right", "right", "worse", "fixed"]
    assert ("generate: label", "a", "b") in found.differences and ("generate: seed", "1", "2") in found.differences
    assert {f.key: f.count for f in found.filters} == {"all": 12, "changed": 9, "fixed": 8, "worse": 1, "right": 3}
    same = make_comparison(read_source(runs[0]), read_source(runs[0]))
    assert same.differences == () and {card.outcome for card in same.cards} == {"right", "wrong"}


def test_runs_of_one_name_are_told_apart_and_no_more_of_their_path_is_shown(runs, workplace):
    for folder in runs:
        (folder / "manifest.json").unlink()
    assert make_comparison(*map(read_source, runs)).names == ("a", "b")
    for folder in runs:
        (folder / "scores.json").rename(folder / "same.json")
    assert make_comparison(*(read_source(folder / "same.json") for folder in runs)).names == ("a", "b")


def test_models_are_compared_by_role_and_revision(runs):
    first, second = map(read_source, runs)
    found = {}
    for source, revision in ((first, "0" * 40), (second, "1" * 40)):
        (record, *_) = source.artifact.records
        uses = (ModelUse(role="judge", source="a/b"), ModelUse(role="detector", source="a/b", revision=revision))
        made = tuple(one.model_copy(update={"models": uses}) for one in record.provenance)
        artifact = replace(source.artifact, records=(record.grown(provenance=made),))
        found[revision] = replace(source, artifact=artifact)
    said = [line for line in make_comparison(*found.values()).differences if "model" in line[0]]
    assert said[0] == ("layout: model of detector", "a/b @ 000000000000", "a/b @ 111111111111") and len(said) == 3


def test_the_page(llmgen, runs, workplace):
    done = llmgen("report", *runs)
    assert done.code == 0 and "report: comparison.html" in done.err
    page = (workplace / "comparison.html").read_text()
    assert page.count('class="step') == 24 and "&lt;b&gt;4&lt;/b&gt; balls" in page and "<b>4</b>" not in page
    assert str(workplace) not in page
    llmgen("report", *runs)
    assert (workplace / "comparison.html").read_text() == page
    assert llmgen("report", runs[0] / "scores.json", runs[1] / "images.json", "-o", "x/c.html").code == 0
    assert "Not scored in both" in (workplace / "x/c.html").read_text()


def test_scores_that_are_no_verdicts(runs):
    for folder, add in zip(runs, (0.0, 0.25), strict=True):
        records = [
            record.grown(scores=(Score(metric="clip", of="final", value=n / 10 + add, by="clip", unit="cosine"),))
            for n, record in enumerate(read_records(folder / "scores.json").records)
        ]
        write_artifact(folder / "scores.json", "scores", records)
    found = make_comparison(*map(read_source, runs))
    assert found.measures[0].difference == "+0.25" and {card.outcome_text for card in found.cards} == {"Better in B"}


def test_runs_that_cannot_be_compared(llmgen, runs, workplace):
    (workplace / "p.json").write_text('[{"id": "other", "prompt": "a"}]')
    done = llmgen("report", runs[0], "p.json")
    assert done.code == 3 and "no record in common" in done.err
    records = read_records(runs[1] / "scores.json").records
    write_artifact(workplace / "few.json", "prompts", [r.grown(kind="prompts", prompt="else") for r in records[:2]])
    found = make_comparison(read_source(runs[0]), read_source(workplace / "few.json"))
    assert len(found.cards) == 2 and "10 records" in found.warnings[0] and "another prompt" in found.warnings[1]
