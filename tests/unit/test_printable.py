import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgen.printable import MOST, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a red ball", "a red ball"),
        ("two\n  lines\tand more", "two lines and more"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edef", "abc\\u202edef"),
        ("bell\x07", "bell\\x07"),
        ("half \ud800 a pair", "half \\ud800 a pair"),
        ("Käse 日本 🎈", "Käse 日本 🎈"),
    ],
)
def test_what_would_act_on_a_terminal_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    line = printable("begin " + "x" * 3_000_000 + " end")
    assert len(line) <= MOST + 10
    assert line.startswith("begin ")
    assert line.endswith(" end")


@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_becomes_one_line_that_can_be_written(text: str) -> None:
    line = printable(text)
    line.encode()
    assert "\n" not in line
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", line)
