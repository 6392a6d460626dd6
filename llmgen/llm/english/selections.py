"""Which objects an instruction speaks of: "the left tree", "all cars except the red one", "the lamp closest to the door", "it"."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.phrases import read_noun_phrase
from llmgen.llm.english.tagging import tag
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import is_plural, singularize

Which = Literal["left", "right", "top", "bottom", "middle", "largest", "smallest"]
Where = Literal["left_of", "right_of", "above", "below", "on", "near", "far"]

ANYTHING: Final = "thing"
"""The noun of a selection that speaks of whatever there is ("everything except the dog")."""
_ANY_THING: Final = frozenset("object item element stuff".split())
_WHICH: Final[dict[str, Which]] = {
    "left": "left", "leftmost": "left", "left-most": "left", "left-hand": "left", "right": "right", "rightmost": "right",
    "right-most": "right", "right-hand": "right", "top": "top", "upper": "top", "topmost": "top", "highest": "top",
    "uppermost": "top", "bottom": "bottom", "lower": "bottom", "lowest": "bottom", "bottommost": "bottom",
    "middle": "middle", "central": "middle", "center": "middle", "centre": "middle", "largest": "largest",
    "biggest": "largest", "tallest": "largest", "larger": "largest", "bigger": "largest", "smallest": "smallest",
    "smaller": "smallest", "tiniest": "smallest", "shortest": "smallest",
}  # fmt: skip
_ORDINALS: Final[dict[str, int]] = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "last": -1, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4,
}  # fmt: skip
TELLING: Final = frozenset(_WHICH) | frozenset(_ORDINALS)
"""Words that tell one of several from the others by place, size or order."""
_PRONOUNS: Final = frozenset("it them this that these those they him her he she".split())
_ALWAYS_ALONE: Final = frozenset("it them they him he she".split())
_GENDERS: Final = {"him": "male", "he": "male", "her": "female", "she": "female"}
_EVERY: Final = frozenset("all every each any".split())
_DEFINITE: Final = frozenset("the this that these those my your his her its their other only".split())
_EXCEPT: Final = (
    "except for", "other than", "apart from", "save for", "aside from", "but not", "except", "besides", "excluding", "but", "not",
)  # fmt: skip
"""Longer ones first."""
_WHERE: Final[tuple[tuple[str, Where], ...]] = (
    ("to the left of", "left_of"), ("on the left of", "left_of"), ("on the left side of", "left_of"), ("left of", "left_of"),
    ("to the right of", "right_of"), ("on the right of", "right_of"), ("on the right side of", "right_of"),
    ("right of", "right_of"), ("on top of", "above"), ("above", "above"), ("over", "above"), ("on", "above"),
    ("below", "below"), ("under", "below"), ("underneath", "below"), ("beneath", "below"), ("next to", "near"),
    ("close to", "near"), ("beside", "near"), ("near", "near"), ("by", "near"), ("behind", "near"), ("in front of", "near"),
    ("closest to", "near"), ("nearest to", "near"), ("nearest", "near"), ("nearer to", "near"), ("closer to", "near"),
    ("farthest from", "far"), ("furthest from", "far"), ("in", "near"), ("inside", "near"), ("from", "on"), ("off", "on"),
)  # fmt: skip
_ALONE: Final = frozenset(_WHICH) - frozenset("left right top bottom upper lower middle center centre central".split())
"""Words that name one of several without a noun: "all lamps except the rightmost"."""
_COMPARED: Final = frozenset(
    "closer nearer further farther higher lower larger bigger taller wider longer smaller shorter narrower thinner tinier thicker".split()
)
"""How far things go and how large they become, behind their nouns."""
_AFTER_STATE: Final = frozenset("and but then instead rather please too also".split())
"""Words that may follow what a thing should become."""
_OF_SOME: Final = frozenset("one any either some most half many several few part".split())
"""Words before "of the" that leave open which are meant."""
_NO_NEIGHBOURS: Final = lex.FRAME_NOUNS | frozenset("background foreground color colour size".split())
_VAGUE: Final = frozenset("some most half many several few more".split())
"""Words that leave open how many of those that are there."""
_CLOSEST: Final[dict[str, Where]] = {"closest": "near", "nearest": "near", "farthest": "far", "furthest": "far"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects of the picture.

    Attributes:
        noun: Singular, lower case.
        attributes: Those that were said.
        which: The one of several, by place or size.
        order: The how-manieth from that side (from the left, where no side was said); -1 is the last.
        every: Whether all are meant (a plural, "all", "both").
        count: How many, when it was said.
        definite: Whether it speaks of something that is there ("the ball", "all balls") rather than of a new thing.
        besides: Which of them are not meant.
        where: How they lie to `anchor`.
        anchor: What they lie by.
        other: Whether it is what is left beside `besides`: "the other lamp".
        written: The noun as it was written, where that is no word but almost the one taken for it.
    """

    noun: str
    attributes: tuple[str, ...] = ()
    which: Which | None = None
    every: bool = False
    count: int | None = None
    definite: bool = True
    order: int | None = None
    besides: tuple["Selection", ...] = ()
    where: Where | None = None
    anchor: "Selection | None" = None
    other: bool = False
    written: str = ""

    @property
    def phrase(self) -> str:
        """What was said, without article, for messages."""
        return " ".join(w for w in (self.which, *self.attributes, self.noun) if w)


