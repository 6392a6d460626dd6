"""Where an instruction says that something should go."""

from collections.abc import Sequence
from typing import Final

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.commands import Location, Place
from llmgen.llm.english.selections import Selection, read_selection
from llmgen.llm.english.tokens import Token

_RELATIONS: Final[tuple[tuple[str, Place], ...]] = (
    ("to the left of", "left_of"), ("on the left of", "left_of"), ("on the left side of", "left_of"),
    ("to the left side of", "left_of"), ("left of", "left_of"), ("to the right of", "right_of"),
    ("on the right of", "right_of"), ("on the right side of", "right_of"), ("to the right side of", "right_of"),
    ("right of", "right_of"), ("on top of", "on"), ("on the top of", "on"), ("above", "above"), ("over", "above"), ("onto", "on"),
    ("below", "below"), ("under", "below"), ("underneath", "below"), ("beneath", "below"), ("next to", "near"),
    ("close to", "near"), ("beside", "near"), ("besides", "near"), ("near", "near"), ("by", "near"),
    ("in front of", "near"), ("behind", "near"), ("alongside", "near"), ("between", "between"), ("on", "on"), ("in", "on"), ("into", "on"),
    ("towards", "towards"), ("toward", "towards"), ("closer to", "towards"), ("nearer to", "towards"),
    ("away from", "away_from"), ("to", "near"),
)  # fmt: skip
_TOGETHER: Final[dict[str, Place]] = {
    **dict.fromkeys(("closer together", "nearer together", "together", "closer to each other", "nearer to each other"), "together"),
    **dict.fromkeys(("further apart", "farther apart", "apart", "away from each other"), "apart"),
}  # fmt: skip
_WAYS: Final = frozenset("over back out across straight".split())
_AFTER_WAYS: Final = frozenset("to on in by next near under onto into behind beside there where".split())
_SPOTS: Final = ("where", "the place of", "the spot of", "place of", "the position of", "the location of")
_SIDE_LEADS: Final = ("in the", "on the", "at the", "to the", "into the", "in", "at", "to")
_SIDE_WORDS: Final[dict[str, str]] = {**lex.SIDES, "middle": "middle", "center": "middle", "centre": "middle"}


def read_location(tokens: Sequence[Token], index: int, last: Selection | None) -> tuple[Location, int] | None:
    """Read where something goes: "above the car", "between the two cups", "in the top left corner".

    Args:
        tokens: A clause.
        index: Where it begins.
        last: What "it" and "one" mean.

    Returns:
        The location and the index after it, or None when none begins there.
    """
    if _at(tokens, index) in _WAYS and _at(tokens, index + 1) in _AFTER_WAYS:
        index += 1  # "over to the house"
    for words, kind in _RELATIONS:
        if not ahead(tokens, index, words):
            continue
        picked = read_selection(tokens, index + words.count(" ") + 1, last)
        if picked is None or _is_of_the_picture(tokens, picked[0], picked[1]):
            continue
        anchors, after = (picked[0],), picked[1]
        if kind == "between" and _at(tokens, after) == "and":
            other = read_selection(tokens, after + 1, last)
            if other is not None:
                anchors, after = (*anchors, other[0]), other[1]  # type: ignore[assignment]
        return Location(kind, anchors), after
    spot = _spot_of(tokens, index, last)
    if spot is not None:
        return spot
    for lead in _SIDE_LEADS:
        if not ahead(tokens, index, lead):
            continue
        after, sides = index + lead.count(" ") + 1, list[str]()
        while _at(tokens, after) in _SIDE_WORDS or _at(tokens, after) == "-":
            if _at(tokens, after) != "-":
                sides.append(_SIDE_WORDS[_at(tokens, after)])
            after += 1
        if not sides:
            continue
        while _at(tokens, after) in lex.SIDE_TAILS | lex.FRAME_NOUNS | {"of", "the"}:
            after += 1
        return Location("side", sides=tuple(dict.fromkeys(sides))), after
    return None


def read_gathering(tokens: Sequence[Token], index: int) -> tuple[Location, int] | None:
    """Read how several should lie to each other: "closer together"; the location and the index after it."""
    said = next((words for words in _TOGETHER if ahead(tokens, index, words)), "")
    return (Location(_TOGETHER[said]), index + said.count(" ") + 1) if said else None


def _spot_of(tokens: Sequence[Token], index: int, last: Selection | None) -> tuple[Location, int] | None:
    """Where something else is: "to where the kite is", "in the place of the kite"."""
    index += _at(tokens, index) in ("to", "in", "at")
    for words in _SPOTS:
        if not ahead(tokens, index, words):
            continue
        picked = read_selection(tokens, index + words.count(" ") + 1, last, on_side=False)
        if picked is None:
            continue
        what, after = picked
        if words == "where":
            while _at(tokens, after) in ("currently", "now", "just"):
                after += 1
            if _at(tokens, after) not in (
                "is",
                "was",
                "are",
                "were",
                "stands",
                "stood",
                "sits",
                "sat",
                "used",
                "hangs",
                "lies",
            ):
                return None
            after += (
                1 + 2 * ahead(tokens, after, "used to be") + (_at(tokens, after + 1) in ("now", "before", "currently"))
            )
        return Location("at", (what,)), after
    return None


def _is_of_the_picture(tokens: Sequence[Token], what: Selection, after: int) -> bool:
    """Whether a place is the picture's own: "the left", "the top left corner", and not that of a table."""
    if what.noun in lex.FRAME_NOUNS or what.noun in _SIDE_WORDS:
        return True
    tail = what.noun in lex.SIDE_TAILS and what.noun != "hand" and what.which is not None
    return tail and _at(tokens, after) != "of"


def ahead(tokens: Sequence[Token], index: int, words: str) -> bool:
    """Whether these words stand at a place."""
    return " ".join(t.lower for t in tokens[index : index + words.count(" ") + 1]) == words


def _at(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].lower if 0 <= index < len(tokens) else ""
