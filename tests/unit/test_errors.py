"""The error tree, as records name its classes."""

import pytest

from llmgen.errors import InputError, LlmgenError, ModelError, error_class


def test_a_class_by_its_name() -> None:
    assert error_class("InputError") is InputError and error_class("LlmgenError") is LlmgenError


@pytest.mark.parametrize("name", ["TypeError", "Final", "INTERRUPTED", "error_class", "__name__", ""])
def test_a_file_may_name_anything(name: str) -> None:
    assert error_class(name) is ModelError
