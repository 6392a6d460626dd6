"""Are interaction prompts read as they are meant? 40 prompts, with who does what with what.

    python benchmarks/reading_interactions.py                 # the table
    python benchmarks/reading_interactions.py --list          # each that is wrong or refused

The prompts are our own. A line of `data/interactions_40.jsonl` says subject, verb (its first word counts), object and, where there is
only one, the intransitive prompt. `refused`: there is nothing to read (nobody acts on anything), or not for one figure, and that must be
said; `either`: it may be refused. Nothing may be read otherwise than it is meant without a line.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from llmgen.errors import InputError
from llmgen.llm.questions.interaction import InteractionQuestion

PROMPTS = Path(__file__).with_name("data") / "interactions_40.jsonl"


def fault(line: dict[str, Any], remarks: list[str]) -> str:
    """What was read otherwise than meant, "" where nothing was."""
    read, _ = InteractionQuestion(line["prompt"]).by_rules(remarks.append)
    if line.get("refused"):
        return "" if remarks else f"read as {read.subject.text!r} {read.verb.text!r} {read.object.text!r}"
    found = {"subject": read.subject.text, "verb": read.verb.text.split()[0], "object": read.object.text}
    found["intransitive"] = read.intransitive_prompt
    meant = {**line, "verb": line["verb"].split()[0]}
    wrong = [f"{key} is {said!r}" for key, said in found.items() if key in meant and said != meant[key]]
    return ", ".join(wrong)


def main() -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list what is wrong or refused")
    parser.add_argument("--prompts", type=Path, default=PROMPTS, help="prompts in the form of the 40")
    args = parser.parse_args()
    fates: Counter[str] = Counter()
    for line in map(json.loads, args.prompts.read_text(encoding="utf-8").splitlines()):
        remarks: list[str] = []
        try:
            said = fault(line, remarks)
            fate = "wrong, said" if said and remarks else "wrong" if said else "as meant"
        except InputError as error:
            may = line.get("refused") or line.get("either")
            fate, said = ("rightly refused" if may else "refused"), str(error)
        fates[fate] += 1
        if args.list and said:
            print(f"{line['id']} {line['prompt']}\n    {fate}: {'; '.join((said, *remarks))}")
    for fate in ("as meant", "rightly refused", "refused", "wrong, said", "wrong"):
        print(f"{fate:16s} {fates[fate]:3d} of {fates.total()}")


if __name__ == "__main__":
    main()
