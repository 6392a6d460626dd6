import json
from pathlib import Path

import pytest

from llmgen.artifacts import Detection, Record
from llmgen.errors import InputError, ModelError, UnknownNameError
from llmgen.llm.providers.cache import CachedReply, ReplyCache
from llmgen.llm.providers.provider import load_provider
from llmgen.llm.providers.replay import Replay
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.differences import DifferencesQuestion
from llmgen.llm.questions.edit import EditQuestion
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.pipeline.options import RunOptions
from llmgen.vision.images import ImageStore

PROMPT = "a meadow with two red balls and a blue car without trees"


def ball(number: int, x: float) -> Detection:
    return Detection(id=f"ball #{number}", phrase="ball", noun="ball", box_xyxy=(x, 0, x + 30, 30), score=0.5)


def test_recorded_runs_replay(tmp_path: Path) -> None:
    rules, found = Rules(), (ball(1, 0), ball(2, 50))
    parsed = rules.ask(ParseQuestion(PROMPT))
    layout = rules.ask(LayoutQuestion(PROMPT, 128, 128, seed=4))
    edits = rules.ask(DifferencesQuestion(PROMPT, found, 128, 128, layout.value, seed=4))
    record = Record(id="a", prompt=PROMPT, seed=4, replies=(parsed.reply, layout.reply, edits.reply))
    lines = tmp_path / "run.jsonl"
    lines.write_text(record.model_dump_json() + "\n" + Record(id="b", prompt="x").model_dump_json() + "\n")
    document = tmp_path / "run.json"
    document.write_text(json.dumps({"kind": "layouts", "records": [json.loads(record.model_dump_json())]}))
    for path in (lines, document):
        replay = load_provider(f"replay:{path}")
        assert replay.ask(ParseQuestion(PROMPT)).value == parsed.value
        assert replay.ask(LayoutQuestion(PROMPT, 128, 128, seed=4)).value == layout.value
        again = replay.ask(DifferencesQuestion(PROMPT, found, 128, 128, None, seed=4))
        assert {i.id: i.box_xyxy for i in again.value.target} == {i.id: i.box_xyxy for i in edits.value.target}
        assert (again.reply.provider, again.reply.text) == ("replay", edits.reply.text)


def test_recorded_edits_replay(tmp_path: Path) -> None:
    said, rules, found = "remove the left ball", Rules(), (ball(1, 50), ball(2, 0))
    parsed = rules.ask(ParseQuestion(said, instruction=True))
    plan = rules.ask(EditQuestion(said, found, 128, 128, seed=0))
    path = tmp_path / "run.jsonl"
    record = Record(id="a", prompt="two balls", instruction=said, replies=(parsed.reply, plan.reply))
    path.write_text(record.model_dump_json())
    replay = Replay(path)
    assert replay.ask(ParseQuestion(said, instruction=True)).value == parsed.value
    again = replay.ask(EditQuestion(said, found, 128, 128, seed=9))
    assert (again.value.edits, again.reply.call) == (plan.value.edits, "edit")
    # What was said about the instruction is no answer to a question about the prompt.
    with pytest.raises(InputError, match="its replies are to: edit, parse"):
        Replay(path).ask(EditQuestion("two balls", found, 128, 128, seed=9))
    # A reply to "differences" has the same form.
    entry = {"call": "differences", "prompt": said, "text": plan.reply.text}
    path.write_text(json.dumps([entry]))
    assert Replay(path).ask(EditQuestion(said, found, 128, 128, seed=9)).value.edits == plan.value.edits


def test_several_replies_are_given_in_order_and_repeatably(tmp_path: Path) -> None:
    path = tmp_path / "replies.json"
    texts = ['{"delete": ["ball #1"]}', '{"keep": ["ball #1"]}']
    path.write_text(json.dumps([{"call": "differences", "prompt": "a ball.", "text": text} for text in texts]))
    replay = Replay(path)

    def edits(x: float) -> int:
        return len(replay.ask(DifferencesQuestion("a ball", (ball(1, x),), 99, 99, None, seed=0)).value.edits)

    assert [edits(0), edits(1), edits(0), edits(1)] == [1, 0, 1, 0]
    with pytest.raises(ModelError, match="another one was asked for"):
        edits(2)


