from typing import ClassVar

import pytest
from pydantic import Field

from llmgen.engine.config import build_config
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError


class Config(StageConfig):
    num_inference_steps: int = Field(default=50, ge=1)
    """Steps."""
    strength: float = 0.5
    """Strength."""
    masks: bool = True
    """Masks."""
    words: tuple[str, ...] = ()
    """Words."""
    text: str = ""
    """Text."""
    width: int | None = None
    """Width."""


class Method:
    stage: ClassVar[str] = "generate"
    name: ClassVar[str] = "x"
    Config = Config


def test_what_is_given_wins_over_the_preset():
    config = build_config(Method, {"strength": 0.3, "num_inference_steps": 20}, {"strength": 0.1})
    assert (config.strength, config.num_inference_steps, config.masks) == (0.1, 20, True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("num_inference_steps", "7", 7),
        ("strength", "0.25", 0.25),
        ("strength", "1", 1.0),
        ("masks", "false", False),
        ("masks", "no", False),
        ("words", "a, b", ("a", "b")),
        ("words", '["a"]', ("a",)),
        ("text", "7", "7"),
        ("text", "a, b", "a, b"),
        ("text", "none", "none"),
        ("width", "none", None),
        ("width", "64", 64),
    ],
)
def test_texts_of_the_command_line_become_values(name, text, value):
    assert getattr(build_config(Method, {}, {name: text}), name) == value


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"num_inference_step": 3}, "Did you mean 'num_inference_steps'"),
        ({"num_inference_steps": 0}, "greater than or equal to 1"),
        ({"num_inference_steps": 2.5}, "num_inference_steps"),
        ({"strength": "much"}, "setting strength"),
        ({"strength": float("nan")}, "strength"),
        ({"masks": 1}, "masks"),
    ],
)
def test_wrong_settings_are_named(given, reason):
    with pytest.raises(InputError, match=reason) as caught:
        build_config(Method, {}, given)
    assert "generate x" in str(caught.value) and "\n" not in str(caught.value)


def test_a_preset_is_checked_as_well():
    with pytest.raises(InputError, match="given by the preset"):
        build_config(Method, {"step": 1}, {})
