"""Rules of English inflection that need no dictionary: articles, plurals, participles, number words."""

from typing import Final

PAIRED: Final = frozenset(
    "scissors pants jeans shorts trousers sunglasses eyeglasses headphones earphones binoculars goggles tongs pliers "
    "pyjamas pajamas tights leggings overalls clippers tweezers shears knickers".split()
)
"""Plurals that are one thing; a pair of them is one."""
INVARIANT: Final = PAIRED | frozenset(
    "series species fish sheep deer aircraft shrimp squid moose bison cattle salmon trout swine offspring graffiti confetti "
    "spaghetti data media".split()
)
"""Nouns whose plural is like their singular."""
PLURALS: Final[dict[str, str]] = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "mouse": "mice", "louse": "lice", "goose": "geese",
    "foot": "feet", "tooth": "teeth", "ox": "oxen", "die": "dice", "leaf": "leaves", "loaf": "loaves", "wolf": "wolves",
    "knife": "knives", "shelf": "shelves", "scarf": "scarves", "half": "halves", "calf": "calves", "elf": "elves",
    "thief": "thieves", "wife": "wives", "life": "lives", "dwarf": "dwarves", "sheaf": "sheaves", "wharf": "wharves",
    "hoof": "hooves", "cactus": "cacti", "potato": "potatoes", "tomato": "tomatoes", "hero": "heroes", "mango": "mangoes",
    "echo": "echoes", "volcano": "volcanoes", "buffalo": "buffaloes", "domino": "dominoes", "mosquito": "mosquitoes",
    "tornado": "tornadoes", "axis": "axes", "quiz": "quizzes", "stomach": "stomachs", "passerby": "passersby",
}  # fmt: skip
_NOT_MEN: Final = frozenset("human german roman shaman talisman ottoman caiman".split())
_AN: Final = ("hour", "honest", "honor", "honour", "heir", "herb ")
_A: Final = ("uni", "use", "usual", "utensil", "eu", "ewe", "one", "once", "ukulele", "ufo", "uk", "urin", "utopi")
_A_NOT: Final = ("unin", "unim", "unid")
_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS: Final = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def plural_of(noun: str) -> str:
    """The plural of a noun in the singular; its last word is inflected, for example "palm trees"."""
    head, space, word = noun.rpartition(" ")
    if not word or not word[-1].isalpha() or word in INVARIANT:
        return noun
    return head + space + _plural(word)


def _plural(word: str) -> str:
    if word in PLURALS:
        return PLURALS[word]
    if word.endswith("fish"):
        return word
    if word.endswith("man") and word not in _NOT_MEN:
        return word[:-3] + "men"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def participle_of(verb: str) -> str:
    """The present participle of a verb in its base form, for example "riding"; a last consonant is doubled in verbs of one syllable."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and len(verb) > 2:
        return verb[:-1] + "ing"
    vowels = [letter in "aeiou" for letter in verb.replace("qu", "qw")]
    short = sum(vowels) == 1 and vowels[-2:] == [True, False] and verb[-1] not in "wxy"
    return verb + (verb[-1] if short else "") + "ing"


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
