from pathlib import Path

import pytest

from llmgen.artifacts import (
    Detection,
    EditPlan,
    HistoryEntry,
    ImageRef,
    Instance,
    Layout,
    Record,
    RecordError,
    Score,
)
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.evaluate.average_precision import LabelledBox, ScoredPicture, average_precision, f1_at
from llmgen.evaluate.coco import CocoEvaluate, CocoEvaluateConfig
from llmgen.evaluate.summary import mcnemar, summarize
from llmgen.presets import Preset
from llmgen.vision.images import ImageStore

A, B = (0.0, 0.0, 40.0, 40.0), (60.0, 60.0, 100.0, 100.0)


def ball(name: str, box: tuple[float, float, float, float], score: float = 0.9) -> Detection:
    attributes = tuple(name.split()[:-1])
    return Detection(id=f"{name} {box}", phrase=name, noun="ball", attributes=attributes, box_xyxy=box, score=score)


def record(
    name: str, now: tuple[Detection, ...], before: tuple[Detection, ...] | None = None, side: int = 128
) -> Record:
    image = ImageRef(path=f"{name}.png", width=side, height=side)
    return Record(
        id=name,
        prompt="a red ball and a blue ball",
        layout=Layout(
            width=128,
            height=128,
            background_prompt="a meadow",
            instances=(
                Instance(id="1", phrase="a red ball", noun="ball", attributes=("red",), box_xyxy=A),
                Instance(id="2", phrase="a blue ball", box_xyxy=B),
            ),
        ),
        image=image,
        detections=now,
        edits=None if before is None else EditPlan(),
        history=() if before is None else (HistoryEntry(stage="generate", round=0, image=image, detections=before),),
    )


@pytest.fixture
def evaluate(tmp_path: Path) -> CocoEvaluate:
    preset = Preset(name="test", description="", width=128, height=128, roles={})
    context = StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")
    return CocoEvaluate(context, CocoEvaluateConfig())


def test_exact_boxes_score_one_and_swapped_colours_nothing(
    evaluate: CocoEvaluate, capsys: pytest.CaptureFixture[str]
) -> None:
    right = (ball("red ball", A), ball("blue ball", B))
    swapped = (ball("blue ball", A), ball("red ball", B))
    scored = evaluate([record("a", right, before=swapped)])
    assert [(s.of, s.value) for s in scored[0].scores or ()] == [("initial", 0.0), ("final", 1.0)]
    summary = summarize(scored, "coco")
    assert [summary["overall"][key] for key in ("ap", "ap50", "ap75", "ar")] == pytest.approx([1, 1, 1, 1])
    assert summary["initial"]["overall"]["ap"] == 0 and summary["overall"]["ci95"] is None
    # An F1 is no verdict: there is a difference, and nothing was fixed or broken.
    assert summary["difference"] == {"value": 1.0, "n": 1, "ci95": None} and "change" not in summary
    assert capsys.readouterr().out == ""


def test_boxes_follow_the_size_of_the_picture(evaluate: CocoEvaluate) -> None:
    doubled = tuple(ball(n, (2 * b[0], 2 * b[1], 2 * b[2], 2 * b[3])) for n, b in (("red ball", A), ("blue ball", B)))
    [scored] = evaluate([record("a", doubled, side=256)])
    assert [s.value for s in scored.scores or ()] == [1.0]


def test_f1_counts_surplus_and_misses() -> None:
    wanted = (LabelledBox("ball", A), LabelledBox("ball", B))
    near = (2.0, 0.0, 42.0, 40.0)
    found = (LabelledBox("ball", A, 0.9), LabelledBox("ball", near, 0.8), LabelledBox("cup", B, 0.7))
    assert f1_at(ScoredPicture(wanted, found)) == (pytest.approx(2 / 5), 1)
    assert f1_at(ScoredPicture(wanted, (LabelledBox("ball", near),)), threshold=0.95) == (0.0, 0)
    assert f1_at(ScoredPicture((), ())) == (1.0, 0)


