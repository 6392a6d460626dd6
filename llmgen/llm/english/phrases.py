"""Noun phrases: one stretch of words to count, attributes and noun."""

import re
from dataclasses import dataclass
from typing import Final

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.words import is_plural, singularize

_TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
_NEGATIONS: Final = frozenset({"without", "no", "not", "zero", "minus", "except", "excluding", "none", "n't"})
_STOPS: Final = lex.PREPOSITIONS | lex.CONJUNCTIONS | lex.VERBS | _NEGATIONS | lex.ARTICLES


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a mark, with its place in the text."""

    text: str
    lower: str
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        """Whether it is a word rather than a mark."""
        return self.text[0].isalnum() or self.text[0] == "_"


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """What a noun phrase says.

    Attributes:
        noun: Singular, lower case, "" for a phrase of adjectives alone ("a red" in "a red and a blue ball").
        attributes: Adjectives, lower case, in the order of the text.
        count: How many.
        exact: Whether the count was said in numbers.
        definite: Whether it began with "the".
        first: Index of its first token.
        last: Index after its last token.
        core: Index of the first token after article and count.
        pronoun: Whether the noun is "one" or "ones".
    """

    noun: str
    attributes: tuple[str, ...]
    count: int
    exact: bool
    definite: bool
    first: int
    last: int
    core: int
    pronoun: bool = False


def tokenize(text: str) -> list[Token]:
    """Split a text into words and marks."""
    return [Token(m.group(), m.group().lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def read_noun_phrase(tokens: list[Token], start: int) -> NounPhrase | None:
    """Read the noun phrase that begins at a token.

    Args:
        tokens: The text.
        start: Index of the first token.

    Returns:
        The phrase, or None when none begins there.
    """
    index, definite, article = _skip_articles(tokens, start)
    index, count, exact = _read_count(tokens, index)
    core = index
    index, attributes = _read_adjectives(tokens, index)
    nouns, index = _read_nouns(tokens, index, allow_one=bool(attributes))
    if not nouns and attributes and attributes[-1] in lex.FRUIT_COLORS and not _another_color_follows(tokens, index):
        nouns, attributes = [attributes[-1]], attributes[:-1]
    if not nouns and not attributes:
        return None
    if not nouns and not (article or count):
        return None
    noun = " ".join(nouns)
    pronoun = noun in ("one", "ones")
    plural = noun == "ones" or (bool(noun) and is_plural(noun))
    said = tuple(dict.fromkeys(a for a in attributes if a not in lex.MUTE_ADJECTIVES))
    return NounPhrase(
        noun=singularize(noun),
        attributes=said,
        count=count if count is not None else (2 if plural else 1),
        exact=exact,
        definite=definite,
        first=start,
        last=index,
        core=core,
        pronoun=pronoun,
    )


def starts_verb(token: Token) -> bool:
    """Whether a word that follows a noun goes on about what that noun does."""
    word = token.lower
    return (
        word in lex.VERBS
        or len(word) > 4
        and word.endswith(("ing", "ed"))
        and word not in lex.NOT_ADJECTIVES
        and "-" not in word
    )


def read_adjectives(tokens: list[Token], start: int) -> tuple[int, list[str]]:
    """Adjectives that stand without a noun, as in "the ball is red and shiny"."""
    found: list[str] = []
    index = start
    while index < len(tokens):
        word = tokens[index].lower
        if word in lex.ADJECTIVES:
            found.append(word)
        elif not (word in ("and", "very") and found and _at(tokens, index + 1) in lex.ADJECTIVES):
            break
        index += 1
    following = _at(tokens, index)
    ends = not following or following in _STOPS or not tokens[index].is_word
    return (index, found) if ends else (start, [])


def _at(tokens: list[Token], index: int) -> str:
    return tokens[index].lower if 0 <= index < len(tokens) else ""


def _skip_articles(tokens: list[Token], index: int) -> tuple[int, bool, bool]:
    definite = article = False
    while _at(tokens, index) in lex.ARTICLES or (_at(tokens, index) in lex.HEDGES and index + 1 < len(tokens)):
        definite = definite or _at(tokens, index) == "the"
        article = True
        index += 1
    return index, definite, article


def _read_count(tokens: list[Token], index: int) -> tuple[int, int | None, bool]:
    word, after = _at(tokens, index), _at(tokens, index + 1)
    if word == "both":
        return _after_of(tokens, index + 1), 2, True
    value = _number(word)
    if value is not None and after in lex.COLLECTIVES and singularize(after) in lex.COLLECTIVES and after:
        each = lex.COLLECTIVES[after]
        return _after_of(tokens, index + 2), value * (each or 1), True
    if value is not None:
        # "one" may be the pronoun of "a blue one"; here nothing stands before it, so it counts.
        return _after_of(tokens, index + 1), value, True
    if word in lex.VAGUE_NUMBERS:
        return _after_of(tokens, index + 1), lex.VAGUE_NUMBERS[word], False
    if word in lex.COLLECTIVES and (after == "of" or word in lex.MULTIPLES):
        each = lex.COLLECTIVES[word]
        inner = _after_of(tokens, index + 1)
        inner, _, _ = _skip_articles(tokens, inner)
        inner, nested, exact = _read_count(tokens, inner)
        if nested is not None:
            return inner, nested * (each or 1) if word in lex.MULTIPLES else nested, exact
        return inner, each, each is not None
    return index, None, False


def _number(word: str) -> int | None:
    if word in lex.NUMBERS:
        return lex.NUMBERS[word]
    if word.isascii() and word.isdigit() and 0 < len(word) <= 3 and int(word) > 0:
        return int(word)
    return None


def _after_of(tokens: list[Token], index: int) -> int:
    if _at(tokens, index) != "of":
        return index
    index += 1
    return index + 1 if _at(tokens, index) in ("the", "these", "those") else index


def _read_adjectives(tokens: list[Token], index: int) -> tuple[int, list[str]]:
    found: list[str] = []
    while index < len(tokens):
        word = tokens[index].lower
        following = _at(tokens, index + 1)
        if word in lex.HEDGES or (word.endswith("ly") and len(word) > 4 and _is_adjective(following, "x")):
            index += 1
            continue
        compound = any(
            tuple(_at(tokens, index + k) for k in range(len(c))) == c
            or (word, singularize(following)) == c
            for c in _compounds_from(word)
        )  # fmt: skip
        if compound or not _is_adjective(word, following):
            if not (found and _joins(tokens, index)):
                break
            index += 1
            continue
        found.append(word)
        index += 1
    # A trailing "and" or comma belongs to the list outside.
    while index > 0 and found and tokens[index - 1].lower != found[-1]:
        index -= 1
    return index, found


def _compounds_from(word: str) -> list[tuple[str, ...]]:
    return [c for c in lex.COMPOUNDS if c[0] == word]


def _is_adjective(word: str, following: str) -> bool:
    if word in lex.ADJECTIVES:
        return True
    if not word or word in lex.NOT_ADJECTIVES or word in _STOPS or not following or following in _STOPS:
        return False
    if not following[0].isalnum() or following in lex.SIDES or starts_verb(Token(following, following, 0, 0)):
        return False
    if "-" in word and word.rpartition("-")[2].endswith(("ed", "ing", "eyed", "like", "free", "sized", "old")):
        return True
    if word in lex.PLACE_NOUNS or word in lex.IMAGE_HEADS:
        return False
    return len(word) > 3 and word.endswith(("ing", "ed", "ful", "ous", "ish", "less", "y"))


def _joins(tokens: list[Token], index: int) -> bool:
    # "a white and small dog": the joint belongs to the adjectives when an adjective and then a noun follow it.
    if tokens[index].lower not in ("and", ","):
        return False
    after = index + 1
    if tokens[index].lower == "," and _at(tokens, after) == "and":
        after += 1
    while after < len(tokens) and (_at(tokens, after) in lex.ADJECTIVES or _at(tokens, after) in ("and", ",")):
        after += 1
    if not (_at(tokens, index + 1) in lex.ADJECTIVES or _at(tokens, index + 2) in lex.ADJECTIVES):
        return False
    following = _at(tokens, after)
    return bool(following) and following[0].isalnum() and following not in _STOPS and _number(following) is None


def _another_color_follows(tokens: list[Token], index: int) -> bool:
    if _at(tokens, index) not in ("and", ","):
        return False
    after = index + 1
    while _at(tokens, after) in lex.ARTICLES or _number(_at(tokens, after)) is not None:
        after += 1
    return _at(tokens, after) in lex.COLORS


def _read_nouns(tokens: list[Token], index: int, *, allow_one: bool) -> tuple[list[str], int]:
    nouns: list[str] = []
    if allow_one and _at(tokens, index) in ("one", "ones"):
        return [_at(tokens, index)], index + 1
    while index < len(tokens):
        token = tokens[index]
        word = token.lower
        if not token.is_word or word in _STOPS or _number(word) is not None or (nouns and starts_verb(token)):
            break
        adverb = len(word) > 5 and word.endswith("ly") and word not in lex.NOT_ADJECTIVES
        if nouns and (word in lex.SIDES or adverb):
            break
        nouns.append(word)
        index += 1
    return nouns, index
