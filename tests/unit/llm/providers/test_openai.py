"""The openai planner against a real HTTP server on the loopback."""

import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from chat_server import Server, completion, refused

from llmgen.artifacts import Detection, Layout
from llmgen.errors import InputError, MissingRequirementError, ModelError
from llmgen.llm.providers.openai import OpenAI
from llmgen.llm.providers.provider import Answer, load_provider
from llmgen.llm.questions.differences import DifferencesQuestion
from llmgen.llm.questions.edit import EditQuestion
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.llm.questions.parse import ParseQuestion

KEY = "sk-secret-0123456789"
PLAN = {
    "reasoning": "one",
    "objects": [{"noun": "ball", "attributes": ["red"], "box": {"x": 10, "y": 20, "width": 40, "height": 40}}],
    "background": "a meadow",
    "negative": [],
}
GOOD = json.dumps(PLAN)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Any]:
    started: list[Server] = []
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path / "cache"))

    def start(*script: Any, key: str = KEY) -> Server:
        server = Server(list(script))
        started.append(server)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", key)
        return server

    yield start
    for server in started:
        server.close()


def ask(seed: int = 7, **options: Any) -> Answer[Layout]:
    planner = OpenAI(model="m", **options)
    try:
        return planner.ask(LayoutQuestion("a meadow with a red ball", 128, 128, seed))
    finally:
        planner.close()


def test_a_good_answer(serve: Any) -> None:
    server = serve(GOOD)
    answer = ask()
    layout, reply = answer.value, answer.reply
    assert [(i.phrase, i.box_xyxy) for i in layout.instances] == [("a red ball", (10, 20, 50, 60))]
    assert (reply.text, reply.model, reply.attempts) == (GOOD, "m", 1)
    (request,) = server.requests
    assert request["response_format"]["json_schema"]["strict"] is True
    assert (request["temperature"], request["seed"], request["model"]) == (0, 7, "m")
    assert "a meadow with a red ball" in request["messages"][1]["content"]


def test_answers_are_cached(serve: Any) -> None:
    server = serve(GOOD)
    first = ask()
    assert ask() == first
    assert len(server.requests) == 1
    ask(seed=8)
    assert len(server.requests) == 2


def test_prose_and_fences_are_read(serve: Any) -> None:
    server = serve(f"Gladly!\n```json\n{GOOD}\n```")
    assert ask().value.background_prompt == "a meadow"
    assert len(server.requests) == 1


def test_a_bad_answer_is_sent_back_with_its_fault(serve: Any) -> None:
    server = serve('{"objects": "none"}', GOOD)
    reply = ask().reply
    assert reply.attempts == 2
    assert [m["role"] for m in server.requests[1]["messages"]] == ["system", "user", "assistant", "user"]
    assert "objects" in server.requests[1]["messages"][3]["content"]


def test_bad_answers_end(serve: Any) -> None:
    server = serve("no")
    with pytest.raises(ModelError, match="no usable answer.*3 attempts.*'no'"):
        ask()
    assert len(server.requests) == 3


def test_a_refusal_is_told(serve: Any) -> None:
    serve(completion(None, refusal="I cannot draw that."))
    with pytest.raises(ModelError, match="refused to answer: I cannot draw that."):
        ask()


def test_servers_without_schemas_get_less(serve: Any) -> None:
    server = serve(refused("response_format json_schema is not supported"), refused("no response_format at all"), GOOD)
    planner = OpenAI(model="m")
    planner.ask(LayoutQuestion("a red ball", 128, 128, 0))
    formats = [r.get("response_format", {}).get("type") for r in server.requests]
    assert formats == ["json_schema", "json_object", None]
    assert "JSON schema" in server.requests[2]["messages"][0]["content"]
    planner.ask(LayoutQuestion("a blue ball", 128, 128, 0))
    planner.close()
    assert "response_format" not in server.requests[3]


def test_models_without_temperature_get_none(serve: Any) -> None:
    server = serve(refused("temperature does not support 0 with this model"), GOOD)
    ask()
    assert "temperature" not in server.requests[1]
    assert server.requests[1]["response_format"]["type"] == "json_schema"


