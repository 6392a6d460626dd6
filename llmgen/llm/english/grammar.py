"""A deterministic reader of ordinary English prompts: objects with counts and attributes, relations, absences, place.

Tokens, tags, phrases, then one pass that says what belongs to what. Any text gets a best reading and never an error; what was not read is in
`PromptMeaning.remarks`.
"""

from dataclasses import replace
from functools import lru_cache

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.foreign import is_foreign
from llmgen.llm.english.meaning import DEFAULT_BACKGROUND, Ordering, PromptMeaning, Relation, RelationKind, WantedObject
from llmgen.llm.english.negation import read_negation
from llmgen.llm.english.phrases import NounPhrase, kind_at, lower_at, read_adjectives, read_noun_phrase
from llmgen.llm.english.scene import Groups, Scene
from llmgen.llm.english.shares import read_shares
from llmgen.llm.english.tagging import Word, tag
from llmgen.llm.english.tokens import Token, tokenize_prompt
from llmgen.llm.english.words import bare, is_plural, number_word, pluralize, singularize, with_article

__all__ = [
    "DEFAULT_BACKGROUND",
    "Ordering",
    "PromptMeaning",
    "Relation",
    "RelationKind",
    "WantedObject",
    "bare",
    "head_noun",
    "is_plural",
    "number_word",
    "pluralize",
    "read_phrase",
    "read_prompt",
    "singularize",
    "with_article",
]

MOST_WORDS = 2000
"""So many words of a prompt are read."""
_HOLD = frozenset("hold carry clutch grip grasp lift brandish cradle wield".split())
_SAY = frozenset("say read spell".split())
_FASTEN = frozenset("pin attach glue tape tie nail fix stick hook fasten clip lock chain bind moor anchor sew screw bolt strap".split())
_AGENTS = {"hold": "holding", "carry": "holding", "wear": "wearing", "ride": "on"}
"""What "A held by B" says of B and A."""
_NEARBY = frozenset("sit stand lie lay park place rest wait sleep lean stop".split())
_LEADS = frozenset(
    "please generate draw create make paint imagine render want show give design produce sketch illustrate depict picture i i'd i'm "
    "me us would like can could you need we let's try to let now add put hello hi".split()
)


@lru_cache(maxsize=1024)
def read_prompt(text: str) -> PromptMeaning:
    """Read a prompt.

    Args:
        text: Any text.

    Returns:
        Its best reading. When no object, relation or absence is found, the whole text is the background.
    """
    tokens = tokenize_prompt(_unquoted(text))
    if is_foreign(tokens):
        return PromptMeaning(
            background=text.strip(), remarks=(f"only English is read; nothing was read of {_short(text.strip())!r}",)
        )
    remarks = [f"only the first {MOST_WORDS} words were read"] if len(tokens) > MOST_WORDS else []
    return _Reader(text, tokens[:MOST_WORDS], remarks).read()


def read_phrase(phrase: str) -> tuple[str, tuple[str, ...]]:
    """Noun and attributes of one instance's phrase.

    Args:
        phrase: For example "a white and small palm tree".

    Returns:
        For example `("palm tree", ("white", "small"))`; a phrase that cannot be read is its own noun.
    """
    words = tag(tokenize_prompt(phrase)[:MOST_WORDS])
    index = 0
    while index < len(words):
        found = read_noun_phrase(words, index)
        if found is not None and found.noun and not found.pronoun:
            return found.noun, found.attributes
        index = found.last if found is not None else index + 1
    return bare(phrase).lower() or phrase, ()


def head_noun(phrase: str) -> str:
    """Head noun of a phrase in the singular, for example "palm tree" for "two tall palm trees"."""
    return read_phrase(phrase)[0]


def _unquoted(text: str) -> str:
    inner = text.strip()
    whole = len(inner) > 2 and inner[0] in "\"“'" and inner[-1] in "\"”'" and not any(q in inner[1:-1] for q in "\"“”")
    return inner[1:-1] if whole else text


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


