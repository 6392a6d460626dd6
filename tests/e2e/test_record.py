"""ReCorD on the bundled models, for real: the manifest that comes along, from prompts to a report."""

import json
from pathlib import Path

import pytest

from llmgen.artifacts.io import read_records
from llmgen.pipeline.manifest import ManifestRun, run_manifest

MANIFEST = Path(__file__).parents[2] / "manifests" / "record.json"


@pytest.mark.slow
def test_the_manifest_runs_from_prompts_to_a_report(tmp_path: Path) -> None:
    written = json.loads(MANIFEST.read_text(encoding="utf-8"))
    assert len(written["prompts"]) == 12
    few = [p for p in written["prompts"] if p["id"] in ("kick-ball", "ride-car")]
    written["prompts"] = [*few, {"id": "no-object", "prompt": "a boy is running"}]
    for stage in written["stages"][1:3]:
        stage["config"] = {**stage.get("config", {}), "num_inference_steps": 8}
    (tmp_path / "few.json").write_text(json.dumps(written), encoding="utf-8")
    outcome = run_manifest(
        ManifestRun(path=tmp_path / "few.json", output=tmp_path / "run", device="cpu", dtype="float32")
    )

    *records, failed = read_records(tmp_path / "run" / "scores.json").records
    assert failed.error is not None and "has no object" in failed.error.message
    for record in records:
        assert record.error is None, record.error
        assert len(record.samples) == 3 and record.chosen is not None and record.chosen.reason
        assert [e.stage for e in record.history] == ["generate", "correct"]
        # The toybox's first ten steps are steered: of eight all.
        assert record.history[1].attention is not None and len(record.history[1].energies) == 8
        scores = {(s.metric, s.of): s.value for s in record.scores or ()}
        assert ("hoi.iou", "final") in scores
        assert (("hoi.distance", "final") in scores) == (
            scores["hoi.subject", "final"] * scores["hoi.object", "final"] == 1
        )
    assert outcome.report is not None
    page = outcome.report.read_text(encoding="utf-8")
    assert page.count("Attention to") >= 2 * (3 + 2) and ", chosen" in page and "energy of the attention" in page
