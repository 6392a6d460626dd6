"""JSON, Python literals and what models write between the two, read in one pass and never evaluated.

Read besides JSON: single and curly quotes, an apostrophe within single quotes, raw newlines in texts, tuples, trailing commas, comments,
bare keys, `None` and its like, sums and products of numbers, percentages, full-width punctuation. Every character is looked at a bounded
number of times, whatever the text holds, and no number is computed that is longer than a float.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from llmgen.llm.replies.bounds import MOST_DEPTH


class LooseSyntaxError(ValueError):
    """What begins at a place is no value. `at` says where reading ended."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


@dataclass(frozen=True)
class Found:
    """A list or an object in a text."""

    value: Any
    start: int
    end: int
    whole: bool = True
    """False for one that stands within brackets that never close."""


_SPACE = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*)*")
_BLANK = re.compile(r"\s*")
_NUMBER = re.compile(r"(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[^\W\d]\w*")
_KEY = re.compile(r"\w+")
_OPENERS = re.compile(r"[\[{(［｛（\s]*")
_PAIRS: Final = {"[": "]", "(": ")", "{": "}", "［": "]", "（": ")", "｛": "}"}
_NARROW: Final = {"］": "]", "）": ")", "｝": "}", "，": ",", "、": ",", "：": ":"}
_QUOTES: Final = {
    '"': '"', "'": "'", "“": "”“\"", "”": "”\"", "„": "“”\"", "‘": "’‘'", "’": "’'", "`": "`'", "«": "»",
}  # fmt: skip
#: Up to the next mark that may end the text, or an escape.
_UP_TO = {quote: re.compile(f"[^{re.escape(ends)}\\\\]*") for quote, ends in _QUOTES.items()}
_ENDS_TEXT: Final = frozenset(",:;)]}，、：；）］｝")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_HEX = {"u": re.compile(r"[0-9a-fA-F]{4}"), "x": re.compile(r"[0-9a-fA-F]{2}")}
_CONSTANTS: Final[dict[str, Any]] = {
    "null": None, "none": None, "nil": None, "undefined": None, "true": True, "false": False,
    "nan": float("nan"), "inf": float("inf"), "infinity": float("inf"),
}  # fmt: skip
_LONGEST_NUMBER: Final = 60
_SIGNS = frozenset("+-")
_LEADING = frozenset("0123456789.")


