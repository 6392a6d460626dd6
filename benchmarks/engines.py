"""How much faster workers draw than one process, and whether what they draw survives the end of any of them: `generate sd`, toybox.

OMP_NUM_THREADS=1 python benchmarks/engines.py --pictures 400 --steps 20 --workers 2
OMP_NUM_THREADS=1 python benchmarks/engines.py --pictures 64 --steps 10 --workers 2 --kills 100

OMP_NUM_THREADS=1 python benchmarks/engines.py --pictures 48 --steps 6 --workers 2 --engines process ray --rounds 3

Start-up is measured apart: each engine first draws a batch for each worker, which starts them and loads their models. Then the engines
take turns, and the median of the rounds counts. Records and pictures are compared byte for byte. With `--kills`, workers are killed at
random moments of as many runs as it takes; a batch that was hit twice is taken apart by design, and only its records may differ, by the
remark that says so and in the last bits of their pictures.
"""

import argparse
import contextlib
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmgen.artifacts import Record
from llmgen.artifacts.io import record_line
from llmgen.engine.bodies import Body, Engine
from llmgen.engine.context import StageContext
from llmgen.engine.engines import make_crew
from llmgen.engine.journal import Journal, journal_path
from llmgen.engine.local import stream_stage
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.vision.images import ImageStore

COLOURS = ("red", "blue", "green", "yellow", "purple")
THINGS = ("ball", "car", "house", "star", "tree", "fish", "cat", "boat")


def prompts(count: int, prefix: str = "p") -> Iterator[Record]:
    """Records to draw."""
    for n in range(count):
        words = (COLOURS[n % 5], THINGS[n % 8], COLOURS[(n // 5) % 5], THINGS[(n // 8 + 3) % 8])
        yield Record(id=f"{prefix}{n:04}", prompt="a {} {} and a {} {}".format(*words))


class Killer:
    """An engine whose workers are killed now and then."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine, self._random = engine, random.Random(seed)
        self.name, self.workers = engine.name, engine.workers
        self._bodies: dict[int, Body] = {}
        self._starts = 0

    @property
    def kills(self) -> int:
        """Workers that ended and were started again."""
        return max(0, self._starts - self.workers)

    def start(self, place: int) -> Body:
        """Start a worker."""
        self._starts += 1
        self._bodies[place] = self._engine.start(place)
        return self._bodies[place]

    def close(self) -> None:
        """Let go."""
        self._engine.close()

    @contextmanager
    def at_large(self, gap_s: float) -> Iterator[None]:
        """Kill a worker every now and then."""
        over = threading.Event()

        def go() -> None:
            while not over.wait(self._random.uniform(0, 2 * gap_s)):
                self._bodies[self._random.choice(list(self._bodies))].kill()

        thread = threading.Thread(target=go)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class Studio:
    """One engine, warm."""

    def __init__(self, root: Path, engine: str, args: argparse.Namespace) -> None:
        self.root = root
        self.given = {"num_inference_steps": args.steps}
        self.context = StageContext(
            load_preset("toybox"), ImageStore(root), "cpu", "float32", batch_size=args.batch_size
        )
        self.context.crew = make_crew(engine, None if engine == "local" else args.workers, self.context)
        if self.context.crew is not None:
            self.killer = self.context.crew.engine = Killer(self.context.crew.engine, args.seed)
        self._runs = 0
        workers = 1 if engine == "local" else args.workers
        started = time.perf_counter()
        self.draw(prompts(workers * args.batch_size, "warm"))
        self.started_s = time.perf_counter() - started

    def draw(self, records: Iterator[Record]) -> tuple[list[str], float]:
        """Draw records: their lines, and how long it took."""
        self._runs += 1
        lines: list[str] = []
        method = resolve("generate", "sd")
        started = time.perf_counter()
        stream_stage(
            records,
            method_class=method,
            config=self.context.config_for("generate", "sd", self.given),
            given=self.given,
            context=self.context,
            emit=lambda done: lines.extend(map(record_line, done)),
            journal=Journal(journal_path(self.root / f"run-{self._runs}.jsonl")),
        )
        return lines, time.perf_counter() - started

    def pictures(self) -> dict[str, bytes]:
        """All pictures by name."""
        return {path.name: path.read_bytes() for path in (self.root / "images").iterdir() if path.name[0] == "p"}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=["process"], choices=["process", "ray"])
    parser.add_argument("--rounds", type=int, default=1, help="of all engines, without kills")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument(
        "--gap", type=float, help="mean seconds between kills; by default those of a start and three batches"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        local = Studio(Path(folder, "local"), "local", args)
        expected, seconds = local.draw(prompts(args.pictures))
        print(
            f"local: start {local.started_s:.1f} s, then {seconds:.1f} s, {args.pictures / seconds:.2f} pictures a second"
        )
        with contextlib.ExitStack() as opened:
            studios: dict[str, Studio] = {}
            for name in args.engines:
                studio = studios[name] = Studio(Path(folder, name), name, args)
                opened.callback(studio.context.close)
                if args.kills:
                    kill(studio, expected, local.pictures(), args, seconds)
                    studio.context.close()
            if not args.kills:
                compare(studios, expected, local, args, seconds)


def compare(
    studios: dict[str, Studio], expected: list[str], local: Studio, args: argparse.Namespace, seconds: float
) -> None:
    """Let the engines draw the same pictures in turn, and print."""
    took: dict[str, list[float]] = {name: [] for name in studios}
    same = dict.fromkeys(studios, True)
    for _ in range(args.rounds):
        for name, studio in studios.items():
            lines, taken = studio.draw(prompts(args.pictures))
            took[name].append(taken)
            same[name] &= lines == expected and studio.pictures() == local.pictures()
    medians = {name: statistics.median(times) for name, times in took.items()}
    for name, taken in medians.items():
        print(
            f"{name}, {args.workers} workers: start {studios[name].started_s:.1f} s, then {taken:.1f} s, "
            f"{seconds / taken:.2f} times local, {'the same bytes' if same[name] else 'OTHER BYTES'}"
        )
    if {"process", "ray"} <= medians.keys():
        print(f"ray over process, beyond its start: {medians['ray'] / medians['process'] - 1:+.1%}")


def kill(
    studio: Studio, expected: list[str], pictures: dict[str, bytes], args: argparse.Namespace, seconds: float
) -> None:
    """Run with workers that are killed, until enough were."""
    killer = studio.killer
    gap = args.gap or studio.started_s + 3 * seconds * args.batch_size / args.pictures
    runs = apart = other = 0
    while killer.kills < args.kills:
        with killer.at_large(gap):
            lines, _ = studio.draw(prompts(args.pictures))
        runs += 1
        assert len(lines) == len(expected), "records were lost or done twice"
        alone = ["worked on alone" in line for line in lines]
        apart += sum(alone)
        other += sum(line != was and not one for line, was, one in zip(lines, expected, alone, strict=True))
    missing = pictures.keys() - studio.pictures().keys()
    print(
        f"{killer.name}, {args.workers} workers: {killer.kills} kills in {runs} runs of {args.pictures}: {other} records differ, "
        f"{apart} were worked on alone, {len(missing)} pictures are not there"
    )


if __name__ == "__main__":
    main()
