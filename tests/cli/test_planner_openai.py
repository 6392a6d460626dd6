"""`--planner openai` and `replay:FILE` on the command line, against a server on the loopback."""

import json
import threading

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


BALLS = [
    f"a {color} ball on a {place}"
    for color in ("red", "blue", "green", "black")
    for place in ("meadow", "beach", "road")
]


def together(count):
    """An answer that is given once so many are asked for at the same time; nonsense where that does not come about."""
    meeting, first = threading.Barrier(count), iter(range(count))

    def answer(request):
        try:
            if next(first, None) is not None:
                meeting.wait(timeout=10)
        except threading.BrokenBarrierError:
            return "nobody came"
        text = json.dumps(request["messages"][-3:])
        return "no" if "a blue ball on a beach" in text else json.dumps(PLAN)

    return answer


def test_several_are_asked_at_the_same_time(layout, monkeypatch):
    server = Server([together(5)])
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    try:
        several = layout(BALLS, "--planner", "openai", "--concurrency", "5", "--batch-size", "1")
        asked = len(server.requests)
    finally:
        server.close()
    # All of twelve once but the one that never reads, thrice.
    assert (several[0], asked, len(server.probes)) == (6, 14, 1)
    assert [record["prompt"] for record in several[1]] == BALLS
    assert [record["prompt"] for record in several[1] if "error" in record] == ["a blue ball on a beach"]
    server = Server([together(1)])
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    try:
        alone = layout(BALLS, "--planner", "openai", "--concurrency", "1")
    finally:
        server.close()
    assert [record.get("layout") for record in alone[1]] == [record.get("layout") for record in several[1]]


def test_a_local_server_is_asked_for_as_many_as_it_has_slots(layout, monkeypatch):
    server = Server([together(3)], slots=3)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    try:
        code, records, err = layout(BALLS[:3], "--planner", "openai", "--batch-size", "1")
    finally:
        server.close()
    assert code == 0 and len(records) == 3, err


def test_nobody_is_asked_about_what_is_finished(layout, monkeypatch):
    server = Server([together(1)])
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    try:
        assert layout(BALLS[:3], "--planner", "openai", "--concurrency", "3", "-o", "l.json")[0] == 0
        server.looked = 0
        assert layout(BALLS[:3], "--planner", "openai", "--concurrency", "3", "-o", "l.json", "--resume")[0] == 0
    finally:
        server.close()
    assert (len(server.requests), server.looked) == (3, 0)
