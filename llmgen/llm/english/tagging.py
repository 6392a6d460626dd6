"""From tokens to tagged words: closed classes by their expressions, open ones by the dictionary and what stands around them.

A word that can be several things is read by its place: after an article or adjective it names something, after a complete noun phrase it does not.
"""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final, Literal

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.closed import CLOSED, PATTERNS, PREPOSITIONS
from llmgen.llm.english.dictionary import Entry, look_up, verb_form
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import INVARIANT, singularize

Kind = Literal[
    "det", "num", "adj", "noun", "verb", "adv", "pron", "who", "be", "aux", "there", "rel", "side", "prep", "with", "and", "or",
    "but", "break", "neg", "comma", "colon", "stop", "quote", "fraction", "compare", "filler", "odd", "mark",
]  # fmt: skip

_MARKS: Final[dict[str, Kind]] = {
    ",": "comma", "(": "comma", ")": "comma", "[": "comma", "]": "comma", "–": "comma", "—": "comma", "-": "comma", "/": "comma",
    "。": "stop", ":": "colon", ".": "stop", ";": "stop", "!": "stop", "?": "stop", "|": "stop", "\n": "stop", "…": "stop",
}  # fmt: skip
_POSTURES: Final = frozenset(
    "sit stand lie lay lean rest hang perch crouch kneel sleep nap wait park float swim fly soar drift hover glide walk run jump "
    "leap climb crawl dance sing play ride drive sail race gallop grow stack pile look stare gaze swing slide roll bounce balance "
    "nestle dangle drink eat graze talk smile laugh pose read work fight cook tower loom shine glow burn".split()
)
"""Verbs that are verbs where a preposition follows, though they are nouns as well."""
_IRREGULAR_NOUNS: Final = frozenset("saw ground rose bit felt shot found bound wound set spread".split())
"""Things whose names are also past tenses."""
_OPEN_NUMBERS: Final = (
    ("up", "to"), ("at", "most"), ("no", "more", "than"), ("not", "more", "than"), ("no", "fewer", "than"), ("between",), ("from",),
)  # fmt: skip
_SPELLED: Final = sorted((lex.COLORS - lex.FRUIT_COLORS) | lex.SIZES)
_ADJECTIVE_ENDINGS: Final = ("ed", "ing", "ish", "ous", "ful", "less", "shaped", "like", "sized", "eyed", "ic", "al", "able")


@dataclass(frozen=True, slots=True)
class Word:
    """A tagged word or expression.

    Attributes:
        kind: Its part of speech here.
        lower: Its text in lower case.
        start: Where it begins in the text.
        end: Where it ends.
        value: Kind of relation or negation, sides, the verb's base form, "plural" of a noun, an adjective as it was written.
        count: A number's value.
        exact: Whether a number is said in figures or words rather than as "several".
        paired: Whether a number counts pairs.
        misspelt: Whether it is not spelled as a known attribute, but almost.
    """

    kind: Kind
    lower: str
    start: int
    end: int
    value: str = ""
    count: int | None = None
    exact: bool = False
    paired: bool = False
    misspelt: bool = False


def tag(tokens: list[Token]) -> list[Word]:
    """Say of each word what it is here.

    Args:
        tokens: The text.

    Returns:
        Words in the order of the text; an expression of several words is one.
    """
    return _Tagger(tokens).tag()


def after_words(lower: list[str], i: int, *said: str) -> bool:
    """Whether one of some pairs of words stands at a place."""
    return " ".join(lower[i : i + 2]) in said


