"""Does the reader of English read prompts as they are meant? 400 prompts with their meanings, written by hand.

    python benchmarks/reading_prompts.py                              # the table, by form and by kind
    python benchmarks/reading_prompts.py --list wrong                 # each misreading: what is wrong, meant and read
    python benchmarks/reading_prompts.py --list lines                 # each line (remark) of the reader
    python benchmarks/reading_prompts.py --geneval evaluation_metadata.jsonl
    python benchmarks/reading_prompts.py --geneval2 geneval2_data.jsonl
    python benchmarks/reading_prompts.py --t2i examples/dataset       # no meanings there: lines and things are listed

The prompts are our own and of the forms of GenEval, GenEval 2, T2I-CompBench and LMD; `data/prompts_400.md` says how meanings are written
down and compared. Those benchmarks' own files are not shipped; a user who has them can have them read in the same way.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from llmgen.artifacts.statistics import wilson
from llmgen.llm.english.grammar import read_prompt
from llmgen.llm.english.meaning import PromptMeaning

PROMPTS = Path(__file__).with_name("data") / "prompts_400.jsonl"
RIGHT_TARGET, LINE_TARGET = 0.98, 0.02

KINDS = {
    "F": "F plurals",
    "G": "G verbs",
    "H": "H function words",
    "I": "I picture words",
    "K": "K adjectives",
    "L": "L negation",
    "M": "M shared-out",
    "P": "P comparisons",
    "Q": "Q relations",
    "frac": "fractions",
    "quote": "quoted text",
    "foreign": "other languages",
}

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


@dataclass(frozen=True)
class Reading:
    """How a case was read: `fault` is empty when as meant."""

    case: Case
    meaning: PromptMeaning
    fault: str
    remarks: tuple[str, ...]


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


def read_case(case: Case) -> Reading:
    """Read one prompt and compare."""
    meaning = read_prompt(case.prompt)
    remarks = tuple(getattr(meaning, "remarks", ()))
    wrong = fault(case, meaning)
    if case.beyond and not remarks and not wrong:
        wrong = "beyond the reader, and not said"
    return Reading(case, meaning, wrong, remarks)


def group_of(said: Mapping[str, Any], *, optional: bool = False) -> Group:
    """A group from its JSON form."""
    return Group(
        plain(said["noun"]),
        words(*said["attributes"]),
        said["count"],
        tuple(plain(name) for name in said.get("or", ())),
        words(*said.get("also", ())),
        optional,
    )


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def own_cases(path: Path = PROMPTS) -> list[Case]:
    """The 400 prompts."""
    cases = []
    for said in lines_of(path):
        meaning = said["meaning"]
        cases.append(
            Case(
                said["id"],
                said["prompt"],
                said["form"],
                tuple(group_of(o, optional=o["noun"] in meaning.get("either", ())) for o in meaning["objects"]),
                tuple(
                    Link(r["relation"], r["subject"], r["object"], r.get("optional", False))
                    for r in meaning["relations"]
                ),
                frozenset(being(noun) for noun in meaning["absent"]),
                meaning["background"],
                tuple(said["kinds"]),
                said["beyond"],
                said.get("line") == "allowed",
            )
        )
    return cases


def geneval_cases(path: Path) -> list[Case]:
    """GenEval's metadata: `include` is the meaning. A class in the plural ("skis") may be read in the singular."""
    cases = []
    for number, said in enumerate(lines_of(path), start=1):
        groups, links = [], []
        for index, wanted in enumerate(said["include"]):
            noun = plain(wanted["class"])
            colour = [wanted["color"]] if "color" in wanted else []
            # GenEval's only animal with a colour in its name as well: a bear that is brown.
            names = (noun.removesuffix("s"), *(f"{c} {noun}" for c in colour if noun == "bear"))
            groups.append(Group(noun, words(*colour), wanted["count"], names))
            if "position" in wanted:
                links.append(Link(wanted["position"][0], index, wanted["position"][1]))
        cases.append(Case(str(number), said["prompt"], said["tag"], tuple(groups), tuple(links)))
    return cases


