"""What must hold against real servers, whatever their model writes.

Every record ends with a plan or with its reason; a record costs a bounded number of requests, and each request a bounded number of
tokens. Seen with llama-server (llama.cpp build 10434), which enforces schemas.
"""

from collections.abc import Callable
from typing import Any

import pytest
from real_llm.limits import bounded, ended
from real_llm.proxy import CountingProxy

pytestmark = [pytest.mark.real_llm, pytest.mark.timeout(1500)]

PROMPTS = [
    "a red ball",
    "two blue cars on a beach",
    "a green star to the left of a yellow cup",
    "a meadow with three red hearts",
    "a night scene with an orange fish",
    "a purple tree and a red house in the snow",
    "a snowy field with two green balls without cars",
    "a yellow car on the right and a blue ball on the left",
    "three orange stars at night",
    "a blue heart above a red cup",
    "a beach with one purple fish and two yellow balls",
    "a green house",
]


def test_a_server_that_enforces_schemas_gives_twelve_valid_plans(
    llama_server: Callable[..., Any], plan: Callable[..., Any]
) -> None:
    with llama_server("-c", "8192") as port, CountingProxy(port) as proxy:
        done = plan(PROMPTS, proxy.url)
    assert done.code == 0, done.err
    ended(done.records, 12)
    assert all(record.get("error") is None for record in done.records)
    assert all(reply["model"] == "smollm2" for record in done.records for reply in record["replies"])
    bounded(proxy, 12)


def test_a_short_context_fails_record_by_record_and_lowers_nothing(
    llama_server: Callable[..., Any], plan: Callable[..., Any]
) -> None:
    with llama_server("-c", "1024") as port, CountingProxy(port) as proxy:
        done = plan(PROMPTS[:2], proxy.url)
    ended(done.records, 2)
    bounded(proxy, 2)
    formats = {str(seen.body.get("response_format", {}).get("type")) for seen in proxy.seen[1:]}
    assert len(formats) <= 1, "an error of context changed the way of asking"


def test_a_limit_that_cuts_every_reply_is_said_and_not_asked_for_ever(
    llama_server: Callable[..., Any], plan: Callable[..., Any]
) -> None:
    with llama_server("-c", "8192") as port, CountingProxy(port) as proxy:
        done = plan(PROMPTS[:2], proxy.url, LLMGEN_OPENAI_MAX_TOKENS="30")
    ended(done.records, 2)
    bounded(proxy, 2)
    assert all("cut" in record["error"]["message"] for record in done.records)


def test_a_server_that_dies_costs_what_is_not_finished(
    llama_server: Callable[..., Any], plan: Callable[..., Any]
) -> None:
    with llama_server("-c", "8192") as port, CountingProxy(port, dies_after=3) as proxy:
        done = plan(PROMPTS[:4], proxy.url)
    ended(done.records, 4)
    assert done.code in (5, 6)
    assert any(record.get("error") for record in done.records)


def test_a_model_that_is_not_there_is_said_with_those_that_are(
    llama_server: Callable[..., Any], plan: Callable[..., Any]
) -> None:
    with llama_server("-c", "4096") as port, CountingProxy(port) as proxy:
        done = plan(PROMPTS[:1], proxy.url, LLMGEN_OPENAI_MODEL="smolm3")
    assert "smolm3" in done.err
    assert "smollm2" in done.err


def test_descriptions_end_as_well(llama_server: Callable[..., Any], plan: Callable[..., Any]) -> None:
    with llama_server("-c", "8192") as port, CountingProxy(port) as proxy:
        done = plan(PROMPTS[:2], proxy.url, "--method", "instances")
    ended(done.records, 2)
    bounded(proxy, 2)
