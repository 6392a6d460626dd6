"""How one thing of a layout is named: "a red ball", "a happy boy in red kicking".

The noun and the attributes say what is looked for; the phrase is what is drawn, and is said as captions say it.
"""

from collections.abc import Sequence
from typing import Final

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.dictionary import look_up, verb_form
from llmgen.llm.english.words import with_article, worn_in

_CLOTHED: Final = frozenset(
    "boy girl man woman child kid person lady guy gentleman baby toddler teenager people".split()
)
_COLORS_OF_CLOTHES: Final = frozenset("red blue green yellow orange purple pink violet turquoise".split())
"""What nobody is by skin or hair: "a red boy" wears it. Black, white, brown and gold stay where they were said."""
_PATTERNS: Final = frozenset("striped dotted checked".split())
_NO_POSE: Final = frozenset("wear dress clothe have be name call make look seem".split())


def phrase_of(noun: str, attributes: Sequence[str], detail: str = "") -> str:
    """The phrase that names one thing.

    Args:
        noun: In the singular.
        attributes: In the order they were said.
        detail: What it has on it, wears or does, as it was said: "of cherries", "in black", "kicking".

    Returns:
        With its article, for example "a happy boy in striped red kicking".
    """
    said = worn_in(detail)
    before = [a for a in attributes if a not in said]
    worn: list[str] = []
    if not said and noun.rpartition(" ")[2] in _CLOTHED and _COLORS_OF_CLOTHES & set(before):
        worn = sorted((a for a in before if a in _COLORS_OF_CLOTHES | _PATTERNS), key=lambda a: a not in _PATTERNS)
        before = [a for a in before if a not in worn]
    for at in range(len(before) - 1, 0, -1):
        if {before[at], before[at - 1]} <= lex.COLORS and before[at - 1] not in lex.SHADES:
            before.insert(at, "and")  # "an orange and white cat"
    parts = [with_article(" ".join((*before, noun))), f"in {' '.join(worn)}" if worn else "", detail]
    return " ".join(part for part in parts if part)


def pose_of(word: str, verb: str) -> str:
    """What somebody does, as a caption says it: "kicking" for "kicks".

    Args:
        word: The verb as it was said.
        verb: Its base form.

    Returns:
        "" for what is no pose, and for participles of the past, which may be what is done to somebody.
    """
    if verb in _NO_POSE or verb in lex.COLORS:
        return ""
    if word.endswith("ing"):
        return word
    if verb_form(word, verb) == "past":
        return ""
    forms = (f"{verb}ing", f"{verb[:-1]}ing", f"{verb}{verb[-1]}ing")
    return next((form for form in forms if look_up(form).verb == verb), "")
