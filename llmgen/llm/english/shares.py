"""Attributes shared out: "two stools, one red and the other green", "six chairs, all of them wooden"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.phrases import kind_at, lower_at, read_adjectives
from llmgen.llm.english.tagged import Word

_ORDINALS: Final[dict[str, int]] = {
    "first": 0,
    "former": 0,
    "second": 1,
    "latter": 1,
    "third": 2,
    "fourth": 3,
    "last": -1,
}


@dataclass(frozen=True, slots=True)
class Share:
    """What a part of a group is like.

    Attributes:
        part: A number, the rest, all of them, or the one at a place of the list.
        count: How many, for a number.
        attributes: What they are like.
        which: For `place`: its index.
        side: The side that tells it from the others, if that does.
    """

    part: Literal["number", "rest", "all", "place"]
    count: int = 1
    attributes: tuple[str, ...] = ()
    which: int = 0
    side: str = ""


def read_shares(words: Sequence[Word], first: int) -> tuple[list[Share], int]:
    """Read shares as far as they go.

    Args:
        words: The text.
        first: Where the first may begin, after a comma or colon.

    Returns:
        The shares and the index after the last one; none where there are none.
    """
    found, index = list[Share](), first
    while True:
        start = index
        while found and kind_at(words, start) in ("comma", "and", "stop", "but", "break"):
            start += 1
        read = _share(words, start)
        if read is None:
            break
        share, index = read
        if not share.attributes:
            break
        found.append(share)
    if not found and (respective := _respective(words, first)):
        return respective
    return found, index


def read_open_share(words: Sequence[Word], first: int) -> tuple[Share, int] | None:
    """A share that goes on with a place or "with": "one on the left", "the other with a kite"; the index where that begins."""
    index = first
    while kind_at(words, index) in ("comma", "and", "stop", "but", "break"):
        index += 1
    read = _share(words, index)
    return read if read is not None and not read[0].attributes and read[0].part != "place" else None


def _respective(words: Sequence[Word], first: int) -> tuple[list[Share], int] | None:
    index, found = first, list[Share]()
    while kind_at(words, index) in ("adj", "noun", "and", "comma"):
        if words[index].kind in ("adj", "noun"):
            found.append(Share("number", 1, (words[index].lower,)))
        index += 1
        if len(found) > 12:
            return None
    return (found, index + 1) if found and lower_at(words, index) == "respectively" else None


def _share(words: Sequence[Word], first: int) -> tuple[Share, int] | None:
    index, share = first, None
    while lower_at(words, index) in ("with", "where", "of which", "including"):
        index += 1
    word, after = (words[index] if index < len(words) else None), lower_at(words, index + 1)
    if word is None:
        return None
    if word.value == "both" or (word.kind == "det" and word.lower in ("all", "each", "every")):
        share, index = Share("all"), index + 1
        if lower_at(words, index) == "one":
            index += 1
    elif word.kind == "num" and word.count is not None:
        share, index = Share("number", word.count), index + 1
    elif word.lower in ("another",) or (word.lower == "the" and after in ("other", "others", "rest", "remaining")):
        several = after in ("others", "rest", "remaining")
        share = Share("rest" if several or word.lower == "the" else "number")
        index += 1 if word.lower == "another" else 2
    elif word.lower == "the" and after in _ORDINALS:
        share, index = Share("place", which=_ORDINALS[after]), index + 2
    elif word.lower == "the" and after in lex.SIDES:
        share, index = Share("number", 1, side=lex.SIDES[after]), index + 2
    elif word.kind == "det" and word.lower in ("a", "an", "the"):
        return _called_one(words, index + 1)
    if share is None:
        return None
    while lower_at(words, index) in ("of", "them", "which", "these", "those", "ones", "one", "of the") and index < len(
        words
    ):
        index += 1
    said, of_them = index, index > 0 and lower_at(words, index - 1) in ("them", "which", "these", "those")
    while kind_at(words, index) == "be" or lower_at(words, index) in ("colored", "coloured", "painted", "in"):
        index += 1
    attributes, end = read_adjectives(words, index, alone=True)
    if (
        not attributes
        and (index > said or of_them)
        and kind_at(words, index) == "verb"
        and kind_at(words, index + 1) in ("", "comma", "and", "stop")
    ):
        attributes, end = [words[index].lower], index + 1  # "one of which is lit"
    if attributes[-1:] == ["made"] and lower_at(words, end) in ("of", "from", "out of"):
        made, after_made = lower_at(words, end + 1), end + 2
        if made in lex.MATERIALS:
            attributes, end = [*attributes[:-1], made], after_made  # "both made of leather"
    if attributes and kind_at(words, end) not in ("noun", "compare"):
        return Share(share.part, share.count, tuple(attributes), share.which, share.side), end
    if kind_at(words, said) in ("with", "rel", "side") or (kind_at(words, said) == "verb" and share.part == "all"):
        return share, said
    return None


def _called_one(words: Sequence[Word], index: int) -> tuple[Share, int] | None:
    """A share such as "a brown one", or "the larger one red"."""
    attributes, end = read_adjectives(words, index)
    if not attributes or kind_at(words, end) != "noun" or words[end].value != "one":
        return None
    after = end + 1 + (kind_at(words, end + 1) == "be")
    state, last = read_adjectives(words, after, alone=True)
    if state:
        return Share("number", 1, tuple(state)), last
    return Share("number", 1, tuple(attributes)), end + 1
