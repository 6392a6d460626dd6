import json
from pathlib import Path

import pytest

from llmgen.artifacts import Detection, Record
from llmgen.errors import InputError, ModelError, UnknownNameError
from llmgen.llm.cache import ReplyCache
from llmgen.llm.planner import load_planner
from llmgen.llm.replay import ReplayPlanner
from llmgen.llm.rules import RulesPlanner

PROMPT = "a meadow with two red balls and a blue car without trees"


def ball(number: int, x: float) -> Detection:
    return Detection(id=f"ball #{number}", phrase="ball", noun="ball", box_xyxy=(x, 0, x + 30, 30), score=0.5)


def test_recorded_runs_replay(tmp_path: Path) -> None:
    rules = RulesPlanner()
    parsed, one = rules.parse(PROMPT)
    layout, two = rules.layout(PROMPT, width=128, height=128, seed=4)
    found = [ball(1, 0), ball(2, 50)]
    edits, three = rules.differences(PROMPT, found, width=128, height=128, layout=layout, seed=4)
    record = Record(id="a", prompt=PROMPT, seed=4, replies=(one, two, three))
    lines = tmp_path / "run.jsonl"
    lines.write_text(record.model_dump_json() + "\n" + Record(id="b", prompt="x").model_dump_json() + "\n")
    document = tmp_path / "run.json"
    document.write_text(json.dumps({"kind": "layouts", "records": [json.loads(record.model_dump_json())]}))
    for path in (lines, document):
        replay = load_planner(f"replay:{path}")
        assert replay.parse(PROMPT)[0] == parsed
        assert replay.layout(PROMPT, width=128, height=128, seed=4)[0] == layout
        again, reply = replay.differences(PROMPT, found, width=128, height=128, layout=None, seed=4)
        assert {i.id: i.box_xyxy for i in again.target} == {i.id: i.box_xyxy for i in edits.target}
        assert (reply.provider, reply.text) == ("replay", three.text)


def test_recorded_edits_replay(tmp_path: Path) -> None:
    said, rules, found = "remove the left ball", RulesPlanner(), [ball(1, 50), ball(2, 0)]
    parsed, one = rules.parse(said, instruction=True)
    plan, two = rules.edit(said, found, width=128, height=128, seed=0)
    path = tmp_path / "run.jsonl"
    path.write_text(Record(id="a", prompt="two balls", instruction=said, replies=(one, two)).model_dump_json())
    replay = ReplayPlanner(path)
    assert replay.parse(said, instruction=True)[0] == parsed
    again, reply = replay.edit(said, found, width=128, height=128, seed=9)
    assert (again.edits, reply.call) == (plan.edits, "edit")
    # A reply to "differences" has the same form.
    entry = {"call": "differences", "prompt": said, "text": two.text}
    path.write_text(json.dumps([entry]))
    assert ReplayPlanner(path).edit(said, found, width=128, height=128, seed=9)[0].edits == plan.edits


def test_several_replies_are_given_in_order_and_repeatably(tmp_path: Path) -> None:
    path = tmp_path / "replies.json"
    texts = ['{"delete": ["ball #1"]}', '{"keep": ["ball #1"]}']
    path.write_text(json.dumps([{"call": "differences", "prompt": "a ball.", "text": text} for text in texts]))
    replay = ReplayPlanner(path)

    def edits(x: float) -> int:
        return len(replay.differences("a ball", [ball(1, x)], width=99, height=99, layout=None, seed=0)[0].edits)

    assert [edits(0), edits(1), edits(0), edits(1)] == [1, 0, 1, 0]
    with pytest.raises(ModelError, match="another one was asked for"):
        edits(2)


def test_lmd_caches_replay(tmp_path: Path) -> None:
    path = tmp_path / "cache.json"
    path.write_text(
        json.dumps({"two cats": ["[('a cat', [0, 0, 256, 256])]\nBackground prompt: a room\nNegative prompt: "]})
    )
    layout, _ = ReplayPlanner(path).layout("two cats.", width=128, height=128, seed=0)
    assert [(i.phrase, i.box_xyxy) for i in layout.instances] == [("a cat", (0, 0, 64, 64))]
    assert layout.background_prompt == "a room"


@pytest.mark.parametrize(
    "content",
    [None, "not json", "[]", "3", '{"records": [{"prompt": "x"}]}', '[{"prompt": "x", "call": "sing", "text": ""}]', "\ud800"],
)  # fmt: skip
def test_useless_files_are_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "replies.json"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match="replies"):
        ReplayPlanner(path)


def test_an_unknown_prompt_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replies.json"
    path.write_text(json.dumps({"call": "parse", "prompt": "a ball", "text": "{}"}))
    with pytest.raises(InputError, match="no reply to the layout call for the prompt 'a ball'"):
        ReplayPlanner(path).layout("a ball", width=9, height=9, seed=0)


def test_planner_names() -> None:
    assert load_planner("rules").provider == "rules"
    with pytest.raises(UnknownNameError, match="Did you mean 'rules'"):
        load_planner("rule")
    with pytest.raises(InputError, match="needs a file"):
        load_planner("replay")


def test_cache_keeps_replies(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path / "replies")
    key = cache.key({"model": "m", "seed": 1})
    assert key != cache.key({"model": "m", "seed": 2})
    assert cache.get(key) is None
    cache.put(key, "té\u2028xt", 2)
    assert cache.get(key) == ("té\u2028xt", 2)
    (file,) = (tmp_path / "replies").rglob("*.json")
    file.write_text('{"text": "half')
    assert cache.get(key) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ReplyCache(tmp_path / "file" / "replies")
    cache.put(cache.key({}), "text", 1)
    assert cache.get(cache.key({})) is None
