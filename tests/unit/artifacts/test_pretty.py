"""The text that people read is that of the standard library, but for rows of numbers."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgen.artifacts.pretty import indented, pretty_json

_ROW = re.compile(r"\[\n\s*(-?[\d.eE+-]+(?:,\n\s*-?[\d.eE+-]+)*)\n\s*\]")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=20,
)


def standard(value):
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return _ROW.sub(lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text) + "\n"


@given(VALUES)
def test_it_is_the_text_of_the_standard_library_with_rows_of_numbers_on_a_line(value):
    assert pretty_json(value) == standard(value)


@given(VALUES)
def test_a_value_within_another_is_the_same_but_deeper(value):
    assert indented({"k": [value, "x"]}) == f'{{\n  "k": [\n    {indented(value, 2)},\n    "x"\n  ]\n}}'


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": -float("inf")}])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        pretty_json(value)


def test_what_is_no_json_is_refused():
    with pytest.raises(TypeError):
        pretty_json({"a": object()})
