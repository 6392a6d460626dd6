"""One pass over the words of a prompt: what kind of word comes decides who reads on."""

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.meaning import PromptMeaning
from llmgen.llm.english.negation import read_negation
from llmgen.llm.english.phrases import kind_at, lower_at, read_adjectives, read_noun_phrase
from llmgen.llm.english.relating import Relater
from llmgen.llm.english.saying import pose_of
from llmgen.llm.english.shares import read_open_share, read_shares
from llmgen.llm.english.tagged import Word
from llmgen.llm.english.tokens import short
from llmgen.llm.english.words import with_article

_HOLD = frozenset("hold carry clutch grip grasp lift brandish cradle wield".split())
_SAY = frozenset("say read spell".split())


class Reader(Relater):
    """Reads a prompt from its first word to its last."""

    def read(self) -> PromptMeaning:
        """The meaning of the whole."""
        for word in self.words:
            if word.misspelt:
                self.scene.remark(f"{word.misspelt!r} is read as {word.lower!r}")
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
            case "break" if word.lower == "while" and self.clause and lower_at(self.words, i + 1).endswith("ing"):
                self.subject, self.role, self.waiting, self.chain = self.clause, "free", None, None  # of who acts
            case "stop" | "break":
                return self._end(i)
            case "comma" | "colon" | "and" | "or" | "but":
                return self._joint(i)
            case "neg":
                return self._negation(i)
            case "rel" | "side" if self.nobody:
                return self._denied_place(i)
            case "side":
                return self._side(i)
            case "rel":
                return self._relation(i)
            case "with" if self.nobody:
                return self._denied(i)
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
                self.scene.remark(f"text to be written cannot be placed or checked: {short(word.lower)}")
            case "fraction":
                self.scene.remark(f"parts of things are not read: {self._said(i, i + 3)!r}")
            case "compare":
                if not self.compared:
                    self.scene.remark(
                        f"comparisons and open numbers are not read: {self._said(max(0, i - 2), i + 3)!r}"
                    )
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

    def _end(self, i: int) -> int:
        if self.words[i].kind == "stop" and self.scene.objects:
            after = self._shares(i + 1)
            if after is not None:
                return after
        self.subject = self.clause = ()
        self.role, self.waiting, self.chain, self.sides, self.nobody = "free", None, None, "", ""
        self.listed = self.predicate = self.compared = False
        self.whose = self.spoken = None
        self.heads, self.begun = (), len(self.scene.mentions)
        return i + 1

    def _joint(self, i: int) -> int:
        kind = self.words[i].kind
        if self.scene.objects and kind != "or":
            after = self._shares(i + 1)
            if after is not None:
                return after
        if kind == "comma" and (self.scene.objects or self.scene.places):
            style = self._style_of_segment(i + 1)
            if style is not None:
                return style
        if kind == "or" and self.scene.objects and not self.scene.absent:
            self.scene.remark(f"a choice is not read, both are planned: {self._said(max(0, i - 1), i + 3)!r}")
        if kind != "and" or kind_at(self.words, i + 1) in ("rel", "side"):
            self.chain = None
        if kind == "colon":
            self.subject = self.clause = ()  # "Breakfast table: two eggs on a plate": the table is on no plate
            self.listed = False
        if kind == "comma":
            self.heads = tuple(dict.fromkeys((*self.heads, *self.clause)))
        self.role, self.waiting = "free", None
        self.predicate = False
        return i + 1

    def _style_of_segment(self, i: int) -> int | None:
        """The end of what only says how the picture is made: ", octane render", ", by a painter's name"."""
        last = i
        while last < len(self.words) and self.words[last].kind not in ("comma", "stop"):
            last += 1
        some = self.words[i:last]
        named = any(w.kind in ("det", "num") for w in some)
        if not some or named:
            return None
        said = {part for w in some for part in w.lower.split()}
        made = said <= lex.MEDIA | lex.GROUNDS | {"on", "and", "mixed", "wash"} and said & lex.MEDIA
        lit = (
            some[-1].lower in lex.LIGHTS | lex.IMAGE_HEADS
            and len(some) > 1
            and all(w.kind in ("adj", "noun", "adv") for w in some[:-1])
        )
        if not (said & lex.STYLE_SURE or some[0].lower == "by" or made or lit):
            return None
        self.scene.extras.append(", " + self._said(i, last))
        return last

    def _shares(self, i: int) -> int | None:
        recent = self.clause if len(self.clause) > 1 else self.subject
        if self._all_of_several(i) and len(several := tuple(dict.fromkeys(self.scene.mentions[-6:]))) > 1:
            recent = several[-2:] if self.words[i].value == "both" else several
        if recent and len(recent) == 1 and self.scene.objects[recent[0]].count == 1:
            recent = tuple(g for g in self.scene.mentions[-4:] if self.scene.objects[g].count > 1)
        if (
            not recent
            and self.rest is None
            and not any(self.scene.objects[g].count > 1 for g in self.scene.mentions[-4:])
        ):
            return None
        start = i
        while kind_at(self.words, start) in ("and", "comma"):
            start += 1
        shares, after = read_shares(self.words, start)
        if not shares:
            return self._open_share(start)
        if len(shares) == 1 and shares[0].part != "all":
            sure = kind_at(self.words, i - 1) in ("comma", "colon") and kind_at(self.words, after - 1) in (
                "adj",
                "verb",
            )
            if not sure or not self._exceeds(shares[0].count):
                return None
        groups = self.scene.share(shares, recent)
        self.subject = self.clause = groups
        self.listed, self.role = False, "free"
        return after

    def _all_of_several(self, i: int) -> bool:
        """Whether "both" or "all" speaks of single things that were named apart: "a cat right of a dog, both black"."""
        said = self.words[i] if i < len(self.words) else None
        lead = said is not None and (said.value == "both" or said.lower == "all")
        return lead and all(self.scene.objects[g].count == 1 for g in self.scene.mentions[-6:])

    def _exceeds(self, count: int) -> bool:
        """Whether a group that was just spoken of is larger than one part of it."""
        return any(
            self.scene.objects[g].exact and self.scene.objects[g].count > count for g in self.scene.mentions[-2:]
        )

    def _open_share(self, i: int) -> int | None:
        """Part of a group that has a place, or something with it, of its own: "two birds, one on the left and one on the right"."""
        read = read_open_share(self.words, i)
        if read is None:
            return None
        share, after = read
        # "each with a kite" has as many kites, "both on a sofa" has one sofa.
        apart = kind_at(self.words, after) == "with" or self.words[i].lower == "each"
        apart = apart or (kind_at(self.words, after) == "verb" and self.words[after].value in (*_HOLD, "wear"))
        if share.part == "all" and self._all_of_several(i) and len(self.scene.mentions) > 1:
            self.subject = self.clause = tuple(dict.fromkeys(self.scene.mentions[-2:]))
            self.times, self.listed = len(self.subject) if apart else 1, False
            return after
        if share.part == "all":
            several = [g for g in self.scene.mentions[-2:] if self.scene.objects[g].count > 1]
            if not several:
                return None
            self.times, self.subject = self.scene.objects[several[-1]].count if apart else 1, (several[-1],)
            return after
        if self.rest is None:
            several = [
                g
                for g in self.scene.mentions[-4:]
                if self.scene.objects[g].exact and self.scene.objects[g].count > share.count
            ]
            if not several or share.part == "rest":
                return None
            group, self.rest = self.scene.part(several[-1], share.count)
        elif share.part == "rest" or share.count >= self.scene.objects[self.rest].count:
            group, self.rest = self.rest, None
        else:
            group, self.rest = self.scene.part(self.rest, share.count)
        self.subject = self.clause = (group,)
        self.listed, self.role = False, "free"
        return after

    def _negation(self, i: int) -> int:
        if self.words[i].lower.startswith("except") and self.scene.absent:
            return i + 1  # "no animals except a deer": the deer is there
        found = read_negation(self.words, i)
        if found.of:
            self.subject = self.clause = tuple(self.scene.add(phrase) for phrase in found.of)
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

    def _verb(self, i: int) -> int:
        word = self.words[i]
        finite = not word.lower.endswith("ing") and (word.lower != word.value + "ed" or self.predicate)
        finite = finite or (self.predicate and bool(self.clause))
        if word.lower.endswith("ing") and not self.predicate and self.subject and not self._being(self.subject[-1]):
            # "a sailor on a pier holding a telescope": a pier holds nothing.
            finite = bool(self.clause) and any(self._being(g) for g in self.clause)
        subject = self.clause if finite and self.clause else self.subject
        if self.owner and kind_at(self.words, i - 1) == "adj":
            subject = self.clause = self.owner  # "a man whose hat is red stands ..."
            self.owner = ()
        if word.value in _SAY and kind_at(self.words, i + 1) not in (
            "det", "num", "rel", "quote", "side", "pron", "break"
        ):  # fmt: skip
            return self._writing(i)
        if word.value in lex.WEATHER_VERBS and self.weather:
            self.scene.places.append(("", lex.WEATHER_VERBS[word.value]))
            self.weather = False
            return i + 1
        if word.lower == "missing":
            self.scene.remark(f"this negation is not read: {self._said(max(0, i - 2), i + 1)!r}")
            return i + 1
        if self.nobody:
            return self._denied(i)
        if subject:
            self.subject = subject
        for group in subject:
            self._pose(group, word)
        self.role, self.waiting, self.chain, self.listed = "object", None, None, False
        if word.value in _HOLD:
            self.waiting = self.chain = ("holding", subject)
        elif word.value == "wear":
            self.waiting = self.chain = ("wearing", subject)
        elif word.value in ("ride", "mount", "straddle"):
            self.waiting = ("on", subject)
        self.predicate = False
        return i + 1

    def _pose(self, group: int, word: Word) -> None:
        """What somebody does is drawn with them: "a boy kicking"."""
        wanted = self.scene.objects[group]
        pose = pose_of(word.lower, word.value) if wanted.noun.rpartition(" ")[2] in lex.PEOPLE else ""
        if pose and not wanted.detail.endswith("ing") and " with" not in f" {wanted.detail}":
            self.scene.detail((group,), pose)

    def _denied(self, i: int) -> int:
        """What nobody has or does: its thing must not be there."""
        self.nobody = ""
        phrase = read_noun_phrase(self.words, i + 1)
        if phrase is not None and phrase.noun:
            self.scene.forbid((phrase.phrase,))
            return phrase.last
        self.scene.remark(f"this negation is not read: {self._said(i, i + 2)!r}")
        self.subject = self.clause = ()
        return i + 1

    def _denied_place(self, i: int) -> int:
        """Where some who are there are not: "neither the cat nor the dog is on the sofa"."""
        phrase = read_noun_phrase(self.words, i + 1)
        self.scene.remark(f"this negation is not read: {self._said(i, phrase.last if phrase is not None else i + 1)!r}")
        self.nobody, self.subject, self.clause = "", (), ()
        self.role, self.waiting, self.chain = "free", None, None
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
            people = [
                g for g in self.scene.mentions[-8:] if self.scene.objects[g].noun.rpartition(" ")[2] in lex.PEOPLE
            ]
            self.subject = tuple(people[-1:]) or self.subject
        if word.lower == "whose":
            self.owner, self.listed = self.subject, False
        if word.lower == "where":
            self.subject = self.clause = ()
        else:
            self.clause = self.subject
        self.role = "free"

    def _describes(self, i: int) -> bool:
        """Whether adjectives here are said of what was named: "is red", "half full", "both green"."""
        adjectives, after = read_adjectives(self.words, i, alone=True)
        return (
            bool(adjectives)
            and kind_at(self.words, after) != "noun"
            and bool(self.subject)
            and (self.predicate or kind_at(self.words, i - 1) in ("noun", "adv", "verb", "who"))
        )

    def _adjectives(self, i: int) -> int:
        adjectives, after = read_adjectives(self.words, i, alone=True)
        targets = self.clause if self.predicate and self.clause else self.subject
        said = tuple(a for a in adjectives if a not in lex.MUTE_ADJECTIVES)
        if self.weather and said and set(said) <= lex.WEATHER_ADJECTIVES:
            self.scene.places.append(("", with_article(f"{' '.join(said)} scene")))
            self.weather = False
            return max(after, i + 1)
        if self.nobody or {"missing", "absent", "gone"} & set(said):
            self.scene.remark(f"this negation is not read: {self._said(i, after)!r}")
            self.nobody = ""
            return max(after, i + 1)
        if kind_at(self.words, after) == "compare" or not targets:
            if not self.scene.objects and said:
                self.scene.extras.append(", " + self._said(i, after) if self.scene.style or self.scene.places else "")
            return max(after, i + 1)
        if all(a in lex.STYLE_ADJECTIVES for a in said):
            self.scene.extras.append(", " + self._said(i, after))
            return max(after, i + 1)
        for group in targets:
            self.scene.describe(group, said)
            if lower_at(self.words, i - 1) == "in" and self._being(group):
                self.scene.detail((group,), "in " + " ".join(adjectives))  # what somebody wears, not what they are
        return max(after, i + 1)
