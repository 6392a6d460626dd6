"""Each method that can draw by compiled models, against itself uncompiled; `generate sd` against diffusers' own call, too.

    OMP_NUM_THREADS=1 python benchmarks/compiled.py                          # minutes, nearly all of them spent compiling
    OMP_NUM_THREADS=1 python benchmarks/compiled.py --methods lmd --pictures 8 --rounds 3

The ways take turns, so that a busy machine is busy for all; CPU seconds where they are counted, else wall time. Models are loaded and warm.
What compiling took is the first batch of the compiled way beyond that of the plain one, in wall time, since compilers are other processes;
kinds of calls that a method before has compiled, and what the disk still holds of an earlier run, are not compiled again, so that only a
method that is measured alone, with a fresh `TORCHINDUCTOR_CACHE_DIR`, says when it has paid. Pictures are compared as they come out: grey
levels apart, and the share of values that are more than one apart. LMD and the corrections decide in between, by masks and thresholds, so
that a difference in the last bits can move a cell.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from generate import Drawers, prompts
from PIL import Image
from sld import job

from llmgen.artifacts import Instance, Layout, Record
from llmgen.correct.painting import LatentPainter
from llmgen.diffusion.compiling import compiled, trouble
from llmgen.engine.context import StageContext
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.vision.images import ImageStore

Draw = Callable[[int], list[Image.Image]]
"""Draws a batch of so many pictures."""
METHODS = ("sd", "lmd", "instancediffusion", "self_correction")


def records(count: int, size: tuple[int, int]) -> list[Record]:
    """Two things side by side, in colours that differ from record to record."""
    width, height = size
    made = []
    for number, text in enumerate(prompts(count)):
        phrase = text.removesuffix(" in a meadow")
        boxes = ((0.06, 0.3, 0.44, 0.8), (0.55, 0.25, 0.95, 0.75))
        things = tuple(
            Instance(id=f"thing #{i}", phrase=said, box_xyxy=(x0 * width, y0 * height, x1 * width, y1 * height))
            for i, (said, (x0, y0, x1, y1)) in enumerate(zip((phrase, "a green tree"), boxes, strict=True))
        )
        layout = Layout(width=width, height=height, background_prompt="a meadow", instances=things)
        made.append(Record(id=f"p{number}", prompt=text, seed=number, layout=layout))
    return made


def ways_of(name: str, args: argparse.Namespace, context: StageContext) -> dict[str, Draw]:
    """The ways to draw a batch, plain first of llmgen's."""
    preset = context.preset
    if name == "sd":
        drawers = Drawers(args, context.models)
        ways = {"diffusers": drawers.diffusers, "llmgen": drawers.llmgen, "compiled": drawers.llmgen_compiled}
        return {
            way: lambda count, draw=draw: draw(prompts(count), list(range(count)))  # type: ignore[misc]
            for way, draw in ways.items()
        }
    if name == "self_correction":
        given = {"num_inference_steps": args.steps}
        config = context.config_for("correct", name, given)
        models = context.models
        plain = models.stable_diffusion("layout_to_image")
        pipes = {
            "llmgen": plain,
            "compiled": compiled(plain, size=(preset.width, preset.height), told=lambda text: None),
        }
        parts = (models.text("layout_to_image"), models.segmenter(), config)

        def correct(count: int, pipe: Any) -> list[Image.Image]:
            painter = LatentPainter(pipe, *parts, batch_size=args.batch_size)
            return [done.image for done in painter.paint([job(preset.width, seed) for seed in range(count)])]

        return {way: lambda count, pipe=pipe: correct(count, pipe) for way, pipe in pipes.items()}  # type: ignore[misc]
    methods = {
        way: resolve("generate", name)(
            context, context.config_for("generate", name, {"num_inference_steps": args.steps, "compile": how})
        )
        for way, how in (("llmgen", "never"), ("compiled", "always"))
    }

    def draw(count: int, method: Any) -> list[Image.Image]:
        done: Sequence[Record] = method(records(count, (preset.width, preset.height)))
        return [context.images.load(record.image) for record in done if record.image is not None]

    return {way: lambda count, method=method: draw(count, method) for way, method in methods.items()}  # type: ignore[misc]


def apart(ones: list[Image.Image], others: list[Image.Image]) -> tuple[int, float]:
    """Most grey levels between pictures of a batch, and the share of values that are more than one apart."""
    pairs = [(np.asarray(a, dtype=int), np.asarray(b, dtype=int)) for a, b in zip(ones, others, strict=True)]
    gaps = np.stack([np.abs(a - b) for a, b in pairs])
    return int(gaps.max()), float((gaps > 1).mean())


def measure(name: str, args: argparse.Namespace, context: StageContext) -> None:
    """Draw by every way, and print."""
    clock: Callable[[], float] = time.process_time if args.device == "cpu" else time.perf_counter
    ways = ways_of(name, args, context)
    first: dict[str, float] = {}
    drawn: dict[str, list[Image.Image]] = {}
    for way, draw in ways.items():
        began = time.perf_counter()
        drawn[way] = draw(args.pictures)
        first[way] = time.perf_counter() - began
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(args.rounds):
        for way, draw in ways.items():
            began = clock()
            drawn[way] = draw(args.pictures)
            seconds[way].append(clock() - began)
    taken = {way: statistics.median(times) for way, times in seconds.items()}
    for way, took in taken.items():
        most, share = apart(drawn["llmgen"], drawn[way])
        beside = f"{taken['llmgen'] / took:5.2f} times llmgen"
        if "diffusers" in taken:
            beside += f", {taken['diffusers'] / took:5.2f} times diffusers"
        print(f"{name:18s} {way:10s} {took:7.2f} s, {beside}; {most} grey levels apart, {share:.2%} more than one")
    steps, gained = args.pictures * args.steps, taken["llmgen"] - taken["compiled"]
    spent = max(0, first["compiled"] - first["llmgen"])
    paid = f"paid after {spent / gained * steps:,.0f} steps of all pictures" if gained > 0 else "never paid"
    saved = f"{gained / steps * 1000:.1f} ms saved a step and picture"
    print(f"{name:18s} compiling {spent:7.1f} s, {saved}: {paid}", flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--pictures", type=int, default=4, help="of each way and round, drawn as one batch")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0, help="of sd")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--preset", default="toybox")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    args.batch_size = args.pictures
    if (why_not := trouble(args.device)) is not None:
        raise SystemExit(f"nothing compiles here: {why_not}")
    print(
        f"{args.pictures} pictures of {args.steps} steps as one batch, {args.preset} on {args.device}, median of {args.rounds}"
    )
    with tempfile.TemporaryDirectory() as folder:
        store = ImageStore(Path(folder))
        context = StageContext(load_preset(args.preset), store, args.device, args.dtype, batch_size=args.pictures)
        for name in args.methods:
            measure(name, args, context)


if __name__ == "__main__":
    main()
