"""InstanceDiffusion on the bundled models, for real: the manifest that comes along, and inputs that are more than boxes."""

import json
from pathlib import Path

import numpy as np
import pytest

from llmgen.artifacts import Instance, Layout, Record
from llmgen.artifacts.io import read_records
from llmgen.engine.context import StageContext
from llmgen.pipeline.manifest import ManifestRun, run_manifest
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.report.source import read_source
from llmgen.report.view import make_page
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import decode_mask, encode_mask

MANIFEST = Path(__file__).parents[2] / "manifests" / "instancediffusion.json"
SIDE = 128


@pytest.mark.slow
def test_the_manifest_runs_from_prompts_to_a_report(tmp_path: Path) -> None:
    written = json.loads(MANIFEST.read_text(encoding="utf-8"))
    assert len(written["prompts"]) == 12
    written["prompts"] = [p for p in written["prompts"] if p["id"] in ("red-ball-blue-car", "three-red-balls")]
    (tmp_path / "few.json").write_text(json.dumps(written), encoding="utf-8")
    folder = tmp_path / "run"
    outcome = run_manifest(ManifestRun(path=tmp_path / "few.json", output=folder, device="cpu", dtype="float32"))

    records = read_records(folder / "scores-5.json").records
    assert [r.error for r in records] == [None, None]
    for record in records:
        assert [e.stage for e in record.history] == ["generate", "refine"]
        assert [m.method for m in record.provenance][:4] == ["instances", "instancediffusion", "sdxl", "owlv2"]
        scores = {(s.metric, s.of): s.value for s in record.scores or ()}
        assert {"coco", "pim.point.strict", "attributes.color.strict", "grounding.strict"} <= {m for m, _ in scores}
        # Two or three objects in their boxes are what these models do nearly always.
        assert scores["grounding.strict", "final"] > 0.5
        assert {of for metric, of in scores if metric == "lmd"} == {"initial", "final"}
    assert outcome.report == folder / "report.html"
    page = make_page(read_source(folder))
    assert [table.title for table in page.tables] == ["lmd", "Measures"]
    assert page.warnings == () and page.layers.planned[0].on


@pytest.mark.slow
def test_points_scribbles_and_masks_are_drawn_where_they_are(tmp_path: Path) -> None:
    """The segmenter, asked for what was drawn, finds each object on its input."""
    ys, xs = np.mgrid[:SIDE, :SIDE] + 0.5
    disc = np.hypot(xs - 96, ys - 92) < 18
    layout = Layout(
        width=SIDE,
        height=SIDE,
        background_prompt="a meadow",
        instances=(
            Instance(id="ball-1", phrase="a red ball", box_xyxy=(14, 14, 50, 50), point_xy=(32, 32)),
            Instance(
                id="car-1",
                phrase="a blue car",
                box_xyxy=(10, 78, 60, 110),
                scribble_xy=((16, 98), (28, 90), (42, 90), (54, 98)),
            ),
            Instance(id="ball-2", phrase="a yellow ball", box_xyxy=(78, 74, 114, 110), mask=encode_mask(disc)),
        ),
    )
    prompt = "a meadow with a red ball, a blue car and a yellow ball"
    record = Record(kind="layouts", id="mixed", prompt=prompt, seed=5, layout=layout)
    context = StageContext(load_preset("toybox"), ImageStore(tmp_path), "cpu", "float32")

    def run(stage: str, method: str, records: list[Record], **settings: object) -> list[Record]:
        return resolve(stage, method)(context, context.config_for(stage, method, settings))(records)

    drawn = run("generate", "instancediffusion", run("layout", "given", [record]))
    (seen,) = run("detect", "owlv2", drawn)
    masks = {d.phrase: decode_mask(d.mask) for d in seen.detections or () if d.mask is not None}
    assert {"red ball", "blue car", "yellow ball"} <= masks.keys()
    assert masks["red ball"][32, 32]
    assert sum(masks["blue car"][y, x] for x, y in ((28, 90), (42, 90), (35, 92))) >= 2
    overlap = (masks["yellow ball"] & disc).sum() / (masks["yellow ball"] | disc).sum()
    assert overlap > 0.5
