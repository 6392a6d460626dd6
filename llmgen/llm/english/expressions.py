"""Expressions of the closed classes: numbers, fractions, comparisons, sides, relations, negations."""

from typing import Final

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.closed import CLOSED, PATTERNS, PREPOSITIONS
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.tagged import Kind, Sentence, Word
from llmgen.llm.english.words import singularize

_PARTITIVE: Final = ("of the", "of these", "of those", "of his", "of her", "of their")
_OPEN_NUMBERS: Final = (
    ("up", "to"), ("at", "most"), ("no", "more", "than"), ("not", "more", "than"), ("no", "fewer", "than"), ("between",), ("from",),
)  # fmt: skip
_SHOWS = frozenset("shows show contains has features depicts holds".split())
"""What a side of a picture does."""


class Expressions(Sentence):
    """Finds expressions of one word or several; each reader answers the word and the index after it, or None."""

    def _fraction(self, i: int) -> tuple[Word, int] | None:
        word, after = self.lower[i], self.at(i + 1)
        if word.startswith("half-") or ("-" in word and word.rpartition("-")[2] in lex.FRACTIONS):
            return self._word("fraction", i, i + 2 if after == "of" else i + 1)
        if word[0].isdigit() and (word.endswith("%") or "/" in word):
            return self._word("fraction", i, i + 2 if after == "of" else i + 1)
        if word == "half" and after not in ("dozen", "of", "") and self.lower[i + 1 : i + 3] != ["a", "dozen"]:
            if (
                after in ("a", "an", "the")
                or look_up(after).adjective
                or self._participle(i + 1)
                or self.phrase == "none"
            ):
                return self._word("fraction", i, i + 1)
        counted = word in lex.NUMBERS or word in ("a", "the") or word.isdigit()
        if counted and self.lower[i + 1 : i + 4] == ["and", "a", "half"]:
            return self._word("fraction", i, i + 4)
        if counted and after == "percent" and self.at(i + 2) == "of":
            return self._word("fraction", i, i + 3)
        state = word != "the" and (look_up(self.at(i + 2)).adjective or self._participle(i + 2))
        if counted and after in lex.FRACTIONS and (self.at(i + 2) in ("of", "a", "an", "the") or state):
            return self._word("fraction", i, i + 3 if self.at(i + 2) == "of" else i + 2)
        if self.at(i - 1) == "into" and (word in lex.DIVISIONS or counted and after in lex.DIVISIONS):
            return self._word("fraction", i, i + 1 + (word not in lex.DIVISIONS))
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
        if word in ("each", "every") and self.at(i + 1) in ("of", "one") and self._digits(self.at(i + 2)) is not None:
            return self._word("compare", i, i + 2)  # "on each of three posts"
        partly = word in ("some", "most", "many", "few", "several", "each", "any") or self._digits(word) is not None
        if partly and " ".join(self.lower[i + 1 : i + 3]) in _PARTITIVE:
            return self._word("compare", i, i + 3)
        if (
            self._digits(word) is not None
            and self.at(i + 1) in ("or", "to", "-", "–")
            and self._digits(self.at(i + 2)) is not None
        ):
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
        if figures.isascii() and figures.isdigit() and 0 < len(figures) <= 9 and int(figures) > 0:
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
        if (
            count is None
            and word in ("a", "an", "the", "another")
            and (after in lex.MULTIPLES or self._collects(i + 1))
        ):
            start, count = i + 1, 1
        elif (
            count is None and word == "a" and after in ("few", "great", "large", "small") and self._vague_follows(i + 1)
        ):
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
            return (
                bool(self.at(i + 1)) and self.at(i + 1) not in CLOSED and singularize(self.at(i + 1)) != self.at(i + 1)
            )
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
        while self.at(i) in (
            "far",
            "very",
            "extreme",
            "immediate",
            "directly",
            "immediately",
            "just",
            "right",
            "slightly",
        ) and (self.at(i + 1) in lex.SIDES and self.at(i + 1) != "of"):
            i += 1
        sides: list[str] = []
        while self.at(i) in lex.SIDES and len(sides) < 2:
            sides.append(lex.SIDES[self.lower[i]])
            i += 1
        first_tail = i
        while sides and self.at(i) in lex.SIDE_TAILS:
            i += 1
        if led and self.at(start + 1) in lex.OWNERS and sides in (["left"], ["right"]):
            if self.lower[i - 1] == "hand":
                return self._word("filler", start, i)  # a hand is somebody's, and no place
            return self._word("rel", start, i, f"sides {sides[0]}")  # of what was spoken of, not of the picture
        if not sides or "middle" in sides and (len(sides) > 1 or not led):
            return None
        if self.at(i) == "of":
            frame = i + 2 if self.at(i + 1) in lex.POINTING else i + 1
            if self.at(frame) in lex.FRAME_NOUNS and self.at(i + 1) not in ("a", "an"):
                return self._word("side", start, frame + 1 + (self.at(frame + 1) in _SHOWS), " ".join(sides))
            if "middle" in sides:
                return self._word("rel", start, i + 1, "in")
            if sides == ["top"] and led:
                return self._word("rel", start, i + 1, "above")
            if led or self.phrase != "opened" or self._clothed():
                return self._word("rel", start, i + 1, "sides " + " ".join(sides))
        if led:
            follows = self.at(first_tail)
            if (
                first_tail == i
                and follows
                and follows not in CLOSED
                and follows not in lex.SIDES
                and follows[0].isalnum()
            ):
                return None if not self._verbal(follows) else self._word("side", start, i, " ".join(sides))
            return self._word("side", start, i, " ".join(sides))
        fresh = not self.words or self.words[-1].kind in ("comma", "stop", "break", "and")
        if self.at(i) == ":" and fresh:
            return self._word("side", start, i + 1, " ".join(sides))  # "left: a cat, right: a dog"
        shows = self.at(i) in _SHOWS
        if first_tail < i and self.words and self.words[-1].lower == "the" and (shows or self.at(i) in lex.ARTICLES):
            return self._word("side", start, i + shows, " ".join(sides))  # "the right half a tiger"
        bare = (
            (self.phrase == "named" or self._clothed())
            and sides[-1] in ("left", "right")
            and self.at(i)
            not in (
                "on",
                "in",
                "at",
                "under",
                "behind",
                "by",
                "beside",
                "near",
            )
        )
        return self._word("side", start, i, " ".join(sides)) if bare else None

    def _pattern(self, i: int) -> tuple[Word, int] | None:
        for words, kind, value in PATTERNS.get(self.lower[i], ()):
            end = i + len(words)
            if len(words) > 1 and tuple(self.lower[i:end]) != words:
                continue
            if (
                words[0] in ("absent", "opposite", "past", "outside", "inside", "feature", "features")
                and self.phrase == "opened"
                and self.at(end) not in lex.ARTICLES | lex.PRONOUNS  # "asleep inside a box"
            ):
                continue
            if words == ("missing",) and not self._lacks(end):
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

    def _lacks(self, i: int) -> bool:
        """Whether "missing" says that something has no ...: "missing an arm", but not "a missing arm"."""
        led = not self.words or self.words[-1].kind in ("noun", "be", "comma", "adj", "adv", "who")
        return led and self.phrase != "opened" and (self.at(i) in lex.ARTICLES or self._thing_follows(i))

    def _thing_follows(self, i: int) -> bool:
        word = self.at(i)
        return (
            bool(word)
            and (word in lex.ARTICLES or word in lex.PRONOUNS or word in lex.NUMBERS or word not in CLOSED)
            and (word[0].isalnum())
        )

    def _single(self, i: int) -> tuple[Word, int] | None:
        word = self.lower[i]
        kinds: tuple[tuple[Kind, frozenset[str]], ...] = (
            ("who", lex.RELATIVES if self.phrase == "named" or word != "that" else frozenset()),
            ("det", lex.ARTICLES | {"all"}), ("be", lex.BE), ("aux", lex.AUXILIARIES), ("pron", lex.PRONOUNS),
            ("break", lex.BREAKS), ("prep", PREPOSITIONS),
        )  # fmt: skip
        if word.isdigit():
            return self._word("odd", i, i + 1)  # a number beyond all counting
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
        if word.endswith("s'") and (self._nominal(i + 1) or self.at(i + 1) in lex.SIDES):
            return self._word("det", i, i + 1, "possessive")
        if word.endswith("'s"):
            if word[:-2] in lex.PRONOUNS or word[:-2] in ("there", "here", "that", "who"):
                return self._word("be", i, i + 1)
            if self._nominal(i + 1) or (self.at(i + 1) in lex.SIDES and self._nominal(i + 2)):
                return self._word("det", i, i + 1, "possessive")
        if word in lex.HEDGES | lex.DEGREES or (word in lex.ADVERBS and self.phrase != "opened"):
            return self._word("adv", i, i + 1, word)
        return None
