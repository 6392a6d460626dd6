"""Do the rules answer causal questions as they are meant? 30 questions about three pictures of the toybox's world.

    python benchmarks/reading_questions.py                 # the table
    python benchmarks/reading_questions.py --list          # each that is wrong or refused

The questions are our own. `data/questions_30.jsonl` holds what is in the pictures, then a line each: what kind of change is meant, and the
words that the edit must have. What no rule knows may be refused; nothing may be answered otherwise than it is meant.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from llmgen.errors import InputError
from llmgen.llm.planning.seen import SeenPicture, SeenThing
from llmgen.llm.questions.answer import AnswerQuestion

QUESTIONS = Path(__file__).with_name("data") / "questions_30.jsonl"
SIDE = 128
ORDERS = {
    "scenery": ("turn it into",),
    "appears": ("add", "put"),
    "goes": ("remove",),
    "moves": ("move", "swap"),
    "mood": ("make",),
}
COLORS = ("red", "blue", "green", "yellow", "orange", "purple")
MOODS = ("happy", "sad", "surprised")


def seen(instances: list[dict[str, Any]]) -> SeenPicture:
    """A picture as a detector tells of it."""

    def one(words: list[str], some: tuple[str, ...]) -> str | None:
        return next((word for word in words if word in some), None)

    things = [
        SeenThing(i["noun"], tuple(i["box_xyxy"]), one(i["phrase"].split(), COLORS), one(i["phrase"].split(), MOODS))
        for i in instances
    ]
    return SeenPicture(SIDE, SIDE, tuple(things), "meadow")


def main() -> None:
    """Answer, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list what is wrong or refused")
    parser.add_argument("--questions", type=Path, default=QUESTIONS, help="questions in the form of the 30")
    args = parser.parse_args()
    lines = [json.loads(line) for line in args.questions.read_text(encoding="utf-8").splitlines()]
    pictures = {line["scene"]: seen(line["instances"]) for line in lines if "instances" in line}
    fates: Counter[str] = Counter()
    for line in (line for line in lines if "question" in line):
        try:
            answer, _ = AnswerQuestion(line["question"], 0, seen=pictures[line["scene"]]).by_rules()
            said = answer.edit_instruction
            right = said.startswith(ORDERS[line["meant"]]) and set(line["words"]) <= set(
                f"{said} {answer.answer}".replace(":", "").split() + (["snow"] if "snowy" in said else [])
                + (["rain"] if "rainy" in said else [])
            )  # fmt: skip
            fate = "as meant" if right else "wrong"
        except InputError as error:
            fate, said = "refused", str(error)
        fates[fate] += 1
        if args.list and fate != "as meant":
            print(f"{line['id']} {line['question']}\n    {fate}: {said}")
    for fate in ("as meant", "refused", "wrong"):
        print(f"{fate:12s} {fates[fate]:3d} of {fates.total()}")


if __name__ == "__main__":
    main()