def report(readings: Sequence[Reading], *, kinds: bool) -> None:
    """The table and the targets."""
    print("| prompts | n | read as meant | wrong, with a line | wrong, no line | beyond, said | line on a right one |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for form in dict.fromkeys(r.case.form for r in readings):
        print(_row(form, [r for r in readings if r.case.form == form]))
    if kinds:
        for kind, name in KINDS.items():
            print(_row(f"*{name}*", [r for r in readings if kind in r.case.kinds]))
    print(_row("**all**", readings))
    plain_ones = [r for r in readings if not r.case.beyond]
    right = [r for r in plain_ones if not r.fault]
    silent = [r for r in readings if r.fault and not r.remarks]
    needless = [r for r in right if r.remarks and not r.case.line_allowed]
    share = len(right) / len(plain_ones) if plain_ones else 1.0
    noise = len(needless) / len(right) if right else 0.0
    print()
    _target(f"read as meant {share:.1%}, wanted >= {RIGHT_TARGET:.0%}", met=share >= RIGHT_TARGET)
    _target(f"wrong without a line {len(silent)}, wanted 0", met=not silent)
    _target(f"lines on those read rightly {noise:.1%}, wanted <= {LINE_TARGET:.0%}", met=noise <= LINE_TARGET)


def _target(text: str, *, met: bool) -> None:
    print(f"{'met   ' if met else 'MISSED'} {text}")


def _row(name: str, readings: Sequence[Reading]) -> str:
    simple = [r for r in readings if not r.case.beyond]
    beyond = [r for r in readings if r.case.beyond]
    right = [r for r in simple if not r.fault]
    cells = [
        name,
        str(len(readings)),
        _share(len(right), len(simple)),
        _share(sum(bool(r.fault and r.remarks) for r in readings), len(readings)),
        _share(sum(bool(r.fault and not r.remarks) for r in readings), len(readings)),
        _share(sum(not r.fault for r in beyond), len(beyond)),
        _share(sum(bool(r.remarks) and not r.case.line_allowed for r in right), len(right)),
    ]
    return "| " + " | ".join(cells) + " |"


def _share(part: int, n: int) -> str:
    if not n:
        return "-"
    low, high = wilson(part, n)
    return f"{part}/{n} ({low:.0%}-{high:.0%})"


def show(reading: Reading) -> None:
    """A reading in a few lines."""
    case = reading.case
    print(f"{case.id} {case.prompt}")
    if reading.fault:
        print(f"    wrong: {reading.fault}")
    print(f"    meant: {_said(case.groups, case.links, case.absent, case.background)}")
    groups, links = as_read(reading.meaning)
    print(f"    read:  {_said(groups, links, reading.meaning.absent, reading.meaning.background)}")
    for remark in reading.remarks:
        print(f"    line:  {remark}")


def _said(groups: Sequence[Group], links: Sequence[Link], absent: Iterable[str], background: str | None) -> str:
    things = []
    for group in groups:
        count = "some" if group.count is None else str(group.count)
        things.append(
            f"{count} {group.noun}"
            f"{' [' + ' '.join(sorted(group.attributes)) + ']' if group.attributes else ''}{'?' if group.optional else ''}"
        )
    places = [f"{k.first} {k.name} {'' if k.second is None else k.second}".strip() for k in links if not k.optional]
    said = [", ".join(things) or "nothing", *places, *(f"no {noun}" for noun in sorted(absent))]
    return "; ".join(said + ([f"in: {background}"] if background else []))


NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def singulars(noun: str) -> set[str]:
    """What a plural of GenEval 2's questions may be the plural of; generous, since only true nouns are held against it."""
    endings = (
        ("", ""),
        ("s", ""),
        ("es", ""),
        ("ies", "y"),
        ("ves", "f"),
        ("ves", "fe"),
        ("ice", "ouse"),
        ("eese", "oose"),
    )
    return {noun.removesuffix(end) + new for end, new in endings if noun.endswith(end)}


def read_geneval2(path: Path, listed: Callable[[str], None]) -> None:
    """GenEval 2 says how many of what there are; only that is compared."""
    right = lines = silent = n = 0
    for said in lines_of(path):
        meaning = read_prompt(said["prompt"])
        remarks = tuple(getattr(meaning, "remarks", ()))
        groups, _ = as_read(meaning)
        missed = []
        for question, answer in said["vqa_list"]:
            asked = plain(question)
            if not asked.startswith("how many "):
                continue
            noun = asked.removeprefix("how many ").split(" are ")[0].split(" is ")[0]
            count = NUMBERS.index(answer.lower())
            if sum(g.count or 0 for g in groups if g.noun in singulars(noun)) != count:
                missed.append(f"{count} {noun}")
        n += 1
        right += not missed
        lines += bool(remarks)
        silent += bool(missed) and not remarks
        if missed:
            listed(f"{said['prompt']}\n    not read: {', '.join(missed)}\n    read: {_said(groups, (), (), None)}")
    print(f"GenEval 2: counts right {_share(right, n)}, wrong without a line {silent}, prompts with a line {lines}")


def read_t2i(folder: Path, listed: Callable[[str], None]) -> None:
    """T2I-CompBench says nothing of what its prompts mean: lines are counted, things listed."""
    print("| file | n | with a line | without a thing |")
    print("| --- | --- | --- | --- |")
    for path in sorted(folder.glob("*.txt")):
        prompts = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        lines = empty = 0
        for prompt in prompts:
            meaning = read_prompt(prompt)
            remarks = tuple(getattr(meaning, "remarks", ()))
            lines += bool(remarks)
            empty += not meaning.objects
            groups, links = as_read(meaning)
            listed("\n".join([prompt, f"    read: {_said(groups, links, meaning.absent, None)}", *remarks]))
        print(f"| {path.name} | {len(prompts)} | {_share(lines, len(prompts))} | {_share(empty, len(prompts))} |")


def main() -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", choices=("wrong", "lines"), help="list misreadings, or prompts with a line")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--geneval", type=Path, help="GenEval's evaluation_metadata.jsonl")
    source.add_argument("--geneval2", type=Path, help="GenEval 2's geneval2_data.jsonl")
    source.add_argument("--t2i", type=Path, help="folder with T2I-CompBench's text files")
    args = parser.parse_args()
    wish: Literal["wrong", "lines"] | None = args.list
    if args.geneval2 or args.t2i:
        listed: Callable[[str], None] = print if wish else lambda _: None
        read_geneval2(args.geneval2, listed) if args.geneval2 else read_t2i(args.t2i, listed)
        return
    readings = [read_case(case) for case in (geneval_cases(args.geneval) if args.geneval else own_cases())]
    for reading in readings:
        if (wish == "wrong" and reading.fault) or (wish == "lines" and reading.remarks):
            show(reading)
    report(readings, kinds=not args.geneval)


if __name__ == "__main__":
    main()