def read_selection(
    tokens: Sequence[Token], start: int, last: Selection | None, *, on_side: bool = True, changes: bool = False
) -> tuple[Selection, int] | None:
    """Read a selection.

    Args:
        tokens: A clause.
        start: Where it begins.
        last: What "it" and "one" mean.
        on_side: Whether "the ball on the left" selects; not where a place to go may follow.
        changes: Whether what it should become follows ("the ball gold").

    Returns:
        The selection and the index after it, or None when none begins there.
    """
    owned = _owned(tokens, start, last)
    if owned is not None:
        return owned
    word = _at(tokens, start)
    if word in ("everything", "everyone", "everybody") or (word == "all" and _except(tokens, start + 1)):
        noun = "person" if word in ("everyone", "everybody") else ANYTHING
        noun = last.noun if word == "all" and last is not None else noun
        after = (
            start + 1 + 2 * (_at(tokens, start + 1) in ("that", "which") and _at(tokens, start + 2) in ("is", "are"))
        )
        known, first = list[str](), after
        looks = lex.COLORS | lex.MATERIALS | lex.SIZES
        # "make everything red blue": what is red. "make everything red": it is not yet.
        while _at(tokens, after) in looks and (not changes or _at(tokens, after + 1) in looks | {"into", "to"}):
            known.append(_at(tokens, after))
            after += 1
        if not known and after > start + 1 and _where_after(tokens, first, Selection(noun)) is None:
            after = start + 1
        return _restricted(tokens, Selection(noun, tuple(known), every=True), after, on_side=on_side)
    if word in _PRONOUNS and (word in _ALWAYS_ALONE or not _nominal(tokens, start + 1)):
        gender = _GENDERS.get(word, "")
        if gender and (last is None or last.noun in lex.SORTS["female" if gender == "male" else "male"]):
            return Selection(gender), start + 1  # the only one that "she" can be
        return None if last is None else (last, start + 1)
    if _at(tokens, start) in _OF_SOME and _at(tokens, start + 1) == "of":
        return None  # which of them, nobody knows
    index, definite, every, count, order, other = start, False, False, None, None, False
    which: Which | None = None
    where: Where | None = None
    while True:
        word = _at(tokens, index)
        following = _at(tokens, index + 1)
        goes_on = _nominal(tokens, index + 1) or following in (*_WHICH, *_ORDINALS) or how_many(following) is not None
        if word in _VAGUE:
            return None
        if word in _EVERY:
            every = definite = True
        elif word == "both":
            every, definite, count = True, True, 2
        elif (
            how_many(word) is not None
            and count is None
            and _at(tokens, index - 1) not in _WHICH
            and (word != "one" or _nominal(tokens, index + 1) or _at(tokens, index + 1) == "of")
        ):
            count = how_many(word)
        elif word in _DEFINITE:
            definite, other = True, other or word == "other"
        elif word in _WHICH and which is None and goes_on:
            which = _WHICH[word]
        elif word in _ORDINALS and order is None and goes_on:
            order = _ORDINALS[word]
        elif word in _CLOSEST and goes_on:
            where = _CLOSEST[word]
        elif word not in ("a", "an", "of"):
            break
        index += 1
    word = _at(tokens, index)
    read: tuple[str, tuple[str, ...], bool, int] | None
    if word == "others" and index > start:
        read, other = ("ones", (), True, index + 1), True
    elif word in ("one", "ones") and index > start:
        read = ("one", (), word == "ones", index + 1)
    elif definite and last is not None and (word in _ALONE or word in _ORDINALS) and not _nominal(tokens, index + 1):
        which, order = _WHICH.get(word, which), _ORDINALS.get(word, order)
        read = ("one", (), False, index + 1)
    else:
        read = _read_noun(tokens, index, changes=changes)
    if read is None or (other and last is None and not _except(tokens, read[3])):
        return None
    name, attributes, plural, index = read
    name = ANYTHING if name in _ANY_THING else name
    if name in ("one", "ones") and plural and last is None and attributes:
        name = ANYTHING  # "the yellow ones"
    if name in ("one", "ones"):
        if last is None:
            return None
        plural, name = name == "ones" or plural, last.noun
    # "keep all bananas", "remove shadows": a bare plural speaks of what is there.
    definite = definite or plural or which is not None
    many = (every or plural or (count or 1) > 1) and order is None
    written = _at(tokens, index - 1) if name not in ("", ANYTHING) and not look_up(_at(tokens, index - 1)).known else ""
    found = Selection(name, attributes, which, many, count if count != 1 else None, definite, order, (), where)
    found = replace(found, written=singularize(written))
    if other and last is not None:
        if last.noun != name:
            return None  # "remove the dog and the other cat": other than which?
        found = replace(found, besides=(last,), other=True)
    return _restricted(tokens, found, index, on_side=on_side)


