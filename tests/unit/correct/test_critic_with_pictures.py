"""A critic that sees, behind a real server on the loopback: what it is shown, what it may answer, and what follows a useless answer."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import Server
from PIL import Image
from tiny_interactions import STEPS, acting_context, acting_record

from llmgen.artifacts import Record
from llmgen.correct.interaction import InteractionCorrection
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.generate.record import RecordGenerate
from llmgen.llm.providers.openai import OpenAI
from llmgen.llm.questions.pictures import LARGEST_SIDE_PX

CHOICE = json.dumps({"choice": 2, "reason": "a leg is up"})
PLACE = json.dumps(
    {"relation": "in_front_of", "object_box": {"x": 40, "y": 40, "width": 16, "height": 20}, "reason": "there"}
)


@pytest.fixture
def critic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Puts a server that answers from a script behind a context's critic."""
    opened: list[Any] = []
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")

    def put(context: StageContext, *script: Any) -> Server:
        server = Server(list(script))
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        context.critic_name, context._critic = "openai", OpenAI(model="m", retries=0)
        opened.extend((context._critic, server))
        return server

    yield put
    for each in opened:
        each.close()


def run(method: Any, context: StageContext, record: Record, **given: Any) -> Record:
    given = {**STEPS, **given}
    config = context.settings_of(method, given)
    (made,) = run_stage([record], method_class=method, config=config, given=given, context=context).records
    assert made.error is None, made.error
    return made


def candidates(context: StageContext) -> Record:
    return run(RecordGenerate, context, acting_record(), samples=3)


def shown(request: dict[str, Any]) -> tuple[str, list[Image.Image]]:
    """Text and pictures of a request's last turn."""
    text, *parts = request["messages"][-1]["content"]
    pictures: list[Image.Image] = []
    for part in parts:
        head, _, data = part["image_url"]["url"].partition(",")
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert head == f"data:image/{(image.format or '').lower()};base64"
        pictures.append(image)
    return text["text"], pictures


def test_the_critic_sees_the_candidates_and_chooses(tmp_path: Path, critic: Any) -> None:
    context, _ = acting_context(tmp_path)
    before = candidates(context)
    server = critic(context, CHOICE, PLACE)
    record = run(InteractionCorrection, context, before, plan_only=True)
    choosing, placing = server.requests
    text, pictures = shown(choosing)
    assert "Pictures: 3, numbered from 1 in order" in text
    stored = [context.images.load(sample.image).convert("RGB") for sample in before.samples]
    assert [picture.convert("RGB").tobytes() for picture in pictures] == [picture.tobytes() for picture in stored]
    schema = choosing["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["choice"] == {"type": "integer", "minimum": 1, "maximum": 3}
    assert len(shown(placing)[1]) == 1
    assert record.chosen is not None and (record.chosen.index, record.chosen.reason) == (1, "a leg is up")
    assert record.edits is not None and record.edits.edits[0].box_xyxy == (40.0, 40.0, 56.0, 60.0)
    assert [(reply.call, reply.provider, reply.attempts) for reply in record.replies] == [
        ("pose_choice", "openai", 1),
        ("object_place", "openai", 1),
    ]


def test_large_candidates_are_made_small_for_the_request_alone(tmp_path: Path, critic: Any) -> None:
    context, _ = acting_context(tmp_path)
    record = candidates(context)
    refs = [context.images.save("r", f"large-{n}", Image.new("RGB", (1536, 768), (n, 0, 0))) for n in range(3)]
    samples = tuple(s.model_copy(update={"image": ref}) for s, ref in zip(record.samples, refs, strict=True))
    server = critic(context, CHOICE, PLACE)
    run(InteractionCorrection, context, record.grown(samples=samples, image=refs[0], history=()), plan_only=True)
    assert [picture.size for picture in shown(server.requests[0])[1]] == [(LARGEST_SIDE_PX, LARGEST_SIDE_PX // 2)] * 3


def test_a_useless_answer_is_asked_for_again_with_its_fault(tmp_path: Path, critic: Any) -> None:
    context, _ = acting_context(tmp_path)
    before = candidates(context)
    server = critic(context, '{"choice": 9, "reason": "it is the best"}', CHOICE, PLACE)
    record = run(InteractionCorrection, context, before, plan_only=True)
    first, second, _ = (request["messages"] for request in server.requests)
    assert second[: len(first)] == first and "choice 9 of 3 pictures" in second[-1]["content"]
    assert record.chosen is not None and record.chosen.index == 1
    assert [reply.attempts for reply in record.replies] == [2, 1]
    assert not record.remarks


def test_useless_answers_leave_it_to_the_rules_and_the_record_says_so(tmp_path: Path, critic: Any) -> None:
    context, _ = acting_context(tmp_path)
    before = candidates(context)
    bad = json.dumps({"relation": "on", "object_box": {"x": 900, "y": 0, "width": 5, "height": 5}, "reason": ""})
    server = critic(context, CHOICE, bad)
    record = run(InteractionCorrection, context, before, plan_only=True)
    # One question, and one that is asked once more.
    assert len(server.requests) == 1 + 2
    assert [(reply.call, reply.provider) for reply in record.replies] == [
        ("pose_choice", "openai"),
        ("object_place", "rules"),
    ]
    said = [remark.text for remark in record.remarks]
    assert any(
        "object_place is of no use, the rules answer" in text and "outside the 64x64 picture" in text for text in said
    )
    assert record.edits is not None and len(record.edits.edits) == 1
