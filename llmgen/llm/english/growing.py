"""How large things become: "twice as tall", "a bit smaller", "bigger than the cup", "as big as the tree"."""

from collections.abc import Sequence
from typing import Final, Literal

from llmgen.llm.english.commands import Resize
from llmgen.llm.english.selections import ANYTHING, Selection, read_selection
from llmgen.llm.english.tokens import Token

GROWTH: Final = 1.3
"""How much larger "make it larger" is."""
_LARGER: Final = frozenset("larger bigger greater taller wider longer huger large big".split())
_SMALLER: Final = frozenset("smaller shorter narrower thinner tinier littler small little tiny".split())
_LONG: Final = frozenset("tall high wide long broad".split())
"""Sizes where a factor is said: "twice as tall"."""
_SIDES: Final[dict[str, Literal["width", "height"]]] = {
    **dict.fromkeys("taller shorter tall short high higher".split(), "height"),
    **dict.fromkeys("wider narrower wide narrow broad broader".split(), "width"),
}  # fmt: skip
_SUPERLATIVES: Final[dict[str, Literal["largest", "smallest"]]] = {
    **dict.fromkeys("biggest largest tallest widest".split(), "largest"), **dict.fromkeys("smallest tiniest shortest".split(), "smallest"),
}  # fmt: skip
_ANYWAY: Final = frozenset("before now it they that currently usual".split())
"""What follows "than" and compares with nothing else."""


def growth(larger: bool, factor: float | None, amount: float) -> float:
    """The factor of the sides of what is made larger or smaller.

    Args:
        larger: Which of both.
        factor: As it was said, None where it was not.
        amount: In units of the usual growth.
    """
    factor = factor if factor is not None else 1 + (GROWTH - 1) * amount
    return factor if larger == (factor > 1) else 1 / factor


def read_size(
    tokens: Sequence[Token], index: int, what: Selection, factor: float | None, amount: float
) -> tuple[Resize, int] | None:
    """Read what size a thing should have.

    Args:
        tokens: A clause without its words of measure.
        index: Where it begins.
        what: The thing.
        factor: Of the words of measure.
        amount: Likewise.

    Returns:
        The command and the index after it, or None when no size begins there.
    """
    superlative = _SUPERLATIVES.get(_at(tokens, index + 1)) if _at(tokens, index) == "the" else None
    if superlative is not None:
        after = index + 2
        while _at(tokens, after) in ("thing", "object", "one", "of", "all", "them", what.noun):
            after += 1
        most = Selection(ANYTHING, which=superlative, besides=(what,), every=True)
        return Resize(what, growth(superlative == "largest", None, amount), most), after
    while _at(tokens, index) in ("as", "be", "look", "the", "its", "their"):
        index += 1
    word, sized = _at(tokens, index), _LARGER | _SMALLER | _LONG | {"size"}
    if word in sized | {"short", "narrow"} and _at(tokens, index + 1) in ("as", "than"):
        than = read_selection(tokens, index + 2, what)
        if than is not None and _at(tokens, index + 2) not in _ANYWAY:
            as_large = _at(tokens, index + 1) == "as"
            ratio = (factor or 1.0) if as_large else growth(word in _LARGER, factor, amount)
            return Resize(what, ratio, than[0], _SIDES.get(word, "both")), than[1]
    if factor is not None and word in sized | {""}:
        while _at(tokens, index) in sized | {"as", "original"} or _at(tokens, index) == "the":
            index += 1
        return Resize(what, 1 / factor if word in _SMALLER and factor > 1 else factor), index
    following = _at(tokens, index + 1)
    if word in _LARGER | _SMALLER and (not following.isalpha() or following in ("and", "than", "but")):
        index += 1
        if following == "than" and _at(tokens, index + 1) in _ANYWAY:
            index += 2
            index += _at(tokens, index) in ("is", "was", "are", "were")
        return Resize(what, growth(word in _LARGER, factor, amount)), index
    return None


def _at(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].lower if 0 <= index < len(tokens) else ""