def _owned(tokens: Sequence[Token], start: int, last: Selection | None) -> tuple[Selection, int] | None:
    """What is somebody's lies near them: "the girl's ball"."""
    at = next((k for k in range(start, min(start + 5, len(tokens))) if _at(tokens, k).endswith(("'s", "’s"))), None)
    if at is None or not all(token.is_word for token in tokens[start:at]):
        return None
    mark = tokens[at]
    owner = read_selection(
        [*tokens[start:at], Token(mark.text[:-2], mark.lower[:-2], mark.start, mark.end - 2)], 0, last
    )
    the = Token("the", "the", mark.start, mark.end)
    found = read_selection([*tokens[:at], the, *tokens[at + 1 :]], at, last)
    if owner is None or owner[1] != at - start + 1 or found is None or found[0].where is not None:
        return None
    return replace(found[0], where="near", anchor=owner[0]), found[1]


def _restricted(
    tokens: Sequence[Token], found: Selection, index: int, *, on_side: bool
) -> tuple[Selection, int] | None:
    """What follows the noun and says which: a side, a neighbour, exceptions."""
    while on_side or found.order is not None or found.where is not None:
        side = _side_after(tokens, index, found.order is not None)
        if side is not None and found.which is None:
            found, index = replace(found, which=side[0]), side[1]
            continue
        if found.where is not None and found.anchor is None:
            lead = "to" if found.where == "near" else "from"
            anchor = read_selection(tokens, index + 1, found, on_side=False) if _at(tokens, index) == lead else None
            if anchor is None:
                return None
            found, index = replace(found, anchor=anchor[0]), anchor[1]
            continue
        near = _where_after(tokens, index, found) if on_side and found.where is None else None
        if near is None:
            break
        found, index = replace(found, where=near[0], anchor=near[1]), near[2]
    return _with_exceptions(tokens, found, index)


def _with_exceptions(tokens: Sequence[Token], found: Selection, index: int) -> tuple[Selection, int] | None:
    after = _except(tokens, index)
    if not after:
        return found, index
    besides: list[Selection] = []
    opened = _at(tokens, index) == ","
    while after:
        read = read_selection(tokens, after, found)
        if read is None:
            return None
        besides.append(read[0])
        index = read[1]
        joint = _at(tokens, index) in ("and", "or", ",")
        after = index + 1 if joint and _at(tokens, index + 1) in ("the", "for") else 0
    index += opened and _at(tokens, index) == ","  # "the other dog, not the brown one, black"
    return replace(found, besides=(*found.besides, *besides), every=True), index


def _except(tokens: Sequence[Token], index: int) -> int:
    """Index after a word that makes an exception, 0 where there is none."""
    while _at(tokens, index) == ",":
        index += 1
    for said in _EXCEPT:
        if _ahead(tokens, index, said) and _at(tokens, index + said.count(" ") + 1):
            return index + said.count(" ") + 1
    return 0


