"""New things that an instruction describes: "a yellow star", "two glass vases with tulips", "a dog sleeping on the sofa"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.phrases import NounPhrase, read_noun_phrase
from llmgen.llm.english.tagging import tag
from llmgen.llm.english.tokens import Token

_MOST: Final = 24
"""So many words of a clause are looked at for one thing."""
_MORE: Final = frozenset("more extra additional further".split())
_HAVING: Final = tuple(
    sorted(
        (
            "with", "wearing", "holding", "carrying", "containing", "having", "showing", "full of", "filled with", "covered with",
            "covered in", "of",
        ),
        key=len,
        reverse=True,
    )
)  # fmt: skip
"""What joins a thing to what it has on it, in it or about it."""
_PILES: Final = frozenset("stack pile heap bouquet bunch bundle".split())
"""What holds many together as one thing: "a stack of books"."""
_MADE: Final = ("made out of", "made of", "made from")
_POSTURES: Final = frozenset("sit stand lie hang rest".split())
_ORDINAL: Final = lex.ORDINALS | {"other"}
"""What says of a new thing only that there are others: "a third dog"."""


_Said = tuple[tuple[str, ...], str, int]
"""Attributes, a detail, and the index after both."""


@dataclass(frozen=True, slots=True)
class Described:
    """New objects.

    Attributes:
        noun: Singular, lower case; may be a word such as "one".
        attributes: What is asked of them.
        count: How many.
        article: Whether an article or a number stood before it.
        plural: Whether the noun was a plural.
        detail: What each has on it, wears, holds or does, as it was said: "with tulips".
    """

    noun: str
    attributes: tuple[str, ...] = ()
    count: int = 1
    article: bool = False
    plural: bool = False
    detail: str = ""


def read_description(tokens: Sequence[Token], start: int) -> tuple[Described, int] | None:
    """Read new objects: "a yellow star", "two round apples", "green" gives None.

    Args:
        tokens: A clause.
        start: Where it begins.
    """
    # "two more cups" are two cups.
    more = next((k for k in range(start, start + 3) if _at(tokens, k) in _MORE), None)
    if more is not None and _phrase(tokens, more + 1) is not None:
        read = read_description([*tokens[:more], *tokens[more + 1 :]], start)
        return None if read is None else (read[0], read[1] + 1)
    pile = start + 1 if _at(tokens, start) in ("a", "an", "another", "one") else start
    if pile > start and _at(tokens, pile) in _PILES and _at(tokens, pile + 1) == "of":
        held = _had(tokens, pile + 1, pile + 2)
        if held is not None:
            return Described(_at(tokens, pile), (), 1, article=True, detail=held[1]), held[2]
    found = _phrase(tokens, start)
    if found is None or not found[0].noun:
        return None
    phrase, index = found
    if not phrase.article and phrase.noun in lex.COLORS and not phrase.plural and not phrase.attributes:
        return None
    noun, attributes = phrase.noun, phrase.attributes
    if _at(tokens, index) == "one" and noun in lex.MATERIALS:
        noun, attributes, index = "one", (*attributes, noun), index + 1  # "a stone one"
    if phrase.article:
        attributes = tuple(a for a in attributes if a not in _ORDINAL)
    said, detail, index = read_details(tokens, index)
    attributes = tuple(dict.fromkeys((*said, *attributes)))
    return Described(noun, attributes, phrase.count, bool(phrase.article), phrase.plural, detail), index


def read_details(tokens: Sequence[Token], index: int) -> tuple[tuple[str, ...], str, int]:
    """What follows a noun and says what the thing is like: attributes, the rest in its own words, and the index after it."""
    attributes: tuple[str, ...] = ()
    details: list[str] = []
    while True:
        made = next((words for words in _MADE if _ahead(tokens, index, words)), "")
        having = next((words for words in _HAVING if _ahead(tokens, index, words)), "")
        read: _Said | None
        if made:
            read = _material(tokens, index + made.count(" ") + 1)
        elif having:
            read = _had(tokens, index, index + having.count(" ") + 1)
        elif _at(tokens, index) in ("that", "which") and _at(tokens, index + 1) in ("is", "are"):
            read = _quality(tokens, index + 2)
        elif _at(tokens, index) == ",":
            read = _apposed(tokens, index + 1)
        elif _at(tokens, index) == "in":
            read = _worn(tokens, index)
        else:
            read = _done(tokens, index)
        if read is None:
            return attributes, " ".join(details), index
        more, detail, index = read
        attributes = tuple(dict.fromkeys((*more, *attributes)))
        details += [detail] if detail else []


def _material(tokens: Sequence[Token], index: int) -> _Said | None:
    """What it is made of stands before the noun as well: "made of dark wood"."""
    found = _phrase(tokens, index)
    if found is None or not found[0].noun or found[0].article:
        return None
    return (*found[0].attributes, found[0].noun), "", found[1]


def _had(tokens: Sequence[Token], index: int, first: int) -> _Said | None:
    found = _phrase(tokens, first)
    # "with the cat", "of the table": that is something in the picture, and no part of the new thing.
    if found is None or not found[0].noun or found[0].definite or found[0].noun in lex.FRAME_NOUNS:
        return None
    last = found[1]
    while _at(tokens, last) == "and":
        more = _phrase(tokens, last + 1)
        if more is None or not more[0].noun or more[0].article or not more[0].plural:
            break
        last = more[1]
    return (), _text(tokens, index, last), last


def _quality(tokens: Sequence[Token], index: int) -> _Said | None:
    """As "that is red" says it."""
    found: list[str] = []
    looks = lex.COLORS | lex.SIZES | lex.MATERIALS
    while (word := _at(tokens, index)) in looks | lex.DEGREES:
        found += [word] if word in looks else []
        index += 1 + (_at(tokens, index + 1) == "and" and _at(tokens, index + 2) in looks)
    return (tuple(found), "", index) if found else None


def _apposed(tokens: Sequence[Token], index: int) -> _Said | None:
    """As ", a spotted one," says it."""
    found = _phrase(tokens, index)
    if found is None or not found[0].pronoun or not found[0].attributes or found[0].definite:
        return None
    return found[0].attributes, "", found[1] + (_at(tokens, found[1]) == ",")


def _worn(tokens: Sequence[Token], index: int) -> _Said | None:
    """As "in a red coat" and "in blue" say it."""
    found = _phrase(tokens, index + 1)
    if found is None or found[0].definite:
        return None
    color = not found[0].noun or (found[0].noun in lex.COLORS and not found[0].article)
    if not color and found[0].head not in lex.CLOTHES:
        return None
    return (), _text(tokens, index, found[1]), found[1]


def _done(tokens: Sequence[Token], index: int) -> _Said | None:
    """What it does, with what nobody needs to find in the picture: "sleeping", "playing the guitar"."""
    word = _at(tokens, index)
    if not word.endswith("ing") or not look_up(word).verb or word in lex.ING_NOUNS:
        return None
    found, last = _phrase(tokens, index + 1), index + 1
    if look_up(word).verb in _POSTURES and found is None and last < len(tokens):
        return (), "", last  # "a dog sitting on the bench": the place says it
    if found is not None and found[0].noun and not found[0].definite and not look_up(_at(tokens, last)).adverb:
        last = found[1]
    return (), _text(tokens, index, last), last


def _phrase(tokens: Sequence[Token], index: int) -> tuple[NounPhrase, int] | None:
    """The noun phrase that begins at a place, and the index after it."""
    words = tag(list(tokens[index : index + _MOST]))
    phrase = read_noun_phrase(words, 0)
    if phrase is None:
        return None
    last = words[phrase.last - 1]
    after = next((k for k in range(index, len(tokens)) if tokens[k].start >= last.end), len(tokens))
    return phrase, after


def _text(tokens: Sequence[Token], first: int, last: int) -> str:
    return " ".join(token.lower for token in tokens[first:last])


def _ahead(tokens: Sequence[Token], index: int, words: str) -> bool:
    return " ".join(t.lower for t in tokens[index : index + words.count(" ") + 1]) == words


def _at(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].lower if 0 <= index < len(tokens) else ""
