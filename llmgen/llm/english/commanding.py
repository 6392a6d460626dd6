"""The commands of one clause: what its verb does to which objects."""

from dataclasses import replace
from typing import Final, Literal

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.amounts import Measure, take_measures
from llmgen.llm.english.clauses import Clause
from llmgen.llm.english.closed import CLOSED
from llmgen.llm.english.commands import (
    Add,
    Change,
    Command,
    Count,
    Duplicate,
    Keep,
    Location,
    Move,
    Prefer,
    Remove,
    Replace,
    Resize,
    Shift,
    Swap,
    spoken_of,
)
from llmgen.llm.english.descriptions import Described, read_description, read_details
from llmgen.llm.english.ellipses import with_nouns
from llmgen.llm.english.growing import growth, read_size
from llmgen.llm.english.locations import ahead, read_gathering, read_location
from llmgen.llm.english.phrases import describes
from llmgen.llm.english.selections import ANYTHING, Selection, how_many, read_selection
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import singularize

_INSTEAD: Final = ("with", "by", "for")
_DIRECTIONS: Final[dict[str, tuple[int, int]]] = {
    "up": (0, -1), "upward": (0, -1), "upwards": (0, -1), "higher": (0, -1), "down": (0, 1), "downward": (0, 1),
    "downwards": (0, 1), "lower": (0, 1), "left": (-1, 0), "leftward": (-1, 0), "leftwards": (-1, 0),
    "right": (1, 0), "rightward": (1, 0), "rightwards": (1, 0),
}  # fmt: skip
_ALIKE: Final = ("the same colour as", "the same color as", "in the same colour as", "in the same color as", "match")
_SAME_COLOR: Final = tuple(
    f"{lead} the same {color}{s}" for lead in ("of", "in") for color in ("colour", "color") for s in ("", "s")
)
_THE_REST: Final = ("the rest", "all the rest", "everything else", "all else", "anything else", "everyone else")
_LIKE: Final = ("just like", "exactly like", "like", "similar to", "identical to", "same as", "the same as")
_IN_PLACE: Final = ("instead of", "rather than")
_BETWEEN: Final = frozenset(", and as well then . too also please so that instead now either".split())
"""Words between two commands of a clause, or after the last."""
_SHADES: Final = frozenset("color colour colored coloured".split())
_LOOKS: Final = frozenset("look finish surface texture tint shade pattern tone hue".split())
_CLOSINGS: Final = frozenset(
    "from in of on at the this that picture image photo photograph painting scene illustration drawing frame canvas please too also "
    "altogether completely entirely totally fully away now there as well around somewhere anywhere wherever unchanged untouched alone "
    "same way they are is it its "
    "their original place again intact be were before exactly instead".split()
)
"""Words after a command that say nothing of their own."""