class LooseReader:
    """Reads values of one text. What it learned of the text (texts that never end) it keeps, so that all reading is linear."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.visits = 0
        """Values looked at, for those who count."""
        self._endless: dict[str, int] = {}
        self._no_comment = len(text)
        self._done: list[Found] = []

    def read(self, start: int) -> tuple[list[Found], int, str | None]:
        """Read the list or object that begins at a bracket.

        Args:
            start: Where the bracket is.

        Returns:
            What was found: that one, or, where it never closes or is no value, the complete ones within it; where to
            go on reading; and why it is no value, None if it is one.
        """
        self._done = []
        try:
            _, end = self._value(start, 0)
        except LooseSyntaxError as error:
            inner = [Found(found.value, found.start, found.end, whole=False) for found in self._done]
            return inner, max(error.at, start + 1), str(error)
        return self._done, end, None

    def read_text(self, start: int) -> tuple[str, int] | None:
        """The quoted text that begins at a place, and where it ends; None if there is none."""
        try:
            return self._quoted(start)
        except LooseSyntaxError:
            return None

    def _value(self, at: int, depth: int) -> tuple[Any, int]:
        """One value with the arithmetic around it."""
        value, at = self._term(at, depth)
        while type(value) in (int, float):
            at = self._skip(at)
            sign = self.text[at : at + 1]
            if sign not in ("+", "-") or not sign:
                break
            other, at = self._term(self._skip(at + 1), depth)
            value = self._computed(value, sign, other, at)
        return value, at

    def _term(self, at: int, depth: int) -> tuple[Any, int]:
        value, at = self._factor(at, depth)
        while type(value) in (int, float):
            after = self._skip(at)
            sign = self.text[after : after + 1]
            if sign not in ("*", "/") or not sign:
                break
            other, at = self._factor(self._skip(after + 1), depth)
            value = self._computed(value, sign, other, at)
        return value, at

    def _computed(self, a: float, sign: str, b: Any, at: int) -> float:
        if type(b) not in (int, float):
            raise LooseSyntaxError("something that is no number is added or multiplied", at)
        a, b = float(a), float(b)
        if sign == "/":
            if b == 0:
                raise LooseSyntaxError("a number is divided by zero", at)
            return a / b
        return a * b if sign == "*" else a + b if sign == "+" else a - b

    def _factor(self, at: int, depth: int) -> tuple[Any, int]:
        self.visits += 1
        mark = self.text[at : at + 1]
        if mark in _PAIRS:
            return self._container(at, depth)
        if mark in _QUOTES:
            return self._quoted(at)
        if mark in _SIGNS:
            return self._signed(at, depth)
        if mark in _LEADING:
            return self._number(at)
        word = _WORD.match(self.text, at)
        if word is None:
            raise LooseSyntaxError("a value is missing", at)
        after = word.end()
        if word[0].lower() in ("u", "b", "r") and self.text[after : after + 1] in ('"', "'"):
            return self._quoted(after)
        if word[0].lower() not in _CONSTANTS:
            raise LooseSyntaxError(f"the word {word[0][:30]!r} is no value", after)
        return _CONSTANTS[word[0].lower()], after

    def _signed(self, at: int, depth: int) -> tuple[Any, int]:
        negative = False
        while (mark := self.text[at : at + 1]) and mark in _SIGNS:
            negative ^= mark == "-"
            at = self._skip(at + 1)
        value, end = self._factor(at, depth)
        if type(value) not in (int, float):
            raise LooseSyntaxError("a number is missing after a sign", at)
        return (-value if negative else value), end

    def _number(self, at: int) -> tuple[float, int]:
        found = _NUMBER.match(self.text, at)
        if found is None:
            raise LooseSyntaxError("a number is missing", at)
        value, end = _plain_number(found[0]), found.end()
        if self.text[end : end + 1] == "%":
            value, end = value / 100, end + 1
        elif self.text[end : end + 2].lower() == "px":
            end += 2
        return value, end

    def _container(self, at: int, depth: int) -> tuple[Any, int]:
        start, closer = at, _PAIRS[self.text[at]]
        if depth >= MOST_DEPTH:
            run = _OPENERS.match(self.text, at)
            raise LooseSyntaxError(f"brackets are nested more than {MOST_DEPTH} deep", run.end() if run else at)
        value, at = self._object(at + 1, depth) if closer == "}" else self._items(at + 1, closer, depth)
        while self._done and self._done[-1].start >= start:
            self._done.pop()
        self._done.append(Found(value, start, at))
        return value, at

    def _items(self, at: int, closer: str, depth: int) -> tuple[Any, int]:
        items: list[Any] = []
        comma = False
        while True:
            at = self._skip(at)
            if self._mark(at) == closer:
                # A tuple of one has a comma; without it, brackets only hold a value together.
                alone = closer == ")" and len(items) == 1 and not comma
                return (items[0] if alone else items), at + 1
            if items and not comma:
                raise LooseSyntaxError(f"a comma or {closer!r} is missing", at)
            value, at = self._value(at, depth + 1)
            items.append(value)
            at = self._skip(at)
            comma = self._mark(at) in (",", ";")
            at += comma

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        items: dict[str, Any] = {}
        comma = True
        while True:
            at = self._skip(at)
            if self._mark(at) == "}":
                return items, at + 1
            if not comma:
                raise LooseSyntaxError("a comma or '}' is missing", at)
            key, at = self._key(at)
            at = self._skip(at)
            if self._mark(at) != ":":
                raise LooseSyntaxError("a colon is missing", at)
            items[key], at = self._value(self._skip(at + 1), depth + 1)
            at = self._skip(at)
            comma = self._mark(at) in (",", ";")
            at += comma

    def _key(self, at: int) -> tuple[str, int]:
        if self.text[at : at + 1] in _QUOTES:
            return self._quoted(at)
        word = _KEY.match(self.text, at)
        if word is None:
            raise LooseSyntaxError("the name of a field is missing", at)
        return word[0], word.end()

    def _quoted(self, at: int) -> tuple[str, int]:
        quote, start = self.text[at], at
        if self._endless.get(quote, len(self.text)) <= at:
            raise LooseSyntaxError("a text never ends", start + 1)
        parts: list[str] = []
        at += 1
        ends, plain = _QUOTES[quote], _UP_TO[quote]
        while at < len(self.text):
            run = plain.match(self.text, at)
            assert run is not None
            parts.append(run[0])
            at = run.end()
            mark = self.text[at : at + 1]
            if not mark:
                break
            if mark == "\\":
                words, at = self._escaped(at)
                parts.append(words)
                continue
            if mark in ends and self._closes(at + 1):
                return _joined("".join(parts)), at + 1
            parts.append(mark)
            at += 1
        # None of this kind ends from here on, wherever it begins.
        self._endless[quote] = min(start, self._endless.get(quote, start))
        raise LooseSyntaxError("a text never ends", start + 1)

    def _closes(self, at: int) -> bool:
        """Whether a quotation mark before a place ends its text: an apostrophe is followed by letters."""
        blank = _BLANK.match(self.text, at)
        after = blank.end() if blank else at
        mark = self.text[after : after + 1]
        return not mark or mark in _ENDS_TEXT or self.text[after : after + 2] in ("//", "/*")

    def _escaped(self, at: int) -> tuple[str, int]:
        kind = self.text[at + 1 : at + 2]
        if kind in _HEX and (digits := _HEX[kind].match(self.text, at + 2)):
            return chr(int(digits[0], 16)), digits.end()
        return _ESCAPES.get(kind, kind), at + 2

    def _skip(self, at: int) -> int:
        """Past blanks and comments."""
        while True:
            found = _SPACE.match(self.text, at)
            at = found.end() if found else at
            if at >= self._no_comment or self.text[at : at + 2] != "/*":
                return at
            end = self.text.find("*/", at + 2)
            if end < 0:
                self._no_comment = at
                return at
            at = end + 2

    def _mark(self, at: int) -> str:
        mark = self.text[at : at + 1]
        return _NARROW.get(mark, mark)


def _plain_number(digits: str) -> float:
    """A number of any length, as exactly as a float can be."""
    digits = digits.replace("_", "")
    if digits.isdecimal() and len(digits) <= 15:
        return int(digits)
    mantissa, mark, exponent = digits.lower().partition("e")
    return float(mantissa[:_LONGEST_NUMBER] + mark + exponent[:6])


def _joined(text: str) -> str:
    """Escaped halves of characters, put together where both are there."""
    return re.sub(
        "([\ud800-\udbff])([\udc00-\udfff])",
        lambda m: chr(0x10000 + (ord(m[1]) - 0xD800) * 0x400 + ord(m[2]) - 0xDC00),
        text,
    )
