"""What a list leaves out is put back: "the red and the green apple" are the red apple and the green apple."""

from collections.abc import Sequence

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.selections import TELLING
from llmgen.llm.english.tokens import Token

_ARTICLES = ("the", "a", "an")


def with_nouns(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """A clause in which each of several has its noun.

    Args:
        tokens: A clause.

    Returns:
        The clause; "the left and the right apple" has become "the left apple and the right apple".
    """
    done: list[Token] = []
    for index, token in enumerate(tokens):
        done.append(token)
        if token.lower not in _ARTICLES:
            continue
        last = _after_telling(tokens, index + 1)
        joint = last + 1 if _at(tokens, last) == "," and _at(tokens, last + 1) in ("and", "or") else last
        if last == index + 1 or _at(tokens, joint) not in ("and", "or", ",") or _at(tokens, joint + 1) not in _ARTICLES:
            continue
        noun = _noun_of(tokens, joint + 1)
        if noun is not None:
            done += tokens[index + 1 : last]
            end = done[-1].end
            noun = Token(noun.text, noun.lower, end - 1, end)  # where it is left out
            return (*done, noun, *with_nouns(tokens[last:]))
    return tuple(done)


def _noun_of(tokens: Sequence[Token], index: int) -> Token | None:
    """The noun that the adjectives of a list are said of: the one behind its last."""
    last = _after_telling(tokens, index + 1)
    if last == index + 1:
        return None
    if _at(tokens, last) in ("and", "or", ",") and _at(tokens, last + 1) in _ARTICLES:
        return _noun_of(tokens, last + 1)
    word = _at(tokens, last)
    return tokens[last] if word not in ("one", "ones") and look_up(word).noun else None


def _after_telling(tokens: Sequence[Token], index: int) -> int:
    while (word := _at(tokens, index)) in lex.COLORS or word in lex.SIZES or word in lex.SHADES or word in TELLING:
        index += 1
    return index


def _at(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].lower if 0 <= index < len(tokens) else ""
