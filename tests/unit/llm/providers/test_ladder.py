"""How a server is asked: by what came back to one small question, once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import WILLING, Server, completion, refused

from llmgen.errors import MissingRequirementError
from llmgen.llm.providers.openai import OpenAI
from llmgen.llm.questions.layout import LayoutQuestion

PLAN = json.dumps({"reasoning": "", "objects": [], "background": "a meadow", "negative": []})
PROSE = "The animal is a kangaroo, with 2 legs."
LITERAL = "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text' or 'json_object'\"}]"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    started: list[Server] = []
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")

    def start(*probe: Any, script: Any = (PLAN,)) -> Server:
        server = Server(script, probe=probe)
        started.append(server)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        return server

    yield start
    for server in started:
        server.close()


def ask(*prompts: str) -> None:
    planner = OpenAI(model="m", retries=0)
    try:
        for prompt in prompts or ("a red ball",):
            planner.ask(LayoutQuestion(prompt, 128, 128, 0))
    finally:
        planner.close()


def rung(request: dict[str, Any]) -> str:
    form = request.get("response_format")
    if form is None:
        return "text"
    return "schema" if form["type"] == "json_schema" else "object_schema" if "schema" in form else "object"


def probe(**on: Any) -> Any:
    """A server's answers to the small question by rung; prose on those that are not given."""
    return lambda request: on.get(rung(request), PROSE)


CASES = {
    "enforces a schema": (probe(schema=WILLING), "schema", 1),
    "refuses a schema by 500, enforces its own form": (
        probe(schema=refused(LITERAL, 500), object_schema=WILLING),
        "object_schema",
        2,
    ),
    "refuses a schema by 400": (
        probe(
            schema=refused("This response_format type is unavailable now"),
            object_schema='{"animal": "cat"}',
            object=WILLING,
        ),
        "object",
        3,
    ),
    "ignores all of it": (probe(), "text", 3),
    "refuses all of it": (
        probe(**dict.fromkeys(("schema", "object_schema", "object"), refused("no response_format at all", 422))),
        "text",
        4,
    ),
    "refuses without a word": (
        probe(schema=(400, {"detail": "Bad Request"}), object_schema=WILLING),
        "object_schema",
        2,
    ),
    "was cut in the middle of a schema": (probe(schema=completion(WILLING[:25], finish="length")), "schema", 1),
    "follows words only": (probe(object=f"Sure!\n```json\n{WILLING}\n```"), "object", 3),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rung_is_chosen_once_by_what_came_back(serve: Any, case: str) -> None:
    answers, chosen, probes = CASES[case]
    server = serve(answers)
    ask("a red ball", "a blue ball")
    assert [rung(request) for request in server.requests] == [chosen, chosen]
    assert len(server.probes) == probes
    told = "follows this JSON schema" in server.requests[0]["messages"][0]["content"]
    assert told == (chosen in ("object", "text"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("temperature", "temperature does not support 0 with this model"),
        ("seed", "Unknown parameter: seed"),
        ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
    ],
)
def test_a_parameter_that_is_refused_is_left_away(serve: Any, name: str, message: str) -> None:
    server = serve(refused(message), WILLING)
    ask()
    (request,) = server.requests
    assert name not in request and rung(request) == "schema"
    assert "max_tokens" in request or request["max_completion_tokens"] == 2048


def test_limits_that_are_refused_are_left_away(serve: Any) -> None:
    server = serve(refused("Invalid schema for response_format: 'maxLength' is not permitted"), WILLING)
    ask()
    (request,) = server.requests
    text = json.dumps(request["response_format"])
    assert rung(request) == "schema" and "maxLength" not in text and "maximum" not in text
    assert set(request["response_format"]["json_schema"]["schema"]["properties"]) >= {"objects", "background"}


def test_a_model_that_thinks_first_gets_more_tokens(serve: Any) -> None:
    server = serve(completion("", finish="length"), WILLING)
    ask()
    assert [p["max_tokens"] for p in server.probes] == [96, 2048]
    assert rung(server.requests[0]) == "schema"


@pytest.mark.parametrize(
    "answer",
    [
        refused("model 'm' is not loaded"),
        (400, {"detail": "Server is pinned to 'n'"}),
        refused("the request exceeds the available context size"),
        refused("out of memory", 500),
        completion(None, refusal="no"),
        {"hello": "there"},
    ],
)
def test_what_is_no_matter_of_the_format_ends_it(serve: Any, answer: Any) -> None:
    server = serve(answer)
    planner = OpenAI(model="m", retries=0)
    for seed in (0, 1):
        with pytest.raises(MissingRequirementError, match="small question"):
            planner.ask(LayoutQuestion("a red ball", 128, 128, seed))
    planner.close()
    assert (len(server.probes), server.requests) == (1, [])
