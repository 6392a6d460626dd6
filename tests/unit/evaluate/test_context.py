"""Scores of the context loop, on records whose pictures are drawn by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmgen.artifacts import (
    Detection,
    EditOutcome,
    EditPlan,
    HistoryEntry,
    Instance,
    Record,
    RepaintEdit,
)
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.evaluate.context import ContextEvaluate, ContextEvaluateConfig, changed_outside
from llmgen.presets import load_preset
from llmgen.vision.images import ImageStore

BOXES = {"ball #1": (4.0, 4.0, 20.0, 20.0), "cup #1": (30.0, 30.0, 50.0, 50.0)}


class Reddest:
    """Fits "red" by how red a crop is, everything else by how little."""

    measure = "cosine"

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        return []

    def score_phrases(self, crops: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[float]]:
        rows = []
        for crop, asked in zip(crops, phrases, strict=True):
            red, green, _ = np.asarray(crop).reshape(-1, 3).mean(axis=0) / 255
            rows.append([float(red - green) if "red" in text else float(green - red) for text in asked])
        return rows


def stage(folder: Path, **settings: object) -> tuple[ContextEvaluate, StageContext]:
    context = StageContext(load_preset("toybox"), ImageStore(folder), "cpu", "float32")
    method = ContextEvaluate(context, ContextEvaluateConfig(**settings))  # type: ignore[arg-type]
    method._scorer = Reddest()  # type: ignore[assignment]
    return method, context


def edit(target: str, tag: str) -> RepaintEdit:
    noun = target.split()[0]
    return RepaintEdit(target=target, phrase=f"a {noun}", noun=noun, tags=(tag,), box_xyxy=BOXES[target], strength=0.5)


def painted(image: Image.Image, target: str, color: str) -> Image.Image:
    after = image.copy()
    after.paste(Image.new("RGB", (16, 16), color), (int(BOXES[target][0]), int(BOXES[target][1])))
    return after


def record(context: StageContext, *, spill: bool = False, found: tuple[str, ...] = ("ball #1",)) -> Record:
    blank = Image.new("RGB", (64, 64), "white")
    middle, cup = painted(blank, "ball #1", "red"), painted(painted(blank, "ball #1", "red"), "cup #1", "green")
    last = middle.copy()
    if spill:
        last.putpixel((60, 2), (0, 0, 0))
    region = Image.new("L", (64, 64), 0)
    region.paste(255, (4, 4, 20, 20))
    save = context.images.save
    start, first, dropped, end = (save("r", n, p) for n, p in zip("abcd", (blank, middle, cup, last), strict=True))
    edits = (edit("ball #1", "red paint"), edit("cup #1", "green paint"))
    outcomes = (
        EditOutcome(target="ball #1", status="painted", before=start, after=first, painted_width=64, painted_height=64, steps=10),
        EditOutcome(
            target="cup #1", status="rolled_back", reason="x", before=first, after=dropped,
            painted_width=32, painted_height=32, steps=10,
        ),
    )  # fmt: skip
    objects = tuple(
        Instance(id=name, phrase=f"a {name.split()[0]}", box_xyxy=box, noun=name.split()[0])
        for name, box in BOXES.items()
    )
    depth = HistoryEntry(
        stage="correct",
        round=1,
        image=end,
        edits=EditPlan(edits=edits, target=objects),
        outcomes=outcomes,
        region=save("r", "region", region),
    )
    detections = tuple(
        Detection(id=name, phrase=name.split()[0], noun=name.split()[0], box_xyxy=BOXES[name], score=0.9)
        for name in found
    )
    history = (HistoryEntry(stage="generate", round=0, image=start), depth)
    return Record(id="r", prompt="a ball", image=end, edits=depth.edits, history=history, detections=detections)


def values(after: Record) -> dict[tuple[str, str], float]:
    return {(s.metric.removeprefix("context."), s.of): round(s.value, 4) for s in after.scores or ()}


def test_objects_fit_better_than_before_and_than_with_each_other_s_tags(tmp_path: Path) -> None:
    method, context = stage(tmp_path)
    (after,) = method([record(context)])
    got = values(after)
    assert got["fit", "initial"] == 0 < got["fit", "final"]
    assert got["fit.shuffled", "final"] == pytest.approx(-got["fit", "final"], abs=0.01)
    assert got["kept", "final"] == 0.5 and got["outside", "final"] == 0
    assert got["rolled_back", "final"] == 0.5
    assert got["pixel_steps", "final"] == round((64 * 64 + 32 * 32) * 10 / 1e6, 4)
    details = {s.metric: s.detail for s in after.scores or ()}
    assert details["context.kept"] == "lost: cup #1" and details["context.rolled_back"] == "1 of 2 painted"


def test_one_pixel_outside_the_masks_is_counted(tmp_path: Path) -> None:
    method, context = stage(tmp_path, fit=False)
    (after,) = method([record(context, spill=True, found=("ball #1", "cup #1"))])
    assert values(after)["outside", "final"] == 1 and values(after)["kept", "final"] == 1
    assert not any(metric.startswith("fit") for metric, _ in values(after)) and method.models == ()
    same = np.zeros((4, 4, 3), dtype=np.uint8)
    assert changed_outside(same, same + 1, []) == 16
    assert changed_outside(same, same + 1, [np.full((4, 4), 255, dtype=np.uint8)]) == 0


def test_a_record_without_a_depth_says_what_to_run(tmp_path: Path) -> None:
    method, context = stage(tmp_path)
    image = context.images.save("r", "a", Image.new("RGB", (8, 8)))
    with pytest.raises(InputError, match="correct --mode context"):
        method([Record(id="r", prompt="a ball", image=image)])


def test_scoring_twice_replaces_the_scores(tmp_path: Path) -> None:
    method, context = stage(tmp_path)
    (once,) = method([record(context)])
    (twice,) = method([once])
    assert twice.scores == once.scores
