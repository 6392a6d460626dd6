"""Names: stretches of words with capitals of which no lexicon knows all, and the little words between them.

"Darth Vader", "Rio de Janeiro", "Winnie the Pooh", "Kylo Ren" are one thing each. What the lexicon knows ("Polar Bear") is read as words,
and in a text of nothing but capitals they say nothing.
"""

from collections.abc import Sequence
from typing import Final

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.closed import CLOSED
from llmgen.llm.english.dictionary import is_common, look_up
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import singularize

JOINING: Final = frozenset("de da di do du del della dos la las le les lo los el van von al bin y".split())
"""What stands between the parts of names, and before them."""
_AFTER_VAN: Final = ("der", "den")
_TITLED: Final = frozenset("the of".split())
"""What stands after a first name: "Winnie the Pooh", "Geralt of Rivia"."""
_NEVER: Final = lex.COLORS | lex.SIZES | lex.NUMBERS.keys() | lex.IMAGE_HEADS | lex.ORDINALS | (CLOSED - JOINING)
_MOST: Final = 6


def name_ends(tokens: Sequence[Token], first: int, *, begins: bool) -> int:
    """Where the name ends that begins at a word.

    Args:
        tokens: The text.
        first: Index of the word.
        begins: Whether a sentence begins there, so that its capital says nothing.

    Returns:
        Index after its last word, 0 where no name begins.
    """
    if not _capital(tokens, first) or tokens[first].lower in _NEVER:
        return 0
    strange = _strange(tokens[first])
    if begins and not strange and not (look_up(tokens[first].lower).noun or tokens[first].lower in JOINING):
        return 0
    end = first + 1
    while end < len(tokens) and end - first < _MOST and not _owns(tokens[end - 1]):
        skip = _joined(tokens, end, strange)
        if strange and _numbers(tokens, end):
            end += 1
            break
        if not _capital(tokens, skip) or tokens[skip].lower in _NEVER:
            break
        strange = strange or skip > end or _strange(tokens[skip])
        end = skip + 1
    if not strange or (begins and end == first + 1 and not _stands_alone(tokens, end)):
        return 0
    return 0 if _shouted(tokens) else end


def _joined(tokens: Sequence[Token], end: int, strange: bool) -> int:
    """Index after the little words that join a name to its next part."""
    skip = end
    while skip < len(tokens) and skip - end < 2 and _joins(tokens[skip].text, skip > end):
        skip += 1
    if skip == end and tokens[end].text in _TITLED and _capital(tokens, end + 1):
        titled = strange and (tokens[end].text == "the" or _strange(tokens[end + 1]))
        return end + titled
    return skip


def _joins(text: str, follows: bool) -> bool:
    return text in JOINING or (follows and text in _AFTER_VAN)


def _numbers(tokens: Sequence[Token], index: int) -> bool:
    """Whether a number is part of the name before it: "a Porsche 911 beside"; not "Kyoto 3 cats"."""
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    return tokens[index].text.isdigit() and (after is None or not after.is_word or after.lower in CLOSED)


def _stands_alone(tokens: Sequence[Token], index: int) -> bool:
    """Whether nothing follows that a word at a sentence's beginning could describe."""
    if index >= len(tokens) or not tokens[index].is_word or tokens[index].lower in CLOSED:
        return True
    word = tokens[index].lower
    return word.endswith("ing") and bool(look_up(word).verb) and word not in lex.ING_NOUNS


def _shouted(tokens: Sequence[Token]) -> bool:
    """Whether a text has capitals everywhere: "A Zorb On A Table", "ZORB"."""
    words = [token for token in tokens if token.is_word]
    titled = any(token.text[0].isupper() and token.lower in CLOSED - JOINING for token in words[1:])
    return titled or (len(words) > 1 and all(token.text.isupper() for token in words))


def _capital(tokens: Sequence[Token], index: int) -> bool:
    return index < len(tokens) and tokens[index].is_word and tokens[index].text[0].isupper()


def _owns(token: Token) -> bool:
    return token.lower.endswith(("'s", "s'"))


def _strange(token: Token) -> bool:
    """Whether a word is in no lexicon, or there as a name only; of a word with a hyphen its first part decides."""
    word = token.lower.removesuffix("'s")
    if any(letter.isdigit() for letter in word):
        return len(word) > 1
    if "-" in word and token.text.rpartition("-")[2][:1].isupper():
        word = word.partition("-")[0]
    if word in CLOSED - JOINING or is_common(word):
        return False
    return not (word.endswith("s") and is_common(singularize(word)))
