"""Does the reader of English read prompts as they are meant? 400 prompts with their meanings, written by hand.

    python benchmarks/reading_prompts.py                              # the table, by form and by kind
    python benchmarks/reading_prompts.py --list wrong                 # each misreading: what is wrong, meant and read
    python benchmarks/reading_prompts.py --list lines                 # each line (remark) of the reader
    python benchmarks/reading_prompts.py --prompts benchmarks/data/prompts_60_fresh.jsonl   # others of the same form
    python benchmarks/reading_prompts.py --geneval evaluation_metadata.jsonl
    python benchmarks/reading_prompts.py --geneval2 geneval2_data.jsonl
    python benchmarks/reading_prompts.py --t2i examples/dataset       # no meanings there: lines and things are listed

The prompts are our own and of the forms of GenEval, GenEval 2, T2I-CompBench and LMD; `data/prompts_400.md` says how meanings are written
down and compared. Those benchmarks' own files are not shipped; a user who has them can have them read in the same way.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# The script's own folder is on the path when it is run.
from reading_compare import Case, Group, Link, as_read, being, fault, plain, words

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


@dataclass(frozen=True)
class Reading:
    """How a case was read: `fault` is empty when as meant."""

    case: Case
    meaning: PromptMeaning
    fault: str
    remarks: tuple[str, ...]


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
    source.add_argument("--prompts", type=Path, default=PROMPTS, help="prompts with meanings, in the form of the 400")
    source.add_argument("--geneval", type=Path, help="GenEval's evaluation_metadata.jsonl")
    source.add_argument("--geneval2", type=Path, help="GenEval 2's geneval2_data.jsonl")
    source.add_argument("--t2i", type=Path, help="folder with T2I-CompBench's text files")
    args = parser.parse_args()
    wish: Literal["wrong", "lines"] | None = args.list
    if args.geneval2 or args.t2i:
        listed: Callable[[str], None] = print if wish else lambda _: None
        read_geneval2(args.geneval2, listed) if args.geneval2 else read_t2i(args.t2i, listed)
        return
    readings = [read_case(case) for case in (geneval_cases(args.geneval) if args.geneval else own_cases(args.prompts))]
    for reading in readings:
        if (wish == "wrong" and reading.fault) or (wish == "lines" and reading.remarks):
            show(reading)
    report(readings, kinds=not args.geneval)


if __name__ == "__main__":
    main()
