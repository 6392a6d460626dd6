"""What a planner who cannot see is told: things by the detector, colours, faces and the scene by CLIP; and planners who answer badly."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from tiny_answering import SIDE, answering_context
from tiny_models import noise_image

from llmgen.artifacts import Detection, Record, Reply
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.errors import ModelError
from llmgen.generate.answering.looking import PictureReader
from llmgen.llm.providers.provider import Answer
from llmgen.llm.questions.answer import AnswerQuestion
from llmgen.presets import RoleSpec
from llmgen.registry import resolve

BOY, CUP = (34.0, 8.0, 50.0, 56.0), (4.0, 40.0, 16.0, 52.0)


class Scorer:
    """Says that everything is blue, sad and at night."""

    measure: Literal["cosine", "hit"] = "cosine"

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        return []

    def score_phrases(self, crops: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[float]]:
        assert all(crop.width and crop.height for crop in crops)
        return [[float(any(w in p for w in ("blue", "sad", "night"))) for p in row] for row in phrases]


def _detect(records: Sequence[Record]) -> list[Record]:
    found = (
        Detection(id="boy #1", phrase="boy", noun="boy", box_xyxy=BOY, score=0.8),
        Detection(id="cup #1", phrase="cup", noun="cup", box_xyxy=CUP, score=0.9),
    )
    asked = [reply.text for record in records for reply in record.replies if reply.call == "parse"]
    assert all('"noun":"boy"' in text for text in asked) and len(asked) == len(records)
    return [record.grown(detections=found) for record in records]


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageContext:
    made = answering_context(tmp_path)
    clip = RoleSpec(source="none", family="clip", licence="MIT", memory_gb=0.0)
    made.preset = made.preset.model_copy(
        update={"words": ("boy", "cup"), "roles": {**made.preset.roles, "clip": clip, "detector": clip}}
    )
    monkeypatch.setitem(made._methods, "detect", _detect)
    monkeypatch.setattr(made.models, "phrase_scorer", lambda role="clip": Scorer())
    noise_image(0, SIDE, SIDE).save(tmp_path / "a.png")
    return made


def test_things_with_looks_and_the_scene(context: StageContext) -> None:
    ref = context.images.refer("a.png")
    seen = PictureReader(context).look(ref, context.images.load(ref), "What if the thing left of the boy goes away?")
    assert [(thing.noun, thing.color, thing.mood) for thing in seen.things] == [
        ("cup", "blue", None),
        ("boy", "blue", "sad"),
    ]
    assert seen.scene == "night"


def _ask(context: StageContext, *questions: str) -> list[Record]:
    records = [Record(id=f"q{i}", instruction=q, source_image="a.png", seed=i) for i, q in enumerate(questions)]
    given: dict[str, Any] = {"num_inference_steps": 1, "samples": 2}
    kind = resolve("generate", "answer-guided")
    return run_stage(
        records, method_class=kind, config=context.settings_of(kind, given), given=given, context=context
    ).records


def test_a_question_that_needs_the_picture_is_answered_from_what_was_seen(context: StageContext) -> None:
    (record,) = _ask(context, "What if the thing left of the boy goes away?")
    assert record.error is None
    assert '"edit_instruction":"remove the blue cup"' in record.replies[-1].text
    assert len(record.samples) == 2


class Planner:
    """Answers one question, has nothing usable for the other, and counts."""

    provider, model = "openai", "tiny"

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, question: AnswerQuestion) -> Answer[Any]:
        self.asked += 1
        text = "I cannot help with that." if "bad" in question.subject else '{"answer": "' + "very " * 40 + '"}'
        return Answer.read_from(question, Reply(call="answer", provider="openai", text=text))


def test_a_refusal_is_the_failure_of_its_record_alone(context: StageContext, monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner()
    monkeypatch.setattr(context, "_planner", planner)
    good, bad = _ask(context, "a good question", "a bad question")
    assert bad.error is not None and bad.error.type == ModelError.__name__ and "no JSON object" in bad.error.message
    assert good.error is None
    said = [remark.text for remark in good.remarks]
    assert any("stands in for it" in text for text in said)
    assert any("of which the model reads" in text and "cut off" in text for text in said)


def test_a_question_is_asked_once_for_all_its_samples(context: StageContext, monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner()
    monkeypatch.setattr(context, "_planner", planner)
    context.batch_size = 1
    (record,) = _ask(context, "a good question")
    assert planner.asked == 1 and len(record.samples) == 2 and len(record.replies) == 1
