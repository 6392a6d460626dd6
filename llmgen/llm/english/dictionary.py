"""Which parts of speech a word can be: the table of LemmInflect, 80,000 forms of the SPECIALIST lexicon.

The table is read as the text that it is. The package's own reader would make 80,000 Python objects of it (0.2 s), import NumPy (and
spaCy, where that is installed), and keeps models for unknown words as pickles; none of it is needed to look up a few words.
"""

import gzip
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

Form = Literal["base", "s", "ing", "past"]

_TABLE: Final = Path("resources", "lemma_lu.csv.gz")
_LEAST_PART: Final = 4
"""Letters of each noun in a word that two of them make."""
_REPAIRS: Final[dict[str, str]] = {
    # What the table lacks or has as rare uses only; part of speech and lemma, as there.
    "teddy": "noun,teddy", "emoji": "noun,emoji", "ox": "noun,ox", "oxen": "noun,ox", "t-shirt": "noun,t-shirt",
    "sunken": "adj,sunken", "torn": "adj,torn;verb,tear", "nearby": "adv,nearby", "people": "noun,person",
    "third": "adj,third", "remote": "adj,remote;noun,remote",
    **{word: f"noun,{word};verb,{word}" for word in "bar dam log lounge pan pip stud tin top tote hang pelt".split()},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """What a form of a word can be.

    Attributes:
        nouns: Singulars of which it is a form; none when it is no noun.
        verb: The verb of which it is a form, "" when it is none.
        adjective: Whether it is an adjective.
        adverb: Whether it is an adverb.
        known: Whether the table has it at all.
    """

    nouns: tuple[str, ...] = ()
    verb: str = ""
    adjective: bool = False
    adverb: bool = False
    known: bool = False

    @property
    def noun(self) -> bool:
        """Whether it can be a noun."""
        return bool(self.nouns)


@cache
def _table() -> list[bytes]:
    spec = find_spec("lemminflect")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lemminflect is not installed", name="lemminflect")
    return sorted(gzip.decompress((Path(spec.origin).parent / _TABLE).read_bytes()).splitlines())


@lru_cache(maxsize=16384)
def look_up(word: str) -> Entry:
    """What a word can be.

    Args:
        word: In lower case. Of a hyphened word that is not in the table the last part decides.
    """
    if word in _REPAIRS:
        lines = [entry.split(",") for entry in _REPAIRS[word].split(";")]
    else:
        lines = _lines(word)
    if not lines and "-" in word:
        first, _, last = word.rpartition("-")
        part = look_up(last)
        return Entry(tuple(f"{first}-{noun}" for noun in part.nouns), part.verb, part.adjective, False, part.known)
    if not lines:
        return _of_two_nouns(word)
    nouns: tuple[str, ...] = ()
    verb, adjective, adverb = "", False, False
    for kind, lemmas in lines:
        if kind == "noun":
            nouns = tuple(lemmas.split("/"))
        elif kind == "verb":
            verb = lemmas.partition("/")[0]
        adjective = adjective or kind == "adj"
        adverb = adverb or kind == "adv"
    return Entry(nouns, verb, adjective, adverb, known=bool(lines))


def _of_two_nouns(word: str) -> Entry:
    """A word that the table lacks and that two of its nouns make: "storefront"; two nouns, and no others, must make it."""
    found = [
        word[:at] + noun
        for at in range(_LEAST_PART, len(word) - _LEAST_PART + 1)
        for noun in _nouns_of(word[at:])
        if word[:at] in _nouns_of(word[:at])
    ]
    return Entry(tuple(found), known=True) if len(found) == 1 else Entry()


def _nouns_of(word: str) -> tuple[str, ...]:
    """The singulars of a noun in small letters."""
    return tuple(noun for kind, lemmas in _lines(word, proper=False) if kind == "noun" for noun in lemmas.split("/"))


def is_common(word: str) -> bool:
    """Whether a word in lower case is in the table as it stands: "swift"; what is there with a capital only is a name: "Kyoto"."""
    return word in _REPAIRS or bool(_lines(word, proper=False))


def _lines(word: str, *, proper: bool = True) -> list[list[str]]:
    table, found = _table(), list[list[str]]()
    for said in (word, word.capitalize()) if proper else (word,):
        key = f"{said},".encode(errors="replace")
        at = bisect_left(table, key)
        while at < len(table) and table[at].startswith(key):
            found.append(table[at][len(key) :].decode().lower().split(",", 1))
            at += 1
    return found


def verb_form(word: str, verb: str) -> Form:
    """Which form of a verb a word is; a form that serves as several counts as the first of base, s, ing, past."""
    if word == verb:
        return "base"
    if word.endswith("ing") and not verb.endswith("ing"):
        return "ing"
    return "s" if word.endswith("s") and not word.endswith("ss") else "past"
