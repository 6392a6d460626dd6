"""How many scenes of the toybox world one core samples and draws in a second.

python benchmarks/toybox_world.py [SECONDS]
"""

import random
import sys
import time
from collections.abc import Callable

from llmgen.toybox.world.scenes import Scene, place, render, render_image, sample_kinds, sample_scene
from llmgen.toybox.world.vocabulary import BACKGROUNDS


def _things(rng: random.Random) -> Scene:
    return place(sample_kinds(rng), rng.choice(BACKGROUNDS), rng)


def rate(sample: Callable[[random.Random], Scene], draw: Callable[[Scene], object], seconds: float) -> float:
    """Scenes a second once the caches are warm."""
    rng = random.Random(0)
    counts = []
    for _ in range(2):
        count, started = 0, time.process_time()
        while time.process_time() - started < seconds:
            draw(sample(rng))
            count += 1
        counts.append(count / (time.process_time() - started))
    return counts[1]


def main() -> None:
    """Run and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    for name, sample, draw in (
        ("things only, picture", _things, render_image),
        ("mixed, picture", sample_scene, render_image),
        ("mixed, picture and truth", sample_scene, render),
    ):
        print(f"{name:26s} {rate(sample, draw, seconds):6.0f} scenes/s")


if __name__ == "__main__":
    main()
