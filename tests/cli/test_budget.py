"""Tokens on the command line: what a server tells of its answers, and a budget that ends the asking and not the run."""

import json

import pytest
from chat_server import WILLING, Server, completion

from llmgen.cli import main
from llmgen.engine.journal import journal_path

PLAN = json.dumps(
    {
        "reasoning": "one",
        "objects": [{"noun": "ball", "attributes": ["red"], "box": {"x": 10, "y": 20, "width": 40, "height": 40}}],
        "background": "a meadow",
        "negative": [],
    }
)
COUNT = 8


def paid(text, given=90, got=10):
    return completion(text, usage={"prompt_tokens": given, "completion_tokens": got, "total_tokens": given + got})


@pytest.fixture
def llmgen(workplace, capsys, monkeypatch):
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(workplace / "cache"))
    monkeypatch.setenv("LLMGEN_OPENAI_MODEL", "m")
    (workplace / "p.json").write_text(json.dumps([f"a red ball, the {n}th" for n in range(COUNT)]))

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def serve(monkeypatch):
    servers = []

    def start(*script, probe=None):
        servers.append(Server(script, probe=(probe or paid(WILLING, 40, 10),)))
        monkeypatch.setenv("OPENAI_BASE_URL", servers[-1].url)
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def records(path):
    return json.loads(path.read_text())["records"]


def test_tokens_are_summed_said_and_kept_in_the_journal(llmgen, serve, workplace):
    server = serve(paid(PLAN))
    command = ("layout", "p.json", "--planner", "openai", "-o", "a.json", "--batch-size", 3)
    code, _, err = llmgen(*command)
    assert code == 0 and len(server.requests) == COUNT and len(server.probes) == 1
    assert "language model: 760 tokens in, 90 out, 9 answers\n" in err
    lines = [json.loads(line)["line"] for line in journal_path(workplace / "a.json").read_text().splitlines()]
    assert [line.get("tokens") for line in lines] == [
        None,
        {"in": 310, "out": 40},
        {"in": 270, "out": 30},
        {"in": 180, "out": 20},
    ]
    whole = (workplace / "a.json").read_bytes()
    assert b"tokens" not in whole.replace(b"max_tokens", b"")
    # What is taken from the cache costs nothing, and nothing is said.
    code, _, err = llmgen(*command[:-4], "-o", "b.json", "--batch-size", 3, "--budget-tokens", 1)
    assert code == 0 and "tokens" not in err and len(server.requests) == COUNT
    assert (workplace / "b.json").read_bytes() == whole


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_budget_ends_the_asking_and_resume_asks_the_rest(llmgen, serve, workplace, at_once):
    server = serve(paid(PLAN))
    command = ("layout", "p.json", "--planner", "openai", "-o", "a.json", "--batch-size", 2, "--concurrency", at_once)
    code, _, err = llmgen(*command, "--budget-tokens", 340)
    asked = len(server.requests)
    # 50 for the probe, 100 an answer: three fit, and what is on its way then is answered, too.
    assert code == 6 and 3 <= asked < 3 + at_once
    assert f"{40 + 90 * asked} tokens in, {10 + 10 * asked} out" in err
    done = records(workplace / "a.json")
    unasked = [record["error"] for record in done if "error" in record]
    assert len(done) == COUNT and len(unasked) == COUNT - asked
    assert {error["type"] for error in unasked} == {"BudgetError"}
    assert all(
        error["message"].startswith("not asked: the 340 tokens of --budget-tokens are spent") for error in unasked
    )
    code, _, err = llmgen(*command, "--resume")
    assert code == 0 and len(server.requests) == COUNT, "nothing is asked twice"
    llmgen("layout", "p.json", "--planner", "openai", "-o", "whole.json", "--batch-size", 2)
    assert records(workplace / "a.json") == records(workplace / "whole.json")


def test_a_budget_that_is_spent_at_once_ends_with_its_own_code(llmgen, serve, workplace):
    server = serve(paid(PLAN))
    code, _, err = llmgen("layout", "p.json", "--planner", "openai", "-o", "a.json", "--budget-tokens", 1)
    assert code == 6 and server.requests == [] and len(server.probes) == 1
    assert "not asked: the 1 tokens of --budget-tokens are spent" in err.splitlines()[-1]


def test_bad_answers_cost_as_well(llmgen, serve, workplace):
    serve(paid("no"), paid("no"), paid(PLAN))
    (workplace / "p.json").write_text('["a red ball"]')
    _, _, err = llmgen("layout", "p.json", "--planner", "openai")
    assert "language model: 310 tokens in, 40 out, 4 answers" in err


def test_a_server_that_tells_no_tokens(llmgen, serve, workplace):
    serve(completion(PLAN), probe=WILLING)
    code, _, err = llmgen("layout", "p.json", "--planner", "openai", "--batch-size", 1)
    assert code == 0 and "0 tokens in, 0 out, 9 answers; 9 of the answers came without a count" in err
    (workplace / "q.json").write_text('["a blue ball"]')
    code, _, err = llmgen("layout", "q.json", "--planner", "openai", "--budget-tokens", 1000)
    assert code == 4 and "does not tell the tokens" in err and "leave --budget-tokens away" in err


def test_a_run_sums_its_stages_and_says_so_as_json(llmgen, serve, workplace):
    serve(paid(PLAN))
    stages = [{"stage": "layout", "method": "lmd"}]
    (workplace / "m.json").write_text(
        json.dumps({"name": "t", "planner": "openai", "prompts": ["a red ball"], "stages": stages})
    )
    code, out, _ = llmgen("run", "m.json", "-o", "r", "--json")
    assert code == 0 and json.loads(out)["tokens"] == {"in": 130, "out": 20, "answers": 2, "untold": 0}
    code, _, err = llmgen("run", "m.json", "-o", "s", "--seed", 3, "--budget-tokens", 20)
    assert code == 6 and "not asked" in err and "language model: 40 tokens in" in err
    code, _, err = llmgen("run", "m.json", "-o", "s", "--seed", 3)
    assert code == 0 and "made 1 of 1 records" in err


def test_a_budget_is_a_whole_number_from_one(llmgen):
    for value in ("0", "-5", "many"):
        assert llmgen("layout", "p.json", "--budget-tokens", value)[0] == 2
