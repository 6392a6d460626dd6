"""`correct --mode context` on the bundled models by the command line: a plan, its carrying out, a dead server, scores and the report."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmgen.toybox.world.scenes import place, render_image

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def llmgen(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmgen", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, env=ENVIRONMENT)


def records(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["records"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_a_scene_to_scores(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(render_image(place([("house", "red"), ("ball", "blue")], "meadow", random.Random(1)))).save(
        tmp_path / "images" / "scene.png"
    )
    image = {"path": "images/scene.png", "width": 128, "height": 128}
    start = {"kind": "images", "schema_version": 1, "id": "a", "prompt": "a meadow with a red house and a blue ball"}
    (tmp_path / "images.json").write_text(
        json.dumps({"kind": "images", "schema_version": 1, "records": [{**start, "image": image}]})
    )

    assert llmgen(tmp_path, "detect", "images.json", "-o", "seen.json").returncode == 0
    planned = llmgen(tmp_path, "correct", "seen.json", "--mode", "context", "--plan-only", "-o", "plan.json")
    assert planned.returncode == 0, planned.stderr
    (plan,) = records(tmp_path / "plan.json")
    edits = plan["edits"]["edits"]
    assert [edit["op"] for edit in edits] == ["repaint"] * len(edits) and len(edits) >= 1
    assert all(edit["mask"]["size"] == [128, 128] and edit["tags"] for edit in edits)

    dead = llmgen(
        tmp_path, "correct", "plan.json", "--mode", "context", "--painter", "web", "--set", "api_url=http://127.0.0.1:9",
        "-o", "dead.json",
    )  # fmt: skip
    assert dead.returncode == 0, dead.stderr
    (untouched,) = records(tmp_path / "dead.json")
    outcomes = untouched["history"][-1]["outcomes"]
    assert {one["status"] for one in outcomes} == {"skipped"} and "no server answers" in outcomes[0]["reason"]
    assert untouched["image"]["path"] == "images/scene.png"

    done = llmgen(tmp_path, "correct", "plan.json", "--mode", "context", "--depths", "1", "-o", "done.json")
    assert done.returncode == 0, done.stderr
    (painted,) = records(tmp_path / "done.json")
    depth = painted["history"][-1]
    assert depth["edits"] == plan["edits"] and len(depth["outcomes"]) >= len(edits)
    assert all(one["status"] in ("painted", "rolled_back", "skipped") for one in depth["outcomes"])
    if "region" in depth:
        old, new, region = (
            np.asarray(Image.open(tmp_path / ref["path"])) for ref in (image, painted["image"], depth["region"])
        )
        assert not (old != new).any(axis=-1)[region == 0].any()

    published = llmgen(
        tmp_path, "correct", "seen.json", "--mode", "context", "--depths", "1", "--set", "profile=reference",
        "--set", "num_inference_steps=4", "-o", "published.json",
    )  # fmt: skip
    assert published.returncode == 0, published.stderr
    (theirs,) = records(tmp_path / "published.json")
    outcomes = theirs["history"][-1]["outcomes"]
    # Surest first, each class once, whole pictures, 60 % of the steps, nothing rolled back: there is no test.
    assert {one["status"] for one in outcomes} == {"painted"} and all(one["steps"] == 2 for one in outcomes)
    assert {(one["painted_width"], one["painted_height"]) for one in outcomes} == {(128, 128)}
    scores = {one["id"]: one["score"] for one in records(tmp_path / "seen.json")[0]["detections"]}
    order = [scores[one["target"]] for one in outcomes]
    assert order == sorted(order, reverse=True)

    scored = llmgen(tmp_path, "evaluate", "context", "done.json", "-o", "scores.json")
    assert scored.returncode == 0, scored.stderr
    values = {score["metric"]: score["value"] for score in records(tmp_path / "scores.json")[0]["scores"]}
    assert values["context.outside"] == 0 and "context.kept" in values

    assert llmgen(tmp_path, "report", "scores.json", "-o", "report.html").returncode == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for outcome in depth["outcomes"]:
        assert outcome["target"] in page
    assert edits[0]["tags"][0] in page and "Depth 1" in page
