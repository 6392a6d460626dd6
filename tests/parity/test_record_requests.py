"""ReCorD's two requests to a vision model are those of the published code; where it stops, ours goes on or says why."""

import base64
from typing import Any

import pytest
from chat_server import Server
from PIL import Image

from llmgen.correct.interaction.original import pose_request, reasoning_request, reply_text
from llmgen.errors import ModelError
from llmgen.llm.providers.openai import OpenAI
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.questions.pose_choice import PoseChoiceQuestion

FAMILY = "record"
PROMPT = "a boy is feeding a bird"
LETTERS = "ABCDEFGHIJ"


def sent(request: dict[str, Any]) -> dict[str, Any]:
    """What a golden tells of a request, from the request."""
    (message,) = request["messages"]
    pictures = [part["image_url"] for part in message["content"] if part["type"] == "image_url"]
    (prefix,) = {picture["url"].partition(",")[0] for picture in pictures}
    return {
        "types": [part["type"] for part in message["content"]],
        "detail": sorted({picture["detail"] for picture in pictures}),
        "url_prefix": prefix,
        "max_tokens": request["max_tokens"],
        "model": request["model"],
        "keys": sorted(request),
        "roles": [message["role"]],
        "prompt_in_text": PROMPT in message["content"][0]["text"],
        "images_sent": [base64.b64decode(picture["url"].partition(",")[2]).decode() for picture in pictures],
    }


def check(told: dict[str, Any], found: dict[str, Any]) -> None:
    """The golden's words about itself are not compared; a key that is neither is a failure."""
    about = ("images_given", "file_content", "note")
    assert {key: found[key] for key in told if key not in about} == {k: v for k, v in told.items() if k not in about}


def test_pose_request(golden_group: dict[str, Any]) -> None:
    given = [letter.encode() for letter in LETTERS[: golden_group["images_given"]]]
    check(golden_group, sent(pose_request(PROMPT, given)))


def test_reasoning_request(golden_group: dict[str, Any]) -> None:
    found = sent(reasoning_request(PROMPT, b"A"))
    if isinstance(golden_group.get("detail"), str):
        (found["detail"],) = found["detail"]
    check(golden_group, found)


def test_request_failures(golden_member: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    failing = {
        "error_reply": lambda: reply_text({"error": {"message": "the key is not valid"}}),
        "two_images_only": lambda: pose_request(PROMPT, [b"A", b"B"]),
    }
    name, exception = golden_member
    with pytest.raises(Exception) as raised:
        failing[name]()
    assert type(raised.value).__name__ == exception
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    bad = (400, {"error": {"message": "the key is not valid"}})
    server = Server([bad if name == "error_reply" else '{"choice": 2, "reason": "a hand is out"}'])
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    pictures = tuple(Picture(Image.new("RGB", (16, 16), color)) for color in ("red", "blue"))
    question = PoseChoiceQuestion(PROMPT, "a boy", "feeding", "feed", (None, None), 0, pictures)
    critic = OpenAI(model="m", retries=0)
    try:
        if name == "error_reply":
            with pytest.raises(ModelError, match="the key is not valid"):
                critic.ask(question)
        else:
            assert critic.ask(question).value.index == 1
    finally:
        critic.close()
        server.close()
