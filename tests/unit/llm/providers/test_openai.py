"""The openai planner against a real HTTP server on the loopback."""

import asyncio
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
from llmgen.llm.questions.pose_choice import PoseChoiceQuestion

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

    def start(*script: Any, key: str = KEY, **options: Any) -> Server:
        server = Server(list(script), **options)
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
    assert (request["temperature"], request["seed"], request["model"], request["max_tokens"]) == (0, 7, "m", 2048)
    assert "a meadow with a red ball" in request["messages"][-1]["content"]
    # One look at the models and one small question came before.
    assert (server.looked, len(server.probes)) == (1, 1)
    assert server.probes[0]["max_tokens"] < 100


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
    first, second = (r["messages"] for r in server.requests)
    assert second[: len(first)] == first
    assert [m["role"] for m in second[len(first) :]] == ["assistant", "user"]
    assert "objects" in second[-1]["content"]


def test_bad_answers_end(serve: Any) -> None:
    server = serve("no")
    with pytest.raises(ModelError, match="no usable answer.*3 attempts.*'no'"):
        ask()
    assert len(server.requests) == 3
    # No two requests are alike, in words, seed and temperature.
    assert len({r["messages"][-1]["content"] for r in server.requests}) == 3
    assert [r["seed"] for r in server.requests] == [7, 8, 9]
    assert [r["temperature"] for r in server.requests] == [0, 0.5, 0.9]
    assert all(m["content"] != "no" for m in server.requests[2]["messages"])


def test_a_question_may_be_asked_again_once_only(serve: Any) -> None:
    question = PoseChoiceQuestion("a boy is kicking a ball", "a boy", "kicking", "kick", (None, None), 7)
    server = serve('{"choice": 7, "reason": "of five"}')
    with pytest.raises(ModelError, match="pose_choice call in 2 attempts.*choice 7 of 2 pictures"):
        OpenAI(model="m").ask(question)
    assert len(server.requests) == 2


def test_a_long_bad_answer_is_not_sent_back(serve: Any) -> None:
    server = serve("no " * 2000, GOOD)
    assert ask().reply.attempts == 2
    assert max(len(m["content"]) for m in server.requests[1]["messages"]) < 4000
    assert "could not be used" in server.requests[1]["messages"][-1]["content"]


def test_an_answer_that_was_cut_is_a_fault_of_its_own(serve: Any) -> None:
    server = serve(completion(GOOD[:80], finish="length"))
    with pytest.raises(ModelError, match="cut before it was complete.*'length'; 2048 tokens.*LLMGEN_OPENAI_MAX_TOKENS"):
        ask()
    assert len(server.requests) == 3
    assert all(GOOD[:80] not in m["content"] for r in server.requests[1:] for m in r["messages"])
    assert "too long" not in GOOD and "longer than allowed" in server.requests[1]["messages"][-1]["content"]


def test_a_complete_answer_that_goes_on_is_taken(serve: Any) -> None:
    server = serve(completion(f"{GOOD}\nAnd now something", finish="length"))
    assert ask().value.background_prompt == "a meadow"
    assert len(server.requests) == 1


def test_a_short_context_gets_less_and_the_ladder_stays(serve: Any) -> None:
    server = serve(refused("This model's maximum context length is 1024 tokens"), GOOD, GOOD)
    planner = OpenAI(model="m")
    assert planner.ask(LayoutQuestion("a red ball", 128, 128, 0)).reply.attempts == 2
    planner.ask(LayoutQuestion("a blue ball", 128, 128, 0))
    planner.close()
    long, short, next_one = server.requests
    assert len(long["messages"]) == 8 and len(short["messages"]) == len(next_one["messages"]) == 2
    assert short["max_tokens"] == 512
    assert {r["response_format"]["type"] for r in server.requests} == {"json_schema"}


