"""A `.env` in the working directory never sends a key that it did not bring along to a place of its own choice."""

import json

import pytest
from chat_server import Server

from llmgen.cli import main

KEY = "sk-secret-0123456789"
PLAN = json.dumps({"reasoning": "", "objects": [], "background": "a meadow", "negative": []})


@pytest.fixture
def layout(workplace, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("llmgen.settings._from_dotenv", {})
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "x")  # so that what the command sets is undone
        monkeypatch.delenv(name)
    server = Server([PLAN])
    (workplace / "prompts.txt.json").write_text('["a meadow"]')

    def run(dotenv):
        (workplace / ".env").write_text(dotenv.format(url=server.url, key=KEY))
        code = main(["layout", "prompts.txt.json", "--planner", "openai", "-q"])
        return code, capsys.readouterr().err, server

    yield run
    server.close()


def test_the_environments_key_is_not_sent_where_dotenv_points(layout, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    code, err, server = layout("OPENAI_BASE_URL={url}\n")
    assert code == 4 and server.keys == [] and server.looked == 0
    assert "OPENAI_BASE_URL comes from .env" in err and KEY not in err and len(err.splitlines()) == 1


def test_nor_through_a_proxy_of_dotenv(layout, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    code, err, server = layout("https_proxy={url}\n")
    monkeypatch.delenv("https_proxy", raising=False)
    assert code == 4 and "https_proxy comes from .env" in err


def test_key_and_server_of_one_file_belong_together(layout):
    code, err, server = layout("OPENAI_BASE_URL={url}\nOPENAI_API_KEY={key}\nLLMGEN_OPENAI_MODEL=m\n")
    assert code == 0, err
    assert set(server.keys) == {f"Bearer {KEY}"}


def test_a_key_of_dotenv_goes_to_the_server_of_the_environment(layout, monkeypatch):
    other = Server([PLAN])
    monkeypatch.setenv("OPENAI_BASE_URL", other.url)
    try:
        code, err, server = layout("OPENAI_BASE_URL={url}\nOPENAI_API_KEY={key}\n")
    finally:
        other.close()
    assert code == 0, err
    assert set(other.keys) == {f"Bearer {KEY}"} and server.keys == []
