"""`correct --mode context` on the bundled models by the command line: a plan, its carrying out, a dead server, scores and the report."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmgen.cli import main
from llmgen.toybox.world.scenes import place, render_image


def llmgen(*arguments: str) -> None:
    """A command that succeeds, in this process: seven would load torch seven times. What it says stands in pytest's report."""
    assert main(list(arguments)) == 0, arguments


def records(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["records"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_a_scene_to_scores(workplace: Path) -> None:
    (workplace / "images").mkdir()
    Image.fromarray(render_image(place([("house", "red"), ("ball", "blue")], "meadow", random.Random(1)))).save(
        workplace / "images" / "scene.png"
    )
    image = {"path": "images/scene.png", "width": 128, "height": 128}
    start = {"kind": "images", "schema_version": 1, "id": "a", "prompt": "a meadow with a red house and a blue ball"}
    (workplace / "images.json").write_text(
        json.dumps({"kind": "images", "schema_version": 1, "records": [{**start, "image": image}]})
    )

    llmgen("detect", "images.json", "-o", "seen.json")
    llmgen("correct", "seen.json", "--mode", "context", "--plan-only", "-o", "plan.json")
    (plan,) = records(workplace / "plan.json")
    edits = plan["edits"]["edits"]
    assert [edit["op"] for edit in edits] == ["repaint"] * len(edits) and len(edits) >= 1
    assert all(edit["mask"]["size"] == [128, 128] and edit["tags"] for edit in edits)

    llmgen(
        "correct", "plan.json", "--mode", "context", "--painter", "web", "--set", "api_url=http://127.0.0.1:9",
        "-o", "dead.json",
    )  # fmt: skip
    (untouched,) = records(workplace / "dead.json")
    outcomes = untouched["history"][-1]["outcomes"]
    assert {one["status"] for one in outcomes} == {"skipped"} and "no server answers" in outcomes[0]["reason"]
    assert untouched["image"]["path"] == "images/scene.png"

    llmgen("correct", "plan.json", "--mode", "context", "--depths", "1", "-o", "done.json")
    (painted,) = records(workplace / "done.json")
    depth = painted["history"][-1]
    assert depth["edits"] == plan["edits"] and len(depth["outcomes"]) >= len(edits)
    assert all(one["status"] in ("painted", "rolled_back", "skipped") for one in depth["outcomes"])
    if "region" in depth:
        old, new, region = (
            np.asarray(Image.open(workplace / ref["path"])) for ref in (image, painted["image"], depth["region"])
        )
        assert not (old != new).any(axis=-1)[region == 0].any()

    llmgen(
        "correct", "seen.json", "--mode", "context", "--depths", "1", "--set", "profile=reference",
        "--set", "num_inference_steps=4", "-o", "published.json",
    )  # fmt: skip
    (theirs,) = records(workplace / "published.json")
    outcomes = theirs["history"][-1]["outcomes"]
    # Surest first, each class once, whole pictures, 60 % of the steps, nothing rolled back: there is no test.
    assert {one["status"] for one in outcomes} == {"painted"} and all(one["steps"] == 2 for one in outcomes)
    assert {(one["painted_width"], one["painted_height"]) for one in outcomes} == {(128, 128)}
    scores = {one["id"]: one["score"] for one in records(workplace / "seen.json")[0]["detections"]}
    order = [scores[one["target"]] for one in outcomes]
    assert order == sorted(order, reverse=True)

    llmgen("evaluate", "context", "done.json", "-o", "scores.json")
    values = {score["metric"]: score["value"] for score in records(workplace / "scores.json")[0]["scores"]}
    assert values["context.outside"] == 0 and "context.kept" in values

    llmgen("report", "scores.json", "-o", "report.html")
    page = (workplace / "report.html").read_text(encoding="utf-8")
    for outcome in depth["outcomes"]:
        assert outcome["target"] in page
    assert edits[0]["tags"][0] in page and "Depth 1" in page