def test_a_schema_that_is_refused_is_told_in_words_for_its_question(serve: Any) -> None:
    server = serve(refused("Invalid schema for response_format: too deep"), GOOD, GOOD)
    planner = OpenAI(model="m")
    planner.ask(LayoutQuestion("a red ball", 128, 128, 0))
    planner.ask(LayoutQuestion("a blue ball", 128, 128, 0))
    planner.close()
    assert ["response_format" in r for r in server.requests] == [True, False, True]
    assert "JSON schema" in server.requests[1]["messages"][0]["content"]


def test_a_refusal_is_told(serve: Any) -> None:
    serve(completion(None, refusal="I cannot draw that."))
    with pytest.raises(ModelError, match="refused to answer: I cannot draw that."):
        ask()


def test_a_request_that_is_never_right_ends(serve: Any) -> None:
    server = serve(refused("context length exceeded"))
    with pytest.raises(ModelError, match="refused the request.*context length"):
        ask()
    assert len(server.requests) == 2


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
    assert set(server.keys) == {"Bearer none"}


PADDED = "x" * 285 + " "
LEAKS = {
    "an answer that reads": [GOOD.replace("a meadow", KEY)],
    "an answer that does not": [f"no {KEY}"],
    "a status": [refused(f"{PADDED}{KEY}")],
    "a part of it": [refused(f"the key {KEY[:15]}")],
    "a refusal of the model": [completion(None, refusal=f"{PADDED}{KEY}")],
    "FastAPI's detail": [(422, {"detail": f"{PADDED}{KEY}"})],
    "no answer": [{"hello": f"{PADDED}{KEY}"}],
    "the model's name": [completion(GOOD, model=KEY)],
}


@pytest.mark.parametrize("case", LEAKS)
def test_the_key_appears_nowhere(serve: Any, caplog: pytest.LogCaptureFixture, tmp_path: Any, case: str) -> None:
    serve(*LEAKS[case])
    said = ""
    with caplog.at_level(logging.DEBUG, logger="llmgen"):
        try:
            answer = ask()
            said = answer.value.model_dump_json() + answer.reply.model_dump_json()
        except ModelError as error:
            said = str(error)
    kept = "".join(path.read_text() for path in (tmp_path / "cache").rglob("*.json"))
    assert said and KEY[:12] not in said + caplog.text + kept


@pytest.mark.parametrize("key", ["e", "red", "a", "none", "me"])
def test_a_short_dummy_key_mangles_nothing(serve: Any, key: str) -> None:
    serve(GOOD, refused("the meadow is more than one can bear"), key=key)
    answer = ask()
    assert answer.reply.text == GOOD and answer.value.background_prompt == "a meadow"
    with pytest.raises(ModelError, match="the meadow is more than one can bear"):
        ask(seed=8)


def test_reasons_are_given_in_the_servers_words(serve: Any) -> None:
    serve((400, {"detail": "Server is pinned to another"}))
    with pytest.raises(ModelError, match="refused the request: Server is pinned to another"):
        ask()
    serve((422, {"detail": [{"loc": ["body", "n"], "msg": "too small"}]}))
    with pytest.raises(ModelError, match="too small"):
        ask()


@pytest.mark.parametrize("content", [None, 7, [], [{"text": 3}, "x"], "\ud800", '{"objects": "\\ud800"}'])
def test_any_content_fails_in_one_line(serve: Any, content: Any) -> None:
    serve(completion(content))
    with pytest.raises(ModelError, match="no usable answer") as caught:
        ask()
    str(caught.value).encode("utf-8")


def test_parts_of_text_are_joined(serve: Any) -> None:
    serve(completion([{"type": "text", "text": GOOD[:30]}, {"type": "text", "text": GOOD[30:]}]))
    assert ask().reply.text == GOOD


