"""English inflection: articles, plurals, number words."""

from functools import lru_cache
from typing import Final

from llmgen.llm.english.dictionary import look_up

PAIRED: Final = frozenset(
    "scissors pants jeans shorts trousers sunglasses eyeglasses headphones earphones binoculars goggles tongs pliers "
    "pyjamas pajamas tights leggings overalls clippers tweezers shears scales knickers".split()
)
"""Plurals that are one thing; a pair of them is one."""
INVARIANT: Final = PAIRED | frozenset(
    "series species fish sheep deer aircraft shrimp squid moose bison cattle salmon trout swine offspring graffiti confetti spaghetti data media".split()
)
"""Nouns whose plural is like their singular."""
_PLURALS: Final[dict[str, str]] = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "mouse": "mice", "louse": "lice", "goose": "geese",
    "foot": "feet", "tooth": "teeth", "ox": "oxen", "die": "dice", "leaf": "leaves", "loaf": "loaves", "wolf": "wolves",
    "knife": "knives", "shelf": "shelves", "scarf": "scarves", "half": "halves", "calf": "calves", "elf": "elves",
    "thief": "thieves", "wife": "wives", "life": "lives", "dwarf": "dwarves", "sheaf": "sheaves", "wharf": "wharves",
    "hoof": "hooves", "cactus": "cacti", "potato": "potatoes", "tomato": "tomatoes", "hero": "heroes", "mango": "mangoes",
    "echo": "echoes", "volcano": "volcanoes", "buffalo": "buffaloes", "domino": "dominoes", "mosquito": "mosquitoes",
    "tornado": "tornadoes", "axis": "axes", "quiz": "quizzes", "stomach": "stomachs", "passerby": "passersby",
}  # fmt: skip
_SINGULARS: Final[dict[str, str]] = {plural: singular for singular, plural in _PLURALS.items() if singular != "axis"} | {
    "axes": "axe", "teddies": "teddy", "movies": "movie", "cookies": "cookie", "zombies": "zombie", "brownies": "brownie",
    "bus": "bus", "gas": "gas", "lens": "lens", "glasses": "glass", "stairs": "stair", "pants": "pants",
}  # fmt: skip
_ENDINGS: Final = (("men", "man"), ("ves", "f"), ("ves", "fe"), ("ies", "y"), ("ies", "ie"), ("es", ""), ("s", ""))
_NOT_MEN: Final = frozenset("human german roman shaman talisman ottoman caiman".split())
_AN: Final = ("hour", "honest", "honor", "honour", "heir", "herb ")
_A: Final = ("uni", "use", "usual", "utensil", "eu", "ewe", "one", "once", "ukulele", "ufo", "uk", "urin", "utopi")
_A_NOT: Final = ("unin", "unim", "unid")
_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS: Final = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


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
        return word if word in entry.nouns else entry.nouns[0]
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
    head, space, word = noun.rpartition(" ")
    if count == 1 or not word or not word[-1].isalpha() or word in INVARIANT or _singular(word) != word:
        return noun
    return head + space + _plural(word)


def _plural(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if word.endswith("fish"):
        return word
    if word.endswith("man") and word not in _NOT_MEN:
        return word[:-3] + "men"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


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
    if not phrase.strip() or is_plural(phrase) or phrase.rpartition(" ")[2] in PAIRED:
        return phrase
    return f"{article(phrase)} {phrase}"


def article(phrase: str) -> str:
    """`a` or `an`, by the sound with which a phrase begins."""
    lower = phrase.lstrip("\"'“‘(").lower()
    if lower.startswith(_AN):
        return "an"
    if lower.startswith(_A) and not lower.startswith(_A_NOT):
        return "a"
    return "an" if lower[:1] in tuple("aeiou") or lower.startswith(("8", "11 ", "18 ", "x-ray")) else "a"


def number_word(count: int) -> str:
    """A count in words below a hundred, for example "three"; larger ones in figures."""
    if not 0 <= count < 100:
        return str(count)
    if count < 20:
        return _ONES[count]
    tens, ones = divmod(count, 10)
    return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def bare(phrase: str) -> str:
    """A phrase without its article, for example "panda bear" for "a panda bear"."""
    first, space, rest = phrase.strip().partition(" ")
    return rest.strip() if space and first.lower() in ("a", "an", "the") else phrase.strip()
