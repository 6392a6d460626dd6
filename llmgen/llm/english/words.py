"""English inflection: articles, plurals, head nouns. Rests on the inflect package, with its slips guarded."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inflect import engine as Engine

_SAME = frozenset(
    "scissors pants jeans shorts trousers sunglasses headphones binoculars series species fish sheep deer aircraft "
    "goggles tongs pliers pyjamas pajamas".split()
)
_PLURAL_TO_SINGULAR = {
    "glasses": "glass", "buses": "bus", "wolves": "wolf", "knives": "knife", "leaves": "leaf", "loaves": "loaf",
    "shelves": "shelf", "scarves": "scarf", "dice": "die", "octopuses": "octopus", "cacti": "cactus", "movies": "movie",
    "cookies": "cookie", "zombies": "zombie", "shoes": "shoe", "canoes": "canoe", "horses": "horse", "houses": "house",
    "vases": "vase", "roses": "rose", "noses": "nose", "purses": "purse", "lenses": "lens", "walruses": "walrus",
}  # fmt: skip


@lru_cache(maxsize=1)
def _engine() -> "Engine":
    # Imported late: the package takes longer to import than everything else here together.
    import inflect

    return inflect.engine()


@lru_cache(maxsize=4096)
def singularize(noun: str) -> str:
    """The singular of a noun, the noun itself when it is singular already.

    Args:
        noun: Lower-case noun, may have several words; the last one is inflected.

    Returns:
        For example "palm tree" for "palm trees", "fish" for "fish".
    """
    head, space, word = noun.rpartition(" ")
    if word in _PLURAL_TO_SINGULAR:
        return head + space + _PLURAL_TO_SINGULAR[word]
    if word in _SAME or len(word) < 3 or not word.isascii() or not word.isalpha() or word.endswith(("ss", "us", "is")):
        return noun
    singular = _call("singular_noun", word)
    if not singular or _call("plural_noun", singular) != word:
        return noun
    return head + space + singular


@lru_cache(maxsize=4096)
def pluralize(noun: str, count: int = 2) -> str:
    """The plural of a noun.

    Args:
        noun: Noun in the singular, may have several words and adjectives before it; the last one is inflected.
        count: How many; 1 leaves the noun alone.

    Returns:
        For example "palm trees", "fish".
    """
    head, space, word = noun.rpartition(" ")
    if count == 1 or not word or word in _SAME:
        return noun
    return head + space + (_call("plural_noun", word) or word)


def is_plural(noun: str) -> bool:
    """Whether a noun is a plural that differs from its singular."""
    return singularize(noun) != noun


@lru_cache(maxsize=4096)
def with_article(phrase: str) -> str:
    """Put "a" or "an" before a phrase; a plural stays bare.

    Args:
        phrase: Noun phrase without an article, for example "orange ball".

    Returns:
        For example "an orange ball", "scissors".
    """
    if not phrase.strip() or is_plural(phrase):
        return phrase
    return _call("a", phrase) or phrase


def number_word(count: int) -> str:
    """A count in words, for example "three"."""
    return _call("number_to_words", str(count)) or str(count)


def bare(phrase: str) -> str:
    """A phrase without its article, for example "panda bear" for "a panda bear"."""
    first, space, rest = phrase.strip().partition(" ")
    return rest.strip() if space and first.lower() in ("a", "an", "the") else phrase.strip()


def _call(name: str, word: str) -> str:
    # inflect raises on odd strings and answers False for "none"; both mean that it has nothing to say.
    try:
        answer: Any = getattr(_engine(), name)(word)
    except Exception:  # inflect parses with typeguard and regular expressions; any slip of it must not end a run
        return ""
    return str(answer) if answer else ""