def test_an_answer_that_drips_is_cut(serve: Any) -> None:
    server = serve(GOOD, drip_s=0.05)
    with pytest.raises(ModelError, match="had not answered after 0.5 s; LLMGEN_OPENAI_TIMEOUT"):
        ask(timeout_s=0.5)
    assert server.cut.wait(10)  # the server is told that nobody listens any more
    assert len(server.requests) == 1


def test_an_endless_answer_is_refused(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmgen.llm.providers.server.MOST_BYTES", 1000)
    serve("x" * 2000)
    with pytest.raises(ModelError, match="answered something unreadable: more than"):
        ask()


def test_the_servers_only_model_is_asked_for(serve: Any) -> None:
    server = serve(completion(GOOD, model="smollm2-Q4"), models=["smollm2"])
    planner = OpenAI()
    answer = planner.ask(LayoutQuestion("a red ball", 128, 128, 0))
    planner.close()
    assert (server.requests[0]["model"], planner.model, answer.reply.model) == ("smollm2", "smollm2", "smollm2-Q4")


def test_of_several_models_one_must_be_named(serve: Any) -> None:
    serve(GOOD, models=["a", "b"])
    planner = OpenAI()
    with pytest.raises(MissingRequirementError, match="has 2 models; set LLMGEN_OPENAI_MODEL to one of: a, b"):
        planner.ask(LayoutQuestion("a red ball", 128, 128, 0))
    planner.close()


def test_a_name_that_is_not_listed_is_said(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    serve(GOOD, models=["a", "b"])
    assert ask().value.background_prompt == "a meadow"  # some servers answer under any name
    assert "does not list model 'm'; it lists: a, b" in caplog.text


def test_a_server_that_does_not_list_its_models_is_asked_all_the_same(serve: Any) -> None:
    server = serve(GOOD, models=None)
    ask()
    assert server.requests[0]["model"] == "m"


def test_another_model_behind_the_same_address_is_asked_anew(serve: Any) -> None:
    server = serve(GOOD, models=[{"id": "m", "meta": {"size": 1}, "created": 1}])
    ask()
    server.models = [{"id": "m", "meta": {"size": 1}, "created": 2}]
    ask()
    assert len(server.requests) == 1
    server.models = [{"id": "m", "meta": {"size": 2}, "created": 2}]
    ask()
    assert len(server.requests) == 2
    ask(base_url=f"{server.url}/other/..")  # another address on the same port is another server
    assert len(server.requests) == 3


def test_what_failed_is_not_asked_again_in_the_same_run(serve: Any) -> None:
    server = serve("no")
    planner = load_provider("openai")
    for _ in range(3):
        with pytest.raises(ModelError, match="no usable answer"):
            planner.ask(LayoutQuestion("a red ball", 128, 128, 0))
    assert len(server.requests) == 3
    with pytest.raises(ModelError):
        planner.ask(LayoutQuestion("a red ball", 128, 128, 1))
    assert len(server.requests) == 6


def test_settings_that_are_no_numbers_are_refused(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(GOOD)
    monkeypatch.setenv("LLMGEN_OPENAI_MAX_TOKENS", "99")
    ask()
    assert server.requests[0]["max_tokens"] == 99
    for name in ("LLMGEN_OPENAI_MAX_TOKENS", "LLMGEN_OPENAI_TIMEOUT"):
        for value in ("many", "-1", "nan", "1e99"):
            monkeypatch.setenv(name, value)
            with pytest.raises(InputError, match=f"{name}='{value}'"):
                ask()
        monkeypatch.delenv(name)


def test_it_works_inside_a_running_loop(serve: Any) -> None:
    serve(GOOD)

    async def notebook() -> Answer[Layout]:
        return ask()

    assert asyncio.run(notebook()).value.background_prompt == "a meadow"


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
    assert '"ball #1"' in server.requests[0]["messages"][-1]["content"]
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
    assert "Instruction: make the ball blue" in request["messages"][-1]["content"]
    assert "edit pictures by instruction" in request["messages"][0]["content"]
    planner.close()
