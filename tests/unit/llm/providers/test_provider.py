"""A question that no provider has heard of is asked of every one of them; a provider that no question has heard of answers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from chat_server import Server
from PIL import Image

from llmgen.artifacts import Record, Reply
from llmgen.errors import InputError, MissingRequirementError, ModelError
from llmgen.llm.providers.openai import OpenAI
from llmgen.llm.providers.provider import Answer, Provider, load_provider
from llmgen.llm.providers.recorded import Recorded
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.questions.question import Prompt, Question
from llmgen.llm.replies.bounds import Remark, log_remark


@dataclass(frozen=True)
class MoodQuestion(Question[str]):
    """How does the boy feel?"""

    name: ClassVar[str] = "mood"

    subject: str
    seed: int
    pictures: tuple[Picture, ...] = ()

    @property
    def prompt(self) -> Prompt:
        return Prompt("You see how people feel. Answer with one JSON object.", (("Who: a clown", '{"mood": "odd"}'),))

    @property
    def text(self) -> str:
        return f"Who: {self.subject}"

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"mood": {"type": "string"}},
            "required": ["mood"],
            "additionalProperties": False,
        }

    def read(self, text: str, remark: Remark = log_remark) -> str:
        try:
            return str(json.loads(text)["mood"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError("there is no mood in it") from error

    def by_rules(self, remark: Remark = log_remark) -> tuple[str, str]:
        mood = "sad" if "rain" in self.subject else "happy"
        return mood, json.dumps({"mood": mood})


class Oracle:
    """A provider that knows nothing of questions but their contract."""

    provider, model = "oracle", "pythia"

    def ask(self, question: Question[Any]) -> Answer[Any]:
        text = json.dumps({"mood": "mixed"})
        return Answer(question.read(text), Reply(call=question.name, provider="oracle", model="pythia", text=text))


BOY = MoodQuestion("a boy in the rain", 1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    made = Server([json.dumps({"mood": "glad"})])
    monkeypatch.setenv("OPENAI_BASE_URL", made.url)
    yield made
    made.close()


def nobody() -> Provider:
    raise AssertionError("another provider was asked")


def test_a_new_question_is_asked_of_every_provider(server: Server, tmp_path: Path) -> None:
    by_rules = load_provider("rules").ask(BOY)
    assert (by_rules.value, by_rules.reply.call, by_rules.reply.provider) == ("sad", "mood", "rules")

    model = OpenAI(model="m")
    by_model = model.ask(BOY)
    assert (by_model.value, by_model.reply.call, by_model.reply.provider) == ("glad", "mood", "openai")
    asked = len(server.requests)
    assert model.ask(BOY) == by_model and len(server.requests) == asked  # from the cache
    model.close()
    request = server.requests[-1]
    assert request["response_format"]["json_schema"]["name"] == "mood_answer"
    assert request["messages"][-1] == {"role": "user", "content": "Who: a boy in the rain"}

    # The artifact that holds its reply is written, read and replayed, and answers for its record.
    record = Record(id="a", prompt=BOY.subject, replies=(by_model.reply,))
    path = tmp_path / "run.jsonl"
    path.write_text(record.model_dump_json())
    again = load_provider(f"replay:{path}").ask(BOY)
    assert (again.value, again.reply.call, again.reply.provider) == ("glad", "mood", "replay")
    assert Recorded(record.replies, nobody).ask(BOY).value == "glad"


def test_a_new_provider_answers_every_question() -> None:
    oracle: Provider = Oracle()
    answer = Recorded((), lambda: oracle).ask(BOY)
    assert (answer.value, answer.reply.model) == ("mixed", "pythia")


def test_pictures_go_along(server: Server) -> None:
    seen = MoodQuestion("a boy", 1, pictures=(Picture(Image.new("RGB", (300, 200), "red"), largest_side_px=64),))
    model = OpenAI(model="m")
    model.ask(seen)
    asked = len(server.requests)
    model.ask(MoodQuestion("a boy", 1, pictures=(Picture(Image.new("RGB", (300, 200), "blue"), largest_side_px=64),)))
    model.close()
    assert len(server.requests) == asked + 1  # another picture is another question
    text, picture = server.requests[-1]["messages"][-1]["content"]
    assert text == {"type": "text", "text": "Who: a boy"}
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        MoodQuestion("  ", 0)
    many = (Picture(Image.new("RGB", (9, 9))),) * 9
    with pytest.raises(InputError, match="9 pictures"):
        MoodQuestion("a boy", 0, pictures=many)


def test_a_question_that_rules_cannot_answer_says_so() -> None:
    class Silent(MoodQuestion):
        by_rules = Question.by_rules

    with pytest.raises(MissingRequirementError, match="no rule answers the question 'mood'.*--planner openai"):
        Rules().ask(Silent("a boy", 0))


def test_questions_that_differ_in_anything_are_others() -> None:
    plan = LayoutQuestion("a ball", 64, 64, 1)
    same = LayoutQuestion(" a  ball", 64, 64, 1)
    others = (LayoutQuestion("a ball", 64, 64, 2), LayoutQuestion("a ball", 64, 32, 1), MoodQuestion("a ball", 1))
    assert plan.identity == same.identity
    assert len({plan.identity, *(other.identity for other in others)}) == 4
