"""Names: stretches of words with capitals of which no lexicon knows all, and the little words between them.

"Darth Vader", "Rio de Janeiro", "Winnie the Pooh", "Kylo Ren" are one thing each. What the lexicon knows ("Polar Bear") is read as words,
and in a text of nothing but capitals they say nothing.
"""

from collections.abc import Sequence
from typing import Final

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.closed import CLOSED
from llmgen.llm.english.dictionary import look_up
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
    if (
        begins
        and not _strange(tokens[first])
        and not (look_up(tokens[first].lower).noun or tokens[first].lower in JOINING)
    ):
        return 0
    end, strange = first + 1, _strange(tokens[first])
    while end < len(tokens) and end - first < _MOST and not _owns(tokens[end - 1]):
        skip = end
        while (
            skip < len(tokens)
            and skip - end < 2
            and (tokens[skip].text in JOINING or (skip > end and tokens[skip].text in _AFTER_VAN))
        ):
            skip += 1
        if (
            skip == end
            and strange
            and tokens[end].text in _TITLED
            and _capital(tokens, end + 1)
            and _strange(tokens[end + 1])
        ):
            skip += 1
        if not _capital(tokens, skip) or tokens[skip].lower in _NEVER:
            break
        strange = strange or skip > end or _strange(tokens[skip])
        end = skip + 1
    if not strange or (begins and end == first + 1):
        return 0
    shouted = all(token.text[0].isupper() for token in tokens if token.is_word)
    return 0 if shouted and end - first < sum(token.is_word for token in tokens) else end


def _capital(tokens: Sequence[Token], index: int) -> bool:
    return index < len(tokens) and tokens[index].is_word and tokens[index].text[0].isupper()


def _owns(token: Token) -> bool:
    return token.lower.endswith(("'s", "s'"))


def _strange(token: Token) -> bool:
    """Whether a word is in no lexicon; of a word with a hyphen its first part decides."""
    word = token.lower.removesuffix("'s")
    if "-" in word and token.text.rpartition("-")[2][:1].isupper():
        word = word.partition("-")[0]
    return not (look_up(word).known or look_up(singularize(word)).known or word in CLOSED - JOINING)