class _Tagger:
    """Goes through the tokens once, with a bounded look ahead."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.lower = [t.lower for t in tokens]
        self.words: list[Word] = []
        self.phrase: Literal["none", "opened", "named"] = "none"
        """Whether a noun phrase is not begun, waits for its noun, or has one."""
        self.single = self.plural = self.after_be = self.coordinated = False
        self.numbered = False
        self.named = False
        """Whether the clause has named something."""

    def at(self, index: int) -> str:
        return self.lower[index] if 0 <= index < len(self.lower) else ""

    def tag(self) -> list[Word]:
        index = 0
        while index < len(self.tokens):
            word, index = self._next(index)
            self.words.append(word)
            self._step(word)
        return self.words

    def _step(self, word: Word) -> None:
        kind = word.kind
        if kind in ("det", "num"):
            if self.phrase != "opened":
                self.single = self.plural = self.numbered = False
            self.phrase = "opened"
            self.single = self.single or word.lower in ("a", "an", "this", "another", "each", "every") or word.count == 1
            self.numbered = self.numbered or (word.count or 1) > 1
        elif kind == "adj":
            if self.phrase == "named" or self.phrase == "none":
                self.single = self.plural = self.numbered = False
            self.phrase = "opened"
        elif kind == "noun":
            if self.phrase == "none":
                self.single = self.numbered = False
            self.phrase = "named"
            uncounted = word.lower in INVARIANT and not self.single
            self.named, self.plural = True, word.value == "plural" or uncounted
        elif kind not in ("adv", "mark", "quote", "odd"):
            self.coordinated = kind == "and" and self.phrase == "named"
            self.phrase = "none"
            if kind in ("stop", "break"):
                self.named = False
        if kind in ("be", "aux"):
            self.after_be = True
        elif kind not in ("adv", "neg"):
            self.after_be = False

    def _word(self, kind: Kind, first: int, last: int, value: str = "", **more: object) -> tuple[Word, int]:
        text = " ".join(self.lower[first:last])
        return Word(kind, text, self.tokens[first].start, self.tokens[last - 1].end, value, **more), last  # type: ignore[arg-type]

    # Closed classes -----------------------------------------------------------------------------------------------

    def _next(self, i: int) -> tuple[Word, int]:
        token, word = self.tokens[i], self.lower[i]
        if token.is_quote:
            return self._word("quote", i, i + 1)
        if word in _MARKS:
            return self._word(_MARKS[word], i, i + 1)
        for read in (self._fraction, self._comparison, self._number, self._sides, self._pattern, self._single):
            found = read(i)
            if found is not None:
                return found
        if not token.is_word:
            return self._word("mark", i, i + 1)
        return self._open(i)

    def _fraction(self, i: int) -> tuple[Word, int] | None:
        word, after = self.lower[i], self.at(i + 1)
        if "%" in word or "/" in word and word[0].isdigit():
            return self._word("fraction", i, i + 2 if after == "of" else i + 1)
        if word == "half" and after not in ("dozen", "of", "") and self.lower[i + 1 : i + 3] != ["a", "dozen"]:
            if after in ("a", "an", "the") or look_up(after).adjective or self._participle(i + 1) or self.phrase == "none":
                return self._word("fraction", i, i + 1)
        counted = word in lex.NUMBERS or word in ("a", "the") or word.isdigit()
        if counted and self.lower[i + 1 : i + 4] == ["and", "a", "half"]:
            return self._word("fraction", i, i + 4)
        if counted and after == "percent" and self.at(i + 2) == "of":
            return self._word("fraction", i, i + 3)
        state = look_up(self.at(i + 2)).adjective or self._participle(i + 2)
        if counted and after in lex.FRACTIONS and (self.at(i + 2) in ("of", "a", "an", "the") or state):
            return self._word("fraction", i, i + 3 if self.at(i + 2) == "of" else i + 2)
        if word in lex.FRACTIONS and word.endswith("s") and self.at(i - 1) == "into":
            return self._word("fraction", i, i + 1)
        if word == "half" and after == "of":
            return self._word("fraction", i, i + 2)
        return None

    def _comparison(self, i: int) -> tuple[Word, int] | None:
        word = self.lower[i]
        if word in ("more", "less", "fewer") and self.at(i + 1) == "than" and self._digits(self.at(i + 2)) is not None:
            count = self._digits(self.at(i + 2)) or 1
            if word == "more":
                return self._word("num", i, i + 3, count=count + 1, exact=False)
            return self._word("compare", i, i + 2)
        for lead in _OPEN_NUMBERS:
            if tuple(self.lower[i : i + len(lead)]) == lead and self._digits(self.at(i + len(lead))) is not None:
                span = i + len(lead) + 1
                if lead in (("between",), ("from",)):
                    if self.at(span) not in ("and", "to") or self._digits(self.at(span + 1)) is None:
                        continue
                    span += 2
                return self._word("compare", i, span)
        partly = word in ("some", "most", "many", "few", "several", "each", "any") or self._digits(word) is not None
        if partly and after_words(self.lower, i + 1, "of the", "of these", "of those", "of his", "of her", "of their"):
            return self._word("compare", i, i + 3)
        if self._digits(word) is not None and self.at(i + 1) in ("or", "to", "-", "–") and self._digits(self.at(i + 2)) is not None:
            return self._word("compare", i, i + 3)
        if word == "as" and ("as" in self.lower[i + 2 : i + 4] or "as" in self.lower[max(0, i - 4) : i - 1]):
            if "as" in self.lower[max(0, i - 4) : i - 1]:
                return self._word("compare", i, i + 1)
            return self._word("compare", i, i + 2)
        if word == "than" or (word in ("more", "fewer", "less", "most") and "than" in self.lower[i : i + 8]):
            return self._word("compare", i, i + 1)
        if word in ("equal", "equals") and self.at(i + 1) in ("number", "numbers", "amounts", "amount"):
            return self._word("compare", i, i + 3 if self.at(i + 2) == "of" else i + 2)
        if word == "same" and self.at(i + 1) in ("number", "amount", "size", "height", "length", "width"):
            return self._word("compare", i, i + 3 if self.at(i + 2) in ("of", "as") else i + 2)
        if word in ("twice", "thrice") or (word == "times" and self._digits(self.at(i - 1)) is not None):
            return self._word("compare", i, i + 1)
        if word in ("most", "least") and self.at(i - 1) == "the":
            return self._word("compare", i, i + 1)
        if word.endswith("est") and len(word) > 4 and word not in lex.NOT_SUPERLATIVE:
            entry = look_up(word)
            if entry.adjective and not entry.noun and not look_up(word + "s").known:
                return self._word("compare", i, i + 1)
        return None

    def _digits(self, word: str) -> int | None:
        if word in lex.NUMBERS:
            return lex.NUMBERS[word]
        figures = word.replace(",", "")
        if figures.isascii() and figures.isdigit() and 0 < len(figures) <= 7 and int(figures) > 0:
            return int(figures)
        return None

    def _number(self, i: int) -> tuple[Word, int] | None:
        word, after = self.lower[i], self.at(i + 1)
        if self.words and word in ("one", "ones") and (self.words[-1].kind == "adj" or self.words[-1].lower == "other"):
            return self._word("noun", i, i + 1, "one")
        if word == "both":
            if after in ("a", "an", "the") and "and" in self.lower[i + 2 : i + 7]:
                return self._word("filler", i, i + 1)
            return self._word("num", i, self._after_of(i + 1), "both", count=2, exact=True)
        if word == "half" and "dozen" in self.lower[i + 1 : i + 3]:
            return self._word("num", i, self._after_of(self.lower.index("dozen", i) + 1), count=6, exact=True)
        if word == "at" and after == "least" and self._digits(self.at(i + 2)) is not None:
            return self._word("num", i, i + 3, count=self._digits(self.at(i + 2)))
        start = i
        count = self._digits(word)
        if count is None and word in ("a", "an", "the", "another") and (after in lex.MULTIPLES or self._collects(i + 1)):
            start, count = i + 1, 1
        elif count is None and word == "a" and after in ("few", "great", "large", "small") and self._vague_follows(i + 1):
            start, word = i + 1, after
            if after != "few":
                start = i + 2
        if count is not None and self.at(start if start > i else i + 1) in lex.MULTIPLES:
            end = start + 1 if start > i else i + 2
            count *= lex.MULTIPLES[self.lower[end - 1]]
            while self._digits(self.at(end)) is not None or (
                self.at(end) == "and" and self._digits(self.at(end + 1)) is not None and count >= 100
            ):
                end += 1 if self.at(end) != "and" else 2
                count += self._digits(self.lower[end - 1]) or 0
            return self._word("num", i, self._after_of(end), count=count, exact=True)
        if count is not None and (start > i or singularize(after) in lex.COLLECTIVES):
            place = start if start > i else i + 1
            if self._collects(place) or start > i:
                return self._collective(i, place, count)
        if count is not None:
            return self._word("num", i, self._after_of(i + 1), count=count, exact=True)
        if self.at(start) in lex.VAGUE_NUMBERS:
            return self._word("num", i, self._after_of(start + 1), count=lex.VAGUE_NUMBERS[self.lower[start]])
        if word in ("dozens", "hundreds", "thousands", "lots", "loads", "plenty", "tons") and after == "of":
            return self._word("num", i, i + 2, count=5)
        if self._collects(start) and not self.single and self.phrase != "named":
            return self._collective(i, start, None)
        return None

    def _vague_follows(self, i: int) -> bool:
        return self.at(i) == "few" or (self.at(i + 1) in ("number", "group", "amount") and self.at(i + 2) == "of")

    def _collects(self, i: int) -> bool:
        word = self.at(i)
        if word == "couple" and self.at(i + 1) != "of":
            return bool(self.at(i + 1)) and self.at(i + 1) not in CLOSED and singularize(self.at(i + 1)) != self.at(i + 1)
        return bool(word) and singularize(word) in lex.COLLECTIVES and self.at(i + 1) == "of"

    def _collective(self, first: int, place: int, count: int | None) -> tuple[Word, int]:
        name = singularize(self.lower[place])
        each, end = lex.COLLECTIVES[name], self._after_of(place + 1)
        nested = self._digits(self.at(end))
        if nested is not None:
            return self._word("num", first, end + 1, count=nested, exact=True)
        total = None if each is None else (count or 1) * each
        return self._word("num", first, end, "some", count=total, exact=total is not None, paired=name == "pair")

    def _after_of(self, i: int) -> int:
        if self.at(i) != "of" or self.at(i + 1) in ("them", "which", "these", "those", "it"):
            return i
        return i + 2 if self.at(i + 1) in ("the", "these", "those") else i + 1

    def _sides(self, i: int) -> tuple[Word, int] | None:
        start, led = i, False
        if self.lower[i] in ("on", "at", "in", "to", "from", "towards", "toward", "along", "into"):
            led = True
            i += 1
            if self.at(i) in ("the", "its", "his", "her", "their"):
                i += 1
        while self.at(i) in ("far", "very", "extreme", "immediate", "directly", "immediately", "just", "right", "slightly") and (
            self.at(i + 1) in lex.SIDES and self.at(i + 1) != "of"
        ):
            i += 1
        sides: list[str] = []
        while self.at(i) in lex.SIDES and len(sides) < 2:
            sides.append(lex.SIDES[self.lower[i]])
            i += 1
        first_tail = i
        while sides and self.at(i) in lex.SIDE_TAILS:
            i += 1
        if not sides or "middle" in sides and (len(sides) > 1 or not led):
            return None
        if self.at(i) == "of":
            frame = i + 2 if self.at(i + 1) in lex.POINTING else i + 1
            if self.at(frame) in lex.FRAME_NOUNS and self.at(i + 1) not in ("a", "an"):
                return self._word("side", start, frame + 1, " ".join(sides))
            if "middle" in sides:
                return self._word("rel", start, i + 1, "in")
            if sides == ["top"] and led:
                return self._word("rel", start, i + 1, "above")
            if led or self.phrase != "opened":
                return self._word("rel", start, i + 1, "sides " + " ".join(sides))
        if led:
            follows = self.at(first_tail)
            if first_tail == i and follows and follows not in CLOSED and follows not in lex.SIDES and follows[0].isalnum():
                return None if not self._verbal(follows) else self._word("side", start, i, " ".join(sides))
            return self._word("side", start, i, " ".join(sides))
        bare = self.phrase == "named" and self.at(i) not in ("on", "in", "at", "under", "behind", "by", "beside", "near")
        return self._word("side", start, i, " ".join(sides)) if bare else None

    def _verbal(self, word: str) -> bool:
        entry = look_up(word)
        return (bool(entry.verb) and not entry.noun) or word in ("be", "not", *lex.PRONOUNS)

    def _pattern(self, i: int) -> tuple[Word, int] | None:
        for words, kind, value in PATTERNS.get(self.lower[i], ()):
            end = i + len(words)
            if len(words) > 1 and tuple(self.lower[i:end]) != words:
                continue
            if words[0] in ("absent", "opposite", "past", "outside", "inside", "feature", "features") and self.phrase == "opened":
                continue
            if value in ("lacks", "feature", "features", "contain", "contains") and self.phrase != "named":
                continue
            if kind in ("with", "there") and value in ("has", "have", "had") and self._participle(end):
                continue
            if value in ("above", "below") and len(words) == 1 and not self._thing_follows(end):
                if words[0] not in ("above", "below"):
                    return self._word("adv", i, end)
                return self._word("side", i, end, "top" if value == "above" else "bottom")
            return self._word(kind, i, end, value)  # type: ignore[arg-type]
        return None

    def _thing_follows(self, i: int) -> bool:
        word = self.at(i)
        return bool(word) and (word in lex.ARTICLES or word in lex.PRONOUNS or word in lex.NUMBERS or word not in CLOSED) and (
            word[0].isalnum()
        )

    def _participle(self, i: int) -> bool:
        entry = look_up(self.at(i))
        return bool(entry.verb) and not entry.noun and not entry.adjective

    def _single(self, i: int) -> tuple[Word, int] | None:
        word = self.lower[i]
        kinds: tuple[tuple[Kind, frozenset[str]], ...] = (
            ("who", lex.RELATIVES if self.phrase == "named" or word != "that" else frozenset()),
            ("det", lex.ARTICLES | {"all"}), ("be", lex.BE), ("aux", lex.AUXILIARIES), ("pron", lex.PRONOUNS),
            ("break", lex.BREAKS), ("prep", PREPOSITIONS),
        )  # fmt: skip
        if word == "her" and not self._thing_follows(i + 1):
            return self._word("pron", i, i + 1)
        if word == "up" and self.phrase == "opened":
            return None
        if word == "can" and (self.phrase == "opened" or (self.phrase == "named" and not self._verbal(self.at(i + 1)))):
            return None
        if word in ("right", "just") and self.at(i + 1) in PATTERNS and self.phrase != "opened":
            return self._word("adv", i, i + 1, word)
        for kind, members in kinds:
            if word in members:
                return self._word(kind, i, i + 1, word)
        if word.endswith("'s"):
            if word[:-2] in lex.PRONOUNS or word[:-2] in ("there", "here", "that", "who"):
                return self._word("be", i, i + 1)
            if self._nominal(i + 1):
                return self._word("det", i, i + 1, "possessive")
        if word in lex.HEDGES | lex.DEGREES or (word in lex.ADVERBS and self.phrase != "opened"):
            return self._word("adv", i, i + 1, word)
        return None

    # Open classes -------------------------------------------------------------------------------------------------

    def _nominal(self, i: int) -> bool:
        """Whether the word at a place can go on a noun phrase that has begun."""
        word = self.at(i)
        if not word or not word[0].isalnum() or word in CLOSED or word in lex.SIDES and word not in ("top",):
            return False
        entry = look_up(word)
        if not entry.known:
            return True
        if entry.adverb and not entry.noun and not entry.adjective:
            return False
        if not entry.noun and not entry.adjective:
            form = verb_form(word, entry.verb)
            if form in ("ing", "past"):
                return word.endswith(("ing", "ed", "en")) and self._nominal(i + 1)
            return form == "base" or not self.single
        if entry.adjective and not entry.noun and word not in lex.COLORS:
            return self._nominal(i + 1)
        if entry.verb and word not in lex.ING_NOUNS and verb_form(word, entry.verb) == "ing" and not self._nominal(i + 1):
            return False
        if self.single and entry.verb and singularize(word) != word and not self._nominal(i + 1):
            # "a lemon falls", "an orange stands": what follows "a" is no plural.
            return False
        return True

    def _regular_plural(self, word: str) -> bool:
        """Whether a word that is listed as a verb only is a noun's plural by rule: "loafs", "knifes"."""
        return word.endswith("s") and singularize(word) != word and (self.phrase == "opened" or look_up(singularize(word)).noun)

    def _open(self, i: int) -> tuple[Word, int]:
        entry = look_up(self.lower[i])
        return self._after_noun(i, entry) if self.phrase == "named" else self._before_noun(i, entry)

    def _noun(self, i: int) -> tuple[Word, int]:
        word = self.lower[i]
        return self._word("noun", i, i + 1, "plural" if singularize(word) != word else "")

    def _verb(self, i: int, entry: Entry) -> tuple[Word, int]:
        return self._word("verb", i, i + 1, entry.verb or self.lower[i])

    def _before_noun(self, i: int, entry: Entry) -> tuple[Word, int]:
        word, follows = self.lower[i], self._nominal(i + 1)
        if entry.adverb and not entry.noun and not entry.adjective:
            return self._word("adv", i, i + 1, word)
        if self.phrase == "none" and self._is_verb(i, entry, follows):
            return self._verb(i, entry)
        if entry.adjective and self.words and self.words[-1].kind == "fraction" and not follows:
            return self._word("adj", i, i + 1, word)
        if self.phrase == "opened" and word in lex.SIDES and (follows or self.at(i + 1) in ("one", "ones")):
            return self._word("adj", i, i + 1, word)
        if not entry.known and (near := self._misspelt(word)):
            return replace(self._word("adj", i, i + 1, word)[0], lower=near, misspelt=True), i + 1
        participle = bool(entry.verb) and verb_form(word, entry.verb) in ("ing", "past") and not self._regular_plural(word)
        adjective = (
            entry.adjective or word in lex.COLORS or (word in lex.MATERIALS and follows) or (participle and not entry.noun)
            or (participle and word.endswith("ing") and word not in lex.ING_NOUNS)
            or (not entry.known and (word.endswith(_ADJECTIVE_ENDINGS) or word.endswith("y") and follows))
            or word in lex.SIZES
        )  # fmt: skip
        noun = entry.noun or not entry.known or self._regular_plural(word)
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
        if (word, second) in lex.COMPOUNDS:
            return self._noun(i)
        if word in lex.COLORS or word in lex.MATERIALS:
            grown = word in lex.FRUIT_COLORS and second in lex.GROWN and word not in ("gold", "silver", "orange")
            return self._noun(i) if grown else self._word("adj", i, i + 1, word)
        if participle and word.endswith("ing") and second in lex.GERUND_HEADS:
            return self._noun(i)
        if adjective and (not entry.noun or entry.adjective or word in lex.SIZES or word.endswith("ing")):
            return self._word("adj", i, i + 1, word)
        if noun:
            return self._noun(i)
        return self._word("adj", i, i + 1, word)

    def _misspelt(self, word: str) -> str:
        """The colour or size that a word must be meant for."""
        near = get_close_matches(word, _SPELLED, 1, 0.82) if len(word) > 3 else []
        return near[0] if near else ""

    def _color_goes_on(self, i: int) -> bool:
        """Whether a word is an attribute because another is joined to it: "an orange and white fox", "a dark and stormy sea"."""
        j = i + 2 if self.at(i + 1) == "," and self.at(i + 2) == "and" else i + 1
        if self.at(j) not in ("and", ",") or self.at(j + 1) in CLOSED or not self._nominal(j + 2):
            return False
        entry = look_up(self.at(j + 1))
        return self.at(j + 1) in lex.COLORS or (entry.adjective and (not entry.noun or self.at(j + 1) in lex.SIZES))

    def _is_verb(self, i: int, entry: Entry, follows: bool) -> bool:
        """Whether a word that begins no noun phrase says what something does."""
        word = self.lower[i]
        if not entry.verb or word in lex.COLORS:
            return False
        form, after = verb_form(word, entry.verb), self.at(i + 1)
        opens = after in lex.ARTICLES or after in lex.NUMBERS or after in lex.PRONOUNS
        if self._quoted(i + 1) and self.named:
            return True
        if self._after_who() and (form in ("s", "past") or not entry.adjective and not follows or opens):
            return True
        if self.after_be:
            state = entry.adjective and (not after or not after[0].isalnum() or after in ("and", "or"))
            return form in ("ing", "past") and not state
        if form in ("ing", "past") and word.endswith(("ing", "ed", "en")) and not follows and word not in lex.ING_NOUNS:
            if self.named and (after in PATTERNS or after in PREPOSITIONS):
                return True
        if not entry.noun and not entry.adjective:
            acts = self.named and (opens or after in PATTERNS)
            return not (follows and form in ("ing", "past")) and (acts or not self._regular_plural(word))
        if form == "ing" and (opens or after in PATTERNS) and word not in lex.ING_NOUNS:
            return True
        if not self.named:
            return False
        return opens or (entry.verb in _POSTURES and after in PATTERNS and form != "base")

    def coordinated_before(self) -> bool:
        """Whether the noun phrase before is the last of a list, so that a verb in the plural may follow."""
        return any(w.kind == "and" for w in self.words[-4:])

    def _after_who(self) -> bool:
        """Whether a verb must follow: after "who", "does", "does not"."""
        before = next((w for w in reversed(self.words[-3:]) if w.kind != "adv"), None)
        return before is not None and (before.kind == "aux" or (before.kind == "who" and before.lower != "whose") or (
            before.kind == "neg" and before.value == "not" and len(self.words) > 1 and self.words[-2].kind == "aux"
        ))

    def _after_noun(self, i: int, entry: Entry) -> tuple[Word, int]:
        word, last = self.lower[i], self.words[-1].lower if self.words else ""
        if not entry.known:
            return self._unknown_after_noun(i, entry, last)
        if not entry.noun:
            if self._regular_plural(word) and self.numbered and not self.plural and entry.verb not in _POSTURES:
                return self._noun(i)
            base = bool(entry.verb) and verb_form(word, entry.verb) == "base" and not entry.adjective
            if base and self.single and not self.coordinated_before():
                return self._noun(i)  # "a candy bar" does not bar
            if entry.verb and not (entry.adjective and not self._past_or_ing(word, entry)):
                return self._verb(i, entry)
            return self._word("adj" if entry.adjective else "adv", i, i + 1, word)
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

    def _unknown_after_noun(self, i: int, entry: Entry, last: str) -> tuple[Word, int]:
        word = self.lower[i]
        if word.endswith(("ed", "ing")) and len(word) > 4:
            return self._word("verb", i, i + 1, word)
        if word.isdigit() or any(ch.isdigit() for ch in word):
            return self._noun(i)
        waits = self.numbered and not self.plural and word.endswith("s")
        if last in lex.MODIFIERS or waits:
            return self._noun(i)
        return self._word("odd", i, i + 1, word)

    def _acts(self, i: int, entry: Entry, last: str) -> bool:
        """Whether a word that is noun and verb says what the noun before it does."""
        word, after = self.lower[i], self.at(i + 1)
        if not entry.verb or word in lex.COLORS:
            return False
        form = verb_form(word, entry.verb)
        opens = after in lex.ARTICLES or after in lex.PRONOUNS or (after in lex.NUMBERS and after != "one")
        if self._quoted(i + 1):
            return True
        if (last, singularize(word)) in lex.COMPOUNDS:
            return False
        if form == "ing":
            return word not in lex.ING_NOUNS or opens
        if word.endswith("ed") and form == "past":
            return True
        if form == "s" and singularize(word) != word:
            if self.single:
                return True
            if self.numbered and not self.plural:
                return False
            if self.plural or (self._nominal(i + 1) and word not in lex.PLURAL_MODIFIERS):
                return opens or not self.plural
            leads = after in PREPOSITIONS and after != "of"
            return opens or leads or (entry.verb in _POSTURES and (after in PATTERNS or after in CLOSED))
        if form == "base":
            if after in ("into", "through") and entry.verb not in lex.ING_NOUNS:
                return True
            if self.plural and last not in lex.PLURAL_MODIFIERS:
                return opens or entry.verb in _POSTURES or after in PATTERNS or not after
            return (opens and not self.single) or (
                self.coordinated_before() and (opens or (entry.verb in _POSTURES and after in PATTERNS))
            )
        leads = after in PATTERNS or after in lex.ADVERBS or (after in PREPOSITIONS and after != "of") or not after
        return opens or (word not in _IRREGULAR_NOUNS and leads)

    def _quoted(self, i: int) -> bool:
        return 0 <= i < len(self.tokens) and self.tokens[i].is_quote
