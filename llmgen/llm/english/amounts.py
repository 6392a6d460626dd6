"""How much: "slightly", "twice as", "1.25 times", "by 20 pixels"."""

from dataclasses import dataclass
from typing import Final, Literal

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.tokens import Token

_AMOUNTS: Final[dict[str, float]] = {
    "slightly": 0.5, "a bit": 0.5, "a little bit": 0.5, "a little": 0.5, "somewhat": 0.5, "a lot": 1.75, "far": 1.75,
    "much": 1.75, "significantly": 1.75, "considerably": 1.75, "way": 1.75, "all the way": 10.0,
}  # fmt: skip
_FACTORS: Final[dict[str, float]] = {"twice": 2.0, "double": 2.0, "thrice": 3.0, "triple": 3.0, "half": 0.5}


@dataclass(frozen=True, slots=True)
class Measure:
    """One word of measure.

    Attributes:
        position: How many of the other words stand before it.
        kind: A share of the usual amount, a factor, or pixels.
        value: The number.
    """

    position: int
    kind: Literal["amount", "factor", "pixels"]
    value: float


def take_measures(tokens: tuple[Token, ...]) -> tuple[list[Token], list[Measure]]:
    """The words without those that say how much, and what those say.

    Args:
        tokens: A clause.
    """
    words = [t.lower for t in tokens]
    kept: list[Token] = []
    found: list[Measure] = []
    index = 0
    while index < len(words):
        measure, length = _measure(words, index, len(kept))
        if measure is None:
            kept.append(tokens[index])
            index += 1
            continue
        if measure.kind != "amount" and kept and kept[-1].lower == "by":
            kept.pop()
            measure = Measure(len(kept), measure.kind, measure.value)
        found.append(measure)
        index += length
    return kept, found


def _measure(words: list[str], index: int, position: int) -> tuple[Measure | None, int]:
    for said in sorted(_AMOUNTS, key=len, reverse=True):
        length = said.count(" ") + 1
        if " ".join(words[index : index + length]) == said:
            return Measure(position, "amount", _AMOUNTS[said]), length
    if words[index] in _FACTORS:
        return Measure(position, "factor", _FACTORS[words[index]]), 1
    number, length = _number(words, index)
    after = words[index + length] if index + length < len(words) else ""
    if number is None or after not in ("times", "x", "%", "percent", "pixels", "pixel", "px"):
        return None, 1
    if after in ("times", "x"):
        return Measure(position, "factor", number), length + 1
    if after in ("%", "percent"):
        return Measure(position, "factor", 1 + number / 100), length + 1
    return Measure(position, "pixels", number), length + 1


def _number(words: list[str], index: int) -> tuple[float | None, int]:
    """A number at a place and how many tokens it takes; "1.25" is three."""
    word = words[index]
    if word in lex.NUMBERS:
        return float(lex.NUMBERS[word]), 1
    if not _digits(word):
        return None, 1
    rest = words[index + 1 : index + 3]
    if len(rest) == 2 and rest[0] == "." and _digits(rest[1]):
        word, length = f"{word}.{rest[1]}", 3
    else:
        length = 1
    return (float(word), length) if float(word) > 0 else (None, 1)


def _digits(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 5
