"""Tagged words, and what a tagger knows at each place of a text."""

from dataclasses import dataclass
from typing import Literal

from llmgen.inflection import INVARIANT
from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import singularize

Kind = Literal[
    "det", "num", "adj", "noun", "verb", "adv", "pron", "who", "be", "aux", "there", "rel", "side", "prep", "with", "and", "or",
    "but", "break", "neg", "comma", "colon", "stop", "quote", "fraction", "compare", "filler", "odd", "mark",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A tagged word or expression.

    Attributes:
        kind: Its part of speech here.
        lower: Its text in lower case.
        start: Where it begins in the text.
        end: Where it ends.
        value: Kind of relation or negation, sides, the verb's base form, "plural" or "name" of a noun, an adjective as it was written.
        count: A number's value.
        exact: Whether a number is said in figures or words rather than as "several".
        paired: Whether a number counts pairs.
        misspelt: How it was written, where that is no word but almost this one.
    """

    kind: Kind
    lower: str
    start: int
    end: int
    value: str = ""
    count: int | None = None
    exact: bool = False
    paired: bool = False
    misspelt: str = ""


class Sentence:
    """The tokens, the words so far, and what kind of phrase is open."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.lower = [t.lower for t in tokens]
        self.words: list[Word] = []
        self.phrase: Literal["none", "opened", "named"] = "none"
        """Whether a noun phrase is not begun, waits for its noun, or has one."""
        self.single = self.plural = self.after_be = False
        self.numbered = False
        self.named = False
        """Whether the clause has named something."""

    def at(self, index: int) -> str:
        """The token at a place in lower case, "" beyond the ends."""
        return self.lower[index] if 0 <= index < len(self.lower) else ""

    def _step(self, word: Word) -> None:
        kind = word.kind
        if kind in ("det", "num"):
            if self.phrase != "opened":
                self.single = self.plural = self.numbered = False
            self.phrase = "opened"
            self.single = (
                self.single or word.lower in ("a", "an", "this", "another", "each", "every") or word.count == 1
            )
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

    def _nominal(self, i: int, ahead: int = 12) -> bool:
        """Whether the word at a place can go on a noun phrase that has begun; so many words ahead are looked at."""
        raise NotImplementedError

    def _clothed(self) -> bool:
        """Whether colours or patterns alone were said of what somebody wears: "a boy in striped red", "dressed in blue"."""
        place = len(self.words) - 1
        while place >= 0 and self.words[place].kind == "adj":
            place -= 1
        if place < 1 or self.words[place].lower != "in":
            return False
        before = self.words[place - 1]
        beings = lex.PEOPLE | lex.ANIMALS
        return before.value in ("dress", "clothe") if before.kind == "verb" else singularize(before.lower) in beings

    def _stated(self) -> bool:
        """Whether "is" and adjectives alone came just before: "a man whose hat is red"."""
        place = len(self.words) - 1
        while place >= 0 and self.words[place].kind in ("adj", "adv"):
            place -= 1
        return 0 <= place < len(self.words) - 1 and self.words[place].kind == "be"

    def _participle(self, i: int) -> bool:
        entry = look_up(self.at(i))
        return bool(entry.verb) and not entry.noun and not entry.adjective

    def _verbal(self, word: str) -> bool:
        entry = look_up(word)
        return (bool(entry.verb) and not entry.noun) or word in ("be", "not", *lex.PRONOUNS)
