"""`generate sd` against diffusers' own pipeline, called with the same batches on the same weights: seconds, and grey levels apart.

    OMP_NUM_THREADS=1 python benchmarks/generate.py                   # 16 pictures of 20 steps, three rounds
    OMP_NUM_THREADS=1 python benchmarks/generate.py --pictures 64

The two take turns, batch by batch, so that a busy machine is busy for both; CPU seconds where they are counted, else wall time. What
is made once is timed apart: models are loaded and warm, and compiling has its own line. Scheduler, seeds, guidance, sizes and batches are
the same; pictures are compared as they come out, before they are written.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from llmgen.diffusion.compiling import compiled, trouble
from llmgen.diffusion.drawing import draw_texts
from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.schedulers import quiet_steps
from llmgen.presets import load_preset

COLOURS = ("red", "blue", "green", "yellow", "purple")
THINGS = ("ball", "car", "house", "star", "tree", "fish", "cat", "boat")


def prompts(count: int) -> list[str]:
    """Texts, no two alike among the first forty."""
    return [f"a {COLOURS[n % 5]} {THINGS[n % 8]} in a meadow" for n in range(count)]


class Drawers:
    """The ways to draw one batch.

    Args:
        args: Of the command line.
        pool: Loads the models.
    """

    def __init__(self, args: argparse.Namespace, pool: ModelPool) -> None:
        preset = load_preset(args.preset)
        self.pipe, self.encoder = pool.text_to_image(), pool.text("text_to_image")
        self.size, self.steps, self.guidance = (preset.width, preset.height), args.steps, args.guidance
        self.fast = compiled(self.pipe, size=self.size, told=lambda text: None)

    def diffusers(self, texts: list[str], seeds: list[int]) -> list[Image.Image]:
        """As somebody does who calls the pipeline."""
        noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        with torch.no_grad(), quiet_steps():
            return list(
                self.pipe(
                    texts,
                    generator=noise,
                    width=self.size[0],
                    height=self.size[1],
                    num_inference_steps=self.steps,
                    guidance_scale=self.guidance,
                ).images
            )

    def llmgen(self, texts: list[str], seeds: list[int]) -> list[Image.Image]:
        """As `generate sd` does."""
        return self._drawn(self.pipe, texts, seeds)

    def llmgen_compiled(self, texts: list[str], seeds: list[int]) -> list[Image.Image]:
        """As `generate sd` does in a long run."""
        return self._drawn(self.fast, texts, seeds)

    def _drawn(self, pipe: Any, texts: list[str], seeds: list[int]) -> list[Image.Image]:
        told = Steps(lambda text: None, "", self.steps)
        given = {"steps": self.steps, "guidance": self.guidance, "seeds": seeds, "told": told, "what": "generate sd"}
        return draw_texts(pipe, texts, "", self.size, encoder=self.encoder, **given)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", default="toybox")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    if (why_not := trouble(args.device)) is not None:
        raise SystemExit(f"nothing compiles here: {why_not}")
    clock: Callable[[], float] = time.process_time if args.device == "cpu" else time.perf_counter
    drawers = Drawers(args, ModelPool(load_preset(args.preset), device=args.device, dtype=args.dtype))
    ways = {
        "diffusers": drawers.diffusers,
        "llmgen": drawers.llmgen,
        "llmgen, compiled": drawers.llmgen_compiled,
    }
    texts = prompts(args.pictures)
    starts = range(0, args.pictures, args.batch_size)
    batches = [
        (texts[i : i + args.batch_size], list(range(i, min(i + args.batch_size, args.pictures)))) for i in starts
    ]
    for name, draw in ways.items():
        began = time.perf_counter()
        draw(*batches[0])
        print(f"{name}: the first batch took {time.perf_counter() - began:.1f} s of wall time", flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    apart = dict.fromkeys(ways, 0)
    for _ in range(args.rounds):
        taken = dict.fromkeys(ways, 0.0)
        for batch in batches:
            drawn: dict[str, list[Image.Image]] = {}
            for name, draw in ways.items():
                began = clock()
                drawn[name] = draw(*batch)
                taken[name] += clock() - began
            apart = {name: max(apart[name], difference(drawn["diffusers"], drawn[name])) for name in ways}
        for name, took in taken.items():
            seconds[name].append(took)
    drawn_by = f"in batches of {args.batch_size}, {args.preset} on {args.device}"
    print(f"{args.pictures} pictures of {args.steps} steps {drawn_by}, median of {args.rounds}")
    print(f"{'':18s} {'s':>7s} {'times diffusers':>16s} {'grey levels apart':>18s}")
    for name, rounds in seconds.items():
        ratio = statistics.median(seconds["diffusers"]) / statistics.median(rounds)
        print(f"{name:18s} {statistics.median(rounds):7.2f} {ratio:16.2f} {apart[name]:18d}")


def difference(ones: list[Image.Image], others: list[Image.Image]) -> int:
    """Most grey levels between pictures of a batch."""
    pairs = zip(ones, others, strict=True)
    return max(int(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max()) for one, other in pairs)


if __name__ == "__main__":
    main()
