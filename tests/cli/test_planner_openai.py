"""`--planner openai` and `replay:FILE` on the command line, against a server on the loopback."""

import json

import pytest
from chat_server import Server

from llmgen.cli import main

KEY = "sk-secret-0123456789"
PLAN = {
    "reasoning": "one",
    "objects": [{"noun": "ball", "attributes": ["red"], "box": {"x": 10, "y": 20, "width": 40, "height": 40}}],
    "background": "a meadow",
    "negative": [],
}


@pytest.fixture
def layout(workplace, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path / "cache"))

    def run(prompts, *options):
        (workplace / "prompts.json").write_text(json.dumps(prompts))
        code = main(["layout", "prompts.json", *options])
        captured = capsys.readouterr()
        return code, [json.loads(line) for line in captured.out.splitlines()], captured.err

    return run


def test_a_layout_by_a_model(layout, monkeypatch):
    server = Server([json.dumps(PLAN)])
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("LLMGEN_OPENAI_MODEL", "tester")
    try:
        code, records, err = layout(["a meadow with a red ball"], "--planner", "openai")
    finally:
        server.close()
    assert code == 0, err
    assert records[0]["layout"]["instances"][0]["box_xyxy"] == [10, 20, 50, 60]
    assert records[0]["replies"][0]["provider"] == "openai"
    assert records[0]["provenance"][0]["models"][0]["source"] == "tester"
    assert KEY not in err + json.dumps(records)
    assert server.requests[0]["model"] == "tester"


def test_an_unusable_model_fails_its_records_only(layout, monkeypatch):
    answers = [json.dumps(PLAN), "no", "no", "no"]
    server = Server(answers)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    try:
        code, records, err = layout(["a red ball", "a blue ball"], "--planner", "openai", "--batch-size", "1")
    finally:
        server.close()
    assert code == 6
    assert [record.get("error") is None for record in records] == [True, False]
    assert records[1]["error"]["type"] == "ModelError"


def test_no_key_and_no_server(layout, monkeypatch):
    code, records, err = layout(["a ball"], "--planner", "openai")
    assert (code, records) == (4, []) and "OPENAI_API_KEY" in err and "Traceback" not in err
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    code, _, err = layout(["a ball"], "--planner", "openai")
    assert code == 4 and "127.0.0.1:9" in err and "Traceback" not in err


def test_replies_replay(layout, workplace):
    code, records, err = layout(["a meadow with two red balls"], "-o", "layouts.json")
    assert code == 0, err
    code, again, err = layout(["a meadow with two red balls"], "--planner", "replay:layouts.json")
    assert code == 0, err
    first = json.loads((workplace / "layouts.json").read_text())["records"][0]
    assert again[0]["layout"] == first["layout"]
    code, _, err = layout(["a ball"], "--planner", "replay:nowhere.json")
    assert code == 3 and "nowhere.json" in err
    code, _, err = layout(["a ball"], "--planner", "replai")
    assert code == 3 and "replay" in err


def test_a_record_is_asked_once_whatever_its_batch_does(layout, monkeypatch):
    def answer(request):
        return "no" if "a red ball" in json.dumps(request["messages"][-3:]) else json.dumps(PLAN)

    server = Server([answer])
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    try:
        code, records, err = layout(["a blue ball", "a red ball", "a green ball"], "--planner", "openai")
    finally:
        server.close()
    assert code == 6
    assert [record.get("error") is None for record in records] == [True, False, True]
    # One for each of the two that read, three for the one that never does.
    assert len(server.requests) == 5 and len(server.probes) == 1
