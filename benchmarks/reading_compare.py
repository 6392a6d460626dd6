"""When a reading of a prompt counts as meant: the rule of `reading_prompts.py`, stated in `data/prompts_400.md`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from llmgen.llm.english.meaning import PromptMeaning

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "left of": ("left of", "to the left of", "on the left of"),
    "right of": ("right of", "to the right of", "on the right of"),
    "above": ("above", "over"),
    "below": ("below", "under", "beneath", "underneath"),
    "on": ("on", "on top of", "atop", "upon", "onto"),
    "in": ("in", "inside", "inside of", "within", "into"),
    "behind": ("behind", "in back of"),
    "in front of": ("in front of", "before"),
    "next to": ("next to", "beside", "near", "by", "alongside", "close to", "adjacent to", "around"),
    "between": ("between", "among", "amid", "in between"),
    "holding": ("holding", "carrying", "holds", "carries"),
}
NAMES = {synonym: name for name, synonyms in _SYNONYMS.items() for synonym in synonyms}
MIRRORED = {"right of": "left of", "below": "above", "in front of": "behind"}
"""A right of B is B left of A."""
ENOUGH = {"on": ("on", "above"), "between": ("between", "left of", "above")}
"""What may stand for a relation: a thing on another is above it; a thing between two is in order with each."""
EITHER_WAY = ("next to", "between")
"""Relations whose order does not matter when they are compared."""
PEOPLE = {"people": "person", "human": "person", "anyone": "person", "anybody": "person", "nobody": "person"}
FILLERS = {"and", "very"}


@dataclass(frozen=True)
class Group:
    """Equal things, as meant or as read.

    Attributes:
        noun: Singular.
        attributes: Their single words.
        count: None where the prompt names no number.
        names: All nouns that are right (as meant only).
        also: Words of attributes that may be there (as meant only).
        optional: It may be missing (as meant only).
    """

    noun: str
    attributes: frozenset[str]
    count: int | None
    names: tuple[str, ...] = ()
    also: frozenset[str] = frozenset()
    optional: bool = False


@dataclass(frozen=True)
class Link:
    """A relation between groups, or of one group to the picture (`second` is None)."""

    name: str
    first: int
    second: int | None
    optional: bool = False


@dataclass(frozen=True)
class Case:
    """A prompt and what it means."""

    id: str
    prompt: str
    form: str
    groups: tuple[Group, ...]
    links: tuple[Link, ...] = ()
    absent: frozenset[str] = frozenset()
    background: str | None = None
    kinds: tuple[str, ...] = ()
    beyond: bool = False
    line_allowed: bool = False


def plain(text: str) -> str:
    """Lower case, a hyphen as a space."""
    return " ".join(text.lower().replace("-", " ").split())


def words(*texts: str) -> frozenset[str]:
    """The single words of attributes: "light blue" counts as "light" and "blue", whoever joins them."""
    return frozenset(word for text in texts for word in plain(text).split()) - FILLERS


def being(noun: str) -> str:
    """A noun of `absent`, with one word for people."""
    return PEOPLE.get(plain(noun), plain(noun))


def merged(groups: Sequence[Group]) -> tuple[tuple[Group, ...], list[int]]:
    """Equal groups with numbers as one ("a cat next to a cat" is two cats), and where each group went."""
    kept: list[Group] = []
    where: list[int] = []
    for group in groups:
        for index, other in enumerate(kept):
            if group.count is not None and other.count is not None and replace(other, count=group.count) == group:
                kept[index] = replace(other, count=other.count + group.count)
                where.append(index)
                break
        else:
            where.append(len(kept))
            kept.append(group)
    return tuple(kept), where


def as_read(meaning: PromptMeaning) -> tuple[tuple[Group, ...], tuple[Link, ...]]:
    """Groups and relations of a reading. A number that the reader does not vouch for is none, unless it is one."""
    groups, where = merged(
        [
            Group(plain(o.noun), words(*o.attributes), o.count if o.exact or o.count == 1 else None)
            for o in meaning.objects
        ]
    )
    links = [
        Link(r.kind.replace("_", " "), where[r.subject], None if r.object is None else where[r.object])
        for r in meaning.relations
    ]
    return groups, tuple(links)


def fits(meant: Group, read: Group) -> bool:
    """Noun, number and attributes are right."""
    if read.noun not in (meant.noun, *meant.names):
        return False
    # A modifier may have become part of an allowed noun: "black bear" for a bear that is black.
    needed = meant.attributes - words(read.noun)
    if not needed <= read.attributes <= meant.attributes | meant.also:
        return False
    # "Some sheep" may be read as at least one.
    return read.count in (None, 1) if meant.count is None else read.count == meant.count


def assignments(
    meant: Sequence[Group], read: Sequence[Group], taken: tuple[int, ...] = ()
) -> Iterator[tuple[int, ...]]:
    """All ways to say for each group read which group meant it is, so that only optional ones are left."""
    if len(taken) == len(read):
        if all(group.optional or index in taken for index, group in enumerate(meant)):
            yield taken
        return
    for index, group in enumerate(meant):
        if index not in taken and fits(group, read[len(taken)]):
            yield from assignments(meant, read, (*taken, index))


def canonical(link: Link) -> Link:
    """One name for synonyms and one direction for opposites; a relation to the picture stays as it is."""
    if link.second is None:
        return link
    name = NAMES.get(link.name, link.name)
    if name in MIRRORED:
        return replace(link, name=MIRRORED[name], first=link.second, second=link.first)
    return replace(link, name=name)


def same(meant: Link, read: Link) -> bool:
    """The relation read is the one meant; an optional one is right by whatever name."""
    straight = (meant.first, meant.second) == (read.first, read.second)
    turned = (meant.first, meant.second) == (read.second, read.first)
    if meant.optional and meant.second is not None:
        return straight or turned
    return read.name in ENOUGH.get(meant.name, (meant.name,)) and (straight or (turned and meant.name in EITHER_WAY))


def fault_of_links(meant: Iterable[Link], read: Iterable[Link], present: Sequence[int]) -> str:
    """What is wrong with the relations, or nothing."""
    wanted = [canonical(k) for k in meant if k.first in present and (k.second is None or k.second in present)]
    found = [canonical(k) for k in read]
    for link in wanted:
        if not link.optional and not any(same(link, k) for k in found):
            return f"relation missing: {link.name}"
    for link in found:
        if not any(same(k, link) for k in wanted):
            return f"relation not meant: {link.name}"
    return ""


def fault(case: Case, meaning: PromptMeaning) -> str:
    """What is wrong with a reading, or nothing."""
    groups, links = as_read(meaning)
    if case.beyond:
        # Whatever is said, nothing may be invented.
        allowed = {name for group in case.groups for name in (group.noun, *group.names)}
        invented = [group.noun for group in groups if group.noun not in allowed]
        return f"invented: {', '.join(invented)}" if invented else ""
    meant, where = merged(case.groups)
    wanted = [
        replace(k, first=where[k.first], second=None if k.second is None else where[k.second]) for k in case.links
    ]
    faults: list[str] = []
    for taken in assignments(meant, groups):
        numbered = [
            replace(k, first=taken[k.first], second=None if k.second is None else taken[k.second]) for k in links
        ]
        faults.append(fault_of_links(wanted, numbered, taken))
    if not faults:
        return "things"
    absent = {being(noun) for noun in meaning.absent}
    if absent != case.absent:
        return f"absent: meant {sorted(case.absent)}, read {sorted(absent)}"
    scene = {word.removesuffix("s") for word in words(meaning.background.replace(",", " ").replace(".", " "))}
    if case.background is not None and not {w.removesuffix("s") for w in words(case.background)} <= scene:
        return f"background: meant {case.background}, read {meaning.background}"
    return min(faults, key=bool)
