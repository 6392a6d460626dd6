import pytest

from llmgen.llm.providers.secrets import Mask

LONG = "sk-proj-0123456789"


@pytest.mark.parametrize(
    ("key", "text", "message", "reply"),
    [
        (LONG, f"a{LONG}b", "a***b", "a***b"),
        (LONG, f"cut: {LONG[:14]}", "cut: ***", "cut: ***"),
        (LONG, "sk-proj is fine", "sk-proj is fine", "sk-proj is fine"),
        ("key-123", "key-123, key-1234", "***, key-1234", "***, key-1234"),
        ("none", "none or nonesuch", "*** or nonesuch", "none or nonesuch"),
        ("x", '{"x": 1}', '{"x": 1}', '{"x": 1}'),
        ("", "anything", "anything", "anything"),
    ],
)
def test_keys_are_masked_and_words_are_not(key: str, text: str, message: str, reply: str) -> None:
    mask = Mask(key)
    assert (mask.message(text), mask.reply(text)) == (message, reply)


def test_messages_are_one_line() -> None:
    assert Mask(LONG).message(f"a\n {LONG}\n") == "a ***"
