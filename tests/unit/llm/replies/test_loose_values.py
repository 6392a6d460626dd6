"""JSON, Python literals and what lies between, in one pass."""

from typing import Any

import pytest

from llmgen.llm.replies.bounds import MOST_DEPTH
from llmgen.llm.replies.loose_values import LooseReader


def read(text: str) -> Any:
    found, end, why = LooseReader(text).read(0)
    assert why is None and end == len(text) and len(found) == 1, why
    return found[0].value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, -3e2, null, true, "x\\n\\u00e9"]}', {"a": [1, 2.5, -300.0, None, True, "x\né"]}),
        ("[('a cat', [1, 2]), ('b', (3,)),]", [["a cat", [1, 2]], ["b", [3]]]),
        ("{'a': 'a child's toy', 'b': 'it\\'s'}", {"a": "a child's toy", "b": "it's"}),
        ("[“curly”, ‘a dog’s ball’, „low“]", ["curly", "a dog’s ball", "low"]),
        ('{"a": "one\ntwo", // why\n "b": 1, /* and */ "c": 2, # so\n}', {"a": "one\ntwo", "b": 1, "c": 2}),
        ("{a: None, b: True, c_1: NaN}", None),
        ("[0.25*2, 1 + 2 * 3, -(4 - 1), 10 / 4, 50%, 12px]", [0.5, 7, -3, 2.5, 0.5, 12]),
        ("［1，2，｛a：3｝］", [1, 2, {"a": 3}]),
        ('["\\ud83d\\udc36"]', ["🐶"]),
        ("[(1), (1,), ('x')]", [1, [1], "x"]),
        ("[1_000, 007]", [1000, 7]),
    ],
)
def test_what_models_write_is_read(text: str, value: Any) -> None:
    got = read(text)
    if value is None:
        assert (got["a"], got["b"]) == (None, True) and got["c_1"] != got["c_1"]
    else:
        assert got == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1, 2)", "comma"),
        ("{a 1}", "colon"),
        ('["a', "never ends"),
        ("[__import__('os')]", "is no value"),
        ("[1 / 0]", "divided by zero"),
        ("[1 2]", "comma"),
        ("[1, ...]", "number is missing"),
        ("[1, 2", "comma"),
        ("[" * (MOST_DEPTH + 2), f"nested more than {MOST_DEPTH} deep"),
        ("['a' * 3]", "never ends"),
        ("[2 * 'a']", "no number is added or multiplied"),
    ],
)
def test_what_is_no_value_says_why(text: str, why: str) -> None:
    found, end, said = LooseReader(text).read(0)
    assert not found and said is not None and why in said and end > 0


def test_complete_values_within_brackets_that_never_close_are_kept() -> None:
    found, _, why = LooseReader('{"answer": {"a": [1]}, "b": [2, 3], "c": {').read(0)
    assert why and [(one.value, one.whole) for one in found] == [({"a": [1]}, False), ([2, 3], False)]


def test_numbers_of_any_length_are_floats_and_nothing_long_is_computed() -> None:
    nines = "9" * 5000
    (long, product, small) = read(f"[{nines}, {nines} * {nines}, 0.{'3' * 5000}]")
    assert long > 1e50 and product > 1e100 and small == pytest.approx(1 / 3)


PATTERNS = (
    "[",
    "{",
    '{"a":',
    '["',
    "['",
    "[/*",
    "[//",
    "[-",
    '{"',
    "[1,",
    "[('a', [1,2]), ",
    '"a",',
    "(`",
    "[“",
    "\\'",
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_work_grows_as_the_text_does(pattern: str) -> None:
    def visits(times: int) -> int:
        text = "[" + pattern * times
        reader, at = LooseReader(text), 0
        while 0 <= (at := next((k for k in range(at, len(text)) if text[k] in "[{"), -1)):
            _, at, _ = reader.read(at)
        return reader.visits

    few, many = visits(500), visits(2000)
    assert many <= 4.5 * few + 200
