"""Edits by telling a picture editor: what it is told, sizes, rounds, the command line's setting."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tiny_answering import answering_context
from tiny_models import BoxSegmenter, noise_image

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, Detection, Edit, EditPlan, MoveEdit, Record
from llmgen.correct.image_editing import ImageEditing
from llmgen.correct.instruct_painter import InstructPainter, sentence_of
from llmgen.correct.jobs import Job
from llmgen.diffusion.answering.editor import EditSettings
from llmgen.diffusion.text import TextEncoder
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.llm.providers.rules import Rules

OLD, RIGHT, LOW, LARGE = (
    (0.0, 0.0, 10.0, 10.0),
    (20.0, 0.0, 30.0, 10.0),
    (0.0, 20.0, 10.0, 30.0),
    (0.0, 0.0, 20.0, 20.0),
)
RECOLOR = ChangeAttributeEdit(
    target="red ball #1", phrase="a blue ball", noun="ball", attributes=("blue",), box_xyxy=OLD
)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (AddEdit(target="cup #1", phrase="a blue cup", noun="cup", box_xyxy=OLD), "add a blue cup"),
        (DeleteEdit(target="red ball #2", box_xyxy=OLD), "remove the red ball"),
        (RECOLOR, "turn the red ball into a blue ball"),
        (MoveEdit(op="move", target="cup #1", from_box_xyxy=OLD, box_xyxy=RIGHT), "move the cup to the right"),
        (MoveEdit(op="move", target="cup #1", from_box_xyxy=RIGHT, box_xyxy=OLD), "move the cup to the left"),
        (MoveEdit(op="move", target="cup #1", from_box_xyxy=OLD, box_xyxy=LOW), "move the cup down"),
        (MoveEdit(op="move", target="cup #1", from_box_xyxy=LOW, box_xyxy=OLD), "move the cup up"),
        (MoveEdit(op="resize", target="cup #1", from_box_xyxy=OLD, box_xyxy=LARGE), "make the cup larger"),
        (MoveEdit(op="resize", target="cup #1", from_box_xyxy=LARGE, box_xyxy=OLD), "make the cup smaller"),
    ],
)
def test_an_edit_as_an_order(edit: Edit, sentence: str) -> None:
    assert sentence_of(edit) == sentence


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    return answering_context(tmp_path_factory.mktemp("instruct"))


class Told:
    """A text encoder that keeps what it is asked."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder, self.texts = encoder, list[str]()

    def hidden(self, texts: Sequence[str]) -> object:
        self.texts += [text for text in texts if text]
        return self.encoder.hidden(texts)


def _painter(
    context: StageContext, progress: Callable[[str], None] = lambda line: None
) -> tuple[InstructPainter, Told]:
    told = Told(context.models.text("edit"))
    settings = EditSettings(steps=2, text_guidance=3.0, image_guidance=1.5, batch_size=8)
    return InstructPainter(context.models.picture_editor(), told, settings, 64, progress), told


def _job(width: int, height: int, instruction: str) -> Job:
    plan = EditPlan(edits=(RECOLOR, DeleteEdit(target="tree #1", box_xyxy=LOW)), target=())
    return Job(noise_image(0, width, height), plan, (), "", "", seed=3, instruction=instruction)


def test_the_words_that_were_said_or_each_edit_in_turn(context: StageContext) -> None:
    lines: list[str] = []
    painter, told = _painter(context, lines.append)
    painter.paint([_job(64, 64, "make the ball blue and cut the tree"), _job(64, 64, "")])
    assert told.texts == [
        "make the ball blue and cut the tree",
        "turn the red ball into a blue ball",
        "remove the tree",
    ]
    assert painter.unet_calls == 6
    assert lines[-1].startswith("editing: remove the tree: step 2 of 2, ")


def test_pictures_of_any_shape_keep_their_size(context: StageContext) -> None:
    painter, _ = _painter(context)
    job = _job(150, 101, "make it night")
    (painted,) = painter.paint([job])
    assert painted.image.size == painted.region.size == (150, 101)
    assert painted.image.tobytes() != job.image.tobytes()
    assert painter.paint([job])[0].image.tobytes() == painted.image.tobytes()


def test_image_editing_tells_the_editor(context: StageContext, monkeypatch: pytest.MonkeyPatch) -> None:
    ball = Detection(id="red ball #1", phrase="red ball", noun="ball", attributes=("red",), box_xyxy=OLD, score=0.9)
    blue = ball.model_copy(update={"id": "blue ball #1", "phrase": "blue ball", "attributes": ("blue",)})
    looks = [ball, ball, blue]

    def detect(records: Sequence[Record]) -> list[Record]:
        return [record.grown(detections=(looks.pop(0),)) for record in records]

    monkeypatch.setattr(context, "_planner", Rules())
    monkeypatch.setitem(context._methods, "detect", detect)
    monkeypatch.setattr(context.models, "segmenter", lambda role="segmenter": BoxSegmenter())
    noise_image(5).save(Path(context.images.root) / "mine.png")
    config = context.settings_of(ImageEditing, {"painter": "instruct", "num_inference_steps": 2, "rounds": 2})
    method = ImageEditing(context, config)
    record = Record(id="r", prompt="a red ball", instruction="make the ball blue", seed=1, source_image="mine.png")
    (after,) = method([record])
    assert [entry.round for entry in after.history] == [0, 1, 2]
    assert after.image == after.history[-1].image
    assert after.history[1].image != after.history[2].image


def test_the_reference_profile_paints_with_latents(context: StageContext) -> None:
    config = context.settings_of(ImageEditing, {"painter": "instruct", "profile": "reference"})
    with pytest.raises(InputError, match="paints with latents"):
        ImageEditing(context, config)._load_painter()
