"""How few steps draw as well: schedulers and numbers of steps on the toybox, against DDIM in 20 steps.

    python benchmarks/toybox_steps.py                    # 200 prompts from the text alone
    python benchmarks/toybox_steps.py --method lmd       # another way of drawing; those with a loop of their own keep DDIM
    python benchmarks/toybox_steps.py --method self_correction
    python benchmarks/toybox_steps.py --per-type 5 --schedulers dpm++-2m       # a quick look

The prompts, seeds, layouts and verdicts of `toybox_layouts.py`; McNemar's test compares each row with the first on the same prompts.
Finished pictures are kept in `--output`: a run that was stopped goes on where it was.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

# The script's own folder is on the path when it is run.
from toybox_frozen import HELD_OUT_SEED, prompts
from toybox_layouts import STUDY_PER_TYPE, Step, Study, with_sld

MOST = 20
"""Steps of the toybox's methods by DDIM: the first row, which the others are held against."""
FEWER = (15, 10, 8, 6)
SCHEDULERS = ("dpm++-2m", "unipc", "euler")
"""Beside DDIM, for the method whose steps are the pipeline's."""


def ways(method: str, schedulers: Sequence[str]) -> dict[str, tuple[Step, ...]]:
    """Every setting of a method, that of the most steps first.

    Args:
        method: Of `generate`, or `self_correction`, which corrects what `generate sd` drew as it ships.
        schedulers: Beside DDIM.
    """
    if method == "self_correction":
        return {f"{steps} steps": with_sld(num_inference_steps=steps) for steps in (MOST, *FEWER)}
    own = {"profile": "ddim"} if method == "sd" else {}
    found: dict[str, tuple[Step, ...]] = {
        f"{steps} steps": (Step("generate", method, {"num_inference_steps": steps, **own}),) for steps in (MOST, *FEWER)
    }
    if method == "sd":
        for scheduler in schedulers:
            for steps in FEWER[1:]:
                given = {"num_inference_steps": steps, "scheduler": scheduler}
                found[f"{steps} steps of {scheduler}"] = (Step("generate", method, given),)
    return found


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="sd", help="of `generate`, or `self_correction`")
    parser.add_argument("--per-type", type=int, default=STUDY_PER_TYPE, help="prompts of each type")
    parser.add_argument("--schedulers", nargs="*", default=SCHEDULERS, help="beside DDIM, for `sd`")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED, help="of the run; the prompts are fixed")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_steps"))
    args = parser.parse_args()

    study = Study(args.output, prompts(args.per_type), args.seed, args.batch_size)
    study.table(ways(args.method, args.schedulers))
    print(
        f"{args.method}, {4 * args.per_type} prompts; percent right with 95 % intervals; p against the first row; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed {args.seed}"
    )


if __name__ == "__main__":
    main()
