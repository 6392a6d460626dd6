"""Records through a stage, as whole processes: records a second, seconds of CPU, and peak memory, of this build and of another beside it.

Two stages: `layout --planner rules`, and the `detect` of tests/tiny_stages.py, which opens a picture and says the same of each. Both with
journal and artifact; then the same command again with --resume, which finds everything done; and how long a pipe takes to its first
record. Each figure is of one run; the builds take turns, and have their bytecode, as where they are installed.

python benchmarks/streams.py [--records 10000 100000] [--old 123d60b | --old none]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).parents[1]
THINGS: Final = ("ball", "car", "cat", "tree", "boat", "house", "lamp", "chair")
COLOURS: Final = ("red", "blue", "green", "yellow", "white")


class Figures(NamedTuple):
    """What a process took."""

    wall: float
    cpu: float
    peak_mib: float


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--old", default="123d60b", help="revision of the other build, or none")
    parser.add_argument("--stages", nargs="+", default=["layout", "detect"], choices=["layout", "detect"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, checked_out(args.old) as old:
        folder = Path(name)
        builds = {"this": HERE, **({args.old: old} if old is not None else {})}
        for count in args.records:
            write_inputs(folder, count, old or HERE, drawn="detect" in args.stages)
            for stage in args.stages:
                compare(folder, builds, stage, count)
        for build, root in builds.items():
            print(f"first record of a pipe, {build}: {first_output(folder, root):.1f} s", flush=True)


def compare(folder: Path, builds: dict[str, Path], stage: str, count: int) -> None:
    """Run one stage of all builds, then again with --resume."""
    source, method = ("p.jsonl", ["--planner", "rules"]) if stage == "layout" else ("images.json", ["--method", "tiny"])
    few = "few.jsonl" if stage == "layout" else "few-images.jsonl"
    for root in builds.values():  # their bytecode is written here
        run([stage, few, *method, "-q", "-o", "few.json", "--force"], folder, root)
    for again in (False, True):
        for build, root in builds.items():
            command = [stage, source, *method, "-q", "-o", f"{build}-{stage}.json", "--resume" if again else "--force"]
            took = run(command, folder, root)
            what = f"{stage}, resume" if again else stage
            print(
                f"{what:15s} {count:7d} records, {build:8s} {count / took.wall:7.0f} records/s, wall {took.wall:6.1f} s, "
                f"cpu {took.cpu:6.1f} s, peak {took.peak_mib:5.0f} MiB",
                flush=True,
            )


def run(arguments: list[str], folder: Path, root: Path) -> Figures:
    """One process of a build."""
    started = time.perf_counter()
    process = subprocess.Popen(program(root, arguments), cwd=folder, env=environment(folder, root))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return Figures(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale)


def first_output(folder: Path, root: Path) -> float:
    """Seconds until the first record comes out of a pipe whose other end still holds most of the input back."""
    lines = (folder / "p.jsonl").read_bytes().splitlines(keepends=True)
    command = program(root, ["layout", "-", "--planner", "rules", "-q"])
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=environment(folder, root), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"".join(lines[:16]))
        process.stdin.flush()
        os.set_blocking(process.stdout.fileno(), False)
        found = b""
        while not found and time.perf_counter() - started < 30:
            found = process.stdout.read() or b""
            time.sleep(0.01)
        seconds = time.perf_counter() - started if found else float("inf")
        os.set_blocking(process.stdout.fileno(), True)
        process.communicate()
    return seconds


def program(root: Path, arguments: list[str]) -> list[str]:
    """The command line of a build; the tiny stages stand in for `detect` and `generate` only."""
    start = [sys.executable, "-m", "llmgen"] if arguments[0] == "layout" else [sys.executable, "tests/tiny_stages.py"]
    return [*start[:1], *(str(root / part) if part.startswith("tests") else part for part in start[1:]), *arguments]


def environment(folder: Path, root: Path) -> dict[str, str]:
    """That of a process of a build."""
    own = {"PYTHONPATH": str(root), "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "OMP_NUM_THREADS": "1"}
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}, **own}


def write_inputs(folder: Path, count: int, root: Path, *, drawn: bool) -> None:
    """Prompts, and records with a picture each: one of a hundred, drawn by the older build, which both can read."""
    prompts = [
        f"a {COLOURS[n % 5]} {THINGS[n % 8]} to the left of a {COLOURS[n // 40 % 5]} {THINGS[n // 8 % 8]} in a meadow"
        for n in range(count)
    ]
    lines = [json.dumps({"id": f"r{n:06d}", "prompt": prompt}) + "\n" for n, prompt in enumerate(prompts)]
    (folder / "p.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "few.jsonl").write_text("".join(lines[:100]), encoding="utf-8")
    if not drawn:
        return
    run(["generate", "few.jsonl", "--method", "tiny", "-q", "--force", "-o", "few-images.jsonl"], folder, root)
    made = [json.loads(line) for line in (folder / "few-images.jsonl").read_text(encoding="utf-8").splitlines()]
    with (folder / "images.json").open("w", encoding="utf-8") as file:
        for n in range(count):
            record = {**made[n % len(made)], "id": f"r{n:06d}", "prompt": prompts[n]}
            front = '{"kind": "images", "schema_version": 1, "records": [' if n == 0 else ", "
            file.write(front + json.dumps(record, ensure_ascii=False))
        file.write("]}")


@contextmanager
def checked_out(revision: str) -> Iterator[Path | None]:
    """A work tree of another revision, for a while."""
    if revision == "none":
        yield None
        return
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name, "old")
        git = ["git", "-C", str(HERE), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), revision], check=True, capture_output=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True, capture_output=True)


if __name__ == "__main__":
    main()
