"""A deterministic reader of ordinary English prompts: objects with counts and attributes, relations, absences, place.

Made for prompts of the LMD benchmark's and the toybox's kind; any other text gets a best reading and never an error.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.meaning import DEFAULT_BACKGROUND, Ordering, PromptMeaning, Relation, RelationKind, WantedObject
from llmgen.llm.english.phrases import NounPhrase, Token, read_adjectives, read_noun_phrase, starts_verb, tokenize
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

_BETWEEN: dict[str, RelationKind] = {"left": "left_of", "right": "right_of", "top": "above", "bottom": "below"}
_ABSOLUTE: dict[str, RelationKind] = {"left": "on_left", "right": "on_right", "top": "on_top", "bottom": "on_bottom"}
_VERTICAL: dict[str, str] = {
    "above": "top", "over": "top", "atop": "top", "below": "bottom", "under": "bottom", "beneath": "bottom",
    "underneath": "bottom",
}  # fmt: skip
_NEGATIONS = (
    "with no", "with not any", "without any", "without", "but no", "and no", "no", "not any", "free of", "zero",
    "does not contain", "do not include", "not including", "not containing", "does not have", "excluding", "no visible",
    "with zero", "not a", "not an", "with none of",
)  # fmt: skip


@lru_cache(maxsize=1024)
def read_prompt(text: str) -> PromptMeaning:
    """Read a prompt.

    Args:
        text: Any text.

    Returns:
        Its best reading. When no object, relation or absence is found, the whole text is the background.
    """
    return _Reader(text).read()


def read_phrase(phrase: str) -> tuple[str, tuple[str, ...]]:
    """Noun and attributes of one instance's phrase.

    Args:
        phrase: For example "a white and small palm tree".

    Returns:
        For example `("palm tree", ("white", "small"))`; a phrase that cannot be read is its own noun.
    """
    tokens = tokenize(phrase)
    for start in range(len(tokens)):
        found = read_noun_phrase(tokens, start)
        if found is not None and found.noun and not found.pronoun:
            return found.noun, found.attributes
    return bare(phrase).lower() or phrase, ()


def head_noun(phrase: str) -> str:
    """Head noun of a phrase in the singular, for example "palm tree" for "two tall palm trees"."""
    return read_phrase(phrase)[0]


@dataclass
class _Reader:
    text: str
    tokens: list[Token] = field(init=False)
    objects: list[WantedObject] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    style: str = ""
    places: list[tuple[str, str]] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    last: int | None = None
    """Group that a following place or relation speaks of."""
    open_between: tuple[tuple[str, ...], int | None] | None = None
    """Sides and subject of a relation whose object has not come yet."""
    open_sides: tuple[str, ...] = ()
    """Sides of a place that was said before its object."""
    pending: list[NounPhrase] = field(default_factory=list)
    """Adjectives that wait for the noun of the next phrase."""
    side_given: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tokens = tokenize(self.text)

    def read(self) -> PromptMeaning:
        index = 0
        while index < len(self.tokens):
            index = self._step(index)
        self._flush()
        if not self.objects and not self.absent and not self.places and not self.style:
            return PromptMeaning(background=self.text.strip() or DEFAULT_BACKGROUND)
        return PromptMeaning(
            objects=tuple(self.objects),
            relations=tuple(dict.fromkeys(self.relations)),
            absent=tuple(dict.fromkeys(self.absent)),
            background=self._background(),
        )

    def _words(self, index: int, count: int) -> str:
        return " ".join(t.lower for t in self.tokens[index : index + count])

    def _word(self, index: int) -> str:
        return self.tokens[index].lower if 0 <= index < len(self.tokens) else ""

    def _step(self, index: int) -> int:
        token = self.tokens[index]
        for words in _NEGATIONS:
            length = words.count(" ") + 1
            if self._words(index, length) == words:
                after = self._read_absent(index + length)
                if after is not None:
                    return after
        if token.lower in (".", ";", "!", "?"):
            self._flush()
            self.last = None
            return index + 1
        if self._words(index, 4) == "in the style of" or (token.lower == "in" and self._word(index + 2) == "style"):
            return self._read_style(index)
        place = self._read_sides(index)
        if place is not None:
            return place
        if token.lower in ("is", "are", "that", "which") and self.last is not None:
            after, adjectives = read_adjectives(
                self.tokens, index + (2 if self._word(index + 1) in ("is", "are") else 1)
            )
            if adjectives:
                wanted = self.objects[self.last]
                self.objects[self.last] = replace(
                    wanted, attributes=tuple(dict.fromkeys((*wanted.attributes, *adjectives)))
                )
                return after
        if token.lower in lex.PREPOSITIONS and not self._is_front_noun(index):
            return self._read_after_preposition(index)
        if self.last is not None and index and self.tokens[index - 1].is_word and starts_verb(token):
            return index + 1
        if token.lower.endswith("ly") and self._word(index + 1) in lex.PREPOSITIONS:
            return index + 1
        phrase = read_noun_phrase(self.tokens, index)
        return self._take(phrase, "") if phrase is not None else index + 1

    def _is_front_noun(self, index: int) -> bool:
        return self._word(index) in ("top", "front") and self._word(index - 1) in lex.ARTICLES

    # Absences -----------------------------------------------------------------------------------------------------

    def _read_absent(self, index: int) -> int | None:
        found: list[str] = []
        while True:
            phrase = read_noun_phrase(self.tokens, index)
            if phrase is None or not phrase.noun or phrase.pronoun:
                break
            found.append(" ".join((*phrase.attributes, phrase.noun)))
            index = phrase.last
            joint = self._word(index)
            after = index + 1
            if joint == "," and self._word(after) in ("and", "or", "nor"):
                after += 1
            if joint not in (",", "or", "nor", "and"):
                break
            if self._word(after) in ("any", "no"):
                index = after + (self._word(after) == "no")
                continue
            ahead = read_noun_phrase(self.tokens, after)
            bare_plural = ahead is not None and ahead.core == after and is_plural(self._word(ahead.last - 1))
            if joint in ("or", "nor") or (bare_plural and joint == "and"):
                index = after
                continue
            break
        if not found:
            return None
        self.absent += found
        return index

    # Places -------------------------------------------------------------------------------------------------------

    def _read_sides(self, index: int) -> int | None:
        start = index
        if self._word(index) in ("on", "at", "in", "to", "from", "towards", "toward"):
            index += 1
            if self._word(index) in ("the", "its"):
                index += 1
        elif self._word(index) in _VERTICAL:
            return self._between_or_side((_VERTICAL[self._word(index)],), index + 1, needs_object=False)
        if self._word(index) in ("far", "very", "extreme"):
            index += 1
        sides: list[str] = []
        while self._word(index) in lex.SIDES and len(sides) < 2:
            sides.append(lex.SIDES[self._word(index)])
            index += 1
        while sides and self._word(index) in lex.SIDE_TAILS:
            index += 1
        if not sides:
            return None
        if self._word(index) == "of":
            if self._frame_follows(index + 1):
                after = read_noun_phrase(self.tokens, index + 1)
                return self._side(tuple(sides), after.last if after else index + 1)
            return self._between_or_side(tuple(sides), index + 1, needs_object=True)
        if start == index - len(sides):
            # A bare "left" without preposition says a place only right after an object ("a ball left, a car right").
            if self.last is None or index - len(sides) == 0:
                return None
        return self._side(tuple(sides), index)

    def _frame_follows(self, index: int) -> bool:
        phrase = read_noun_phrase(self.tokens, index)
        return phrase is not None and phrase.noun.rpartition(" ")[2] in lex.FRAME_NOUNS

    def _between_or_side(self, sides: tuple[str, ...], index: int, *, needs_object: bool) -> int:
        if self._word(index) in ("it", "them", "him", "her") and self.last:
            self._relate(sides, self.last, self.last - 1)
            return index + 1
        phrase = read_noun_phrase(self.tokens, index)
        if phrase is None or not phrase.noun:
            return self._side(sides, index) if not needs_object else index
        if self._is_place(phrase):
            return self._take(phrase, self._word(index - 1))
        self._flush()
        self.open_between = (sides, self.last)
        return self._take(phrase, "")

    def _side(self, sides: tuple[str, ...], index: int) -> int:
        if self.last is not None and self.last not in self.side_given:
            self._flush()
            self.relations += [Relation(_ABSOLUTE[side], self.last) for side in sides]
            self.side_given.add(self.last)
        else:
            self.open_sides = sides
        return index

    def _read_after_preposition(self, index: int) -> int:
        phrase = read_noun_phrase(self.tokens, index + 1)
        if phrase is None:
            return index + 1
        return self._take(phrase, self._word(index))

    def _read_style(self, index: int) -> int:
        end = index
        while end < len(self.tokens) and self.tokens[end].is_word and not (end > index and self._word(end) == "with"):
            end += 1
        self.extras.append(" " + self._span(index, end))
        return end

    # Noun phrases -------------------------------------------------------------------------------------------------

    def _is_place(self, phrase: NounPhrase) -> bool:
        return phrase.noun in lex.PLACE_NOUNS or phrase.noun.rpartition(" ")[2] in lex.PLACE_NOUNS

    def _span(self, first: int, last: int) -> str:
        if first >= last:
            return ""
        return self.text[self.tokens[first].start : self.tokens[last - 1].end]

    def _take(self, phrase: NounPhrase, preposition: str) -> int:
        head = phrase.noun.rpartition(" ")[2]
        if not phrase.noun or (phrase.noun in lex.SIDE_TAILS and phrase.definite):
            if not phrase.noun and phrase.attributes:
                self.pending.append(phrase)
            return phrase.last
        if head in lex.IMAGE_HEADS and not self.objects and not self.places:
            return self._take_style(phrase)
        if head in lex.IMAGE_HEADS and phrase.core == phrase.first:
            self.extras.append(", " + self._span(phrase.first, phrase.last))
            return phrase.last
        if self._is_place(phrase) and phrase.count <= 1 + is_plural(self._word(phrase.last - 1)):
            self.places.append((preposition, self._span(phrase.first, phrase.last)))
            return phrase.last
        if phrase.noun in ("middle", "center", "centre", "front", "back", "foreground", "distance", "style"):
            after = phrase.last
            return after + 1 if self._word(after) == "of" else after
        if phrase.noun in ("object", "thing", "item") and not phrase.attributes:
            return phrase.last
        if phrase.pronoun:
            if not self.objects:
                return phrase.last
            phrase = replace(phrase, noun=self.objects[-1].noun)
        self._add(phrase)
        after = phrase.last
        if self._word(after) == "of":  # "a cup of coffee": the content is no object of its own
            content = read_noun_phrase(self.tokens, after + 1)
            return content.last if content is not None else after + 1
        return after

    def _take_style(self, phrase: NounPhrase) -> int:
        after = phrase.last
        said = self._span(phrase.first, phrase.last)
        if self._word(after) in ("of", "showing", "depicting", "featuring"):
            self.style = said + " of"
            return after + 1
        self.style = said
        return after

    def _add(self, phrase: NounPhrase) -> None:
        for waiting in self.pending:
            self._append(replace(waiting, noun=phrase.noun, definite=False))
        self.pending = []
        group = self._known(phrase) if phrase.definite else None
        if group is None:
            group = self._append(phrase)
        if self.open_sides:
            self.relations += [Relation(_ABSOLUTE[side], group) for side in self.open_sides]
            self.side_given.add(group)
            self.open_sides = ()
        if self.open_between is not None:
            sides, subject = self.open_between
            if subject is None:
                # "to the left of the car is a ball": the subject is still to come.
                self.open_between = (sides, -1 - group)
            elif subject < 0:
                self._relate(sides, group, -1 - subject)
                self.open_between = None
            else:
                self._relate(sides, subject, group)
                self.open_between = None
        self.last = group

    def _relate(self, sides: tuple[str, ...], subject: int, other: int) -> None:
        if subject != other:
            self.relations += [Relation(_BETWEEN[side], subject, other) for side in sides]

    def _append(self, phrase: NounPhrase) -> int:
        self.objects.append(WantedObject(phrase.noun, phrase.attributes, phrase.count, phrase.exact))
        return len(self.objects) - 1

    def _known(self, phrase: NounPhrase) -> int | None:
        for group, wanted in enumerate(self.objects):
            if wanted.noun == phrase.noun and set(phrase.attributes) <= set(wanted.attributes):
                return group
        return None

    def _flush(self) -> None:
        self.pending = []

    def _background(self) -> str:
        text = ""
        for preposition, words in self.places:
            if not text:
                text = words if self.style.endswith(" of") else lex.SCENE_FORMS.get(bare(words).lower(), words)
            else:
                text += f" {preposition} {words}" if preposition and preposition != "with" else f", {words}"
        if self.style:
            if self.style.endswith(" of"):
                text = f"{self.style} {text or 'a scene'}"
            elif text:
                text = f"{self.style} of {text}"
            else:
                text = self.style
        return (text or DEFAULT_BACKGROUND) + "".join(self.extras)
