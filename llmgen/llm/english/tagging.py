"""From tokens to tagged words: closed classes by their expressions, open ones by the dictionary and what stands around them.

A word that can be several things is read by its place: after an article or adjective it names something, after a complete noun
phrase it does not.
"""

from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from llmgen.inflection import PAIRED
from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.closed import CLOSED
from llmgen.llm.english.dictionary import Entry, look_up, verb_form
from llmgen.llm.english.names import name_ends
from llmgen.llm.english.places import POSTURES, Places
from llmgen.llm.english.spelling import misspelt_noun, transposed
from llmgen.llm.english.tagged import Kind, Word
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import singularize

_MARKS: Final[dict[str, Kind]] = {
    ",": "comma", "(": "comma", ")": "comma", "[": "comma", "]": "comma", "–": "comma", "—": "comma", "-": "comma", "/": "comma",
    "。": "stop", ":": "colon", ".": "stop", ";": "stop", "!": "stop", "?": "stop", "|": "stop", "\n": "stop", "…": "stop",
}  # fmt: skip
_SPELLED: Final = sorted((lex.COLORS - lex.FRUIT_COLORS) | lex.SIZES)
_ADJECTIVE_ENDINGS: Final = (
    "ed",
    "ing",
    "ish",
    "ous",
    "ful",
    "less",
    "shaped",
    "like",
    "sized",
    "eyed",
    "ic",
    "al",
    "able",
)


def tag(tokens: list[Token]) -> list[Word]:
    """Say of each word what it is here.

    Args:
        tokens: The text.

    Returns:
        Words in the order of the text; an expression of several words is one.
    """
    return _Tagger(tokens).tag()


@lru_cache(maxsize=4096)
def _misspelt(word: str) -> str:
    """The colour or size that an unknown word must be meant for, "" where there is none."""
    if not 3 < len(word) < 12:
        return ""
    near = [turned for turned in transposed(word) if turned in _SPELLED] or get_close_matches(word, _SPELLED, 1, 0.82)
    return near[0] if near else ""


def _undone(word: str) -> bool:
    """Whether a word that is not known is a participle with "un": "unmade"."""
    verb = look_up(word[2:]).verb if word.startswith("un") and not look_up(word).noun else ""
    return bool(verb) and verb_form(word[2:], verb) == "past"


