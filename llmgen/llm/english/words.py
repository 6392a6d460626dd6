"""English inflection: articles, plurals, number words."""

import re
from functools import lru_cache
from typing import Final

from llmgen.inflection import INVARIANT, PAIRED, PLURALS, article, number_word, plural_of
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.lexicon import COLORS, PEOPLE

__all__ = ["bare", "is_plural", "number_word", "pluralize", "singularize", "with_article", "with_detail"]

_SINGULARS: Final[dict[str, str]] = {plural: singular for singular, plural in PLURALS.items() if singular != "axis"} | {
    "axes": "axe", "teddies": "teddy", "octopi": "octopus", "bus": "bus", "gas": "gas", "lens": "lens", "glasses": "glass",
    "stairs": "stair", "pants": "pants",
    **{f"{w}s": w for w in (
        "movie cookie zombie brownie beanie smoothie sharpie selfie hoodie onesie genie pixie birdie magpie pie tie collie budgie bootie"
    ).split()},
}  # fmt: skip
_LOOKS: Final = "|".join(sorted(COLORS | {"striped", "dotted", "checked", "plaid", "and"}))
_WORN: Final = re.compile(rf"( )in ((?:{_LOOKS})(?: (?:{_LOOKS}))*)(?=$| with | [a-z]+ing\b)")
_DOING: Final = re.compile(rf"\b(?:{'|'.join(sorted(PEOPLE))})( )[a-z]+ing(?=$| with )")
_ENDINGS: Final = (("men", "man"), ("ves", "f"), ("ves", "fe"), ("ies", "y"), ("ies", "ie"), ("s", ""), ("es", ""))
_IN_S: Final = frozenset(
    "news gallows means physics politics mathematics headquarters barracks crossroads works gymnastics".split()
)
"""Singulars that look like plurals of another noun."""


def singularize(noun: str) -> str:
    """The singular of a noun, the noun itself when it is singular already.

    Args:
        noun: Lower-case noun, may have several words; the last one is inflected.

    Returns:
        For example "palm tree" for "palm trees", "fish" for "fish".
    """
    head, space, word = noun.rpartition(" ")
    return head + space + _singular(word)


@lru_cache(maxsize=8192)
def _singular(word: str) -> str:
    if word in _SINGULARS:
        return _SINGULARS[word]
    if word in INVARIANT or len(word) < 3 or not word.replace("-", "").isalpha() or not word.isascii():
        return word
    entry = look_up(word)
    if entry.noun:
        # "taxis" is listed as a plural and, rarely, as a singular; "dress" as a singular only.
        shorter = [lemma for lemma in entry.nouns if lemma != word and word in (f"{lemma}s", f"{lemma}es")]
        if shorter:
            return min(shorter, key=len)
        if word not in entry.nouns:
            return entry.nouns[0]
        another = (
            word.endswith("s")
            and word not in _IN_S
            and not word.endswith(("ss", "us", "is"))
            and look_up(word[:-1]).noun
        )
        return word[:-1] if another else word
    if not word.endswith("s") or word.endswith("ss"):
        return word
    if entry.verb and word in (f"{entry.verb}s", f"{entry.verb}es") and not look_up(entry.verb).adjective:
        return entry.verb  # a noun that the table lacks, or has as a verb only: "logs", "loafs"
    for ending, singular in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and look_up(stem + singular).noun:
            return stem + singular
    if entry.known or word.endswith(("us", "ous")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("xes", "zes", "ches", "shes", "sses")) else word[:-1]


@lru_cache(maxsize=8192)
def pluralize(noun: str, count: int = 2) -> str:
    """The plural of a noun.

    Args:
        noun: Noun in the singular, may have several words and adjectives before it; the last one is inflected.
        count: How many; 1 leaves the noun alone.

    Returns:
        For example "palm trees", "fish".
    """
    if count == 1 or is_plural(noun):
        return noun
    return plural_of(noun)


def is_plural(noun: str) -> bool:
    """Whether a noun is a plural that differs from its singular."""
    return singularize(noun) != noun


@lru_cache(maxsize=8192)
def with_article(phrase: str) -> str:
    """Put "a" or "an" before a phrase; a plural stays bare.

    Args:
        phrase: Noun phrase without an article, for example "orange ball".

    Returns:
        For example "an orange ball", "scissors".
    """
    named, _ = with_detail(phrase)
    if not phrase.strip() or is_plural(named) or named.rpartition(" ")[2] in PAIRED:
        return phrase
    return f"{article(phrase)} {phrase}"


def with_detail(phrase: str, noun: str = "") -> tuple[str, str]:
    """A phrase cut into what is named and what that holds, shows, has on it, wears or does.

    Args:
        phrase: For example "a red bowl of cherries".
        noun: The noun, where it is known; only what follows it is its detail.

    Returns:
        For example `("a red bowl", "of cherries")`; the second is "" where there is none.
    """
    start = max(phrase.find(f"{noun} "), 0) if noun else 0
    places = [at for word in (" of ", " with ") if (at := phrase.find(word, start)) > 0]
    places += [found.start(1) for pattern in (_WORN, _DOING) if (found := pattern.search(phrase, start)) is not None]
    if not places:
        return phrase, ""
    return phrase[: min(places)], phrase[min(places) + 1 :].strip()


def worn_in(detail: str) -> list[str]:
    """Colours and patterns of what somebody wears in a detail, for example `["striped", "red"]` of "in striped red kicking"."""
    found = _WORN.search(f" {detail}")
    return found[2].split() if found is not None else []


def bare(phrase: str) -> str:
    """A phrase without its article, for example "panda bear" for "a panda bear"."""
    first, space, rest = phrase.strip().partition(" ")
    return rest.strip() if space and first.lower() in ("a", "an", "the") else phrase.strip()
