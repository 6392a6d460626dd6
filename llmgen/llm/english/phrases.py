"""Noun phrases: one stretch of words to count, attributes and noun."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmgen.inflection import PAIRED
from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.tagged import Word
from llmgen.llm.english.words import singularize

_AHEAD = 8
"""So far is looked for the noun that coordinated adjectives belong to."""


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """What a noun phrase says.

    Attributes:
        noun: Singular, lower case, "" for a phrase of adjectives alone ("a red" in "a red and a blue ball").
        attributes: Adjectives, lower case, in the order of the text.
        count: How many.
        exact: Whether the count was said in numbers.
        definite: Whether it points at something ("the", "her").
        first: Index of its first word.
        last: Index after its last word.
        article: Its determiners and number, "" where it has none.
        plural: Whether its noun is a plural.
        pronoun: Whether the noun is "one" or "ones".
        side: The side that tells it from others: "the left door".
        name: Whether its noun is somebody's or some place's name.
    """

    noun: str
    attributes: tuple[str, ...]
    count: int
    exact: bool
    definite: bool
    first: int
    last: int
    article: str = ""
    plural: bool = False
    pronoun: bool = False
    side: str = ""
    name: bool = False

    @property
    def head(self) -> str:
        """The noun's last word."""
        return self.noun.rpartition(" ")[2]

    @property
    def phrase(self) -> str:
        """Attributes and noun."""
        return " ".join((*self.attributes, self.noun))


def read_noun_phrase(words: Sequence[Word], first: int) -> NounPhrase | None:
    """Read the noun phrase that begins at a word.

    Args:
        words: The text.
        first: Index of the first word.

    Returns:
        The phrase, or None when none begins there.
    """
    index, count, exact, paired, definite, before = first, None, False, False, False, list[str]()
    while kind_at(words, index) in ("det", "num") or (
        kind_at(words, index) in ("adv", "filler") and _goes_on(words, index + 1)
    ):
        word = words[index]
        if word.kind == "num":
            count, exact, paired = word.count, word.exact, word.paired
        definite = definite or (word.kind == "det" and word.lower in lex.POINTING) or word.value == "possessive"
        if word.kind in ("det", "num"):
            before.append(word.lower)
        index += 1
    attributes, index = read_adjectives(words, index)
    nouns = list[str]()
    while kind_at(words, index) == "noun":
        nouns.append(words[index].lower)
        index += 1
        if words[index - 1].value == "one":
            break
    if not nouns and not (attributes and before):
        return None
    noun, name = " ".join(nouns), bool(nouns) and words[index - 1].value == "name"
    pronoun = bool(nouns) and words[index - 1].value == "one"
    plural = noun == "ones" or (bool(nouns) and words[index - 1].value == "plural")
    plural = plural and not {"a", "an"} & set(before)  # "a skis", as benchmarks write that take class names for nouns
    if count is not None and paired and nouns and nouns[-1] in PAIRED:
        count = max(1, count // 2)
    return NounPhrase(
        noun=noun if name else singularize(noun),
        attributes=tuple(dict.fromkeys(a for a in attributes if a not in lex.MUTE_ADJECTIVES and a not in lex.SIDES)),
        count=count if count is not None else (2 if plural else 1),
        exact=exact,
        definite=definite,
        first=first,
        last=index,
        article=" ".join(before),
        plural=plural,
        pronoun=pronoun,
        side="" if noun in lex.PAIRED_PARTS else " ".join(lex.SIDES[a] for a in attributes if a in lex.SIDES),
        name=name,
    )


def read_adjectives(words: Sequence[Word], first: int, *, alone: bool = False) -> tuple[list[str], int]:
    """Adjectives, with what joins them: "black and white", "very big".

    Args:
        words: The text.
        first: Where they begin.
        alone: Whether they stand without a noun ("the ball is red and shiny"); else "and" joins them only before one.

    Returns:
        The adjectives and the index after them.
    """
    found, index = list[str](), first
    while True:
        kind = kind_at(words, index)
        if kind == "adj" or (alone and kind == "noun" and describes(words[index].lower)):
            found.append(words[index].lower)
            index += 1
        elif (
            kind == "adv"
            and words[index].lower not in lex.ADVERBS
            and _adjective_follows(words, index + 1, alone=alone)
        ):
            index += 1
        elif found and kind in ("and", "comma", "but") and (after := _joined(words, index, alone=alone)):
            index = after
        else:
            return found, index


def _joined(words: Sequence[Word], index: int, *, alone: bool) -> int:
    after = index + 1
    if words[index].kind == "comma" and kind_at(words, after) in ("and", "but"):
        after += 1
    while kind_at(words, after) == "adv":
        after += 1
    if kind_at(words, after) != "adj":
        said = alone and kind_at(words, after) == "noun" and describes(words[after].lower)
        return after if said and words[index].kind == "and" else 0
    if alone:
        return after if words[index].kind == "and" and kind_at(words, after + 1) != "noun" else 0
    ahead = after
    while ahead < min(after + _AHEAD, len(words)) and words[ahead].kind in ("adj", "and", "comma", "adv"):
        ahead += 1
    return after if kind_at(words, ahead) == "noun" else 0


def describes(word: str) -> bool:
    """Whether a word that stands where a noun may can be an attribute: "one orange", "one square"; an unknown one can."""
    entry = look_up(word)
    return word in lex.COLORS or word in lex.MATERIALS or word in lex.SIZES or entry.adjective or not entry.known


def _goes_on(words: Sequence[Word], index: int) -> bool:
    return kind_at(words, index) in ("det", "num", "adj", "noun") or (
        kind_at(words, index) == "adv" and kind_at(words, index + 1) in ("det", "num", "adj", "noun")
    )


def _adjective_follows(words: Sequence[Word], index: int, *, alone: bool) -> bool:
    kind = kind_at(words, index)
    return kind == "adj" or (not alone and kind == "noun")


def kind_at(words: Sequence[Word], index: int) -> str:
    """The kind of a word, "" beyond the ends."""
    return words[index].kind if 0 <= index < len(words) else ""


def lower_at(words: Sequence[Word], index: int) -> str:
    """The text of a word in lower case, "" beyond the ends."""
    return words[index].lower if 0 <= index < len(words) else ""
