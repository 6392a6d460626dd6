"""How many scenes of the toybox world one core samples and draws in a second.

python benchmarks/toybox_world.py [SCENES]
"""

import random
import sys
import time
from collections.abc import Callable

from llmgen.toybox.world.scenes import Scene, place, render, render_image, sample_kinds, sample_scene
from llmgen.toybox.world.sprites import drawing, sprite
from llmgen.toybox.world.vocabulary import BACKGROUNDS


def _things(rng: random.Random) -> Scene:
    return place(sample_kinds(rng), rng.choice(BACKGROUNDS), rng)


def rate(sample: Callable[[random.Random], Scene], draw: Callable[[Scene], object], count: int) -> float:
    """Scenes a second of processor time once the caches are warm."""
    rng = random.Random(0)
    for _ in range(count):
        draw(sample(rng))
    started = time.process_time()
    for _ in range(count):
        draw(sample(rng))
    return count / (time.process_time() - started)


def main() -> None:
    """Run and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    for name, sample, draw in (
        ("things only, picture", _things, render_image),
        ("mixed, picture", sample_scene, render_image),
        ("mixed, picture and truth", sample_scene, render),
    ):
        print(f"{name:26s} {rate(sample, draw, count):6.0f} scenes/s")
    for cache in (drawing, sprite):
        print(f"{cache.__name__:26s} {cache.cache_info()}")


if __name__ == "__main__":
    main()
