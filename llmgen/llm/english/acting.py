"""Who does what with what: subject, verb and object of a prompt, with their places in it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from llmgen.artifacts.interaction import Interaction, WordSpan
from llmgen.errors import InputError
from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.grammar import read_prompt
from llmgen.llm.english.phrases import NounPhrase, read_noun_phrase
from llmgen.llm.english.places import POSTURES
from llmgen.llm.english.tagged import Word
from llmgen.llm.english.tagging import tag
from llmgen.llm.english.tokens import short, tokenize_prompt

_MOST_WORDS: Final = 400
_BOUNDARIES: Final = ("comma", "stop", "break", "colon", "and", "but", "there")
_BETWEEN: Final = ("rel", "prep", "with", "adv", "filler", "side")
"""What may stand between a verb and its object: "sitting right on a chair"."""
_PLURAL: Final = ("are", "were")


def read_interaction(prompt: str, remark: Callable[[str], None]) -> Interaction:
    """Find who does what with what.

    The verb is the first one after "is" or its like, else the first after somebody. The intransitive prompt is the prompt without the
    object and what joins it to the verb; what follows the object stays.

    Args:
        prompt: English, for example "a boy is feeding a bird in the snow".
        remark: Told of all that is taken otherwise than it is said, a line each.

    Raises:
        InputError: If there is no subject, no verb or no object, or the prompt says by whom something is done.
    """
    words = tag(tokenize_prompt(prompt)[:_MOST_WORDS])
    at = _verb_at(words)
    if at is None:
        raise InputError(
            f"{short(prompt)!r} has no verb: say what somebody does with something, as in 'a boy is feeding a bird'"
        )
    verb = words[at]
    _refuse_what_is_not_done(words, at, prompt)
    being = _being_before(words, at)
    if being is None:
        remark(f"it has no 'is'; {verb.lower!r} is taken for what is done")
    subject = _subject(words, being if being is not None else at)
    if subject is None:
        raise InputError(
            f"{short(prompt)!r} does not say who is {verb.lower}: name the figure, as in 'a boy is feeding a bird'"
        )
    if verb.kind != "verb":
        remark(f"{verb.lower!r} is no verb that is known; it is taken for what is done, near its object")
    thing = _object(words, at + 1, prompt)
    last = _end_of(words, thing) if thing is not None else 0
    if thing is None:
        raise InputError(
            f"{short(prompt)!r} has no object: ReCorD places what the subject acts on, as in 'a boy is feeding a bird'"
        )
    before = (being if being is not None else at) - 1
    end = words[before - (words[before].kind == "who")].end  # "a boy who is throwing"
    acting = _span(prompt, words[subject.first].start, end)
    if subject.plural or subject.count > 1 or (being is not None and words[being].lower in _PLURAL):
        remark(f"its subject {acting.text!r} is plural; the pose of one figure is kept and looked at")
    noun_first = _noun_first(words, thing)
    noun = _span(prompt, words[noun_first].start, words[thing.last - 1].end)
    named = [wanted.noun for wanted in read_prompt(prompt).objects]
    if thing.plural or thing.count > 1:
        remark(f"its object {noun.text!r} is plural; all of it is placed as one box")
    elif named.count(thing.noun) > 1:
        remark(f"it names {thing.noun!r} more than once; only what the verb speaks of is placed, as one box")
    left = last
    another = read_noun_phrase(words, last + 1) if last < len(words) and words[last].kind == "and" else None
    if another is not None and another.article and not (another.last < len(words) and words[another.last].kind == "be"):
        said = prompt[words[another.first].start : words[another.last - 1].end]
        remark(f"it names {said!r} besides; only {thing.phrase!r} is placed")
        left = another.last
    return Interaction(
        intransitive_prompt=intransitive(prompt, verb.end, words[left - 1].end),
        subject=acting,
        verb=_span(prompt, verb.start, verb.end),
        verb_base=verb.value if verb.kind == "verb" and verb.value else verb.lower,
        object=_span(prompt, words[thing.first].start, words[last - 1].end),
        object_noun=noun,
    )


def split_at_is(prompt: str) -> tuple[Interaction, tuple[int, int, int]]:
    """The published rule: words at spaces, the verb behind "is", the last two words for the object.

    Args:
        prompt: One line, for example "a boy is feeding a bird".

    Returns:
        The interaction, and the token places of subject, verb and object as published: every word is taken for one token.

    Raises:
        InputError: If there is no "is"; the published script stops there.
    """
    line = prompt.strip("\n")
    parts, starts, begin = line.split(" "), [], 0
    for part in parts:
        starts.append(begin)
        begin += len(part) + 1
    if "is" not in parts:
        raise InputError(f"{short(line)!r} has no word 'is', at which profile=reference splits it")
    at = parts.index("is")
    verb_at, noun_at = min(at + 1, len(parts) - 1), len(parts) - 1
    object_at = max(noun_at - 1, 0)
    span = _span(line, starts[verb_at], starts[verb_at] + len(parts[verb_at]))
    interaction = Interaction(
        intransitive_prompt=line[: span.end],
        subject=_span(line, 0, max(starts[at] - 1, 1)),
        verb=span,
        verb_base=look_up(span.text.lower()).verb or span.text.lower(),
        object=_span(line, starts[object_at], len(line)),
        object_noun=_span(line, starts[noun_at], len(line)),
    )
    return interaction, (at, at + 2, len(parts))


def _verb_at(words: Sequence[Word]) -> int | None:
    verbs = [index for index, word in enumerate(words) if word.kind == "verb" and index > 0]
    doing = [i for i, word in enumerate(words) if word.lower.endswith("ing") and _being_before(words, i) is not None]
    said = [index for index in doing if words[index].kind == "verb"]
    return next(iter(said or doing or verbs), None)


def _being_before(words: Sequence[Word], at: int) -> int | None:
    """Where the "is" of a verb stands."""
    index = at - 1
    while index >= 0 and words[index].kind in ("adv", "filler", "and", "comma"):
        index -= 1
    if index + 1 < at and words[index + 1].kind in ("and", "comma"):
        return None  # "a boy is tall and kicks": "and" joins adverbs only
    if index >= 0 and words[index].lower in ("has", "have", "had") and not words[at].lower.endswith("ing"):
        return index  # "has just thrown"
    if index > 0 and words[index].kind == "be" and words[index - 1].lower in ("has", "have", "had", "will", "must"):
        return index - 1  # "has been milking"
    return index if index >= 0 and words[index].kind == "be" else None


def _refuse_what_is_not_done(words: Sequence[Word], at: int, prompt: str) -> None:
    """Say what no pose shows: a passive, whose subject does nothing, what is denied, and what is yet to come.

    Raises:
        InputError: If it is one of them.
    """
    verb, before = words[at], [word.kind for word in words[max(at - 2, 0) : at]]
    after = [word.lower for word in words[at + 1 : at + 2]]
    done = "be" in before and not verb.lower.endswith("ing") and verb.value not in POSTURES
    if done and (after == ["by"] or words[at - 1].lower == "being"):
        raise InputError(
            f"{short(prompt)!r} says what is done to somebody: begin with who acts, as in 'a boy is feeding a bird'"
        )
    if "neg" in before:
        raise InputError(f"{short(prompt)!r} says what is not done; say what is, as in 'a boy is feeding a bird'")
    going = verb.value == "go" and after == ["to"] and words[at + 2 : at + 3] and words[at + 2].kind == "verb"
    if going or words[at - 1].lower == "to":
        raise InputError(
            f"{short(prompt)!r} says what will be done; say it as if it were, as in 'a boy is feeding a bird'"
        )


def _end_of(words: Sequence[Word], thing: NounPhrase) -> int:
    """Index after the object and what it is of: "a tray of drinks"."""
    if thing.last < len(words) and words[thing.last].lower == "of":
        content = read_noun_phrase(words, thing.last + 1)
        if content is not None and content.noun:
            return content.last
    return thing.last


def _subject(words: Sequence[Word], end: int) -> NounPhrase | None:
    """The first noun phrase of the clause that ends before a word."""
    plural = end < len(words) and words[end].lower in _PLURAL
    begin = end
    while begin > 0 and (words[begin - 1].kind not in _BOUNDARIES or (plural and words[begin - 1].kind == "and")):
        begin -= 1
    for index in range(begin, end):
        if words[index].kind == "pron" and index == begin:
            several = words[index].lower in ("they", "we")
            return NounPhrase(words[index].lower, (), 1 + several, False, True, index, index + 1, plural=several)
        found = read_noun_phrase(words[:end], index)
        of = found is not None and found.last < end and words[found.last].lower == "of"
        if found is not None and found.noun and not (of and found.head in lex.IMAGE_HEADS):
            first = found.first
            while (
                first > begin
                and words[found.first].value == "possessive"
                and words[first - 1].kind in ("det", "adj", "num")
            ):
                first -= 1  # "the young couple's son"
            return replace(found, first=first)  # and not the photo of "a photo of a surfer riding a wave"
    return None


def _object(words: Sequence[Word], begin: int, prompt: str) -> NounPhrase | None:
    index = begin
    while index < len(words) and words[index].kind in _BETWEEN:
        index += 1
    found = read_noun_phrase(words, index)
    if found is None or not found.noun:
        return None
    # "kicking in the snow": the snow is where it happens. "skateboarding fast": an adverb that is a noun, too.
    if found.noun not in {wanted.noun for wanted in read_prompt(prompt).objects}:
        return None
    bare = found.last - found.first == 1 and not found.plural
    if bare and words[index - 1].lower in ("in", "at"):
        return None  # "sleeping in class"
    return None if bare and look_up(words[found.first].lower).adverb else found


def _noun_first(words: Sequence[Word], phrase: NounPhrase) -> int:
    first = phrase.last - 1
    while first > phrase.first and words[first - 1].kind == "noun":
        first -= 1
    return first


def _span(prompt: str, start: int, end: int) -> WordSpan:
    return WordSpan(text=prompt[start:end], start=start, end=end)


def intransitive(prompt: str, start: int, end: int) -> str:
    """A prompt without its object.

    Args:
        prompt: The full prompt.
        start: Where the verb ends.
        end: Where the object ends.
    """
    rest = prompt[end:]
    return prompt[:start] + rest if any(letter.isalnum() for letter in rest) else prompt[:start]
