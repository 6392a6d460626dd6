"""Are edit instructions carried out as they are meant? 25 instructions on two planned scenes, with what should come of them.

    python benchmarks/reading_edits.py                 # the table
    python benchmarks/reading_edits.py --list          # each that is wrong: what is meant, and what came of it

The instructions are our own. `data/edits_25_fresh.jsonl` holds the two scenes, then a line each: `meant` says what is gone, added,
moved, larger or smaller, what it is called after (`phrase`) and how it lies (`order`); whatever is not named there stays as it is. Those
that are `beyond` a reader by rules, or cannot be followed, may be refused. Nothing may be carried out otherwise than it is meant.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from llmgen.artifacts import Detection, EditPlan, Instance
from llmgen.errors import InputError
from llmgen.llm.questions.edit import EditQuestion

EDITS = Path(__file__).with_name("data") / "edits_25_fresh.jsonl"
SIDE = 512
ORDERS = {"left_of": (0, 1), "right_of": (0, -1), "above": (1, 1), "below": (1, -1)}


def detections(instances: list[dict[str, Any]]) -> tuple[Detection, ...]:
    """A scene as it would be found."""
    return tuple(
        Detection(id=i["id"], phrase=i["phrase"], noun=i["noun"], attributes=tuple(i["attributes"]),
                  box_xyxy=tuple(i["box_xyxy"]), score=1.0)
        for i in instances
    )  # fmt: skip


def fault(meant: dict[str, Any], scene: tuple[Detection, ...], plan: EditPlan) -> str:
    """What came of an instruction otherwise than meant, "" where nothing did."""
    if meant.get("refused"):
        return f"carried out: {[i.phrase for i in plan.target]}"
    after = {i.id: i for i in plan.target}
    fresh = [i for i in plan.target if i.id not in {d.id for d in scene}]
    gone = [d.id for d in scene if d.id not in after]
    # What moves or grows and changes is drawn anew, under another name.
    shifted = [name for kind in ("moved", "larger", "smaller") for name in meant.get(kind, ())]
    for old in [d for d in scene if d.id in gone and d.id in shifted and d.id in meant.get("phrase", {})]:
        new = next((i for i in fresh if i.phrase == meant["phrase"][old.id]), None)
        if new is not None:
            gone.remove(old.id)
            fresh.remove(new)
            after[old.id] = new
    if sorted(gone) != sorted(meant.get("gone", ())):
        return f"gone: {gone}"
    if sorted(i.phrase for i in fresh) != sorted(meant.get("added", ())):
        return f"added: {[i.phrase for i in fresh]}"
    for old in scene:
        if (now := after.get(old.id)) is not None and (said := changes(meant, old, now)):
            return said
    boxes = {name: i.box_xyxy for i in plan.target for name in (i.id, i.phrase)} | {
        n: i.box_xyxy for n, i in after.items()
    }
    for one, kind, other in meant.get("order", ()):
        axis, sign = ORDERS[kind]
        first, second = (boxes[name][axis] + boxes[name][axis + 2] for name in (one, other))
        if sign * (second - first) <= 0:
            return f"{one} is not {kind} {other}"
    return ""


def changes(meant: dict[str, Any], old: Detection, now: Instance) -> str:
    """What is wrong with one thing that stayed."""
    wanted = meant.get("phrase", {}).get(old.id, old.phrase)
    if now.phrase != wanted:
        return f"{old.id} is {now.phrase!r}"
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (old.box_xyxy, now.box_xyxy)]
    grown = "larger" if areas[1] > areas[0] * 1.05 else "smaller" if areas[1] < areas[0] * 0.95 else ""
    if grown != next((size for size in ("larger", "smaller") if old.id in meant.get(size, ())), ""):
        return f"{old.id} is {grown or 'as large as before'}"
    if not grown and (now.box_xyxy != old.box_xyxy) != (old.id in meant.get("moved", ())):
        return f"{old.id} {'moved' if now.box_xyxy != old.box_xyxy else 'stayed'}"
    return ""


def main() -> None:
    """Carry out, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list what is wrong or refused")
    parser.add_argument("--edits", type=Path, default=EDITS, help="instructions in the form of the 25")
    args = parser.parse_args()
    lines = [json.loads(line) for line in args.edits.read_text(encoding="utf-8").splitlines()]
    scenes = {line["scene"]: detections(line["instances"]) for line in lines if "instances" in line}
    fates: Counter[str] = Counter()
    for line in (line for line in lines if "instruction" in line):
        scene, said = scenes[line["scene"]], ""
        try:
            plan, _ = EditQuestion(line["instruction"], scene, SIDE, SIDE, 0).by_rules()
            meant = line["meant"] if isinstance(line["meant"], list) else [line["meant"]]
            faults = [fault(reading, scene, plan) for reading in meant]
            said = "" if "" in faults else faults[0]
            fate = "wrong" if said else "as meant"
        except InputError as error:
            fate, said = ("beyond, said" if line["beyond"] else "refused"), str(error)
        fates[fate] += 1
        if args.list and said:
            print(f"{line['id']} {line['instruction']}\n    {fate}: {said}")
    for fate in ("as meant", "beyond, said", "refused", "wrong"):
        print(f"{fate:12s} {fates[fate]:3d} of {fates.total()}")


if __name__ == "__main__":
    main()
