"""Whether a text is English at all.

A word that no lexicon knows proves nothing: it may be a name. Another language shows by its script and by words of its own; where it has
none of those known here, by many unknown words in small letters with no little word of English between them.
"""

from collections.abc import Sequence
from typing import Final

from llmgen.llm.english.closed import CLOSED
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.names import JOINING
from llmgen.llm.english.others import GERMAN, LITTLE_WORDS, PICTURED
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import singularize

_SHARED: Final = frozenset("a an as at in on to so no up i me us am do by off is it he we".split())
"""Little words of English that are words of other languages as well."""
_BEFORE_ARTICLES: Final = frozenset("on in of at for by and with vs versus".split())
_LAST_LATIN: Final = "ɏ"
_AT_HOME: Final = frozenset("éèêëáàâäíïóôöúüñç")
"""Letters with marks that come into English with names and dishes."""


def is_foreign(tokens: Sequence[Token]) -> bool:
    """Whether a text is of another language.

    Args:
        tokens: The text.
    """
    said = [token for token in tokens if token.is_word and not token.is_quote and not token.text[0].isdigit()]
    letters = [letter for token in said for letter in token.text if letter.isalpha()]
    if sum(letter > _LAST_LATIN for letter in letters) * 3 > len(letters):
        return True
    names = _names(said)
    words = [token.lower for k, token in enumerate(said) if k not in names]
    foreign = [word for word in words if _is_of_others(word)]
    unknown = [word for word in words if word not in foreign and not _is_known(word)]
    if not foreign:
        little = (CLOSED - _SHARED) | _BEFORE_ARTICLES
        return (
            len(unknown) > 2 and len(unknown) * 3 >= len(words) * 2 and not any(w in little or _acts(w) for w in words)
        )
    # A single word of another language is none of its sentences: a dish, a borrowed word, a name in small letters.
    also = [word for word in words if word not in foreign and word in PICTURED]
    other = len(foreign) + len(also) + len(unknown)
    articles = sum(word in ("a", "an") and (not k or words[k - 1] in _BEFORE_ARTICLES) for k, word in enumerate(words))
    english = [word for word in words if not (word in foreign or word in also or word in unknown or word in _SHARED)]
    return other > 1 and other > len(english) + articles


def _names(said: Sequence[Token]) -> set[int]:
    """Which words are parts of names: with a capital that says something, and the little words between and before such."""
    named = {
        k
        for k, token in enumerate(said)
        if token.text[0].isupper()
        and token.lower not in LITTLE_WORDS | GERMAN
        and not _is_known(token.lower)
        # Where a sentence begins every word has a capital.
        and (k or (len(said) > 1 and said[1].text[0].isupper() and token.lower not in PICTURED))
    }
    for k in range(len(said) - 1, -1, -1):
        joins = said[k].lower in JOINING or (
            said[k].lower in ("der", "den") and k and said[k - 1].lower in ("van", "von")
        )
        capital = said[k].text[0].isupper()
        if (
            joins
            and k + 1 < len(said)
            and (k + 1 in named or (said[k + 1].text[0].isupper() and said[k + 1].lower not in GERMAN))
        ):
            if capital or (k and (said[k - 1].text[0].isupper() or said[k - 1].lower in JOINING)):
                named.add(k)
    return named


def _is_of_others(word: str) -> bool:
    if word in LITTLE_WORDS or word[:2] in ("l'", "d'"):
        return True
    if _is_known(word):
        return False
    return word in PICTURED or any(
        not letter.isascii() and letter not in _AT_HOME for letter in word if letter.isalpha()
    )


def _is_known(word: str) -> bool:
    return word in CLOSED or look_up(word).known or look_up(singularize(word)).known or word.isdigit()


def _acts(word: str) -> bool:
    """Whether it is an English -ing form: no other language does anything in -ing."""
    verb = look_up(word).verb
    return len(word) > 5 and bool(verb) and word.endswith("ing") and not verb.endswith("ing")
