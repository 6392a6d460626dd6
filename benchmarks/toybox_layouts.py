"""Ways to draw a prompt on the toybox, side by side: from the text alone, corrected, from LMD layouts, and the baselines.

    python benchmarks/toybox_layouts.py                  # 200 prompts, 50 of each type
    python benchmarks/toybox_layouts.py --per-type 5     # a quick look

The same prompts, seeds, layouts and verdict as `toybox_sld.py`; McNemar's test compares each way with the text alone on the same prompts.
"""

import argparse
import sys
from pathlib import Path

import torch

# The script's own folder is on the path when it is run.
from toybox_sld import HELD_OUT_SEED, prompts, resolve_weights, right, share

from llmgen.artifacts import Record
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.evaluate.summary import mcnemar
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox.captions import PROMPT_TYPES
from llmgen.toybox.judge import ToyboxJudge
from llmgen.vision.images import ImageStore

WAYS = {
    "text alone": [("generate", "sd")],
    "text + SLD": [("generate", "sd"), ("detect", "owlv2"), ("correct", "self_correction")],
    "backward guidance": [("generate", "backward-guidance")],
    "BoxDiff": [("generate", "boxdiff")],
    "GLIGEN": [("generate", "gligen")],
    "LMD+": [("generate", "lmd")],
}
GIVEN = {"correct": {"rounds": 2}}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-type", type=int, default=50)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_layouts"))
    args = parser.parse_args()

    asked = prompts(args.per_type, args.seed)
    store = ImageStore(args.output)
    context = StageContext(load_preset("toybox"), store, "cpu", "float32", seed=args.seed, batch_size=args.batch_size)
    judge = ToyboxJudge.from_pretrained(resolve_weights("judge"))

    def run(records: list[Record], stage: str, method: str) -> tuple[list[Record], float]:
        config = context.config_for(stage, method, GIVEN.get(stage))
        done = run_stage(
            records, method_class=resolve(stage, method), config=config, given=GIVEN.get(stage, {}), context=context
        )
        return done.records, done.seconds

    planned, _ = run([Record(id=name, prompt=p.text, type=p.type) for name, p in asked.items()], "layout", "lmd")
    print(
        f"{'way':18s} " + " ".join(f"{type_:>19s}" for type_ in (*PROMPT_TYPES, "all")) + "  s/image  p (against text)"
    )
    base: dict[str, bool] = {}
    for way, stages in WAYS.items():
        records, seconds = planned, 0.0
        for stage, method in stages:
            records, spent = run(records, stage, method)
            seconds += spent
        verdicts = right(judge, store, asked, records, first=False)
        base = base or verdicts
        cells = [
            share([verdicts[i] for i, prompt in asked.items() if type_ in ("all", prompt.type)])
            for type_ in (*PROMPT_TYPES, "all")
        ]
        change = mcnemar((base[i], verdicts[i]) for i in asked)
        p = f"{change['p_value']:.1g}" if way != "text alone" else ""
        print(f"{way:18s} " + " ".join(f"{c:>19s}" for c in cells) + f"  {seconds / len(asked):7.2f}  {p}", flush=True)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed {args.seed}", file=sys.stderr)


if __name__ == "__main__":
    main()
