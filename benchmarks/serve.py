"""What `llmgen serve` saves: the six-process pipe of the README and `llmgen run`, on two prompts, without a server and with one.

python benchmarks/serve.py [--rounds N] [--beside CHECKOUT]

Everything runs in one session, in turns, so that a busy machine is busy for all. The pipe's records are compared: with and without a
server they are the same bytes. `--beside` times the pipe of another checkout of llmgen, too, in the same turns and by the same Python.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPTS = ("two red balls to the left of a blue car in a meadow", "a yellow star above a house in the snow")
STAGES = (
    ("layout", "lmd"),
    ("generate", "sd"),
    ("detect", "owlv2"),
    ("correct", "self_correction"),
    ("refine", "sdxl"),
    ("evaluate", "lmd"),
)
HERE = Path(__file__).resolve().parents[1]


class Person:
    """Who gives the commands.

    Args:
        folder: Where the prompts lie.
        package: The checkout of llmgen that is run.
        served: Whether a server is asked.
    """

    def __init__(self, folder: Path, package: Path, *, served: bool) -> None:
        self.folder = folder
        self.llmgen = f"{shlex.quote(sys.executable)} -m llmgen"
        self.environment = os.environ | {
            "PYTHONPATH": str(package), "XDG_RUNTIME_DIR": str(folder), "LLMGEN_CONFIG": "", "LLMGEN_NO_SERVE": "" if served else "1",
        }  # fmt: skip

    def seconds(self, line: str, output: str = os.devnull) -> float:
        """Wall time of a line of shell."""
        started = time.perf_counter()
        with open(self.folder / output, "wb") as file:
            subprocess.run(
                ["bash", "-o", "pipefail", "-c", line], check=True, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=file, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        return time.perf_counter() - started

    def pipe(self, output: str) -> float:
        """Wall time of the pipe."""
        words = [
            f"evaluate {method} -" if stage == "evaluate" else f"{stage} - --method {method}"
            for stage, method in STAGES
        ]
        return self.seconds(
            " | ".join(f"{self.llmgen} {word}" for word in words).replace("layout -", "layout p.json", 1), output
        )

    def run(self) -> float:
        """Wall time of the same stages in one process."""
        return self.seconds(f"{self.llmgen} run chain.json --force -o run")


def main() -> None:
    """Run and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--beside", type=Path)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prompts = [{"prompt": text} for text in PROMPTS]
        (folder / "p.json").write_text(json.dumps(prompts), encoding="utf-8")
        stages = [{"stage": stage, "method": method} for stage, method in STAGES]
        manifest = {"name": "chain", "preset": "toybox", "prompts": prompts, "stages": stages}
        (folder / "chain.json").write_text(json.dumps(manifest), encoding="utf-8")
        cold, warm = (Person(folder, HERE, served=served) for served in (False, True))
        people = {"the pipe, every process on its own": cold, "the pipe, with `llmgen serve`": warm}
        if given.beside is not None:
            people[f"the pipe, of {given.beside.name}"] = Person(folder, given.beside.resolve(), served=False)
        print(f"llmgen serve --detach: {warm.seconds(f'{warm.llmgen} serve --detach'):.1f} s")
        try:
            print(f"the pipe, the first time with it: {warm.pipe('first'):.1f} s")
            times: dict[str, list[float]] = {}
            for _ in range(given.rounds):
                for place, (what, person) in enumerate(people.items()):
                    times.setdefault(what, []).append(person.pipe(f"scores-{place}"))
                times.setdefault("`llmgen run`, on its own", []).append(cold.run())
                times.setdefault("`llmgen run`, with `llmgen serve`", []).append(warm.run())
        finally:
            warm.seconds(f"{warm.llmgen} serve --stop")
        same = (folder / "scores-0").read_bytes() == (folder / "scores-1").read_bytes()
    whole = statistics.median(times["the pipe, every process on its own"])
    print(f"{'median of ' + str(given.rounds):40s} {'s':>6s}   of the pipe on its own")
    for what, seconds in times.items():
        print(f"{what:40s} {statistics.median(seconds):6.1f}   {statistics.median(seconds) / whole:4.0%}")
    print(f"records with and without a server are {'the same bytes' if same else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
