"""Where what a prompt names is said to be: sides, relations, prepositions, pronouns."""

from dataclasses import replace

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.naming import Namer
from llmgen.llm.english.phrases import kind_at, lower_at, read_noun_phrase
from llmgen.llm.english.tagged import Word

_FASTEN = frozenset(
    "pin attach glue tape tie nail fix stick hook fasten clip lock chain bind moor anchor sew screw bolt strap".split()
)
_AGENTS = {"hold": "holding", "carry": "holding", "wear": "wearing", "ride": "on"}
"""What "A held by B" says of B and A."""
_WHERE_IT_HAPPENS = ("below", "above", "next_to", "behind", "in_front_of")
"""Relations that hold for who does something and for what it is done to."""
_WAYS = frozenset("across off up down after via".split())
"""Prepositions of ways rather than places: no box shows what they say of a thing that does nothing."""
_HANGING = ("hang", "dangle", "suspend")
_NEARBY = frozenset("sit stand lie lay park place rest wait sleep lean stop".split())


class Relater(Namer):
    """Reads what relates groups to each other and to the picture."""

    def _fresh(self, i: int) -> bool:
        """Whether a place is said before what is there: at the beginning, or after a joint."""
        return i == 0 or kind_at(self.words, i - 1) in ("comma", "and", "stop", "break", "but", "there", "colon")

    def _side(self, i: int) -> int:
        sides = self.words[i].value
        free = tuple(g for g in self.subject if g not in self.scene.placed)
        leads = self._fresh(i) and kind_at(self.words, i + 1) in ("det", "num", "be", "there", "adj", "noun", "comma")
        if kind_at(self.words, i + 1) == "comma":
            leads = self._fresh(i) and not free
        host = next((g for g in self.scene.mentions[self.begun :] if g not in self.subject), None)
        if self.words[i].lower == "on top" and free and host is not None and not self.scene.placed:
            self.scene.relate("on", free, host)  # "a cake with a cherry on top"
        elif free and not (leads and kind_at(self.words, i + 1) != "comma"):
            self.scene.put(sides, free)
        else:
            self.sides = sides
        if kind_at(self.words, i + 1) == "comma" and self.sides:
            return i + 2
        return i + 1

    def _relation(self, i: int) -> int:
        kind = self.words[i].value
        if self.words[i].lower == "in" and "style" in (lower_at(self.words, k) for k in range(i + 1, i + 5)):
            return self._manner(i)
        if (owner := next(iter(set(self.words[i].lower.split()) & lex.OWNERS), "")) and kind.startswith("sides "):
            return self._beside_owner(kind, owner, i)
        verb = self.words[i - 1] if i and self.words[i - 1].kind == "verb" else None
        if verb is not None and self.words[i].lower == "by" and self._agent(verb):
            return i + 1
        if verb is not None and self.words[i].lower == "by" and verb.value in _HANGING:
            self.role, self.waiting, self.chain = "object", None, None  # "hangs by a thread": what holds it
            return i + 1
        other = i + 1
        while kind_at(self.words, other) in ("adv", "filler"):
            other += 1
        if kind_at(self.words, other) == "pron":
            group = self._referent(self.words[other].lower)
            if group is None:
                return other + 1
            return self._relate_to(kind, group, i, other + 1)
        if kind_at(self.words, other) == "neg":
            return other
        phrase = read_noun_phrase(self.words, other)
        if phrase is None or not phrase.noun or phrase.pronoun:
            if phrase is not None and phrase.pronoun and self.scene.mentions:
                phrase = replace(phrase, noun=self._noun_of_one(phrase))
            elif phrase is not None and phrase.attributes:
                self.waiting = (kind, self.subject)
                return i + 1
            else:
                return max(other, i + 1)
        if self._is_place(phrase, led=True) or self._is_where(phrase, self.words[i].lower):
            self.role = self.words[i].lower
            return self._take(phrase)
        if phrase.head in lex.CLOTHES and kind == "in" and self.subject and self._being(self.subject[-1]):
            kind = "wearing"
        subject = self.clause if kind == "on" and self.listed and self._adjoins(i) else self.subject
        own = phrase.head in lex.PARTS and phrase.definite  # "carries a board under his arm": he is not under it
        if kind in _WHERE_IT_HAPPENS and kind_at(self.words, i - 1) == "noun" and not own:
            subject = (*self.doer, *subject)
        fronts = self._fronts(i, phrase.last)
        if kind_at(self.words, i - 1) == "and" and self.related and not fronts:
            subject = self.related  # "left of a banana and right of a pear"
        self.related = () if fronts else subject
        self.waiting = None if fronts else (kind, subject)
        self.role = "rel"
        if self.waiting is None:
            before = len(self.scene.mentions)
            after = self._take(phrase)
            if len(self.scene.mentions) > before:
                self.fronted.append((kind, self.scene.mentions[-1]))
                self.subject = ()
            return after
        return self._take(phrase)

    def _adjoins(self, i: int) -> bool:
        """Whether a relation follows a list at once: "apples and a banana on a table" are all on it."""
        return kind_at(self.words, i - 1) == "noun"

    def _fronts(self, i: int, after: int) -> bool:
        """Whether a relation comes before its subject: "beside the car stands a boy"."""
        while kind_at(self.words, after) in ("comma", "adv"):
            after += 1
        if not self._fresh(i):
            return False
        inverted = kind_at(self.words, after) in ("be", "there") or (
            kind_at(self.words, after) == "verb" and kind_at(self.words, after + 1) in ("det", "num")
        )
        if not self.subject:
            return inverted or kind_at(self.words, after) in ("det", "num", "noun", "adj")
        direct = kind_at(self.words, after) in ("det", "num") and kind_at(self.words, after - 1) != "comma"
        return inverted or direct

    def _relate_to(self, kind: str, group: int, i: int, after: int) -> int:
        if self._fronts(i, after):
            self.fronted.append((kind, group))
        else:
            self.scene.relate(kind, tuple(g for g in self.subject if g != group), group)
        return after

    def _beside_owner(self, kind: str, owner: str, i: int) -> int:
        """Whose side it is was named before: "a cat with a ball to its left", "a lamp and, to its right, a bench"."""
        group = (
            self.whose if self.whose is not None else self._referent({"its": "it", "their": "they"}.get(owner, owner))
        )
        self.whose = group  # "a bench to its left and a tree to its right": of the same
        if group is None:
            return i + 1
        after = i + 1 + (kind_at(self.words, i + 1) == "comma")
        if self._fresh(i) and kind_at(self.words, after) in ("det", "num", "be", "there", "adj", "noun", "verb"):
            self.fronted.append((kind, self.subject[-1] if self.subject else group))
            self.subject = self.clause = ()
            self.role, self.waiting, self.chain = "free", None, None
            return after
        self.scene.relate(kind, tuple(g for g in self.subject if g != group), group)
        return i + 1

    def _agent(self, verb: Word) -> bool:
        """Whether "by" names who does it: "held by a clown"."""
        if verb.value in _NEARBY or verb.lower.endswith("ing") or verb.lower == verb.value:
            return False
        self.role, self.waiting, self.chain = "object", None, None
        if verb.value in _AGENTS:
            self.waiting = (f"by {_AGENTS[verb.value]}", self.subject)
        return True

    def _preposition(self, i: int) -> int:
        word = self.words[i]
        if word.kind == "with":
            self.role, self.waiting, self.chain = "with", None, None
            return i + 1
        before = self.words[i - 1] if i else None
        verb = before.value if before is not None and before.kind == "verb" else ""
        self.role, self.waiting, self.chain = word.lower, None, None
        if word.lower == "from" and lower_at(self.words, i - 1) in ("far", "away"):
            self.scene.remark(f"this place is not read: {self._said(i - 1, i + 1)!r}")
        if word.lower in _WAYS and before is not None and before.kind == "noun":
            phrase = read_noun_phrase(self.words, i + 1)
            if phrase is not None and phrase.noun and not self._is_place(phrase, led=True):
                self.scene.remark(f"this place is not read: {self._said(i, phrase.last)!r}")
        if word.lower == "of" and verb in ("make", "build", "carve"):
            return self._material(i)
        if word.lower == "from" and verb in ("make", "build", "carve"):
            return self._material(i)
        if word.lower == "from" and verb in _HANGING:
            self.waiting = ("below", self.subject)
        elif word.lower == "to" and verb in _FASTEN:
            self.waiting = ("on", self.subject)
        elif word.lower in ("like", "as") and self.scene.objects:
            phrase = read_noun_phrase(self.words, i + 1)
            if word.lower == "as" and phrase is not None and kind_at(self.words, phrase.last) in ("verb", "be"):
                self.subject = self.clause = ()  # "as a boat passes" begins a clause of its own
                self.role, self.listed = "free", False
                return i + 1
            if phrase is not None and phrase.noun:
                self.scene.remark(f"likeness is not read: {self._said(i, phrase.last)!r}")
                return phrase.last
        return i + 1

    def _material(self, i: int) -> int:
        last, found = i + 1, list[str]()
        while kind_at(self.words, last) in ("adj", "noun") and len(found) < 4:
            found.append(self.words[last].lower)
            last += 1
        for group in self.clause if self.predicate else self.subject:
            self.scene.describe(group, tuple(found))
        return max(last, i + 1)

    def _pronoun(self, word: Word) -> None:
        self.weather = word.lower == "it" and self.waiting is None and self.role == "free"
        group = self._referent(word.lower)
        if group is None:
            return
        if self.waiting is not None:
            self.scene.relate(self.waiting[0], self.waiting[1], group)
            self.waiting = None
        elif self.role == "free":
            self.subject = self.clause = (group,)

    def _referent(self, pronoun: str) -> int | None:
        recent = [g for g in reversed(self.scene.mentions[-12:])]
        if pronoun in ("him", "he", "she", "her"):
            people = [
                g for g in recent if self.scene.objects[g].noun.rpartition(" ")[2] in lex.PEOPLE or self._being(g)
            ]
            return people[0] if people else None
        others = [g for g in recent if g not in self.subject] or recent
        several = pronoun in ("them", "they")
        fit = [g for g in others if (self.scene.objects[g].count > 1) == several]
        if self.spoken in fit:
            return self.spoken  # "a piano with a vase on it and a cello leaning against it"
        # "an owl on a branch, the moon behind it": behind what the sentence is about, not where that is.
        heads = [g for g in fit if g in self.heads] if self.clause == self.subject else []
        self.spoken = next(iter(heads or fit or others), None)
        return self.spoken