def test_a_request_that_is_never_right_ends(serve: Any) -> None:
    server = serve(refused("context length exceeded"))
    with pytest.raises(ModelError, match="refused the request.*context length"):
        ask()
    assert len(server.requests) == 3


def test_server_errors(serve: Any) -> None:
    server = serve((500, {"error": {"message": f"broken, key {KEY}"}}))
    with pytest.raises(ModelError, match="status 500") as caught:
        ask(retries=1)
    assert KEY not in str(caught.value)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "named"), [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "LLMGEN_OPENAI_MODEL")]
)
def test_setup_errors_name_the_variable(serve: Any, status: int, named: str) -> None:
    serve((status, {"error": {"message": f"no, {KEY}"}}))
    with pytest.raises(MissingRequirementError, match=named) as caught:
        ask(retries=0)
    assert KEY not in str(caught.value)


def test_nonsense_with_status_200(serve: Any) -> None:
    serve({"hello": "there"})
    with pytest.raises(ModelError, match="sent no answer"):
        ask()


def test_a_dead_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    with pytest.raises(MissingRequirementError, match=f"no answer from 127.0.0.1:{port}") as caught:
        ask(retries=0)
    assert "\n" not in str(caught.value)


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingRequirementError, match="OPENAI_API_KEY"):
        load_provider("openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example.com/v1")
    with pytest.raises(MissingRequirementError, match="OPENAI_API_KEY"):
        load_provider("openai")


def test_a_local_server_needs_no_key(serve: Any) -> None:
    server = serve(GOOD, key="")
    ask()
    assert server.keys == ["Bearer none"]


def test_the_key_appears_nowhere(serve: Any, caplog: pytest.LogCaptureFixture, tmp_path: Any) -> None:
    serve("bad", GOOD)
    with caplog.at_level(logging.INFO, logger="llmgen"):
        answer = ask()
    assert KEY not in caplog.text + answer.value.model_dump_json() + answer.reply.model_dump_json()
    assert all(KEY not in path.read_text() for path in (tmp_path / "cache").rglob("*.json"))


def test_differences_and_parse(serve: Any) -> None:
    update = {"reasoning": "", "keep": [], "delete": ["ball #1"], "move": [], "change": [], "add": []}
    server = serve(
        json.dumps(update), json.dumps({"reasoning": "", "objects": [], "background": "x", "negative": ["Cars"]})
    )
    planner = OpenAI(model="m")
    ball = Detection(id="ball #1", phrase="ball", noun="ball", box_xyxy=(0, 0, 30, 30), score=0.5)
    answer = planner.ask(DifferencesQuestion("no balls", (ball,), 128, 128, None, 0))
    assert [(e.op, e.target) for e in answer.value.edits] == [("delete", "ball #1")]
    assert answer.reply.call == "differences"
    assert '"ball #1"' in server.requests[0]["messages"][1]["content"]
    assert planner.ask(ParseQuestion("no cars")).value.negative == ["cars"]
    with pytest.raises(InputError, match="empty"):
        planner.ask(ParseQuestion(" "))
    planner.close()


def test_edit(serve: Any) -> None:
    update = {"reasoning": "", "keep": [], "delete": [], "move": [], "change": [], "add": []}
    server = serve(json.dumps({**update, "change": [{"id": "ball #1", "attributes": ["blue"]}]}))
    planner = OpenAI(model="m")
    ball = Detection(id="ball #1", phrase="ball", noun="ball", box_xyxy=(0, 0, 30, 30), score=0.5)
    answer = planner.ask(EditQuestion("make the ball blue", (ball,), 128, 128, 0))
    assert [(e.op, e.target) for e in answer.value.edits] == [("change_attribute", "ball #1")]
    assert answer.reply.call == "edit"
    (request,) = server.requests
    assert "Instruction: make the ball blue" in request["messages"][1]["content"]
    assert "edit pictures by instruction" in request["messages"][0]["content"]
    planner.close()