def test_one_plan_answers_for_every_seed(tmp_path: Path) -> None:
    path = tmp_path / "replies.json"
    texts = ['{"objects": [], "background": "one"}', '{"objects": [], "background": "two"}']
    path.write_text(json.dumps([{"call": "layout", "prompt": "a ball", "text": text} for text in texts]))
    replay = Replay(path)
    said = [replay.ask(LayoutQuestion("a ball", 99, 99, seed)).value.background_prompt for seed in (5, 6, 7, 5)]
    assert said == ["one", "two", "one", "one"]


def test_lmd_caches_replay(tmp_path: Path) -> None:
    path = tmp_path / "cache.json"
    path.write_text(
        json.dumps({"two cats": ["[('a cat', [0, 0, 256, 256])]\nBackground prompt: a room\nNegative prompt: "]})
    )
    layout = Replay(path).ask(LayoutQuestion("two cats.", 128, 128, seed=0)).value
    assert [(i.phrase, i.box_xyxy) for i in layout.instances] == [("a cat", (0, 0, 64, 64))]
    assert layout.background_prompt == "a room"


@pytest.mark.parametrize(
    "content",
    [None, "not json", "[]", "3", '{"records": [{"prompt": "x"}]}', '[{"prompt": "x", "call": "Sing!", "text": ""}]', "\ud800"],
)  # fmt: skip
def test_useless_files_are_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "replies.json"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match="replies"):
        Replay(path)


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    entries = [{"call": "parse", "prompt": prompt, "text": "a\u2028b\x85c"} for prompt in ("a ball", "a car")]
    path = tmp_path / "replies.jsonl"
    path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries), encoding="utf-8")
    with pytest.raises(InputError, match="its replies are to: parse"):
        Replay(path).ask(LayoutQuestion("a ball", 9, 9, seed=0))


def test_an_unknown_prompt_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replies.json"
    path.write_text(json.dumps({"call": "parse", "prompt": "a ball", "text": "{}"}))
    with pytest.raises(InputError, match="no reply to the layout call for the prompt 'a ball'"):
        Replay(path).ask(LayoutQuestion("a ball", 9, 9, seed=0))


def test_provider_names() -> None:
    assert load_provider("rules").provider == "rules"
    with pytest.raises(UnknownNameError, match="Did you mean 'rules'"):
        load_provider("rule")
    with pytest.raises(InputError, match="needs a file"):
        load_provider("replay")


def test_cache_keeps_replies(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path / "replies")
    key = cache.key({"model": "m", "seed": 1})
    assert key != cache.key({"model": "m", "seed": 2})
    assert cache.get(key) is None
    cache.put(key, CachedReply("té\u2028xt", 2, "m"))
    assert cache.get(key) == CachedReply("té\u2028xt", 2, "m")
    (file,) = (tmp_path / "replies").rglob("*.json")
    file.write_text('{"text": "half')
    assert cache.get(key) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ReplyCache(tmp_path / "file" / "replies")
    cache.put(cache.key({}), CachedReply("text", 1, "m"))
    assert cache.get(cache.key({})) is None


def test_a_reply_without_its_prompt_is_no_cache_of_the_prompts_call_and_text(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps([{"call": "pose_choice", "text": "the second picture"}]))
    with pytest.raises(
        InputError, match='a reply to the pose_choice call does not say to which prompt; give it a "prompt"'
    ):
        Replay(tmp_path / "r.json")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rule", "no critic 'rule'. Did you mean 'rules'"),
        ("openai:gpt", "no critic 'openai:gpt'"),
        ("replay:", "critic 'replay' needs a file"),
        (
            "replay:replys.json",
            "cannot read the recorded replies replys.json: No such file or directory .did you mean 'replies.json'",
        ),
    ],
)
def test_who_cannot_be_asked_is_known_by_name_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "replies.json").write_text("[]")
    with pytest.raises((InputError, UnknownNameError), match=words):
        RunOptions(critic=name).context(ImageStore(tmp_path))
