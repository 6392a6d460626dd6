"""A question about a picture to pictures that answer it, by all three methods, on tiny models."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_answering import SIDE, answering_context
from tiny_models import noise_image

from llmgen.artifacts import Record
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.errors import InputError, MissingRequirementError, PresetError
from llmgen.generate.answering.answered import REFERENCE_SEEDS
from llmgen.registry import resolve

METHODS = ("lgd", "question-guided", "answer-guided")
QUICK: dict[str, dict[str, Any]] = {
    "lgd": {"num_inference_steps": 2},
    "question-guided": {"num_inference_steps": 2},
    "answer-guided": {"num_inference_steps": 2, "look": False},
}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    folder = tmp_path_factory.mktemp("answering")
    made = answering_context(folder)
    noise_image(0, SIDE, SIDE).save(folder / "square.png")
    noise_image(1, 3 * SIDE, 2 * SIDE).save(folder / "wide.png")
    noise_image(2, 3, 3).save(folder / "dot.png")
    noise_image(3, 800, 8).save(folder / "thread.png")
    return made


def _ask(context: StageContext, method: str, records: list[Record], **settings: Any) -> list[Record]:
    kind = resolve("generate", method)
    given = QUICK[method] | settings
    result = run_stage(
        records, method_class=kind, config=context.settings_of(kind, given), given=given, context=context
    )
    return result.records


def _question(
    name: str = "q", picture: str = "square.png", text: str = "what happens when the sun goes down"
) -> Record:
    return Record(id=name, instruction=text, source_image=picture, seed=7)


def _pixels(context: StageContext, record: Record) -> list[bytes]:
    return [context.images.load(sample.image).tobytes() for sample in record.samples]


@pytest.mark.parametrize("method", METHODS)
def test_nine_pictures_in_one_call_a_step(context: StageContext, method: str) -> None:
    remarks: list[str] = []
    lines: list[str] = []
    context.remark, context.progress = remarks.append, lines.append
    (record,) = _ask(context, method, [_question()])
    assert record.error is None
    assert len(record.samples) == 9
    assert remarks[-1] == "2 calls of the U-Net for 9 pictures"
    assert f"generate {method}: 9 pictures: step 2 of 2, 0 s left" in lines
    assert f"generate {method}: reading 9 questions: step 9 of 9, 0 s left" in lines
    assert len(set(_pixels(context, record))) == 9
    assert record.image is not None and (record.image.width, record.image.height) == (SIDE, SIDE)


def test_smaller_batches_give_the_same_pictures(context: StageContext) -> None:
    (whole,) = _ask(context, "lgd", [_question()], samples=3)
    context.batch_size = 2
    try:
        (parts,) = _ask(context, "lgd", [_question()], samples=3)
    finally:
        context.batch_size = 8
    for one, other in zip(whole.samples, parts.samples, strict=True):
        pixels = [np.asarray(context.images.load(s.image), dtype=int) for s in (one, other)]
        assert abs(pixels[0] - pixels[1]).max() <= 1


def test_the_originals_seeds_and_steps_in_its_profile(context: StageContext) -> None:
    kind = resolve("generate", "lgd")
    config = context.settings_of(kind, {"profile": "reference"})
    assert (config.num_inference_steps, config.guidance_scale, config.image_guidance_scale) == (50, 7.5, 1.8)
    assert (config.fit, config.wording, config.slots) == ("squash", "evaluation", "feat")
    assert config.own_seeds() == REFERENCE_SEEDS
    with pytest.raises(InputError, match="profile 'reference' means guidance_scale=7.5"):
        context.settings_of(kind, {"profile": "reference", "guidance_scale": 3.0})


def test_question_and_picture_matter(context: StageContext) -> None:
    asked = [_question("a"), _question("b", text="why is the cat sad"), _question("c", "wide.png")]
    made = _ask(context, "lgd", asked, samples=1)
    pictures = [context.images.load(record.image) for record in made if record.image]
    assert [picture.size for picture in pictures] == [(64, 64), (64, 64), (72, 48)]
    assert pictures[0].tobytes() != pictures[1].tobytes()


def test_a_rerun_gives_the_same_bytes(context: StageContext) -> None:
    first, again = (_ask(context, "question-guided", [_question()], samples=2)[0] for _ in range(2))
    assert [s.image.sha256 for s in first.samples] == [s.image.sha256 for s in again.samples]


def test_what_answered_stands_in_the_record(context: StageContext) -> None:
    (record,) = _ask(context, "answer-guided", [_question()], samples=2)
    assert [reply.call for reply in record.replies] == ["answer"]
    assert "it is a night scene now" in record.replies[0].text
    assert record.provenance[-1].models[0].scheduler == "euler-a"
    (spoken,) = _ask(context, "answer-guided", [_question()], samples=1, answer_by="answerer")
    if spoken.error is None:
        assert spoken.replies[0].provider == "blip2"
    else:  # untrained as it is, it may have nothing to say
        assert "is empty, so there is nothing to draw" in spoken.error.message
    (said,) = _ask(context, "lgd", [_question()], samples=1, say_answer=True)
    assert [reply.provider for reply in said.replies] == ["blip2"]


@pytest.mark.parametrize("slots", ["feat", "sent", "both"])
def test_slots(context: StageContext, slots: str) -> None:
    (record,) = _ask(context, "lgd", [_question()], samples=1, slots=slots)
    assert record.error is None
    assert bool(record.replies) == (slots != "feat")


def test_bad_records_stop_no_other(context: StageContext) -> None:
    records = [
        _question("good"),
        Record(id="no-question", prompt="a cat", source_image="square.png"),
        Record(id="no-picture", prompt="a cat", instruction="why"),
        _question("gone", "gone.png"),
        _question("dot", "dot.png"),
        _question("thread", "thread.png"),
        _question("long", text="why " * 300),
        _question("unknown", text="How many angels are there?"),
    ]
    made = {record.id: record for record in _ask(context, "answer-guided", records, samples=1)}
    errors = {name: record.error.message if record.error else "" for name, record in made.items()}
    assert not errors["good"]
    assert "no section 'instruction'" in errors["no-question"]
    assert "no section 'source_image'" in errors["no-picture"]
    assert "gone.png" in errors["gone"] and "missing" in errors["gone"]
    assert "3x3 pixels, too few" in errors["dot"]
    assert "too long for its width" in errors["thread"]
    assert "the rules know no answer" in errors["unknown"]


@pytest.mark.parametrize("method", ["lgd", "question-guided"])
def test_long_questions_are_cut_with_a_remark(context: StageContext, method: str) -> None:
    (record,) = _ask(context, method, [_question(text="why is the cat sad " * 60)], samples=1)
    assert record.error is None
    assert any("cut off" in remark.text for remark in record.remarks)


def test_two_questions_on_one_picture_are_two_answers(context: StageContext) -> None:
    records = [_question("one"), _question("two", text="why is the dog red")]
    one, two = _ask(context, "lgd", records, samples=1)
    assert one.image and two.image and one.image.sha256 != two.image.sha256


def test_a_cut_picture_is_remarked_on(context: StageContext) -> None:
    root = context.images.root
    noise_image(4, 200, 150).save(root / "odd.png")
    (record,) = _ask(context, "lgd", [_question(picture="odd.png")], samples=1)
    assert record.image is not None and record.image.width % 8 == record.image.height % 8 == 0
    share = [remark.text for remark in record.remarks if "edges" in remark.text]
    assert len(share) == (1 if abs(record.image.width / record.image.height - 200 / 150) > 0.03 else 0)


def test_an_editor_without_channels_for_a_picture_is_refused(context: StageContext, tmp_path: Path) -> None:
    source = f"{context.images.root}/sd"
    role = context.preset.role("edit").model_copy(update={"source": source})
    preset = context.preset.model_copy(update={"roles": {**context.preset.roles, "edit": role}})
    other = StageContext(preset, context.images, "cpu", "float32")
    with pytest.raises(MissingRequirementError, match="takes 4 channels, not 8"):
        other.models.picture_editor()


def test_roles_of_other_families_are_refused(context: StageContext) -> None:
    roles = {**context.preset.roles, "answer_to_image": context.preset.role("edit")}
    other = StageContext(context.preset.model_copy(update={"roles": roles}), context.images, "cpu", "float32")
    with pytest.raises(PresetError, match="must be of the family 'lgd', not 'instruct-pix2pix'"):
        other.models.latent_editor()
