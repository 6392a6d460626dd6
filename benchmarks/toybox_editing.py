"""Image editing on the toybox: how many instructions come out right, by the judge.

    python benchmarks/toybox_editing.py                  # 120 pictures, 20 of each kind
    python benchmarks/toybox_editing.py --per-kind 2     # a quick look
    python benchmarks/toybox_editing.py --picture edits.png

Pictures are drawn scenes with three objects; the method gets the picture, a description and an instruction, nothing else. An edit is
right when a judge, which no stage uses, finds exactly the objects that should be there, no more, and the place or size that was asked.
"""

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

# The script's own folder is on the path when it is run.
from toybox_frozen import EDITING_SEED, Task, edits, load_judges, share

from llmgen.artifacts import Record
from llmgen.artifacts.io import write_artifact
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox.world.scenes import render_image
from llmgen.vision.images import ImageStore

KINDS = ("recolor", "remove", "swap", "move and enlarge", "move beside", "add")


def sheet(store: ImageStore, tasks: dict[str, Task], records: Sequence[Record], right: dict[str, bool]) -> Image.Image:
    """The first two tasks of each kind: above the picture that was given, below the edited one."""
    side, gap, head = 192, 10, 44
    font = ImageFont.load_default(13)
    chosen = [r for kind in KINDS for r in [r for r in records if tasks[r.id].kind == kind and r.history][:2]]
    page = Image.new("RGB", (len(chosen) * (side + gap) + gap, head + 2 * (side + gap)), "white")
    draw = ImageDraw.Draw(page)
    for column, record in enumerate(chosen):
        x = gap + column * (side + gap)
        draw.multiline_text((x, 6), textwrap.fill(tasks[record.id].instruction, 30), fill="black", font=font)
        for row, ref in enumerate((record.history[0].image, record.history[-1].image)):
            y = head + row * (side + gap)
            page.paste(store.load(ref).resize((side, side), Image.Resampling.LANCZOS), (x, y))
        color = "#2a9d4a" if right[record.id] else "#c8442e"
        draw.rectangle((x - 3, y - 3, x + side + 2, y + side + 2), outline=color, width=3)
    return page


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-kind", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=EDITING_SEED, help="of the run; the instructions are fixed")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_editing"))
    parser.add_argument("--picture", type=Path, help="also draw the first two edits of each kind")
    args = parser.parse_args()

    store = ImageStore(args.output)
    context = StageContext(
        load_preset("toybox"), store, args.device, "float32", seed=args.seed, batch_size=args.batch_size
    )
    tasks = edits(args.per_kind)
    records = []
    for name, task in tasks.items():
        image = store.save(name, "source", Image.fromarray(render_image(task.scene)))
        records.append(
            Record(id=name, prompt=task.prompt, instruction=task.instruction, type=task.kind, source_image=image.path)
        )
    given = {"rounds": args.rounds}
    config = context.config_for("correct", "image_editing", given)
    result = run_stage(
        records, method_class=resolve("correct", "image_editing"), config=config, given=given, context=context
    )
    write_artifact(args.output / "correct.json", result.makes, result.records)
    seen = {
        by: {r.id: judge.detect([store.load(r.image)])[0] for r in result.records if r.image is not None}
        for by, judge in load_judges().items()
    }
    right = {by: {name: name in s and tasks[name].right(s[name]) for name in tasks} for by, s in seen.items()}
    for record in result.failed:
        print(f"{record.id}: {record.error.message if record.error else ''}", file=sys.stderr)
    print(f"{'kind':18s}   n  " + "  ".join(f"{'by the ' + by:>32s}" for by in right))
    for kind in (*KINDS, "all"):
        names = [name for name, task in tasks.items() if kind in ("all", task.kind)]
        cells = "  ".join(f"{share([mine[name] for name in names]):>32s}" for mine in right.values())
        print(f"{kind:18s} {len(names):3d}  {cells}")
    print(f"failed {len(result.failed)}, {result.seconds / len(records):.2f} s per picture, loading included")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed {args.seed}, {args.device}")
    if args.picture:
        sheet(store, tasks, result.records, right["judge"]).save(args.picture)


if __name__ == "__main__":
    main()