def _read_noun(
    tokens: Sequence[Token], start: int, *, changes: bool = False
) -> tuple[str, tuple[str, ...], bool, int] | None:
    """Noun in the singular, attributes, whether it was a plural, index after it."""
    if start >= len(tokens):
        return None
    # "the kite closer to the tree": no noun that is called so.
    tokens = tokens[: next((k for k in range(start + 1, len(tokens)) if tokens[k].lower in _COMPARED), len(tokens))]
    state = _state_begins(tokens, start) if changes else 0
    if state and (named := _read_noun(tokens[:state], start)) is not None and named[3] == state:
        return named
    words = tag([Token("the", "the", -4, -1), *tokens[start : start + 24]])
    phrase = read_noun_phrase(words, 0)
    if phrase is None or not phrase.noun or phrase.last < 2:
        return None
    last, name, attributes = phrase.last, phrase.noun, phrase.attributes
    end = _token_after(tokens, start, words[last - 1].end)
    return name, attributes, is_plural(words[last - 1].lower), end


def _state_begins(tokens: Sequence[Token], start: int) -> int:
    """Where what the thing should become begins behind its bare name: "navy blue" of "the ball navy blue"; 0 where nothing does."""
    end = next(
        (k for k in range(start, len(tokens)) if not tokens[k].is_word or tokens[k].lower in _AFTER_STATE), len(tokens)
    )
    first, word = end - 1, _at(tokens, end - 1)
    ends = end == len(tokens) or tokens[end].lower in ("instead", "rather")
    if word not in lex.COLORS and not (ends and (word in lex.MATERIALS or look_up(word).adjective)):
        return 0
    if _at(tokens, first - 1) in lex.SHADES and first - 1 > start:
        first -= 1
    return first if first > start else 0


def _token_after(tokens: Sequence[Token], start: int, end: int) -> int:
    index = start
    while index < len(tokens) and tokens[index].start < end:
        index += 1
    return index


def _nominal(tokens: Sequence[Token], index: int) -> bool:
    """Whether a noun phrase goes on at a place."""
    if index >= len(tokens) or not tokens[index].is_word:
        return False
    if _at(tokens, index) in ("one", "ones"):
        return True
    words = tag([Token("the", "the", -4, -1), *tokens[index : index + 6]])
    phrase = read_noun_phrase(words, 0)
    return phrase is not None and bool(phrase.noun) and words[1].kind in ("noun", "adj")


def _side_after(tokens: Sequence[Token], index: int, ordered: bool) -> tuple[Which, int] | None:
    if _at(tokens, index) in ("that", "which") and _at(tokens, index + 1) in ("is", "are"):
        index += 2
    if _at(tokens, index) not in ("on", "at", "in", *(("from",) if ordered else ())) or _at(tokens, index + 1) != "the":
        return None
    place = index + 2 + (_at(tokens, index + 2) == "far")
    which = _WHICH.get(_at(tokens, place))
    if which is None or which in ("largest", "smallest"):
        return None
    after = place + 1
    while _at(tokens, after) in lex.SIDE_TAILS:
        after += 1
    if _at(tokens, after) == "of":
        frame = after + 1 + (_at(tokens, after + 1) in lex.POINTING)
        return (which, frame + 1) if _at(tokens, frame) in lex.FRAME_NOUNS else None
    return which, after


def _where_after(tokens: Sequence[Token], index: int, found: Selection) -> tuple[Where, Selection, int] | None:
    for relative in ("that is ", "that are ", "which is ", "which are ", ""):
        for said, where in _WHERE:
            if not _ahead(tokens, index, relative + said):
                continue
            first = index + (relative + said).count(" ") + 1
            # "next to the white one" is another of these; "next to it" is none of them.
            named = None if _at(tokens, first) in _PRONOUNS and not _nominal(tokens, first + 1) else found
            read = read_selection(tokens, first, named, on_side=False)
            if read is not None and read[0].noun.rpartition(" ")[2] not in _NO_NEIGHBOURS:
                return where, read[0], read[1]
    return None


def _ahead(tokens: Sequence[Token], index: int, words: str) -> bool:
    return " ".join(t.lower for t in tokens[index : index + words.count(" ") + 1]) == words


def how_many(word: str) -> int | None:
    """The number that a word says, 1 to 99, or None."""
    if word in lex.NUMBERS:
        return lex.NUMBERS[word]
    return int(word) if word.isascii() and word.isdigit() and len(word) < 3 and int(word) > 0 else None


def _at(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].lower if 0 <= index < len(tokens) else ""
