"""Which objects an instruction speaks of: "the left tree", "all cars", "the two red balls", "it"."""

from dataclasses import dataclass
from typing import Final, Literal

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.phrases import read_noun_phrase
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import is_plural, singularize

Which = Literal["left", "right", "top", "bottom", "middle", "largest", "smallest"]

_WHICH: Final[dict[str, Which]] = {
    "left": "left", "leftmost": "left", "left-most": "left", "left-hand": "left", "first": "left", "right": "right",
    "rightmost": "right", "right-most": "right", "right-hand": "right", "last": "right", "top": "top", "upper": "top",
    "topmost": "top", "highest": "top", "bottom": "bottom", "lower": "bottom", "lowest": "bottom",
    "bottommost": "bottom", "middle": "middle", "central": "middle", "center": "middle", "centre": "middle",
    "largest": "largest", "biggest": "largest", "larger": "largest", "bigger": "largest", "smallest": "smallest",
    "smaller": "smallest",
}  # fmt: skip
_PRONOUNS: Final = frozenset("it them this that these those they".split())
_EVERY: Final = frozenset("all every each any".split())
_DEFINITE: Final = frozenset("the this that these those my your his her its their other".split())
_ENDS: Final = (
    lex.PREPOSITIONS | lex.CONJUNCTIONS | lex.VERBS | lex.ARTICLES | lex.SIDES.keys() | lex.NUMBERS.keys()
    | frozenset(
        "larger bigger smaller taller shorter wider narrower thinner longer greater higher lower into up upward "
        "upwards down downward downwards leftward leftwards rightward rightwards away closer nearer further unchanged "
        "twice double half times without unchanged untouched alone completely entirely".split()
    )
)  # fmt: skip
_OPEN_ADJECTIVES: Final = ("ing", "ed", "ful", "ous", "ish", "less", "y")


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects of the picture.

    Attributes:
        noun: Singular, lower case.
        attributes: Those that were said.
        which: The one of several, by place or size.
        every: Whether all are meant (a plural, "all", "both").
        count: How many, when it was said.
        definite: Whether it speaks of something that is there ("the ball", "all balls") rather than of a new thing.
    """

    noun: str
    attributes: tuple[str, ...] = ()
    which: Which | None = None
    every: bool = False
    count: int | None = None
    definite: bool = True

    @property
    def phrase(self) -> str:
        """What was said, without article, for messages."""
        return " ".join(w for w in (self.which, *self.attributes, self.noun) if w)


@dataclass(frozen=True, slots=True)
class Described:
    """New objects.

    Attributes:
        noun: Singular, lower case; may be a word such as "one".
        attributes: What is asked of them.
        count: How many.
        article: Whether an article or a number stood before it.
        plural: Whether the noun was a plural.
    """

    noun: str
    attributes: tuple[str, ...] = ()
    count: int = 1
    article: bool = False
    plural: bool = False


def read_selection(
    tokens: list[Token], start: int, last: Selection | None, *, on_side: bool = True
) -> tuple[Selection, int] | None:
    """Read a selection.

    Args:
        tokens: A clause.
        start: Where it begins.
        last: What "it" means.
        on_side: Whether "the ball on the left" selects; not where a place to go may follow.

    Returns:
        The selection and the index after it, or None when none begins there.
    """
    word = _at(tokens, start)
    if word in _PRONOUNS and not _is_noun(tokens, start + 1):
        return None if last is None else (last, start + 1)
    index, definite, every, count = start, False, False, None
    which: Which | None = None
    while True:
        word = _at(tokens, index)
        if word in _EVERY:
            every = definite = True
        elif word == "both":
            every, definite, count = True, True, 2
        elif _count(word) is not None and count is None:
            count = _count(word)
        elif word in _DEFINITE:
            definite = True
        elif (
            word in _WHICH
            and which is None
            and (_is_noun(tokens, index + 1) or _at(tokens, index + 1) in lex.ADJECTIVES)
        ):
            which = _WHICH[word]
        elif word not in ("a", "an", "of", "most", "some"):
            break
        index += 1
    noun = _read_noun(tokens, index)
    if noun is None:
        return None
    name, attributes, plural, index = noun
    after = _side_after(tokens, index) if on_side else None
    if after is not None and which is None:
        which, index = after
    # "keep all bananas", "remove shadows": a bare plural speaks of what is there.
    definite = definite or plural or which is not None
    many = every or plural or (count or 1) > 1
    return Selection(name, attributes, which, many, count if count != 1 else None, definite), index


def read_description(tokens: list[Token], start: int) -> tuple[Described, int] | None:
    """Read new objects: "a yellow star", "two round apples", "green" gives None.

    Args:
        tokens: A clause.
        start: Where it begins.
    """
    index, count, article = start, 1, False
    while _at(tokens, index) in lex.ARTICLES or _count(_at(tokens, index)) is not None:
        article = True
        count = _count(_at(tokens, index)) or count
        index += 1
    noun = _read_noun(tokens, index)
    if noun is None:
        return None
    name, attributes, plural, index = noun
    return Described(name, attributes, max(count, 2 if plural and count == 1 else 1), article, plural), index


def _read_noun(tokens: list[Token], start: int) -> tuple[str, tuple[str, ...], bool, int] | None:
    """Noun in the singular, attributes, whether it was a plural, index after it."""
    end, named = start, False
    while end < len(tokens) and tokens[end].is_word:
        word = tokens[end].lower
        if named and (word in lex.ADJECTIVES or word in _ENDS or _is_state(tokens, end)):
            break
        if not named and (word in lex.ADJECTIVES or word in lex.HEDGES):
            # "white and small dog": the joint belongs to the adjectives.
            if (
                _at(tokens, end + 1) in ("and", ",")
                and _at(tokens, end + 2) in lex.ADJECTIVES
                and _is_noun(tokens, end + 3)
            ):
                end += 1
            end += 1
            continue
        if word in ("one", "ones") and end > start:  # "a green one"
            end += 1
            break
        if word in _ENDS:
            break
        named = named or not _is_open_adjective(tokens, end)
        end += 1
    if end == start:
        return None
    found = read_noun_phrase([*_the(), *tokens[start:end]], 0) if named else None
    if found is not None and found.noun and not found.pronoun:
        return found.noun, found.attributes, is_plural(tokens[end - 1].lower), end
    words = [t.lower for t in tokens[start:end] if t.is_word and t.lower != "and"]
    if not named and words[-1] not in lex.FRUIT_COLORS and words[-1] not in ("one", "ones"):
        return None
    return singularize(words[-1]), tuple(words[:-1]), is_plural(words[-1]), end


def _the() -> list[Token]:
    return [Token("the", "the", 0, 0)]


def _is_noun(tokens: list[Token], index: int) -> bool:
    word = _at(tokens, index)
    return bool(word) and tokens[index].is_word and word not in _ENDS and word not in ("side", "half", "edge", "corner")


def _is_state(tokens: list[Token], index: int) -> bool:
    # "make the dog hungry": a word like an adjective after the noun, at the end of the clause or before a joint.
    word = _at(tokens, index)
    ends = _at(tokens, index + 1) in ("", "and", ",", ".")
    return ends and len(word) > 4 and word.endswith(_OPEN_ADJECTIVES) and word not in lex.NOT_ADJECTIVES


def _is_open_adjective(tokens: list[Token], index: int) -> bool:
    word = _at(tokens, index)
    return (
        len(word) > 4
        and word.endswith(_OPEN_ADJECTIVES)
        and word not in lex.NOT_ADJECTIVES
        and _is_noun(tokens, index + 1)
        and _at(tokens, index + 1) not in lex.ADJECTIVES
    )


def _side_after(tokens: list[Token], index: int) -> tuple[Which, int] | None:
    if _at(tokens, index) not in ("on", "at", "in") or _at(tokens, index + 1) != "the":
        return None
    which = _WHICH.get(_at(tokens, index + 2))
    if which is None or _at(tokens, index + 3) == "of" or which in ("largest", "smallest"):
        return None
    after = index + 3
    while _at(tokens, after) in lex.SIDE_TAILS:
        after += 1
    return (which, after) if _at(tokens, after) != "of" else None


def _count(word: str) -> int | None:
    if word in lex.NUMBERS:
        return lex.NUMBERS[word]
    return int(word) if word.isascii() and word.isdigit() and len(word) < 3 and int(word) > 0 else None


def _at(tokens: list[Token], index: int) -> str:
    return tokens[index].lower if 0 <= index < len(tokens) else ""
