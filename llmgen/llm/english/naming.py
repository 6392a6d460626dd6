"""What a prompt names: noun phrases become groups, places, style or words to be written."""

from dataclasses import replace

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.phrases import NounPhrase, kind_at, lower_at, read_noun_phrase
from llmgen.llm.english.scene import Groups, Scene
from llmgen.llm.english.tagged import Word

_HUNG = frozenset("hang mount frame prop display tape pin stick glue nail clip tack fasten attach".split())
_HANDMADE = (
    "painting",
    "drawing",
    "sketch",
    "portrait",
    "poster",
    "cartoon",
    "watercolor",
    "watercolour",
    "illustration",
)
_FILLED = frozenset("filled full covered packed stuffed loaded crammed decorated lined".split())
_OWN = ("its", "his", "her", "their")


class Namer:
    """The words of a prompt, what was found in them, and what the next noun phrase is."""

    def __init__(self, text: str, words: list[Word], remarks: list[str]) -> None:
        self.text = text
        self.words = words
        self.scene = Scene(remarks=remarks)
        self.subject: Groups = ()
        """What a relation that follows speaks of: the nearest group."""
        self.clause: Groups = ()
        """What the clause speaks of: the subject of its verb."""
        self.doer: Groups = ()
        """Who does something to the nearest group: "a fisherman mends a net"."""
        self.related: Groups = ()
        """What the last relation spoke of."""
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
        self.listed = False
        """Whether only "and" and commas stand between the subject of the clause and here."""
        self.predicate = False
        """Whether "is" came before: adjectives are said of the subject."""
        self.compared = False
        """Whether the clause was said to compare."""
        self.times = 1
        """How many have what comes next: "four dogs, each with a red collar"."""
        self.rest: int | None = None
        """What is left of a group of which a part was spoken of."""
        self.weather = False
        """Whether "it" was said where it may be the weather's."""
        self.spoken: int | None = None
        """What "it" was in the sentence."""
        self.heads: Groups = ()
        """What the parts of the sentence before the last comma are about."""
        self.begun = 0
        """How many were named before the sentence."""
        self.owner: Groups = ()
        """Whose the subject of the clause is: "a man whose hat is red"."""
        self.whose: int | None = None
        """Whose side was spoken of in the sentence: "to its left"."""
        self.nobody = ""
        """What negates the verb that comes: "none of the pirates wears a hat"."""

    def _said(self, first: int, last: int) -> str:
        """Words as they were written."""
        some = self.words[first:last]
        return self.text[some[0].start : some[-1].end] if some else ""

    def _being(self, group: int) -> bool:
        head = self.scene.objects[group].noun.rpartition(" ")[2]
        return head in lex.PEOPLE or head in lex.ANIMALS or head.endswith(("man", "woman"))

    def _is_place(self, phrase: NounPhrase, *, led: bool = False) -> bool:
        return (
            phrase.head in lex.PLACES
            and phrase.count <= 1 + phrase.plural
            and not (
                phrase.head in ("square", "shop", "station", "store", "hall", "studio", "room")
                and not led
                and self.role != "free"
            )
        )

    @staticmethod
    def _is_where(phrase: NounPhrase, lead: str) -> bool:
        """Whether a preposition makes a place of a name or a building: "Darth Vader in Kyoto", "a cow in a barn"."""
        named = phrase.name and not phrase.article
        return lead in ("in", "at", "inside") and (named or (phrase.head in lex.HALLS and phrase.count == 1))

    def _take(self, phrase: NounPhrase) -> int:
        role, self.role = self.role, "free"
        while (whole := self._whole(phrase)) is not None:
            phrase = whole
        if not phrase.noun:
            self.elliptic.append(phrase)
            return phrase.last
        if self._is_style(phrase, role):
            return self._style(phrase)
        if self._is_written(phrase):
            return phrase.last
        if phrase.noun.partition(" ")[0] in lex.SPELLED and " " in phrase.noun and self.scene.objects:
            self.scene.remark(
                f"text to be written cannot be placed or checked: {self._said(phrase.first, phrase.last)!r}"
            )
            return phrase.last
        if (
            phrase.head in lex.STYLE_HEADS
            and phrase.article == ""
            and role == "free"
            and self.scene.objects
            and not phrase.plural
        ):
            self.scene.extras.append(", " + self._said(phrase.first, phrase.last))
            return phrase.last
        named_place = self._is_where(phrase, role)
        if (self._is_place(phrase, led=role not in ("free", "object")) or named_place) and role not in ("object",):
            if not (
                role == "free"
                and self.listed
                and phrase.article in ("a", "an")
                and kind_at(self.words, phrase.first - 1) == "and"
            ):
                self.scene.places.append(
                    (role if role not in ("free", "rel", "object") else "", self._said(phrase.first, phrase.last))
                )
                self.waiting = None
                return phrase.last
        if phrase.noun in (
            "foreground",
            "background",
            "front",
            "back",
            "style",
            "side",
            "way",
            "center",
            "middle",
            "distance",
        ):
            return self._after_of(phrase.last)
        if phrase.noun in ("object", "thing", "item", "word") and not phrase.attributes:
            return phrase.last
        if phrase.pronoun:
            if not self.scene.objects:
                return phrase.last
            if phrase.definite and (phrase.side or any(a.endswith(("er", "est")) for a in phrase.attributes)):
                self.scene.remark(f"which one of several is not read: {self._said(phrase.first, phrase.last)!r}")
            phrase = replace(phrase, noun=self._noun_of_one(phrase), definite=False)
        if phrase.noun in lex.OPEN_THINGS and not phrase.attributes:
            self.scene.remark(f"what it is is not said: {self._said(phrase.first, phrase.last)!r}")
            return phrase.last
        self._perhaps_a_part(phrase)
        phrase = self._without_choice(phrase)
        if role == "with" and self._attaches(phrase):
            return self._attach(phrase)
        if (
            role == "with"
            and phrase.head in lex.CLOTHES
            and self.waiting is None
            and any(map(self._being, self.subject))
        ):
            self.waiting = ("wearing", self.subject)
        if phrase.article == "" and any(ch.isdigit() for ch in phrase.head) and self.scene.objects:
            self.scene.remark(f"did not understand {self._said(phrase.first, phrase.last)!r}")
            return phrase.last
        self._place(phrase, role)
        return self._content(phrase)

    def _noun_of_one(self, phrase: NounPhrase) -> str:
        """The noun that "one" stands for: what differs in the same way ("a boy in red boots, a girl in blue ones"), else the nearest."""
        recent = [self.scene.objects[g] for g in reversed(self.scene.mentions[-8:])]
        for kind in (lex.COLORS, lex.SIZES, lex.MATERIALS):
            if kind & set(phrase.attributes):
                for other in recent:
                    if kind & set(other.attributes):
                        return other.noun
        return self.scene.objects[self.subject[-1]].noun if self.subject else recent[0].noun

    def _whole(self, phrase: NounPhrase) -> NounPhrase | None:
        """What a part belongs to: "the shoulder of a pirate" speaks of the pirate."""
        if phrase.head not in lex.PARTS or lower_at(self.words, phrase.last) != "of":
            return None
        whole = read_noun_phrase(self.words, phrase.last + 1)
        return whole if whole is not None and whole.noun and whole.article else None

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
            last = content.last
            more = read_noun_phrase(self.words, last + 1) if kind_at(self.words, last) == "and" else None
            if more is not None and content.plural and more.plural and not more.article and more.noun:
                last = more.last  # "a bowl of plums and pears"
            self.scene.detail((self.scene.mentions[-1],), self._said(phrase.last, last))
            return last
        self.role = "of"
        return phrase.last + 1

    def _without_choice(self, phrase: NounPhrase) -> NounPhrase:
        """A phrase without what chooses one of several, which boxes that are yet to be planned cannot: it is said."""
        chosen = [a for a in phrase.attributes if a in lex.ORDINALS]
        if chosen and phrase.noun.partition(" ")[0] not in lex.NOT_COUNTED:
            if phrase.definite:
                said = self._said(phrase.first, phrase.last)
                self.scene.remark(f"which one of several is not read: {said!r}")
            phrase = replace(phrase, attributes=tuple(a for a in phrase.attributes if a not in lex.ORDINALS))
        if phrase.article in ("each", "every"):
            if self.scene.by_noun.get(phrase.noun):
                return replace(phrase, definite=True)
            self.scene.remark(f"how many are meant is not said: {self._said(phrase.first, phrase.last)!r}")
        return phrase

    def _perhaps_a_part(self, phrase: NounPhrase) -> None:
        """Say where a thing may be one of several of another sentence: "A stack of 3 books. A green book is on the top."."""
        if phrase.count > 1 or phrase.article not in ("a", "an", "one"):
            return
        before = next((k for k in range(phrase.first, 0, -1) if self.words[k - 1].kind == "stop"), 0)
        wholes = [self.scene.objects[g] for g in self.scene.by_noun.get(phrase.noun, ())]
        if before and any(one.exact and one.count > 1 and not one.attributes for one in wholes):
            said = self._said(phrase.first, phrase.last)
            self.scene.remark(f"whether {said!r} is one of those named before is not read; it is planned beside them")

    def _attaches(self, phrase: NounPhrase) -> bool:
        """Whether a thing is a part of what was named before: "a house with lit windows"."""
        if not self.subject or phrase.head not in lex.ATTACHED or kind_at(self.words, phrase.last) == "verb":
            return False
        # "a door in its trunk" has a place of its own; in "a cat with blue eyes on a chair" the cat has.
        return not (
            kind_at(self.words, phrase.last) in ("rel", "side") and lower_at(self.words, phrase.last + 1) in _OWN
        )

    def _attach(self, phrase: NounPhrase) -> int:
        first, last = phrase.first, phrase.last
        while kind_at(self.words, last) in ("and", "comma"):
            more = read_noun_phrase(self.words, last + 1)
            if more is None or not more.noun or not self._attaches(more):
                break
            last = more.last
        self.scene.detail(self.subject, "with " + self._said(first, last))
        return last

    def _place(self, phrase: NounPhrase, role: str) -> None:
        if self.times > 1:
            each = self.times if phrase.exact or not phrase.plural else max(1, self.times // 2)
            phrase = replace(phrase, count=phrase.count * each, exact=phrase.exact or not phrase.plural, definite=False)
            self.times = 1
        for waiting in self.elliptic:
            one = replace(waiting, noun=phrase.noun, definite=False)
            self._related(self.scene.add(one), role, one)
        self.elliptic = []
        self._related(self.scene.add(phrase), role, phrase)

    def _related(self, group: int, role: str, phrase: NounPhrase) -> None:
        """Give a group that was just named its place in the sentence."""
        scene = self.scene
        self.doer = self.clause if role == "object" and group not in self.clause else ()
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
            # Clothes go with who wears them: "a boy with a red cap left of a girl".
            self.subject, self.listed = (subjects if kind == "wearing" else (group,)), False
            return
        if self.chain is not None and role == "free" and not self._acts_next(phrase):
            kind, subjects = self.chain
            scene.relate(kind, subjects, group)
            self.chain = self.chain if kind != "between" else None
            self.subject = (group,)
            return
        self.chain = None
        if role in ("with", "of") and _FILLED & set(self._said(max(phrase.first - 2, 0), phrase.first).lower().split()):
            return  # "a crate filled with oranges beside a bicycle": the crate is
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

    def _is_style(self, phrase: NounPhrase, role: str) -> bool:
        if phrase.head not in lex.IMAGE_HEADS or phrase.plural or role not in ("free", "object"):
            return False
        if lower_at(self.words, phrase.last) == "of" and self._hangs(phrase.last + 1, phrase):
            return False
        nested = self.scene.style.endswith(" of") and lower_at(self.words, phrase.last) in ("of", "with")
        if (
            self.scene.objects
            or self.scene.places
            or (self.scene.style and not nested)
            or "num" in {w.kind for w in self.words[: phrase.first + 1]}
        ):
            return False
        after = self.words[phrase.last] if phrase.last < len(self.words) else None
        if after is None:
            return phrase.article in ("a", "an", "the", "")
        return (
            after.lower
            in (
                "of",
                "showing",
                "shows",
                "depicting",
                "with",
                "featuring",
                "in",
                "without",
                "no",
                "where",
                "without any",
            )
            or (after.kind in ("who", "neg", "colon", "verb", "comma") and phrase.head not in ("poster", "drawing"))
            or after.lower == "from"
            or self._shown_at(phrase.last)
        )

    def _shown_at(self, i: int) -> bool:
        """Whether a place comes before what a picture is of: "an oil painting at the beach of a bicycle"."""
        place = read_noun_phrase(self.words, i + 1) if kind_at(self.words, i) == "rel" else None
        return place is not None and place.head in lex.PLACES and lower_at(self.words, place.last) == "of"

    def _hangs(self, i: int, phrase: NounPhrase) -> bool:
        """Whether a picture of something is itself a thing: "a painting of a horse hanging above a sofa", "... next to a real horse"."""
        content = read_noun_phrase(self.words, i)
        if content is None or content.last >= len(self.words):
            return False
        after = self.words[content.last]
        if after.kind == "verb" and after.value in _HUNG:
            return True
        if after.kind != "rel":
            return False
        other = read_noun_phrase(self.words, content.last + 1)
        if other is None:
            return False
        holds = other.head in lex.SHOWING or (other.head in ("wall", "door") and other.definite)
        hung = after.value == "above" and other.head in lex.FURNITURE and content.head not in lex.FURNITURE
        pinned = phrase.head in _HANDMADE and (hung or (after.value == "on" and holds))
        return pinned or bool({"real", "actual", "living"} & set(other.attributes))

    def _style(self, phrase: NounPhrase) -> int:
        after, said = phrase.last, self._said(phrase.first, phrase.last)
        if lower_at(self.words, after) in ("of", "showing", "shows", "depicting", "featuring"):
            self.scene.style = said + " of"
            return after + 1
        self.scene.style = said
        return after

    def _manner(self, i: int) -> int:
        """How, not what: "in the style of ..."."""
        last = i
        while last < len(self.words) and self.words[last].kind not in ("with", "comma", "stop"):
            last += 1
        self.scene.extras.append(" " + self._said(i, last))
        return last

    def _is_written(self, phrase: NounPhrase) -> bool:
        return phrase.head in lex.PRINTED and kind_at(self.words, phrase.last) == "quote"
