"""SLD self-correction on the toybox: how many pictures are right before and after, and what each stage costs.

    python benchmarks/toybox_sld.py                  # 200 prompts, 50 of each type; prints the table of the README
    python benchmarks/toybox_sld.py --per-type 5     # a quick look
    python benchmarks/toybox_sld.py --picture before_after.png

Pictures are drawn from the prompt alone; only `correct` sees boxes, and only those of its own detector and planner. A picture counts as
right when the judge, which no stage uses, finds exactly the named things in exact counts and colours, nothing besides, and every relation
true (`llmgen.toybox.world.truth.is_right`).
"""

import argparse
import json
import statistics
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

# The script's own folder is on the path when it is run.
from toybox_frozen import HELD_OUT_SEED, PROMPT_TYPES, load_judges, prompts, share

from llmgen.artifacts import Record
from llmgen.artifacts.io import write_artifact
from llmgen.engine.context import StageContext
from llmgen.engine.local import StageResult, run_stage
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.world.captions import Prompt
from llmgen.vision.images import ImageStore


def right(
    judge: ToyboxJudge, store: ImageStore, asked: dict[str, Prompt], records: Sequence[Record], first: bool
) -> dict[str, bool]:
    """Verdict on each record's first or current picture; a failed record is wrong."""
    verdicts = {}
    for record in records:
        ref = record.history[0].image if first and record.history else record.image
        if ref is None or (record.error is not None and not first):
            verdicts[record.id] = False
            continue
        verdicts[record.id] = judge.look([store.load(ref)])[0].is_right(asked[record.id].truth)
    return verdicts


def psnr_outside(store: ImageStore, record: Record) -> float | None:
    """PSNR in dB between the first and the kept picture outside all regions that kept edits could change; None if unedited."""
    kept = [entry for entry in record.history if entry.stage == "correct" and entry.kept and entry.region is not None]
    if not kept or record.image is None:
        return None
    before = np.asarray(store.load(record.history[0].image), np.float64)
    after = np.asarray(store.load(kept[-1].image), np.float64)
    inside = np.zeros(before.shape[:2], bool)
    for entry in kept:
        assert entry.region is not None
        inside |= np.asarray(store.load(entry.region).convert("L")) > 0
    if inside.all():
        return None
    error = ((before - after)[~inside] ** 2).mean()
    return 99.0 if error == 0 else float(min(99.0, 10 * np.log10(255**2 / error)))


def before_and_after(
    store: ImageStore, asked: dict[str, Prompt], records: Sequence[Record], verdicts: Sequence[dict[str, bool]]
) -> Image.Image:
    """The first two prompts of each type that were drawn wrong: above as drawn, below as corrected; green is right, red is wrong."""
    side, gap, text_height = 192, 10, 60
    font = ImageFont.load_default(13)
    wrong = [r for r in records if r.history and not verdicts[0][r.id]]
    chosen = [r for type_ in PROMPT_TYPES for r in [r for r in wrong if asked[r.id].type == type_][:2]]
    sheet = Image.new("RGB", (len(chosen) * (side + gap) + gap, text_height + 2 * (side + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, record in enumerate(chosen):
        x = gap + column * (side + gap)
        draw.multiline_text((x, 6), textwrap.fill(record.prompt, 30), fill="black", font=font)
        for row, (ref, right_ids) in enumerate(zip((record.history[0].image, record.image), verdicts, strict=True)):
            y = text_height + row * (side + gap)
            assert ref is not None
            sheet.paste(store.load(ref).resize((side, side), Image.Resampling.LANCZOS), (x, y))
            draw.rectangle(
                (x - 3, y - 3, x + side + 2, y + side + 2),
                outline="#2a9d4a" if right_ids[record.id] else "#c8442e",
                width=3,
            )
    return sheet


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-type", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED, help="of the run; the prompts are fixed")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--set", action="append", default=[], metavar="STAGE.NAME=JSON", help="another setting of a stage's method"
    )
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_sld"))
    parser.add_argument(
        "--picture",
        type=Path,
        help="also draw the first two prompts of each type that came out wrong, before and after correction",
    )
    args = parser.parse_args()

    given: dict[str, dict[str, Any]] = {"correct": {"rounds": args.rounds}}
    for item in args.set:
        name, _, value = item.partition("=")
        stage, _, setting = name.partition(".")
        given.setdefault(stage, {})[setting] = json.loads(value)

    asked = prompts(args.per_type)
    store = ImageStore(args.output)
    context = StageContext(
        load_preset("toybox"), store, args.device, "float32", seed=args.seed, batch_size=args.batch_size
    )
    records = [Record(id=name, prompt=prompt.text, type=prompt.type) for name, prompt in asked.items()]

    seconds: dict[str, float] = {}
    results: dict[str, StageResult] = {}
    for stage, method in (
        ("layout", "lmd"),
        ("generate", "sd"),
        ("detect", "owlv2"),
        ("correct", "self_correction"),
        ("refine", "sdxl"),
    ):
        config = context.config_for(stage, method, given.get(stage))
        results[stage] = result = run_stage(
            records, method_class=resolve(stage, method), config=config, given=given.get(stage, {}), context=context
        )
        records, seconds[stage] = result.records, result.seconds
        write_artifact(args.output / f"{stage}.json", result.makes, records)
        print(f"{stage:9s} {result.seconds / len(records):6.2f} s/image, {len(result.failed)} failed", file=sys.stderr)

    for name, judge in load_judges().items():
        before = right(judge, store, asked, results["generate"].records, first=True)
        after = right(judge, store, asked, results["correct"].records, first=False)
        refined = right(judge, store, asked, results["refine"].records, first=False)
        print(f"by the {name}:\n{'type':12s}   n  {'before':>20s}  {'after correct':>20s}  {'after refine':>20s}")
        for type_ in (*PROMPT_TYPES, "all"):
            ids = [i for i, prompt in asked.items() if type_ in ("all", prompt.type)]
            columns = "  ".join(f"{share([verdict[i] for i in ids]):>20s}" for verdict in (before, after, refined))
            print(f"{type_:12s} {len(ids):3d}  {columns}")
        fixed = sum(after[i] and not before[i] for i in asked)
        broken = sum(before[i] and not after[i] for i in asked)
        print(f"fixed {fixed}, broken {broken}, failed {len(results['refine'].failed)}")
        wrong = [record for record in results["correct"].records if not after[record.id]]
        unseen = sum(any(e.image == record.image and e.satisfied for e in record.history) for record in wrong)
        print(f"{unseen} of the {len(wrong)} pictures that are still wrong look right to the detector of the loop")
        if args.picture and name == "judge":
            before_and_after(store, asked, results["correct"].records, (before, after)).save(args.picture)
    outside = [
        db
        for record in results["correct"].records
        if record.error is None and (db := psnr_outside(store, record)) is not None
    ]
    if outside:
        median, least = statistics.median(outside), min(outside)
        print(f"PSNR outside the edits: median {median:.1f} dB, least {least:.1f} dB, {len(outside)} edited")
    print(
        "seconds per image, loading included: "
        + ", ".join(f"{stage} {s / len(asked):.2f}" for stage, s in seconds.items())
    )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed {args.seed}, {args.device}")


if __name__ == "__main__":
    main()
