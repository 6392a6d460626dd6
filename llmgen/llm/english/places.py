"""What a word that can be several things is by its place: whether it goes on a noun phrase, and whether it says what something does."""

from typing import Final

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.closed import CLOSED, PATTERNS, PREPOSITIONS
from llmgen.llm.english.dictionary import Entry, look_up, verb_form
from llmgen.llm.english.expressions import Expressions
from llmgen.llm.english.words import singularize

POSTURES: Final = frozenset(
    "sit stand lie lay lean rest hang perch crouch kneel sleep nap wait park float swim fly soar drift hover glide walk run jump "
    "leap climb crawl dance sing play ride drive sail race gallop grow stack pile look stare gaze swing slide roll bounce balance "
    "nestle dangle drink eat graze talk smile laugh pose read work fight cook tower loom shine glow burn".split()
)
"""Verbs that are verbs where a preposition follows, though they are nouns as well."""
_DEEDS: Final = frozenset("hold carry kick push pull feed throw catch wear lift".split())
_SUBJECTS: Final = frozenset("it he she they we you i".split())
_IRREGULAR_NOUNS: Final = frozenset("saw ground rose bit felt shot found bound wound set spread".split())
"""Things whose names are also past tenses."""


class Places(Expressions):
    """Tells by the words around a word what it can be there."""

    def _nominal(self, i: int, ahead: int = 12) -> bool:
        """Whether the word at a place can go on a noun phrase that has begun; so many words ahead are looked at."""
        if not ahead:
            return False
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
                return word.endswith(("ing", "ed", "en")) and self._nominal(i + 1, ahead - 1)
            return form == "base" or not self.single
        if entry.adjective and not entry.noun and word not in lex.COLORS:
            return self._nominal(i + 1, ahead - 1)
        if (
            entry.verb
            and word not in lex.ING_NOUNS
            and verb_form(word, entry.verb) == "ing"
            and not self._nominal(i + 1, ahead - 1)
        ):
            return False
        single = self.single and self.phrase != "none"
        named = word in lex.PLURAL_NAMES and self.at(i - 1) in lex.COLORS
        if single and entry.verb and singularize(word) != word and not named and not self._nominal(i + 1, ahead - 1):
            # "a lemon falls", "an orange stands": what follows "a" is no plural.
            return False
        return True

    def _regular_plural(self, word: str) -> bool:
        """Whether a word that is listed as a verb only is a noun's plural by rule: "loafs", "knifes"."""
        return (
            word.endswith("s")
            and singularize(word) != word
            and (self.phrase == "opened" or look_up(singularize(word)).noun)
        )

    def _is_verb(self, i: int, entry: Entry, follows: bool) -> bool:
        """Whether a word that begins no noun phrase says what something does."""
        word = self.lower[i]
        if not entry.verb or word in lex.COLORS:
            return False
        form, after = verb_form(word, entry.verb), self.at(i + 1)
        opens = after in lex.ARTICLES or after in lex.NUMBERS or after in lex.PRONOUNS
        if self._quoted(i + 1) and self.named:
            return True
        if self._after_pronoun() and form != "ing":
            return True
        if word in lex.ING_NOUNS and not opens and not self.after_be:
            return False
        if self._after_who() and (form in ("s", "past") or not entry.adjective and not follows or opens):
            return True
        if self.after_be:
            acts = form == "ing" and (entry.verb in POSTURES or entry.verb in _DEEDS)
            state = not acts and entry.adjective and (not after or not after[0].isalnum() or after in ("and", "or"))
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
        return opens or (entry.verb in POSTURES and after in PATTERNS and form != "base")

    def coordinated_before(self) -> bool:
        """Whether the noun phrase before is the last of a list, so that a verb in the plural may follow."""
        return any(w.kind == "and" for w in self.words[-4:])

    def _deed(self, i: int, entry: Entry) -> bool:
        """Whether a word after what somebody wears says what they do: "a boy in red kicks a ball"; not "in red boots"."""
        form = verb_form(self.lower[i], entry.verb) if entry.verb and self.words[-1].kind == "adj" else "base"
        if form == "ing":
            return not self._nominal(i + 1)
        opens = self.at(i + 1) in lex.ARTICLES or self.at(i + 1) in lex.NUMBERS
        return form == "s" and (opens or entry.verb in POSTURES or entry.verb in _DEEDS)

    def _after_pronoun(self) -> bool:
        """Whether a subject in one word came just before: "while it rains"."""
        before = self.words[-1] if self.words else None
        led = self.words[-2].kind if len(self.words) > 1 else "stop"
        return (
            before is not None
            and before.kind == "pron"
            and before.lower in _SUBJECTS
            and led not in ("rel", "prep", "with")
        )

    def _after_who(self) -> bool:
        """Whether a verb must follow: after "who", "does", "does not"."""
        before = next((w for w in reversed(self.words[-3:]) if w.kind != "adv"), None)
        return before is not None and (
            before.kind == "aux"
            or (before.kind == "who" and before.lower != "whose")
            or (before.kind == "neg" and before.value == "not" and len(self.words) > 1 and self.words[-2].kind == "aux")
        )

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
            named = self.words[-1].value == "name" and not self.single and self._nominal(i + 1)
            return word not in lex.ING_NOUNS or opens or last in lex.PEOPLE or last in lex.ANIMALS or named
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
            return opens or leads or (entry.verb in POSTURES and (after in PATTERNS or after in CLOSED))
        if form == "base":
            if after in ("into", "through") and entry.verb not in lex.ING_NOUNS:
                return True
            if self.plural and last not in lex.PLURAL_MODIFIERS:
                mates = self.words[-1].value == "plural" and self._nominal(i + 1)  # "mice nibble cheese"
                return opens or mates or entry.verb in POSTURES or after in PATTERNS or not after
            if self.single and self.coordinated_before() and look_up(after).noun and singularize(after) != after:
                return True  # "a man and a woman hold hands"
            return (opens and not self.single) or (
                self.coordinated_before() and (opens or (entry.verb in POSTURES and after in PATTERNS))
            )
        leads = after in PATTERNS or after in lex.ADVERBS or (after in PREPOSITIONS and after != "of") or not after
        return opens or (word not in _IRREGULAR_NOUNS and leads)

    def _quoted(self, i: int) -> bool:
        return 0 <= i < len(self.tokens) and self.tokens[i].is_quote
