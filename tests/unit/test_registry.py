"""What the tables say of methods that are not imported."""

import pytest

from llmgen.registry import follows_layout, methods, resolve


@pytest.mark.parametrize("method", methods("generate"))
def test_a_method_that_needs_a_layout_follows_it(method: str) -> None:
    assert follows_layout(method) == ("layout" in resolve("generate", method).needs)
