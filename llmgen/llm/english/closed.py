"""The expressions of the closed classes, of one word or several: relations, negations, leads, joints."""

from typing import Final

from llmgen.llm.english import lexicon as lex

Pattern = tuple[tuple[str, ...], str, str]
"""Words, kind, value."""

_RELATIONS: Final[dict[str, str]] = {
    "on": "on|upon|onto",
    "above": "on top of|on the top of|atop|atop of|above|over|high above|high over",
    "below": "below|under|beneath|underneath|underneath of",
    "in": "in|inside|inside of|within|into|in the inside of|through",
    "behind": "behind|in back of|in the back of|at the back of|hidden by|concealed by|obscured by|blocked by|covered by",
    "in_front_of": "in front of|in the front of|at the front of|before",
    "next_to": (
        "next to|beside|besides|beside of|near|near to|nearby|by|by the side of|alongside|alongside of|close to|close by|"
        "right next to|nearest to|adjacent to|next door to|on side of|on the side of|at the side of|to the side of|at side of|"
        "side by side with|around|against|opposite|opposite of|opposite to|across from|outside|outside of|towards|toward|past|"
        "along|not far from|at|in the vicinity of|in the corner of|on either side of|on both sides of|on each side of|at either side of|"
        "on either end of|at each end of|at both ends of"
    ),
    "between": "between|in between|in the middle between|among|amongst|amid|amidst|in the midst of",
}
_NEGATIONS: Final[dict[str, str]] = {
    "no": "no|0|zero|without|without any|minus|excluding|except|except for|lacking|lacks|lacked|free of|free from|devoid of|"
    "bare of|missing|instead of|rather than|empty of|absent",
    "not": "not|never|isn't|aren't|wasn't|weren't|doesn't|don't|didn't|hasn't|haven't|hadn't|can't|cannot|won't|isnt|no longer",
    "person": "nobody|no one|no-one|noone|not anyone|not anybody",
    "thing": "nothing",
    "none of": "none of|neither of|not one of",
    "neither": "neither|none",
}
_OTHERS: Final[dict[str, str]] = {
    "there": "there is|there are|there's|there was|there were|there stands|there lies|there sits|there be|here is|here are",
    "and": "and|&|plus|as well as|+|and also",
    "or": "or|nor",
    "but": "but|but only|yet",
    "with": "with|along with|together with|accompanied by|having|has|have|had|contains|containing|contain|including|includes|"
    "featuring|features|feature|that has|that have|which has|full of|filled with|decorated with|covered with|covered in",
    "filler": "both of|not only|nothing but|but also|only|just|merely|either|nothing else|no more|else|each other|one another|"
    "in a row|in a line|in a circle|on display|in bloom|in motion|on sale|in flight|next to each other|side by side|"
    "next to one another|beside each other|at work|in total|as usual|such as|in color|in colour|in black and white|"
    "around it|at all|of all|on each side|on either side|on both sides|one on each side",
}
PREPOSITIONS: Final = frozenset("of for from to as like about off down up across during after via per".split())


def _index() -> dict[str, tuple[Pattern, ...]]:
    found: dict[str, list[Pattern]] = {}
    for kind, table in (("rel", _RELATIONS), ("neg", _NEGATIONS)):
        for value, said in table.items():
            for phrase in said.split("|"):
                words = tuple(phrase.split())
                found.setdefault(words[0], []).append((words, kind, value))
    for kind, said in _OTHERS.items():
        for phrase in said.split("|"):
            words = tuple(phrase.split())
            found.setdefault(words[0], []).append((words, kind, phrase))
    return {first: tuple(sorted(patterns, key=lambda p: -len(p[0]))) for first, patterns in found.items()}


PATTERNS: Final = _index()
"""Patterns by their first word, the longest first."""
_OPEN: Final = frozenset(
    "missing high full contain covered hidden concealed obscured blocked bare empty free feature features absent opposite".split()
)
"""First words of expressions that are words of their own as well."""
CLOSED: Final = (
    frozenset(PATTERNS) | PREPOSITIONS | lex.ARTICLES | lex.PRONOUNS | lex.RELATIVES | lex.BE | lex.AUXILIARIES
    | lex.BREAKS | lex.ADVERBS | lex.HEDGES | lex.DEGREES | lex.NUMBERS.keys() | lex.VAGUE_NUMBERS.keys()
    | frozenset("more fewer less most least than same both all half twice such".split())
) - _OPEN  # fmt: skip
"""Words that begin no noun phrase's noun and are none of its adjectives."""
