from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llmgen.artifacts import Detection, EditPlan, HistoryEntry, ImageRef, Instance, Layout, ModelUse, Record, Score
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.evaluate.lmd import LmdEvaluate, LmdEvaluateConfig
from llmgen.presets import Preset
from llmgen.vision.images import ImageStore
from llmgen.vision.protocols import PhraseHit

SIDE = 32


class Colours:
    """A detector for pictures of one colour: red ones show a red ball, blue ones a blue ball, black ones nothing."""

    def __init__(self) -> None:
        self.looked = 0

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        return []

    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float
    ) -> list[list[PhraseHit]]:
        self.looked += len(images)
        assert all(queries)
        found = []
        for image, asked in zip(images, queries, strict=True):
            colour = {(255, 0, 0): "red", (0, 0, 255): "blue"}.get(image.getpixel((0, 0)))  # type: ignore[arg-type]
            answers = [q for q in asked if colour and q in (f"image of a {colour} ball", "image of a ball")]
            found.append([PhraseHit(q, (1.0, 1.0, 20.0, 20.0), 0.5) for q in answers if threshold <= 0.5])
        return found


class Models:
    def __init__(self) -> None:
        self.roles: dict[str, Colours] = {}

    def phrase_detector(self, role: str) -> Colours:
        return self.roles.setdefault(role, Colours())

    def use(self, role: str) -> ModelUse:
        return ModelUse(role=role, source="test")


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    preset = Preset(name="test", description="", width=SIDE, height=SIDE, roles={})
    made = StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")
    made._models = Models()  # type: ignore[assignment]
    return made


def picture(context: StageContext, colour: str) -> ImageRef:
    return context.images.save(colour, "test", Image.new("RGB", (SIDE, SIDE), colour))


def values(record: Record) -> dict[str, float]:
    return {score.of: score.value for score in record.scores or ()}


def corrected(context: StageContext, name: str, before: str, after: str) -> Record:
    first, last = picture(context, before), picture(context, after)
    return Record(
        id=name,
        prompt="a red ball in a meadow",
        image=last,
        edits=EditPlan(),
        history=(
            HistoryEntry(stage="generate", round=0, image=first),
            HistoryEntry(stage="correct", round=1, image=last),
        ),
    )


def test_before_and_after(context: StageContext) -> None:
    evaluate = LmdEvaluate(context, LmdEvaluateConfig(judge=True))
    assert evaluate.models == ()
    fixed, same = evaluate([corrected(context, "a", "blue", "red"), corrected(context, "b", "black", "black")])
    assert values(fixed) == {"initial": 0.0, "final": 1.0}
    assert values(same) == {"initial": 0.0, "final": 0.0}
    assert evaluate.models == (ModelUse(role="judge", source="test"),)
    assert context.models.phrase_detector("judge").looked == 3  # type: ignore[attr-defined]
    [first, last] = fixed.scores or ()
    assert (first.by, first.type, first.detail) == ("judge", "attribution", "wanted at least 1 x red ball, found 0")
    assert [(d.id, d.noun, d.attributes) for d in last.seen or ()] == [("red ball #1", "ball", ("red",))]


def test_a_drawn_picture_has_no_before(context: StageContext) -> None:
    image = picture(context, "red")
    record = Record(
        id="a",
        prompt="a red ball",
        type="mine",
        image=image,
        history=(HistoryEntry(stage="generate", round=0, image=image),),
    )
    [scored] = LmdEvaluate(context, LmdEvaluateConfig())([record])
    assert values(scored) == {"final": 1.0}
    assert scored.scores is not None and (scored.scores[0].by, scored.scores[0].type) == ("detector", "mine")


def test_plain_and_attributed_phrases_have_their_own_thresholds(context: StageContext) -> None:
    records = [
        Record(id=f"r{i}", prompt=prompt, image=picture(context, "red"))
        for i, prompt in enumerate(["a red ball", "a ball", "a meadow with no balls"])
    ]
    strict = LmdEvaluate(context, LmdEvaluateConfig(attribution_threshold=0.6))(records)
    assert [values(record)["final"] for record in strict] == [0.0, 1.0, 0.0]


def test_scoring_again_replaces_the_score(context: StageContext) -> None:
    record = Record(id="a", prompt="a red ball", image=picture(context, "red"))
    other = Score(metric="coco", of="final", value=0.5, by="detector")
    evaluate = LmdEvaluate(context, LmdEvaluateConfig())
    [once] = evaluate([record.grown(scores=(other,))])
    [twice] = evaluate([once])
    assert twice.scores == once.scores and len(twice.scores or ()) == 2
    [judged] = LmdEvaluate(context, LmdEvaluateConfig(judge=True))([once])
    assert [score.by for score in judged.scores or ()] == ["detector", "detector", "judge"]


def test_plans_and_detections_need_no_model(context: StageContext) -> None:
    plan = Layout(
        width=SIDE,
        height=SIDE,
        background_prompt="a meadow",
        instances=(Instance(id="1", phrase="a red ball", box_xyxy=(1, 1, 20, 20)),),
    )
    blue = Detection(id="b", phrase="blue ball", noun="ball", attributes=("blue",), box_xyxy=(1, 1, 20, 20), score=0.9)
    record = Record(id="a", prompt="a red ball", layout=plan, detections=(blue,))
    [planned] = LmdEvaluate(context, LmdEvaluateConfig())([record])
    [seen] = LmdEvaluate(context, LmdEvaluateConfig(of="detections"))([record])
    assert values(planned) == {"layout": 1.0} and values(seen) == {"detections": 0.0}
    assert context.models.roles == {}  # type: ignore[attr-defined]


def test_a_bare_background_is_left_unscored(context: StageContext) -> None:
    [record] = LmdEvaluate(context, LmdEvaluateConfig())([Record(id="a", prompt="a meadow")])
    assert record.scores == ()


def test_a_prompt_that_was_not_read_wholly_is_left_unscored(
    context: StageContext, caplog: pytest.LogCaptureFixture
) -> None:
    [record] = LmdEvaluate(context, LmdEvaluateConfig())([Record(id="a", prompt="a tray with more plums than pears")])
    assert record.scores == ()
    assert "record 'a' is not scored, as its prompt is not read wholly: comparisons" in caplog.text


def test_says_what_is_missing(context: StageContext) -> None:
    bare = Record(id="a", prompt="a red ball")
    for of, what in (("auto", "no picture and no layout"), ("detections", "no detection"), ("images", "no image")):
        config: Any = LmdEvaluateConfig(of=of)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=f"record 'a' has {what}"):
            LmdEvaluate(context, config)([bare])