def test_average_precision_falls_with_loose_boxes_and_false_hits() -> None:
    loose = (6.0, 0.0, 46.0, 40.0)  # IoU 34/46 = 0.74: a match at 0.5 to 0.7, five of ten thresholds
    figures = average_precision([ScoredPicture((LabelledBox("ball", A),), (LabelledBox("ball", loose, 0.5),))])
    assert figures["ap50"] == pytest.approx(1.0) and figures["ap75"] == 0
    assert figures["ap"] == pytest.approx(0.5) and figures["ar"] == pytest.approx(0.5)
    worse = (LabelledBox("ball", A, 0.5), LabelledBox("ball", B, 0.9))
    assert average_precision([ScoredPicture((LabelledBox("ball", A),), worse)])["ap50"] == pytest.approx(0.5)
    assert average_precision([ScoredPicture((LabelledBox("ball", A),), ())])["ap"] == 0
    assert average_precision([]) == {"ap": None, "ap50": None, "ap75": None, "ar": None}


def test_needs_both_sides(evaluate: CocoEvaluate) -> None:
    with pytest.raises(InputError, match="'a' has no layout"):
        evaluate([Record(id="a", prompt="x")])
    with pytest.raises(InputError, match="'a' has no detections"):
        evaluate([record("a", ()).grown(detections=None)])


def scored(name: str, kind: str, initial: float | None, final: float, by: str = "judge") -> Record:
    scores = [Score(metric="lmd", of="final", value=final, type=kind, by=by)]
    if initial is not None:
        scores.append(Score(metric="lmd", of="initial", value=initial, type=kind, by=by))
    return Record(id=name, prompt=f"prompt {name[0]}", scores=tuple(scores))


def test_summary_by_type_before_and_after() -> None:
    records = [
        scored("a1", "numeracy", 0, 1),
        scored("a2", "numeracy", 0, 1),
        scored("b1", "spatial", 1, 0),
        scored("c1", "spatial", 1, 1),
        Record(id="d1", prompt="a meadow", scores=()),
        Record(id="e1", prompt="x", error=RecordError(stage="generate", type="ModelError", message="no")),
    ]
    summary = summarize(records, "lmd")
    assert (summary["metric"], summary["by"], summary["of"]) == ("lmd", "judge", "final")
    assert summary["overall"]["accuracy"] == 0.75
    assert (summary["overall"]["n"], summary["overall"]["n_prompts"]) == (4, 3)
    low, high = summary["overall"]["ci95"]
    assert low < 0.75 < high
    assert {name: row["accuracy"] for name, row in summary["by_type"].items()} == {"numeracy": 1.0, "spatial": 0.5}
    assert summary["initial"]["overall"]["accuracy"] == 0.5
    assert summary["change"] == {"fixed": 2, "broken": 1, "p_value": 1.0}
    assert (summary["n_failed"], summary["failed"], summary["n_unscored"]) == (1, ["e1"], 1)
    assert summary["accuracy_failed_as_wrong"] == pytest.approx(0.6)


def test_summary_prefers_the_judge() -> None:
    both = scored("a", "spatial", None, 1).grown(
        scores=(
            Score(metric="lmd", of="final", value=1, by="detector"),
            Score(metric="lmd", of="final", value=0, by="judge"),
        )
    )
    assert summarize([both], "lmd")["overall"]["accuracy"] == 0
    assert summarize([both], "lmd", by="detector")["overall"]["accuracy"] == 1


def test_summary_of_nothing() -> None:
    summary = summarize([Record(id="a", prompt="x")], "lmd")
    assert summary["overall"]["accuracy"] is None and summary["n_unscored"] == 1
    assert "initial" not in summary


def test_mcnemar_is_the_exact_sign_test() -> None:
    pairs = [(0.0, 1.0)] * 8 + [(1.0, 0.0)] * 1 + [(1.0, 1.0)] * 20
    assert mcnemar(pairs) == {"fixed": 8, "broken": 1, "p_value": pytest.approx(20 / 512)}
