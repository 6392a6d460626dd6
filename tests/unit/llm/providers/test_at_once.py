"""However many threads ask, a server is asked no more questions at the same time than it may be."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat_server import Server

from llmgen.llm.providers.openai import OpenAI
from llmgen.llm.questions.layout import LayoutQuestion

PLAN = {
    "reasoning": "one",
    "objects": [{"noun": "ball", "attributes": ["red"], "box": {"x": 10, "y": 20, "width": 40, "height": 40}}],
    "background": "a meadow",
    "negative": [],
}


@pytest.mark.parametrize("given", [2, None], ids=["told", "the server's slots"])
def test_more_threads_than_may_ask(monkeypatch, tmp_path, given):
    counted, lock = {"now": 0, "most": 0}, threading.Lock()

    def answer(body):
        with lock:
            counted["now"] += 1
            counted["most"] = max(counted["most"], counted["now"])
        time.sleep(0.1)
        with lock:
            counted["now"] -= 1
        return json.dumps(PLAN)

    server = Server([answer], slots=2)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path))
    planner = OpenAI(model="m", at_once=given)
    try:
        assert planner.at_once == 2
        with ThreadPoolExecutor(5) as threads:
            answers = list(
                threads.map(lambda seed: planner.ask(LayoutQuestion("a red ball", 128, 128, seed)), range(6))
            )
    finally:
        planner.close()
        server.close()
    assert len(answers) == len(server.requests) == 6
    assert counted["most"] == 2
