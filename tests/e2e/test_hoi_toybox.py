"""`evaluate hoi` with the models that ship: drawn interactions are seen, things apart are not, and before is held against after."""

import json
import random
from pathlib import Path

import pytest
from PIL import Image

from llmgen.artifacts import EditPlan, HistoryEntry, ImageRef, Instance, Layout, MoveEdit, Record
from llmgen.artifacts.io import write_artifact
from llmgen.cli import main
from llmgen.llm.english.acting import read_interaction
from llmgen.toybox.world.placing import PlacementError
from llmgen.toybox.world.scenes import Scene, Wanted, place, render
from llmgen.toybox.world.vocabulary import CHARACTERS, THINGS, VERBS
from llmgen.vision.boxes import BoxTuple
from llmgen.vision.images import ImageStore


def drawn(verb: str, who: str, what: str, *, acted_on: bool, rng: random.Random) -> Scene:
    while True:
        figure = Wanted(who, "red", verb=verb, target=1 if acted_on else None)
        try:
            return place([figure, Wanted(what, "blue")], "meadow", rng)
        except PlacementError:
            continue


def corrected(store: ImageStore, verb: str, rng: random.Random) -> Record:
    """As a correction would leave it: first a picture with the thing apart, then one with the thing where the verb wants it."""
    who, what = rng.choice(CHARACTERS), rng.choice(THINGS)
    prompt = f"a {who} is {verb} a {what}"
    images: list[ImageRef] = []
    boxes: list[list[BoxTuple]] = []
    for acted_on in (False, True):
        scene = drawn(verb, who, what, acted_on=acted_on, rng=rng)
        images.append(store.save(f"{verb}-{acted_on}", "test", Image.fromarray(render(scene).image)))
        boxes.append([tuple(map(float, item.box_xyxy)) for item in scene.objects])  # type: ignore[misc]
    layout = Layout(
        width=images[1].width,
        height=images[1].height,
        background_prompt="",
        instances=(
            Instance(id="who", phrase=f"a {who}", noun=who, box_xyxy=boxes[1][0]),
            Instance(id="what", phrase=f"a {what}", noun=what, box_xyxy=boxes[1][1]),
        ),
        interaction=read_interaction(prompt, lambda text: None),
    )
    plan = EditPlan(
        edits=(MoveEdit(op="move", target="what", from_box_xyxy=boxes[0][1], box_xyxy=boxes[1][1]),),
        target=layout.instances,
    )
    history = (
        HistoryEntry(stage="generate", round=0, image=images[0]),
        HistoryEntry(stage="correct", round=1, image=images[1], edits=plan),
    )
    return Record(
        kind="corrections", id=verb, prompt=prompt, layout=layout, image=images[1], edits=plan, history=history
    )


def test_interactions_are_seen_where_they_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, rng = ImageStore(tmp_path), random.Random(4)
    write_artifact(tmp_path / "c.json", "corrections", [corrected(store, verb, rng) for verb in VERBS])
    given = ["evaluate", "hoi", str(tmp_path / "c.json"), "--answers", str(tmp_path / "looks.jsonl"), "--json"]
    assert main([*given, "-o", str(tmp_path / "s.json")]) == 0
    found = {s["metric"]: s for s in json.loads(capsys.readouterr().out)["summaries"]}
    relation = found["hoi.relation"]
    assert relation["by"] == "judge" and relation["overall"]["n"] == len(VERBS)
    assert relation["overall"]["accuracy"] == 1.0 and relation["initial"]["overall"]["accuracy"] <= 1 / 3
    assert relation["change"]["broken"] == 0
    assert found["hoi.iou"]["overall"]["accuracy"] > 0.8 > found["hoi.iou"]["initial"]["overall"]["accuracy"]
    assert found["hoi.distance"]["difference"]["value"] < 0
    assert found["hoi.subject"]["overall"]["accuracy"] == 1.0
    # These pictures are of two draws, so their figures stand apart.
    assert found["hoi.pose"]["overall"]["n"] >= 3 and found["hoi.pose"]["overall"]["accuracy"] > 0.1
    assert {"hoi.verb_clip", "hoi.prompt_clip"} <= set(found)
