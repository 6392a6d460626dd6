"""`evaluate hoi`: who, what, where, and before against after."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from llmgen.artifacts import (
    Detection,
    EditPlan,
    HistoryEntry,
    ImageRef,
    Instance,
    Interaction,
    Layout,
    ModelUse,
    MoveEdit,
    Record,
    Score,
    WordSpan,
)
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.evaluate.comparison import compare
from llmgen.evaluate.hoi.measures import Sight, pose_distance
from llmgen.evaluate.hoi.method import HoiEvaluate, HoiEvaluateConfig
from llmgen.evaluate.summary import metrics_of, summarize
from llmgen.presets import Preset, RoleSpec
from llmgen.vision.boxes import BoxTuple
from llmgen.vision.images import ImageStore
from llmgen.vision.protocols import FigurePose, PhraseHit

SIDE = 100
PROMPT = "a boy is kicking a red ball"
BOY = (10.0, 10.0, 40.0, 90.0)
NEAR, FAR = (42.0, 70.0, 62.0, 90.0), (75.0, 5.0, 95.0, 25.0)
Colour = tuple[int, int, int]


class Models:
    """All three roles for pictures of one colour: the boxes of each are given by the test."""

    measure: Literal["cosine", "hit"] = "cosine"
    joints = ("nose", "left_wrist", "right_wrist", "left_ankle", "right_ankle")

    def __init__(self, shown: dict[Colour, dict[str, list[BoxTuple]]]) -> None:
        self.shown, self.looked, self.nodding = shown, 0, 0.0

    def phrase_detector(self, role: str) -> "Models":
        return self

    def phrase_scorer(self, role: str) -> "Models":
        return self

    def pose_estimator(self) -> "Models":
        return self

    def use(self, role: str) -> ModelUse:
        return ModelUse(role=role, source="test")

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        return [f"its phrase {phrase!r} is long" for phrase in phrases if len(phrase) > 60]

    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float
    ) -> list[list[PhraseHit]]:
        self.looked += len(images)
        return [
            [
                PhraseHit(query, box, 0.9 - 0.1 * number)
                for query in asked
                for number, box in enumerate(self.shown[image.getpixel((0, 0))].get(query.split()[-1], []))  # type: ignore[index]
            ]
            for image, asked in zip(images, queries, strict=True)
        ]

    def score_phrases(self, crops: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[float]]:
        return [[len(phrase) / 100 for phrase in asked] for asked in phrases]

    def estimate_poses(
        self, images: Sequence[Image.Image], boxes_xyxy: Sequence[Sequence[Sequence[float]]]
    ) -> list[list[FigurePose]]:
        """Nose at the top, hands in the middle, feet at the bottom; in blue pictures the nose is elsewhere."""
        found = []
        for image, boxes in zip(images, boxes_xyxy, strict=True):
            nod = self.nodding if image.getpixel((0, 0)) == (0, 0, 255) else 0.0
            found.append(
                [
                    FigurePose(
                        np.array(
                            [[(x0 + x1) / 2 + nod, y0], [x0, (y0 + y1) / 2], [x1, (y0 + y1) / 2], [x0, y1], [x1, y1]],
                            dtype=np.float32,
                        ),
                        np.array([1, 1, 1, 1, 1], dtype=np.float32),
                    )
                    for x0, y0, x1, y1 in boxes
                ]
            )
        return found


def context(folder: Path, models: Models, roles: Sequence[str] = ("detector", "clip", "pose")) -> StageContext:
    spec = RoleSpec(source="test", family="clip", licence="MIT", memory_gb=0)
    preset = Preset(name="test", description="", width=SIDE, height=SIDE, roles=dict.fromkeys(roles, spec))
    made = StageContext(preset=preset, images=ImageStore(folder), device="cpu", dtype="float32")
    made._models = models  # type: ignore[assignment]
    return made


def span(text: str) -> WordSpan:
    start = PROMPT.index(text)
    return WordSpan(text=text, start=start, end=start + len(text))


def layout(ball: BoxTuple = FAR) -> Layout:
    acting = Interaction(
        intransitive_prompt="a boy is kicking",
        subject=span("a boy"),
        verb=span("kicking"),
        verb_base="kick",
        object=span("a red ball"),
        object_noun=span("ball"),
    )
    instances = (
        Instance(id="boy-1", phrase="a boy", noun="boy", box_xyxy=BOY),
        Instance(id="ball-1", phrase="a red ball", noun="ball", box_xyxy=ball),
    )
    return Layout(width=SIDE, height=SIDE, background_prompt="", instances=instances, interaction=acting)


def corrected(store: ImageStore, before: str = "red", after: str = "blue", name: str = "a") -> Record:
    """A record whose picture was corrected: the plan brought the ball from far to near."""
    first, last = (store.save(f"{name}-{c}", "test", Image.new("RGB", (SIDE, SIDE), c)) for c in (before, after))
    move = MoveEdit(op="move", target="ball #1", from_box_xyxy=FAR, box_xyxy=NEAR)
    plan = EditPlan(edits=(move,), target=(Instance(id="ball #1", phrase="a red ball", noun="ball", box_xyxy=NEAR),))
    history = (
        HistoryEntry(stage="generate", round=0, image=first),
        HistoryEntry(stage="correct", round=1, image=last, edits=plan),
    )
    return Record(kind="corrections", id=name, prompt=PROMPT, layout=layout(), image=last, edits=plan, history=history)


def values(record: Record) -> dict[tuple[str, str], float]:
    return {(score.metric.removeprefix("hoi."), score.of): score.value for score in record.scores or ()}


RED, BLUE = (255, 0, 0), (0, 0, 255)
HELPED = {RED: {"boy": [BOY], "ball": [FAR]}, BLUE: {"boy": [BOY], "ball": [NEAR]}}


def test_a_correction_is_held_against_the_same_seed_without_it(tmp_path: Path) -> None:
    models = Models(HELPED)
    made = context(tmp_path, models)
    (scored,) = HoiEvaluate(made, HoiEvaluateConfig())([corrected(made.images)])
    found = values(scored)
    assert (found["relation", "initial"], found["relation", "final"]) == (0, 1)
    assert (found["iou", "initial"], found["iou", "final"]) == (0, 1)
    assert found["distance", "final"] == 0 and found["distance", "initial"] == pytest.approx(72.92 / 141.42, abs=1e-3)
    assert found["object", "initial"] == found["subject", "final"] == 1
    assert found["verb_clip", "final"] == len("kicking a red ball") / 100
    assert found["prompt_clip", "initial"] == len(PROMPT) / 100
    assert found["pose", "final"] == 0 and ("pose", "initial") not in found
    summary = summarize([scored], "hoi.relation")
    assert summary["change"]["fixed"] == 1 and summary["difference"]["value"] == 1
    assert summarize([scored], "hoi.distance")["difference"]["value"] < 0
    assert set(metrics_of([scored], "hoi")) == {
        f"hoi.{name}"
        for name in ("subject", "object", "iou", "distance", "relation", "verb_clip", "prompt_clip", "pose")
    }


def test_the_pose_is_measured_only_where_the_object_moved_or_came(tmp_path: Path) -> None:
    nodded = {**HELPED}
    models = Models(nodded)
    models.nodding = 8.0
    made = context(tmp_path, models)
    method = HoiEvaluate(made, HoiEvaluateConfig())
    moved = values(method([corrected(made.images)])[0])
    assert moved["pose", "final"] == pytest.approx(8 / 5 / 80)
    stayed = Models({RED: {"boy": [BOY], "ball": [NEAR]}, BLUE: {"boy": [BOY], "ball": [NEAR]}})
    assert ("pose", "final") not in values(
        HoiEvaluate(context(tmp_path, stayed), HoiEvaluateConfig())([corrected(made.images)])[0]
    )
    came = Models({RED: {"boy": [BOY]}, BLUE: {"boy": [BOY], "ball": [NEAR]}})
    assert (
        values(HoiEvaluate(context(tmp_path, came), HoiEvaluateConfig())([corrected(made.images)])[0])["pose", "final"]
        == 0
    )
    gone = Models({RED: {"boy": [BOY], "ball": [NEAR]}, BLUE: {"boy": [BOY]}})
    lost = values(HoiEvaluate(context(tmp_path, gone), HoiEvaluateConfig())([corrected(made.images)])[0])
    assert ("pose", "final") not in lost and ("distance", "final") not in lost
    assert lost["object", "final"] == lost["iou", "final"] == lost["relation", "final"] == 0


def test_the_same_person_is_compared_among_several(tmp_path: Path) -> None:
    other = (60.0, 10.0, 90.0, 90.0)
    models = Models({RED: {"boy": [BOY], "ball": [FAR]}, BLUE: {"boy": [other, BOY], "ball": [NEAR]}})
    made = context(tmp_path, models)
    found = values(HoiEvaluate(made, HoiEvaluateConfig())([corrected(made.images)])[0])
    assert found["pose", "final"] == 0 and found["relation", "final"] == 1


def test_answers_are_kept_and_no_model_is_asked_twice(tmp_path: Path) -> None:
    models = Models(HELPED)
    made = context(tmp_path, models)
    config = HoiEvaluateConfig(answers=tmp_path / "answers.jsonl")
    first = HoiEvaluate(made, config)([corrected(made.images)])
    assert models.looked == 2
    again = HoiEvaluate(made, config)([corrected(made.images)])
    assert models.looked == 2 and again == first
    (tmp_path / "answers.jsonl").write_text('{"question": 1, "answer": 2}\n')
    HoiEvaluate(made, config)([corrected(made.images)])
    assert models.looked == 4


def test_without_clip_and_pose_their_scores_are_missing_and_that_is_said(tmp_path: Path) -> None:
    made = context(tmp_path, Models(HELPED), roles=("detector",))
    said: list[str] = []
    made.remark = said.append
    found = values(HoiEvaluate(made, HoiEvaluateConfig())([corrected(made.images)])[0])
    assert not {"verb_clip", "pose"} & {name for name, _ in found} and ("relation", "final") in found
    assert said == ["preset 'test' fills no role clip and no role pose: no such scores"]


def test_a_picture_that_nobody_corrected_is_scored_alone_by_its_layout(tmp_path: Path) -> None:
    made = context(tmp_path, Models(HELPED))
    picture: ImageRef = made.images.save("a", "test", Image.new("RGB", (SIDE, SIDE), "red"))
    plain = Record(
        kind="images",
        id="a",
        prompt=PROMPT,
        layout=layout(),
        image=picture,
        history=(HistoryEntry(stage="generate", round=0, image=picture),),
    )
    (scored,) = HoiEvaluate(made, HoiEvaluateConfig())([plain])
    assert {of for _, of in values(scored)} == {"final"} and values(scored)["iou", "final"] == 1
    (iou_score,) = [score for score in scored.scores or () if score.metric == "hoi.iou"]
    assert iou_score.detail == "with the box of the layout" and iou_score.type == "kick"
    with pytest.raises(InputError, match="llmgen layout --method interaction"):
        HoiEvaluate(made, HoiEvaluateConfig())([plain.grown(layout=layout().model_copy(update={"interaction": None}))])


def test_artifacts_are_compared_by_verdicts_too(tmp_path: Path) -> None:
    made = context(tmp_path, Models(HELPED))
    good = HoiEvaluate(made, HoiEvaluateConfig())([corrected(made.images)])
    bad = HoiEvaluate(made, HoiEvaluateConfig())([corrected(made.images, after="red")])
    row = compare([("bad", bad), ("good", good)], "hoi.relation")["rows"][1]
    assert row["against"]["fixed"] == 1 and row["against"]["difference"] == 1


def test_few_sure_joints_are_no_pose() -> None:
    def figure(*scores: float) -> Sight:
        return Sight(BOY, 1.0, {str(i): (float(i), 0.0, score) for i, score in enumerate(scores)})

    assert pose_distance(figure(1, 1, 1, 1), figure(1, 1, 1, 1)) == 0
    assert pose_distance(figure(1, 1, 1, 1), figure(1, 1, 1, 0.1)) is None


def test_what_was_seen_is_kept_beside_the_scores(tmp_path: Path) -> None:
    made = context(tmp_path, Models(HELPED))
    (scored,) = HoiEvaluate(made, HoiEvaluateConfig())([corrected(made.images)])
    last: Score = next(s for s in scored.scores or () if (s.metric, s.of) == ("hoi.object", "final"))
    assert [(d.noun, d.box_xyxy) for d in last.seen or ()] == [("boy", BOY), ("ball", NEAR)]
    assert all(isinstance(d, Detection) for d in last.seen or ())
