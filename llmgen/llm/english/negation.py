"""What a prompt forbids: "without cars", "neither cows nor fences", "isn't wearing a crown"."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmgen.llm.english.phrases import NounPhrase, kind_at, lower_at, read_noun_phrase
from llmgen.llm.english.tagged import Word


@dataclass(frozen=True, slots=True)
class Negation:
    """What a negation says.

    Attributes:
        absent: What must not be there.
        last: Index after what was read.
        beyond: The words that cannot be kept, "" where all can.
        of: For "none of the pirates", "neither the chef nor the waiter": the groups that are there all the same; what follows
            their verb is absent.
    """

    absent: tuple[str, ...]
    last: int
    beyond: str = ""
    of: tuple[NounPhrase, ...] = ()


def read_negation(words: Sequence[Word], first: int) -> Negation:
    """Read a negation.

    Args:
        words: The text.
        first: Index of the negating word.
    """
    word, index = words[first], first + 1
    match word.value:
        case "person":
            return Negation(("person",), index)
        case "thing":
            return Negation((), index, word.lower)
        case "none of":
            if kind_at(words, index) == "pron":  # "neither of them wearing shoes"
                absent, last = _list(words, _skip_verb(words, index + 1))
                return Negation(absent, last, "" if absent else word.lower)
            group = read_noun_phrase(words, index)
            if group is not None and group.noun:
                return Negation((), group.last, of=(group,))
            return Negation((), index, word.lower)
        case "not":
            return _not(words, first)
        case "neither" if (both := _subjects(words, index)) is not None:
            return both
        case _:
            absent, last = _list(words, _skip_verb(words, index))
            if absent:
                return Negation(absent, last)
            return Negation((), max(last, index), " ".join(w.lower for w in words[first : max(last, index) + 1]))


def _subjects(words: Sequence[Word], index: int) -> Negation | None:
    """Two of whom something is denied: "neither the boy nor the girl has a balloon"."""
    found = list[NounPhrase]()
    while True:
        phrase = read_noun_phrase(words, index)
        if phrase is None or not phrase.noun or not phrase.article:
            return None
        found.append(phrase)
        if kind_at(words, phrase.last) != "or":
            break
        index = phrase.last + 1
    acts = kind_at(words, phrase.last) in ("verb", "be", "aux", "with")
    if all(one.article in ("a", "an") for one in found) and kind_at(words, _skip_verb(words, phrase.last)) in (
        "rel",
        "side",
        "adv",
        "",
    ):
        return None  # "neither a lamp nor a vase stands on the desk": none is there
    return Negation((), phrase.last, of=tuple(found)) if acts and len(found) > 1 else None


def _not(words: Sequence[Word], first: int) -> Negation:
    index = _skip_verb(words, first + 1)
    if kind_at(words, index) in ("rel", "side", "prep"):
        # "not on the sofa": where something is not cannot be kept. Its thing is left out.
        phrase = read_noun_phrase(words, index + 1)
        last = phrase.last if phrase is not None else index + 1
        return Negation((), last, _said(words, first, last))
    phrase = read_noun_phrase(words, index)
    if phrase is None or not phrase.noun:
        last = index + 1 if phrase is None else phrase.last
        while kind_at(words, last) == "adj":
            last += 1
        return Negation((), min(last, len(words)), _said(words, first, last))
    absent, last = _list(words, index)
    return Negation(absent, last)


def _said(words: Sequence[Word], first: int, last: int) -> str:
    return " ".join(w.lower for w in words[first:last])


def _skip_verb(words: Sequence[Word], index: int) -> int:
    while kind_at(words, index) in ("verb", "be", "aux", "adv", "with", "neg") and index < len(words):
        index += 1
    return index


def _list(words: Sequence[Word], index: int) -> tuple[tuple[str, ...], int]:
    found = list[NounPhrase]()
    while True:
        phrase = read_noun_phrase(words, index)
        if phrase is None or not phrase.noun or phrase.pronoun:
            break
        found.append(phrase)
        index = phrase.last
        after = _next_of_list(words, phrase)
        if after is None:
            break
        index = after
    return tuple(p.phrase for p in found), index


def _next_of_list(words: Sequence[Word], phrase: NounPhrase) -> int | None:
    """Where the next absent thing begins, if the list goes on."""
    joint, after = kind_at(words, phrase.last), phrase.last + 1
    if joint == "comma" and kind_at(words, after) in ("and", "or"):
        joint, after = kind_at(words, after), after + 1
    if joint not in ("comma", "or", "and") or lower_at(words, after) in ("only", "just", "but"):
        return None
    if lower_at(words, after).startswith("except"):
        return None
    if kind_at(words, after) == "neg" and words[after].value in ("no", "not", "neither"):
        return after + 1
    if lower_at(words, after) == "any" or joint == "or":
        return after
    ahead = read_noun_phrase(words, after)
    if ahead is None or not ahead.noun:
        return None
    # "without forks and knives", "without a hat and a scarf"; but "without stars and a red car" goes on with what is there.
    alike = (ahead.article == "") == (phrase.article in ("", "any")) and ahead.plural == phrase.plural
    ends = kind_at(words, ahead.last) not in ("with", "verb", "be", "rel", "side", "neg", "who")
    if joint == "and" and alike and ends and (ahead.plural or ahead.article in ("a", "an")):
        return after
    if joint == "comma" and alike and ends and ahead.plural:
        return after
    return None
