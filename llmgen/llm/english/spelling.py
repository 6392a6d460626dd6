"""Words that are almost spelled right: "drgaon", "castel"."""

from collections.abc import Iterable
from functools import lru_cache
from string import ascii_lowercase
from typing import Final

from llmgen.llm.english.dictionary import is_common, look_up
from llmgen.llm.english.words import singularize

_LEAST: Final = 5
"""Letters of a word that is worth a guess; shorter ones are near to too many."""


def transposed(word: str) -> list[str]:
    """The word with two neighbouring letters exchanged, for each pair of them."""
    return [word[:k] + word[k + 1] + word[k] + word[k + 2 :] for k in range(len(word) - 1) if word[k] != word[k + 1]]


@lru_cache(maxsize=4096)
def misspelt_noun(word: str) -> str:
    """The noun that an unknown word must be meant for, "" where there is none or several could be.

    Two letters are exchanged, or one is missing or doubled. Other slips turn names into words.

    Args:
        word: In lower case.
    """
    if (
        len(word) < _LEAST
        or not (word.isascii() and word.isalpha())
        or look_up(word).known
        or _known(singularize(word))
    ):
        return ""
    doubled = [word[:k] + word[k + 1 :] for k in range(1, len(word)) if word[k] == word[k - 1]]
    missing = [word[:k] + letter + word[k:] for k in range(1, len(word)) for letter in ascii_lowercase]
    for tried in (transposed(word), doubled, missing if len(word) > _LEAST else []):
        found = {one for one in tried if is_common(one) and look_up(one).noun}
        if found:
            return found.pop() if len(found) == 1 else ""
    return ""


def misspelt(word: str, words: Iterable[str]) -> str:
    """The one of some words that an unknown word must be meant for, "" where there is none or several could be.

    Two letters are exchanged, or one is missing, wrong or too many.

    Args:
        word: In lower case.
        words: What could be meant.
    """
    if len(word) < _LEAST - 1 or not (word.isascii() and word.isalpha()) or _known(word) or _known(singularize(word)):
        return ""
    found = {one for one in words if abs(len(one) - len(word)) < 2 and len(one) > 3 and _one_slip(word, one)}
    return found.pop() if len(found) == 1 else ""


def _one_slip(word: str, other: str) -> bool:
    start = next((k for k, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    a, b = word[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _known(word: str) -> bool:
    return look_up(word).known