class _Tagger(Places):
    """Goes through the tokens once, with a bounded look ahead."""

    def tag(self) -> list[Word]:
        index = 0
        while index < len(self.tokens):
            word, index = self._next(index)
            self.words.append(word)
            self._step(word)
        return self.words

    def _next(self, i: int) -> tuple[Word, int]:
        token, word = self.tokens[i], self.lower[i]
        if token.is_quote:
            return self._word("quote", i, i + 1)
        if word in _MARKS:
            return self._word(_MARKS[word], i, i + 1)
        for read in (
            self._name,
            self._fraction,
            self._comparison,
            self._number,
            self._sides,
            self._pattern,
            self._single,
        ):
            found = read(i)
            if found is not None:
                return found
        if not token.is_word:
            return self._word("mark", i, i + 1)
        return self._open(i)

    def _name(self, i: int) -> tuple[Word, int] | None:
        """A name is one noun; "Yaga's" is whose something is."""
        begins = i == 0 or self.words[-1].kind == "stop"
        end = name_ends(self.tokens, i, begins=begins)
        if not end:
            return None
        if self.lower[end - 1].endswith(("'s", "s'")) and self._nominal(end):
            return self._word("det", i, end, "possessive")
        last = self.lower[end - 1]
        return self._word("noun", i, end, "plural" if self.numbered and singularize(last) != last else "name")

    # Open classes -------------------------------------------------------------------------------------------------

    def _open(self, i: int) -> tuple[Word, int]:
        entry = look_up(self.lower[i])
        return self._after_noun(i, entry) if self.phrase == "named" else self._before_noun(i, entry)

    def _noun(self, i: int) -> tuple[Word, int]:
        word = self.lower[i]
        meant = "" if self.tokens[i].text[0].isupper() and i else misspelt_noun(word)
        said = self._word("noun", i, i + 1, "plural" if singularize(meant or word) != (meant or word) else "")
        return (replace(said[0], lower=meant, misspelt=word), said[1]) if meant else said

    def _verb(self, i: int, entry: Entry) -> tuple[Word, int]:
        return self._word("verb", i, i + 1, entry.verb or self.lower[i])

    def _before_noun(self, i: int, entry: Entry) -> tuple[Word, int]:
        word, follows = self.lower[i], self._nominal(i + 1)
        if entry.adverb and not entry.noun and not entry.adjective:
            return self._word("adv", i, i + 1, word)
        if (self._clothed() or self._stated()) and self._deed(i, entry):
            return self._verb(i, entry)
        if word in lex.FRUIT_COLORS and not follows and self._clothed():
            return self._word("adj", i, i + 1, word)
        all_do = bool(self.words) and (
            self.words[-1].value == "both" or self.words[-1].lower in ("all", "each", "them")
        )
        acts = (
            word.endswith("ing")
            and bool(entry.verb)
            and (self.at(i + 1) in lex.ARTICLES or self.at(i + 1) in lex.NUMBERS or all_do)
        )
        if (self.phrase == "none" and self._is_verb(i, entry, follows)) or (acts and word not in lex.ING_NOUNS):
            return self._verb(i, entry)
        if entry.adjective and self.words and self.words[-1].kind == "fraction" and not follows:
            return self._word("adj", i, i + 1, word)
        compound = (word, singularize(self.at(i + 1))) in lex.COMPOUNDS
        if (
            self.phrase == "opened"
            and word in lex.SIDES
            and not compound
            and (follows or self.at(i + 1) in ("one", "ones"))
        ):
            return self._word("adj", i, i + 1, word)
        if word in lex.ORDINALS and self.at(i + 1) not in lex.NOT_COUNTED and (follows or self.phrase == "opened"):
            return self._word("adj", i, i + 1, word)
        if not entry.known and (near := _misspelt(word)):
            return replace(self._word("adj", i, i + 1, word)[0], lower=near, misspelt=word), i + 1
        participle = (
            bool(entry.verb) and verb_form(word, entry.verb) in ("ing", "past") and not self._regular_plural(word)
        )
        ing = word.endswith("ing") and word not in lex.ING_NOUNS
        adjective = (
            entry.adjective or word in lex.COLORS or word in lex.SIZES or _undone(word) or (word in lex.MATERIALS and follows)
            or (participle and (ing or not entry.noun) and (follows or word not in lex.ING_NOUNS))
            or (not entry.known and (word.endswith(_ADJECTIVE_ENDINGS) or (word.endswith("y") and follows)))
        )  # fmt: skip
        noun = entry.noun or not entry.known or self._regular_plural(word) or word in lex.ING_NOUNS
        noun = noun or (self.phrase == "opened" and bool(entry.verb) and not participle and not entry.adjective)
        if not follows:
            plain = (word in lex.COLORS and word not in lex.FRUIT_COLORS) or word in lex.SIZES
            if plain or not noun and adjective or word in lex.FRUIT_COLORS and self._color_goes_on(i):
                return self._word("adj", i, i + 1, word)
            if self.after_be and adjective and self.phrase == "none" and (word in lex.SIZES or entry.adjective):
                return self._word("adj", i, i + 1, word)
            if adjective and self._color_goes_on(i):
                return self._word("adj", i, i + 1, word)
            if noun:
                return self._noun(i)
            return self._verb(i, entry) if entry.verb else self._word("adj", i, i + 1, word)
        second = singularize(self.lower[i + 1])
        if self.lower[i + 1] in lex.SHAPED:
            return self._word("adj", i, i + 1, word)  # "a rainbow coloured penguin"
        if second in lex.COLORS - lex.FRUIT_COLORS and self._nominal(i + 2):
            return self._word("adj", i, i + 1, word)  # "a sky blue dress"
        if (word, second) in lex.COMPOUNDS:
            return self._noun(i)
        if word in lex.COLORS or word in lex.MATERIALS:
            grown = word in lex.TREES and second in lex.GROWN
            grown = (
                grown or word in lex.FRUIT_COLORS and second in lex.GROWN and word not in ("gold", "silver", "orange")
            )
            return self._noun(i) if grown else self._word("adj", i, i + 1, word)
        if participle and word.endswith("ing") and second in lex.GERUND_HEADS:
            return self._noun(i)
        if adjective and (not entry.noun or self._is_adjective(word) or word in lex.SIZES or word.endswith("ing")):
            return self._word("adj", i, i + 1, word)
        if noun:
            return self._noun(i)
        return self._word("adj", i, i + 1, word)

    def _is_adjective(self, word: str) -> bool:
        """Whether a word that is noun and adjective is an adjective before a noun: it can be compared, or looks like one."""
        if word in lex.TRUE_ADJECTIVES:
            return True
        if word in lex.ADJECTIVE_NOUNS or not look_up(word).adjective:
            return False
        compared = (f"{word}er", f"{word}r", f"{word[:-1]}ier", f"{word}{word[-1]}er")
        return word.endswith(lex.ADJECTIVE_SUFFIXES) or any(look_up(w).adjective for w in compared)

    def _color_goes_on(self, i: int) -> bool:
        """Whether a word is an attribute because another is joined to it: "an orange and white fox", "a dark and stormy sea"."""
        j = i + 2 if self.at(i + 1) == "," and self.at(i + 2) == "and" else i + 1
        if self.at(j) not in ("and", ",") or self.at(j + 1) in CLOSED or not self._nominal(j + 2):
            return False
        entry = look_up(self.at(j + 1))
        return self.at(j + 1) in lex.COLORS or (entry.adjective and (not entry.noun or self.at(j + 1) in lex.SIZES))

    def _after_noun(self, i: int, entry: Entry) -> tuple[Word, int]:
        word, last = self.lower[i], self.words[-1].lower if self.words else ""
        if not entry.known:
            return self._unknown_after_noun(i, last)
        if not entry.noun:
            plural = word.endswith("s") and singularize(word) != word
            if plural and self.numbered and not self.plural and entry.verb not in POSTURES:
                return self._noun(i)
            base = bool(entry.verb) and verb_form(word, entry.verb) == "base" and not entry.adjective
            if base and self.single and not self.coordinated_before():
                return self._noun(i)  # "a candy bar" does not bar
            if entry.verb and not (entry.adjective and not self._past_or_ing(word, entry)):
                return self._verb(i, entry)
            return self._word("adj" if entry.adjective else "adv", i, i + 1, word)
        if word in PAIRED and last not in lex.ANIMALS and last not in lex.PEOPLE:
            return self._noun(i)
        if self.at(i + 1) == "than":
            return self._word("adj", i, i + 1, word)
        if self._acts(i, entry, last):
            return self._verb(i, entry)
        if word in lex.COLORS - lex.FRUIT_COLORS - lex.MATERIALS and not self._nominal(i + 1):
            return self._word("adj", i, i + 1, word)
        if self.plural and last not in lex.PLURAL_MODIFIERS and entry.adjective and not self._nominal(i + 1):
            return self._word("adj", i, i + 1, word)
        return self._noun(i)

    def _past_or_ing(self, word: str, entry: Entry) -> bool:
        return verb_form(word, entry.verb) in ("past", "ing")

    def _unknown_after_noun(self, i: int, last: str) -> tuple[Word, int]:
        word = self.lower[i]
        if word.endswith(("ed", "ing")) and len(word) > 4:
            return self._word("verb", i, i + 1, word)
        if word.isdigit() or any(ch.isdigit() for ch in word):
            return self._noun(i)
        waits = (self.numbered and not self.plural and word.endswith("s")) or word.endswith(lex.NOUN_SUFFIXES)
        named = last.isalpha() and not look_up(last).known and not look_up(singularize(last)).known
        if last in lex.MODIFIERS or waits or named:  # "shiba inu": two words that nobody knows are one name
            return self._noun(i)
        return self._word("odd", i, i + 1, word)