class ClauseReader:
    """Reads the commands of one clause."""

    def __init__(self, clause: Clause, last: Selection | None, kept: tuple[Selection, ...] = ()) -> None:
        self.verb, self.last = clause.verb, last
        self.of: Literal["place", "color", "size"] = clause.of or "place"
        """What is exchanged."""
        self.tokens, self.measures = take_measures(with_nouns(clause.tokens))
        self.amount, self.pixels = 1.0, False
        self.factor: float | None = None
        self.kept = kept
        """What earlier clauses said should stay."""
        self.also: list[Selection] = []
        """What the clause names before its last selection."""

    def read(self) -> list[Command]:
        """The commands, none when the clause is not understood."""
        index, found = 0, list[Command]()
        while True:
            self._measure(index)
            step = self._one(index)
            if step is None or step[1] <= index:
                return []  # nothing was read, and never will be
            command, index = step
            if self.factor is not None and not isinstance(command, Resize | Duplicate | Keep):
                return []  # "remove half of the cups": how many are meant is said, and would be lost
            # "make the cat and the dog red": what is said of the last is said of all.
            if isinstance(command, Replace) and self.also and command.by.count == 1:
                found += [Remove(one) for one in self.also]  # "replace the boy and the girl with a dog": one dog
            elif isinstance(command, Change | Resize | Replace):
                if isinstance(command, Replace) and self.also and not command.by.article:
                    command = replace(command, by=replace(command.by, count=1))  # "with dogs": one for each
                found += [replace(command, what=one) for one in self.also]
            self.also = []
            found.append(command)
            self.last = spoken_of(command) or self.last
            end = index
            while self._word(index) in _BETWEEN:
                index += 1
            if index >= len(self.tokens):
                return found
            if index == end:
                return []  # words are left over, and nothing says that they begin another command

    def _measure(self, start: int) -> None:
        """Find out how much the command that begins here says; the next "and" ends it."""
        end = next((i for i in range(start, len(self.tokens)) if self._word(i) == "and"), len(self.tokens))
        mine = [m for m in self.measures if start <= m.position <= end]
        self.amount, self.factor, self.pixels = 1.0, None, False
        for measure in mine:
            self._set(measure)

    def _set(self, measure: Measure) -> None:
        if measure.kind == "factor":
            self.factor = measure.value
        else:
            self.amount, self.pixels = measure.value, measure.kind == "pixels"

    def _one(self, index: int) -> tuple[Command, int] | None:
        match self.verb:
            case "add":
                return self._add(index)
            case "count":
                return self._count(index)
            case "prefer":
                wanted = read_description(self.tokens, index)
                return None if wanted is None else (Prefer(wanted[0]), self._skip_place(wanted[1]))
        if self.verb == "keep" and self._word(index) in ("its", "their", "his", "her"):
            return Keep(None, " ".join(token.lower for token in self.tokens)), len(self.tokens)
        rest = next((words for words in _THE_REST if ahead(self.tokens, index, words)), "")
        if rest and (stay := self.kept or ((self.last,) if self.last is not None else ())):
            return self._command(Selection(ANYTHING, every=True, besides=stay), index, index + rest.count(" ") + 1)
        picked = read_selection(
            self.tokens, index, self.last, on_side=self.verb not in ("move", "put"), changes=self.verb == "change"
        )
        if self.verb in ("move", "put"):
            picked = self._sided(index) or picked
        if self.verb == "replace" and (picked is None or self._word(picked[1]) not in _INSTEAD):
            # "replace the clock by a mirror": no clock that lies by a mirror.
            picked = read_selection(self.tokens, index, self.last, on_side=False) or picked
        if self.verb == "keep" and self._word(index) in ("only", "just"):
            return self._keep_only(index + 1)
        if picked is None and self.verb == "keep":
            return Keep(None), len(self.tokens)
        if picked is None and self.verb == "change" and index and self.last is not None:
            return self._change(self.last, index)  # "make the ball smaller and red"
        if picked is None:
            return self._add(index) if self.verb == "put" else None
        return self._command(picked[0], index, picked[1])

    def _command(self, what: Selection, start: int, index: int) -> tuple[Command, int] | None:
        """What is done with a selection that ends at a place."""
        match self.verb:
            case "remove":
                return Remove(what), self._skip_place(index)
            case "keep":
                return Keep(what), self._end_of_keep(index)
            case "swap":
                return self._swap(what, index)
            case "give":
                return self._give(what, index)
            case "replace":
                return self._replace(what, index)
            case "enlarge" | "shrink":
                by = growth(self.verb == "enlarge", self.factor, self.amount)
                return Resize(what, by), self._skip_place(index)
            case "duplicate":
                to = read_location(self.tokens, index, what)
                times = max(1, round(self.factor or 1))
                return Duplicate(what, times, to and to[0]), to[1] if to else self._skip_place(index)
            case "put" if not what.definite or how_many(self._word(start)) is not None:
                return self._add(start)
            case "move" | "put":
                return self._move(what, index)
            case _:
                return self._change(what, index)

    def _sided(self, index: int) -> tuple[Selection, int] | None:
        """A selection that a place tells from others, where a place to go follows: "the cup on the right to the left"."""
        picked = read_selection(self.tokens, index, self.last)
        if picked is None or self._word(picked[1]) != "to":
            return None
        return picked if read_location(self.tokens, picked[1], self.last) is not None else None

    def _word(self, index: int) -> str:
        return self.tokens[index].lower if 0 <= index < len(self.tokens) else ""

    def _skip_place(self, index: int) -> int:
        """Index after what says nothing new: "from the picture"; other words stay, and are an error."""
        while index < len(self.tokens) and (self._word(index) in _CLOSINGS or self._word(index) in ("size", "bit")):
            index += 1
        return index

    def _end_of_keep(self, index: int) -> int:
        # Not beyond the "and" of "keep the lamps and the vase".
        while self._word(index) not in ("", "and") and (self._word(index) in _CLOSINGS or describes(self._word(index))):
            index += 1
        return index

    def _keep_only(self, index: int) -> tuple[Command, int] | None:
        """What is left when all else goes: "keep only the two apples and the kettle"."""
        kept: list[Selection] = []
        while (read := read_selection(self.tokens, index, self.last)) is not None:
            kept.append(read[0])
            index = read[1] + (self._word(read[1]) in ("and", ","))
        everything_else = Selection(ANYTHING, every=True, besides=tuple(kept))
        return (Remove(everything_else), self._end_of_keep(index)) if kept else None

    def _swap(self, first: Selection, index: int) -> tuple[Command, int] | None:
        if self._word(index) not in ("and", "with", "for", ","):
            # "swap the two balls"
            two = first.count == 2 or (first.every and first.count is None)
            return (Swap(first, first, self.of), self._skip_place(index)) if two else None
        picked = read_selection(self.tokens, index + 1, first)
        if self._word(index) in ("with", "for") and picked is not None and not picked[0].definite:
            return self._replace(first, index)  # "swap the cup for a mug": there is no mug yet
        return None if picked is None else (Swap(first, picked[0], self.of), self._skip_place(picked[1]))

    def _replace(self, what: Selection, index: int) -> tuple[Command, int] | None:
        while self._word(index) in ("and", ","):
            other = read_selection(self.tokens, index + 1, self.last, on_side=False)
            if other is None or not other[0].definite:
                break
            self.also.append(what)
            what, index = other
        if self._word(index) not in _INSTEAD:
            return None
        new = read_description(self.tokens, index + 1)
        if new is not None and new[0].noun in ("one", "ones"):
            new = replace(new[0], noun=what.noun), new[1]  # "with a stone one"
        if new is None:
            return None
        same = next((words for words in _SAME_COLOR if ahead(self.tokens, new[1], words)), "")
        return Replace(what, new[0], bool(same)), self._skip_place(new[1] + (same.count(" ") + 1 if same else 0))

    def _give(self, what: Selection, index: int) -> tuple[Command, int] | None:
        """How something looks ("give the towel red stripes"), or what comes to it ("give the cat a hat")."""
        alike = next((words for words in _ALIKE if ahead(self.tokens, index, words)), "")
        if alike:
            return self._change(what, index)
        bare = self._word(index) not in lex.ARTICLES and how_many(self._word(index)) is None
        if bare and index < len(self.tokens):
            some = Token("some", "some", self.tokens[index].start, self.tokens[index].start)
            self.tokens.insert(index, some)  # "give the bowl blue dots": no verb
        new = read_description(self.tokens, index)
        if new is None:
            return None if index < len(self.tokens) else self._give_bare()
        described, after = new
        looks = described.noun in _LOOKS | _SHADES or described.detail == "of paint"
        if looks:
            return (Change(what, described.attributes), after) if described.attributes else None
        if bare or described.noun in lex.ATTACHED:
            said = " ".join(token.lower for token in self.tokens[index + bare : after])
            return Change(what, (), f"with {said}"), after
        worn = described.noun.rpartition(" ")[2] in lex.CLOTHES
        return Add(described, Location("on" if worn else "near", (what,))), after

    def _give_bare(self) -> tuple[Command, int] | None:
        """Where no article parts what is given from who gets it: "give the bowl blue dots"."""
        for cut in range(2, len(self.tokens)):
            picked = read_selection(self.tokens[:cut], 0, self.last)
            if picked is not None and picked[1] == cut:
                return self._give(picked[0], cut)
        return None

    def _add(self, index: int) -> tuple[Command, int] | None:
        new = read_description(self.tokens, index)
        if new is None:
            return None
        described, index = new
        instead = next((words for words in _IN_PLACE if ahead(self.tokens, index, words)), "")
        new_one = Selection(described.noun, described.attributes)
        if not instead and self._word(index) in (",", "not") and "not" in (self._word(index), self._word(index + 1)):
            instead = ", not" if self._word(index) == "," else "not"  # "a cat, not a dog"
        old = read_selection(self.tokens, index + instead.count(" ") + 1, new_one) if instead else None
        if old is not None and old[0].noun == described.noun and described.attributes and described.count == 1:
            return Change(old[0], described.attributes, described.detail), self._skip_place(old[1])
        if old is not None:
            return Replace(old[0], described), self._skip_place(old[1])
        alike = next((words for words in _LIKE if ahead(self.tokens, index, words)), "")
        if alike and not described.attributes:
            model = read_selection(self.tokens, index + alike.count(" ") + 1, new_one)
            if model is not None:
                return Duplicate(model[0], described.count), self._skip_place(model[1])
        # "a cup to the right of the green one": of the green cup.
        one = {"one", "ones"} & {token.lower for token in self.tokens[index:]}
        place = read_location(self.tokens, index, Selection(described.noun) if one else self.last)
        place = place or read_location(self.tokens, index, new_one)  # "to the right of the first"
        return (Add(described), self._skip_place(index)) if place is None else (Add(described, place[0]), place[1])

    def _count(self, index: int) -> tuple[Command, int] | None:
        """So many of something: "exactly five birds in the sky instead of three"."""
        many = how_many("one" if self._word(index) in ("a", "single") else self._word(index))
        new = read_description(self.tokens, index)
        if new is None or new[0].noun in ("one", "ones"):
            if self.last is None or many is None:
                return None
            new = Described(self.last.noun, self.last.attributes, many), index + 1
        described, index = new
        place = read_location(self.tokens, index, self.last)
        to, index = place or (None, index)
        if any(ahead(self.tokens, index, words) for words in _IN_PLACE):
            index += 2 if how_many(self._word(index + 2)) is not None else 0
            index += 1 + (singularize(self._word(index + 1)) == described.noun)
        return Count(described, to), self._skip_place(index)

    def _move(self, what: Selection, index: int) -> tuple[Command, int] | None:
        another = {"one", "ones", "other", "others"} & {token.lower for token in self.tokens[index:]}
        gathered = read_gathering(self.tokens, index)
        if gathered is not None:
            return Move(what, gathered[0], self.amount), gathered[1]
        place = read_location(self.tokens, index, what if another else self.last)
        if place is not None and not self._is_shift(place[0], index):
            return Move(what, place[0], self.amount), place[1]
        dx = dy = 0
        while index < len(self.tokens):
            if self._word(index) in ("to", "the", "towards", "further", "more") or (
                self._word(index) == "and" and self._word(index + 1) in _DIRECTIONS
            ):
                index += 1
                continue
            step = _DIRECTIONS.get(self._word(index)) or {"top": (0, -1), "bottom": (0, 1)}.get(self._word(index))
            if step is None:
                break
            dx, dy = dx + step[0], dy + step[1]
            index += 1
        return (Shift(what, (dx, dy), self.amount, self.pixels), index) if dx or dy else None

    def _is_shift(self, place: Location, index: int) -> bool:
        """Whether "to the left" is a direction: nothing says that a side of the picture is meant."""
        words = {t.lower for t in self.tokens[index:]}
        named = words & (lex.SIDE_TAILS | lex.FRAME_NOUNS | {"middle", "center", "centre", "top", "bottom"})
        return place.kind == "side" and self._word(index) == "to" and len(place.sides) == 1 and not named

    def _change(self, what: Selection, index: int) -> tuple[Command, int] | None:
        while self._word(index) in ("and", ","):
            other = read_selection(self.tokens, index + 1, self.last, changes=True)
            if other is None or not other[0].definite:
                break
            self.also.append(what)
            what, index = other
        while self._word(index) in ("into", "to", "for", "be", "look", "become", "appear", "as"):
            index += 1
        alike = next((words for words in _ALIKE if ahead(self.tokens, index, words)), "")
        if alike:
            model = read_selection(self.tokens, index + alike.count(" ") + 1, what)
            return None if model is None else (Change(what, (), like=model[0]), model[1])
        size = read_size(self.tokens, index, what, self.factor, self.amount)
        if size is not None:
            return size
        made = next(
            (words for words in ("made out of", "made of", "made from", "out of") if ahead(self.tokens, index, words)),
            "",
        )
        index += made.count(" ") + 1 if made else 0
        new = read_description(self.tokens, index)
        if new is not None:
            described, after = new
            same = described.noun in (what.noun, "one", "version", "kind") or described.noun in _SHADES
            if same:
                some = described.attributes or described.detail
                return (Change(what, described.attributes, described.detail), after) if some else None
            if (described.article or described.plural) and self._word(index) not in lex.POINTING:
                return Replace(what, described), after
        if self._word(index) in lex.POINTING:
            return None  # "make the ball the kite"
        adjectives, after = self._adjectives(index)
        instead = next((words for words in (*_IN_PLACE, ", not", "not") if ahead(self.tokens, after, words)), "")
        if instead and adjectives:
            after = self._adjectives(after + instead.count(" ") + 1)[1]  # what it was
        if not adjectives and self._word(index) not in ("with", "in"):
            return None
        more, detail, after = read_details(self.tokens, after)
        return (Change(what, (*adjectives, *more), detail), after) if adjectives or more or detail else None

    def _adjectives(self, index: int) -> tuple[tuple[str, ...], int]:
        """What stands without a noun: known adjectives joined by "and", else one unknown word."""
        found: list[str] = []
        while index < len(self.tokens):
            word, after = self._word(index), self._word(index + 1)
            joint = word in ("and", ",") and found and describes(after) and after not in CLOSED
            if not (joint and self._alone(index + 1)):
                if word in ("very", "really", "more", "in"):
                    pass
                elif self.tokens[index].is_word and (describes(word) or not found):
                    if word in ("and", "or", "but") or word in CLOSED - lex.ARTICLES:
                        break
                    if word not in lex.ARTICLES and word not in _SHADES:
                        found.append(word)
                elif word not in _SHADES:
                    break
            index += 1
        return tuple(dict.fromkeys(found)), index

    def _alone(self, index: int) -> bool:
        # "blue and the car green" goes on with another object, "red and shiny" does not.
        after = self._word(index + 1)
        return not after or after in (",", "and", ".") or describes(after)