class _Reader:
    """One pass over the words of a prompt."""

    def __init__(self, text: str, tokens: list[Token], remarks: list[str]) -> None:
        self.text = _unquoted(text)
        self.words = tag(tokens[_lead(tokens) :])
        self.scene = Scene(remarks=remarks)
        self.subject: Groups = ()
        """What a relation that follows speaks of: the nearest group."""
        self.clause: Groups = ()
        """What the clause speaks of: the subject of its verb."""
        self.role = "free"
        """What the next noun phrase is: free, or with what it was led in."""
        self.waiting: tuple[str, Groups] | None = None
        """A relation, and of what, whose other group comes next."""
        self.chain: tuple[str, Groups] | None = None
        """The same for what "and" adds to that group."""
        self.fronted: list[tuple[str, int]] = []
        """Relations said before their subject: "beside him three gulls sit"."""
        self.sides = ""
        """Sides said before their group."""
        self.elliptic: list[NounPhrase] = []
        """Adjectives that wait for the noun of the next phrase."""
        self.listed = self.predicate = self.compared = False
        self.nobody = ""
        """What negates the verb that comes: "none of the pirates wears a hat"."""

    def read(self) -> PromptMeaning:
        for word in self.words:
            if word.misspelt:
                self.scene.remark(f"{word.value!r} is read as {word.lower!r}")
        index = 0
        while index < len(self.words):
            after = self._step(index)
            assert after > index
            index = after
        for phrase in self.elliptic:
            self.scene.remark(f"did not find what {phrase.phrase.strip()!r} belongs to")
        return self.scene.meaning(self.text)

    def _step(self, i: int) -> int:
        word = self.words[i]
        match word.kind:
            case "stop" | "break":
                return self._end(i)
            case "comma" | "colon" | "and" | "or" | "but":
                return self._joint(i)
            case "neg":
                return self._negation(i)
            case "side":
                return self._side(i)
            case "rel":
                return self._relation(i)
            case "with" | "prep":
                return self._preposition(i)
            case "verb":
                return self._verb(i)
            case "be":
                self.predicate, self.listed = True, False
                self.subject = self.clause or self.subject
            case "aux" | "there" | "mark" | "filler":
                if word.kind == "there":
                    self.clause = self.subject = ()
            case "who":
                self._who(word)
            case "pron":
                self._pronoun(word)
            case "quote":
                self.scene.remark(f"text to be written cannot be placed or checked: {_short(word.lower)}")
            case "fraction":
                self.scene.remark(f"parts of things are not read: {self._said(i, i + 3)!r}")
            case "compare":
                if not self.compared:
                    self.scene.remark(f"comparisons and open numbers are not read: {self._said(max(0, i - 2), i + 3)!r}")
                self.compared = True
                self.role, self.waiting, self.chain = "object", None, None
            case "odd":
                self.scene.remark(f"did not understand {word.lower!r}")
            case "adj" if self._describes(i):
                return self._adjectives(i)
            case "det" | "num" | "adj" | "noun" | "adv":
                phrase = read_noun_phrase(self.words, i)
                if phrase is not None:
                    return self._take(phrase)
                if word.kind == "adj":
                    return self._adjectives(i)
        return i + 1

    def _said(self, first: int, last: int) -> str:
        """Words as they were written."""
        some = self.words[first:last]
        return self.text[some[0].start : some[-1].end] if some else ""

    # Joints and ends ----------------------------------------------------------------------------------------------

    def _end(self, i: int) -> int:
        if self.words[i].kind == "stop" and self.scene.objects:
            after = self._shares(i + 1)
            if after is not None:
                return after
        self.subject = self.clause = ()
        self.role, self.waiting, self.chain, self.sides, self.nobody = "free", None, None, "", ""
        self.listed = self.predicate = self.compared = False
        return i + 1

    def _joint(self, i: int) -> int:
        kind = self.words[i].kind
        if self.scene.objects and kind != "or":
            after = self._shares(i + 1)
            if after is not None:
                return after
        if kind == "or" and self.scene.objects and not self.scene.absent:
            self.scene.remark(f"a choice is not read, both are planned: {self._said(max(0, i - 1), i + 3)!r}")
        if kind != "and" or kind_at(self.words, i + 1) in ("rel", "side"):
            self.chain = None
        self.role, self.waiting = "free", None
        self.predicate = False
        return i + 1

    def _shares(self, i: int) -> int | None:
        recent = self.clause if len(self.clause) > 1 else self.subject
        if recent and len(recent) == 1 and self.scene.objects[recent[0]].count == 1:
            recent = tuple(g for g in self.scene.mentions[-4:] if self.scene.objects[g].count > 1)
        if not recent and not any(self.scene.objects[g].count > 1 for g in self.scene.mentions[-4:]):
            return None
        start = i
        while kind_at(self.words, start) in ("and", "comma"):
            start += 1
        shares, after = read_shares(self.words, start)
        if not shares:
            return None
        groups = self.scene.share(shares, recent)
        self.subject = self.clause = groups
        self.listed, self.role = False, "free"
        if kind_at(self.words, after) in ("with", "rel", "side", "prep") and shares[-1].attributes == ():
            self.subject = groups[-1:]
            return after
        return after

    # Negation -----------------------------------------------------------------------------------------------------

    def _negation(self, i: int) -> int:
        if self.words[i].lower.startswith("except") and self.scene.absent:
            return i + 1  # "no animals except a deer": the deer is there
        found = read_negation(self.words, i)
        if found.of is not None:
            self.subject = self.clause = (self.scene.add(found.of),)
            self.nobody = self._said(i, found.last)
            return found.last
        self.scene.forbid(found.absent)
        if found.beyond:
            self.scene.remark(f"this negation is not read: {self._said(i, found.last)!r}")
        if self.words[i].value == "person":
            self.subject = self.clause = ()
        if self.words[i].value == "no" and self.clause == ():
            self.subject = ()
        self.role, self.waiting, self.chain = "free", None, None
        return found.last

    # Sides, relations, prepositions -------------------------------------------------------------------------------

    def _fresh(self, i: int) -> bool:
        """Whether a place is said before what is there: at the beginning, or after a joint."""
        return i == 0 or kind_at(self.words, i - 1) in ("comma", "and", "stop", "break", "but", "there", "colon")

    def _side(self, i: int) -> int:
        sides = self.words[i].value
        free = tuple(g for g in self.subject if g not in self.scene.placed)
        leads = self._fresh(i) and kind_at(self.words, i + 1) in ("det", "num", "be", "there", "adj", "noun", "comma")
        if kind_at(self.words, i + 1) == "comma":
            leads = self._fresh(i) and not free
        if free and not (leads and kind_at(self.words, i + 1) != "comma"):
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
        verb = self.words[i - 1] if i and self.words[i - 1].kind == "verb" else None
        if verb is not None and self.words[i].lower == "by" and self._agent(verb, i):
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
                phrase = replace(phrase, noun=self.scene.objects[self.scene.mentions[-1]].noun)
            elif phrase is not None and phrase.attributes:
                self.waiting = (kind, self.subject)
                return i + 1
            else:
                return max(other, i + 1)
        if self._is_place(phrase, led=True):
            self.role = self.words[i].lower
            return self._take(phrase)
        if phrase.head in lex.CLOTHES and kind == "in" and self.subject and self._being(self.subject[-1]):
            kind = "wearing"
        self.waiting = None if self._fronts(i, phrase.last) else (kind, self.subject)
        self.role = "rel"
        if self.waiting is None:
            before = len(self.scene.mentions)
            after = self._take(phrase)
            if len(self.scene.mentions) > before:
                self.fronted.append((kind, self.scene.mentions[-1]))
                self.subject = ()
            return after
        return self._take(phrase)

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

    def _agent(self, verb: Word, i: int) -> bool:
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
        if word.lower == "of" and verb in ("make", "build", "carve"):
            return self._material(i)
        if word.lower == "from" and verb in ("make", "build", "carve"):
            return self._material(i)
        if word.lower == "from" and verb in ("hang", "dangle", "suspend"):
            self.waiting = ("below", self.subject)
        elif word.lower == "to" and verb in _FASTEN:
            self.waiting = ("on", self.subject)
        elif word.lower in ("like", "as") and self.scene.objects:
            phrase = read_noun_phrase(self.words, i + 1)
            if word.lower == "as" and phrase is not None and kind_at(self.words, phrase.last) in ("verb", "be"):
                return self._end(i)
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

    # Verbs --------------------------------------------------------------------------------------------------------

    def _verb(self, i: int) -> int:
        word = self.words[i]
        finite = not word.lower.endswith("ing") and (word.lower != word.value + "ed" or self.predicate)
        finite = finite or (self.predicate and bool(self.clause))
        if word.lower.endswith("ing") and not self.predicate and self.subject and not self._being(self.subject[-1]):
            # "a sailor on a pier holding a telescope": a pier holds nothing.
            finite = bool(self.clause) and any(self._being(g) for g in self.clause)
        subject = self.clause if finite and self.clause else self.subject
        if word.value in _SAY and kind_at(self.words, i + 1) not in ("det", "num", "rel", "quote", "side", "pron"):
            return self._writing(i)
        if self.nobody:
            self.nobody = ""
            phrase = read_noun_phrase(self.words, i + 1)
            if phrase is not None and phrase.noun:
                self.scene.forbid((phrase.phrase,))
                return phrase.last
            self.scene.remark(f"this negation is not read: {self._said(i, i + 2)!r}")
            return i + 1
        if subject:
            self.subject = subject
        self.role, self.waiting, self.chain, self.listed = "object", None, None, False
        if word.value in _HOLD:
            self.waiting = self.chain = ("holding", subject)
        elif word.value == "wear":
            self.waiting = self.chain = ("wearing", subject)
        elif word.value in ("ride", "mount", "straddle"):
            self.waiting = ("on", subject)
        self.predicate = False
        return i + 1

    def _writing(self, i: int) -> int:
        """What a sign says, without quotation marks: to the end of the clause."""
        last = i + 1
        while last < len(self.words) and self.words[last].kind not in ("stop", "comma", "rel", "side"):
            last += 1
        if last > i + 1:
            self.scene.remark(f"text to be written cannot be placed or checked: {self._said(i, last)!r}")
        return last

    def _who(self, word: Word) -> None:
        if word.lower in ("who", "whom"):
            people = [g for g in self.scene.mentions[-8:] if self.scene.objects[g].noun.rpartition(" ")[2] in lex.PEOPLE]
            self.subject = tuple(people[-1:]) or self.subject
        if word.lower == "where":
            self.subject = self.clause = ()
        else:
            self.clause = self.subject
        self.role = "free"

    def _being(self, group: int) -> bool:
        head = self.scene.objects[group].noun.rpartition(" ")[2]
        return head in lex.PEOPLE or head in lex.ANIMALS or head.endswith(("man", "woman"))

    def _pronoun(self, word: Word) -> None:
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
            people = [g for g in recent if self.scene.objects[g].noun.rpartition(" ")[2] in lex.PEOPLE or self._being(g)]
            return people[0] if people else None
        others = [g for g in recent if g not in self.subject] or recent
        if pronoun in ("them", "they"):
            several = [g for g in others if self.scene.objects[g].count > 1]
            return (several or others or [None])[0]
        single = [g for g in others if self.scene.objects[g].count == 1]
        return (single or others or [None])[0]

    # Adjectives and noun phrases ----------------------------------------------------------------------------------

    def _describes(self, i: int) -> bool:
        """Whether adjectives here are said of what was named: "is red", "half full", "both green"."""
        adjectives, after = read_adjectives(self.words, i, alone=True)
        return bool(adjectives) and kind_at(self.words, after) != "noun" and bool(self.subject) and (
            self.predicate or kind_at(self.words, i - 1) in ("noun", "adv", "verb", "who")
        )

    def _adjectives(self, i: int) -> int:
        adjectives, after = read_adjectives(self.words, i, alone=True)
        targets = self.clause if self.predicate and self.clause else self.subject
        said = tuple(a for a in adjectives if a not in lex.MUTE_ADJECTIVES)
        if kind_at(self.words, after) == "compare" or not targets:
            if not self.scene.objects and said:
                self.scene.extras.append(", " + self._said(i, after) if self.scene.style or self.scene.places else "")
            return max(after, i + 1)
        if all(a in lex.STYLE_ADJECTIVES for a in said):
            self.scene.extras.append(", " + self._said(i, after))
            return max(after, i + 1)
        for group in targets:
            self.scene.describe(group, said)
        return max(after, i + 1)

    def _is_place(self, phrase: NounPhrase, *, led: bool = False) -> bool:
        return phrase.head in lex.PLACES and phrase.count <= 1 + phrase.plural and not (
            phrase.head in ("square", "shop", "station", "store", "hall", "studio", "room") and not led and self.role != "free"
        )

    def _take(self, phrase: NounPhrase) -> int:
        role, self.role = self.role, "free"
        if not phrase.noun:
            self.elliptic.append(phrase)
            return phrase.last
        if self._is_style(phrase, role):
            return self._style(phrase)
        if self._is_written(phrase):
            return phrase.last
        if phrase.noun.partition(" ")[0] in lex.SPELLED and " " in phrase.noun and self.scene.objects:
            self.scene.remark(f"text to be written cannot be placed or checked: {self._said(phrase.first, phrase.last)!r}")
            return phrase.last
        if phrase.head in lex.STYLE_HEADS and phrase.article == "" and role == "free" and self.scene.objects and not phrase.plural:
            self.scene.extras.append(", " + self._said(phrase.first, phrase.last))
            return phrase.last
        if self._is_place(phrase, led=role not in ("free", "object")) and role not in ("object",):
            if not (role == "free" and self.listed and phrase.article in ("a", "an") and kind_at(self.words, phrase.first - 1) == "and"):
                self.scene.places.append((role if role not in ("free", "rel", "object") else "", self._said(phrase.first, phrase.last)))
                self.waiting = None
                return phrase.last
        if phrase.noun in ("foreground", "background", "front", "back", "style", "side", "way", "center", "middle", "distance"):
            return self._after_of(phrase.last)
        if phrase.noun in ("object", "thing", "item", "word") and not phrase.attributes:
            return phrase.last
        if phrase.pronoun:
            if not self.scene.objects:
                return phrase.last
            phrase = replace(phrase, noun=self.scene.objects[(self.subject or (-1,))[-1]].noun, definite=False)
        if kind_at(self.words, phrase.last) == "prep" and lower_at(self.words, phrase.last) == "of" and role != "of":
            whole = read_noun_phrase(self.words, phrase.last + 1)
            if phrase.head in lex.PARTS and whole is not None and whole.noun and whole.article:
                self.role = role
                return self._take(whole)
        if phrase.article == "" and any(ch.isdigit() for ch in phrase.head) and self.scene.objects:
            self.scene.remark(f"did not understand {self._said(phrase.first, phrase.last)!r}")
            return phrase.last
        self._place(phrase, role)
        return self._content(phrase)

    def _after_of(self, index: int) -> int:
        return index + 1 if lower_at(self.words, index) == "of" else index

    def _content(self, phrase: NounPhrase) -> int:
        """What a thing is of: the tea of "a cup of tea" is no object, the pirate of "the hat of a pirate" is one."""
        if lower_at(self.words, phrase.last) != "of":
            return phrase.last
        content = read_noun_phrase(self.words, phrase.last + 1)
        if content is None:
            return phrase.last + 1
        if content.article == "" or phrase.head in lex.DEPICTING:
            return content.last
        self.role = "of"
        return phrase.last + 1

    def _place(self, phrase: NounPhrase, role: str) -> None:
        for waiting in self.elliptic:
            one = replace(waiting, noun=phrase.noun, definite=False)
            self._related(self.scene.add(one), role, one)
        self.elliptic = []
        self._related(self.scene.add(phrase), role, phrase)

    def _related(self, group: int, role: str, phrase: NounPhrase) -> None:
        """Give a group that was just named its place in the sentence."""
        scene = self.scene
        if self.sides:
            scene.put(self.sides, (group,))
            self.sides = ""
        if self.waiting is not None:
            kind, subjects = self.waiting
            self.waiting = None
            if kind.startswith("by "):
                for subject in subjects:
                    scene.relate(kind[3:], (group,), subject)
            else:
                scene.relate(kind, subjects, group)
                if kind == "between" and scene.objects[group].count == 1:
                    self.chain = (kind, subjects)
            self.subject, self.listed = (group,), False
            return
        if self.chain is not None and role == "free" and not self._acts_next(phrase):
            kind, subjects = self.chain
            scene.relate(kind, subjects, group)
            self.chain = self.chain if kind != "between" else None
            self.subject = (group,)
            return
        self.chain = None
        for kind, other in self.fronted if role in ("free", "object") else ():
            scene.relate(kind, (group,), other)
        if role in ("free", "object"):
            self.fronted = []
        self.subject = (group,)
        if role == "free":
            self.clause = (*self.clause, group) if self.listed else (group,)
            self.listed = True
        else:
            self.listed = False

    def _acts_next(self, phrase: NounPhrase) -> bool:
        """Whether a noun phrase after "and" begins a clause of its own."""
        after = kind_at(self.words, phrase.last)
        return after in ("verb", "be", "who", "with") or phrase.head in lex.PEOPLE

    # Pictures, style, writing -------------------------------------------------------------------------------------

    def _is_style(self, phrase: NounPhrase, role: str) -> bool:
        if phrase.head not in lex.IMAGE_HEADS or phrase.plural or role not in ("free", "object"):
            return False
        if lower_at(self.words, phrase.last) == "of" and self._hangs(phrase.last + 1):
            return False
        nested = self.scene.style.endswith(" of") and lower_at(self.words, phrase.last) in ("of", "with")
        if self.scene.objects or self.scene.places or (self.scene.style and not nested) or "num" in {w.kind for w in self.words[: phrase.first + 1]}:
            return False
        after = self.words[phrase.last] if phrase.last < len(self.words) else None
        if after is None:
            return phrase.article in ("a", "an", "the", "")
        return after.lower in ("of", "showing", "shows", "depicting", "with", "featuring", "in", "without", "no", "where", "without any") or (
            after.kind in ("who", "neg", "colon", "verb", "comma") and phrase.head not in ("poster", "drawing")
        ) or after.lower == "from"

    def _hangs(self, i: int) -> bool:
        """Whether a picture of something is itself a thing: "a painting of a horse hanging above a sofa"."""
        content = read_noun_phrase(self.words, i)
        after = self.words[content.last] if content is not None and content.last < len(self.words) else None
        return after is not None and after.kind == "verb" and after.value in ("hang", "mount", "frame", "prop", "display")

    def _style(self, phrase: NounPhrase) -> int:
        after, said = phrase.last, self._said(phrase.first, phrase.last)
        if lower_at(self.words, after) in ("of", "showing", "shows", "depicting", "featuring"):
            self.scene.style = said + " of"
            return after + 1
        self.scene.style = said
        return after

    def _manner(self, i: int) -> int:
        """ "in the style of ..." is how, not what."""
        last = i
        while last < len(self.words) and self.words[last].kind not in ("with", "comma", "stop"):
            last += 1
        self.scene.extras.append(" " + self._said(i, last))
        return last

    def _is_written(self, phrase: NounPhrase) -> bool:
        return phrase.head in lex.PRINTED and kind_at(self.words, phrase.last) == "quote"


def _lead(tokens: list[Token]) -> int:
    """How many tokens ask for the picture rather than say what it shows: "please draw me"."""
    index = 0
    while index < min(len(tokens), 12) and tokens[index].lower in _LEADS and (index or tokens[0].lower != "to"):
        index += 1
    begins = index < len(tokens) and (
        tokens[index].lower in lex.ARTICLES or tokens[index].lower in lex.NUMBERS or is_plural(tokens[index].lower)
        or tokens[index].lower in lex.IMAGE_HEADS or tokens[index].text.isdigit()
    )  # fmt: skip
    return index if begins else 0
