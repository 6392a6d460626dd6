"""What a prompt was found to say so far: groups, relations, absences, place and style."""

from dataclasses import dataclass, field, replace

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.meaning import DEFAULT_BACKGROUND, PromptMeaning, Relation, RelationKind, WantedObject
from llmgen.llm.english.phrases import NounPhrase
from llmgen.llm.english.shares import Share
from llmgen.llm.english.words import bare

_BETWEEN: dict[str, RelationKind] = {
    "left": "left_of",
    "right": "right_of",
    "top": "above",
    "bottom": "below",
    "middle": "in",
}
_IN_PICTURE: dict[str, RelationKind] = {
    "left": "on_left", "right": "on_right", "top": "on_top", "bottom": "on_bottom", "middle": "in_middle",
}  # fmt: skip
Groups = tuple[int, ...]


@dataclass
class Scene:
    """Collects a meaning."""

    objects: list[WantedObject] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    absent: dict[str, int] = field(default_factory=dict)
    """What must not be there, and how many groups there were when it was said."""
    style: str = ""
    places: list[tuple[str, str]] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    mentions: list[int] = field(default_factory=list)
    """Groups in the order in which they were spoken of."""
    by_noun: dict[str, list[int]] = field(default_factory=dict)
    placed: set[int] = field(default_factory=set)
    """Groups that have a side of the picture."""

    def add(self, phrase: NounPhrase) -> int:
        """A new group, or the one that "the ball" speaks of."""
        group = self.known(phrase) if phrase.definite else None
        if group is None:
            self.objects.append(WantedObject(phrase.noun, phrase.attributes, phrase.count, phrase.exact))
            group = len(self.objects) - 1
            self.by_noun.setdefault(phrase.noun, []).append(group)
            self.put(phrase.side, (group,))
        self.mentions.append(group)
        return group

    def known(self, phrase: NounPhrase) -> int | None:
        """The group that a definite phrase points at."""
        for group in self.by_noun.get(phrase.noun, ()):
            sided = not phrase.side or Relation(_IN_PICTURE[phrase.side.split()[0]], group) in self.relations
            if sided and set(phrase.attributes) <= set(self.objects[group].attributes):
                return group
        return None

    def describe(self, group: int, attributes: tuple[str, ...]) -> None:
        """Give a group further attributes."""
        wanted = self.objects[group]
        self.objects[group] = replace(wanted, attributes=tuple(dict.fromkeys((*wanted.attributes, *attributes))))

    def detail(self, groups: Groups, said: str) -> None:
        """What groups hold, show or have on them."""
        for group in groups:
            wanted = self.objects[group]
            self.objects[group] = replace(wanted, detail=f"{wanted.detail} {said}".strip())

    def relate(self, kind: str, subjects: Groups, other: int) -> None:
        """Relate groups to another; `sides left top` stands for orders along axes."""
        kinds = [_BETWEEN[side] for side in kind.split()[1:]] if kind.startswith("sides ") else [kind]
        for subject in subjects:
            if subject != other:
                self.relations += [Relation(one, subject, other) for one in kinds]  # type: ignore[arg-type]

    def put(self, sides: str, groups: Groups) -> None:
        """Put groups on a side of the picture."""
        for group in groups if sides else ():
            self.relations += [Relation(_IN_PICTURE[side], group) for side in sides.split()]
            self.placed.add(group)

    def share(self, shares: list[Share], recent: Groups) -> Groups:
        """Give the parts of a group, or the groups of a list, attributes of their own; the groups that came of it."""
        attributes = [share.attributes for share in shares]
        if len(recent) > 1 and shares[0].part == "all":
            for group in recent:
                self.describe(group, attributes[0])
            return recent
        if len(recent) > 1 and all(self.objects[g].count == 1 for g in recent):
            if len(shares) <= len(recent) and all(s.part in ("place", "number", "rest") for s in shares):
                for number, share in enumerate(shares):
                    place = share.which if share.part == "place" else number
                    self.describe(recent[place if place < len(recent) else -1], share.attributes)
                return recent
        group = self._shared(shares, recent)
        wanted = self.objects[group]
        if shares[0].part == "all":
            self.describe(group, attributes[0])
            return (group,)
        said = sum(share.count for share in shares if share.part == "number" or share.part == "place")
        rests = sum(share.part == "rest" for share in shares)
        counts = [share.count if share.part != "rest" else max(1, (wanted.count - said) // rests) for share in shares]
        if wanted.exact and sum(counts) > wanted.count:
            self.remark(f"the parts of {wanted.count} x {wanted.phrase!r} do not add up")
        if wanted.exact and sum(counts) < wanted.count:
            shares, counts = [*shares, Share("number")], [*counts, wanted.count - sum(counts)]
        return self._split(group, shares, counts)

    def part(self, group: int, count: int) -> tuple[int, int]:
        """Split a group in two; its first part and the rest."""
        rest = self.objects[group].count - count
        first, second = self._split(group, [Share("number"), Share("rest")], [count, rest])
        self.mentions += [second, first]
        return first, second

    def _shared(self, shares: list[Share], recent: Groups) -> int:
        said = sum(share.count for share in shares)
        several = [g for g in reversed(recent or tuple(self.mentions)) if self.objects[g].count > 1]
        several += [g for g in reversed(self.mentions[-6:]) if self.objects[g].count > 1]
        fitting = [g for g in several if self.objects[g].count == said]
        return (fitting or several or list(recent) or [len(self.objects) - 1])[0]

    def _split(self, group: int, shares: list[Share], counts: list[int]) -> Groups:
        wanted, groups = self.objects[group], [group]
        for share, count in zip(shares, counts, strict=True):
            part = replace(
                wanted, count=count, attributes=tuple(dict.fromkeys((*wanted.attributes, *share.attributes)))
            )
            part = replace(part, exact=wanted.exact or count > 1)
            if share is shares[0]:
                self.objects[group] = part
            else:
                self.objects.append(part)
                groups.append(len(self.objects) - 1)
                self.by_noun.setdefault(part.noun, []).append(groups[-1])
        for old in list(self.relations):
            for new in groups[1:]:
                if old.subject == group:
                    self.relations.append(replace(old, subject=new))
                elif old.object == group:
                    self.relations.append(replace(old, object=new))
        self._tell_apart({share.side: g for share, g in zip(shares, groups, strict=True) if share.side}, groups)
        return tuple(groups)

    def _tell_apart(self, sides: dict[str, int], groups: list[int]) -> None:
        """Where the parts of a group lie, which a side tells apart: "two cups, the left one red"."""
        for low, high, kind in (("left", "right", "left_of"), ("top", "bottom", "above")):
            firsts = (sides[low],) if low in sides else tuple(g for g in groups if g not in sides.values())
            lasts = (sides[high],) if high in sides else tuple(g for g in groups if g not in sides.values())
            for last in lasts if low in sides or high in sides else ():
                self.relate(kind, firsts, last)
        if "middle" in sides:
            self.remark("which one of several is not read: 'the middle one'")

    def forbid(self, nouns: tuple[str, ...]) -> None:
        """Things that must not be there."""
        for noun in nouns:
            self.absent.setdefault(noun, len(self.objects))

    def remark(self, text: str) -> None:
        """Say once what was not read."""
        text = text if len(text) <= 200 else text[:197] + "..."
        if text not in self.remarks and len(self.remarks) < 20:
            self.remarks.append(text)

    def meaning(self, text: str) -> PromptMeaning:
        """The whole."""
        for noun, before in list(self.absent.items()):
            # "a boy without a hat and a girl with a hat": it is missing on one of them only.
            if any(noun in (o.noun, o.phrase) for o in self.objects[before:]):
                del self.absent[noun]
                self.remark(f"cannot keep {noun!r} away from some only, as it is also asked for")
        if not (self.objects or self.absent or self.places or self.style or self.remarks):
            return PromptMeaning(background=text.strip() or DEFAULT_BACKGROUND)
        return PromptMeaning(
            objects=tuple(self.objects),
            relations=tuple(dict.fromkeys(self.relations)),
            absent=tuple(self.absent),
            background=self._background(),
            remarks=tuple(self.remarks),
        )

    def _background(self) -> str:
        text = ""
        for preposition, words in self.places:
            if not text:
                text = words if self.style.endswith(" of") else lex.SCENE_FORMS.get(bare(words).lower(), words)
            else:
                text += (
                    f" {preposition} {words}" if preposition and preposition not in ("with", "and") else f", {words}"
                )
        if self.style:
            if self.style.endswith(" of"):
                text = f"{self.style} {text or 'a scene'}"
            elif text:
                text = f"{self.style} of {text}"
            else:
                text = self.style
        return (text or DEFAULT_BACKGROUND) + "".join(self.extras)
