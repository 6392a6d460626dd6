"""Kills at random moments: workers of `--engine process`, the command that drives them, and `llmgen serve`; nothing is lost or done twice.

    python benchmarks/kills.py                      # 100 kills
    python benchmarks/kills.py --kills 12 --seed 3

The stage is the `generate` of tests/tiny_stages.py: no model, a picture that depends on the record's seed, a few hundredths of a second
for each record. Every process is killed by SIGKILL, at a moment that is drawn from its whole life, its start included; a command or a
server that was killed is started again, until the artifact is there. Then:

* artifact and pictures are the bytes of an undisturbed run in one process, but for records of a batch that ended two workers: those are
  worked on alone by design, say so, and are counted;
* the journal holds every record once;
* what was in the journal when something was killed was not worked on again, and no more was begun twice than the kills account for;
* both workers were at work, or a server was, as the processes say that worked on the records. (A command whose server is gone before it
  could ask does the work itself.)

It takes no longer than `--minutes`, about: after that nothing is killed any more, and the kills that are missing are said. Where something
was killed before it did anything, its next life is longer, so that a machine that has become slower does not keep it from its end.

It reads /proc, so it needs Linux.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parents[1]
PROGRAM: Final = (sys.executable, str(HERE / "tests/tiny_stages.py"))
STAGES: Final = ("layout", "generate", "detect", "correct", "refine", "evaluate")
RECORDS: Final = 64
BATCH: Final = 4
WORKERS: Final = 2
ALONE: Final = "worked on alone"
LONGER: Final = 1.5
"""So many times as long lives what is killed next, where nothing was done before the last kill."""


@dataclass
class Found:
    """What was seen of one kind of kills."""

    kills: int = 0
    runs: int = 0
    again: int = 0
    """Records that were begun more than once, each time counted."""
    alone: int = 0
    """Records that were worked on alone, because their batch ended two workers."""
    served: int = 0
    """Records that a server worked on."""
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class Place:
    """A folder with prompts, and what comes of them.

    Args:
        folder: Empty.
        seconds: How long a record takes.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir()
        self.folder, self.seconds = folder, seconds
        prompts = [{"id": f"r{n:03d}", "prompt": f"thing {n}"} for n in range(RECORDS)]
        (folder / "p.jsonl").write_text("".join(json.dumps(one) + "\n" for one in prompts), encoding="utf-8")
        preset = {"name": "tiny", "width": 16, "height": 16, "roles": {}, "methods": dict.fromkeys(STAGES, "tiny")}
        (folder / "tiny.json").write_text(json.dumps(preset), encoding="utf-8")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LLMGEN_")},
            "PYTHONPATH": str(HERE),
            "OMP_NUM_THREADS": "1",
            "LLMGEN_CONFIG": "",
            "XDG_RUNTIME_DIR": str(folder),
            "TINY_WORK_LOG": str(folder / "log"),
        }

    def start(self, *more: str) -> "subprocess.Popen[bytes]":
        """Start the command, or go on with it."""
        command = ["generate", "p.jsonl", "--preset", "tiny.json", "--device", "cpu", "--seed", "5", "-o", "o.jsonl"]
        command += ["--batch-size", str(BATCH), "--set", f"seconds={self.seconds}", "--resume", *more]
        return self.process(*command)

    def process(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """A process of llmgen here, whose words are kept in a file."""
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(
                [*PROGRAM, *arguments], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )  # fmt: skip

    def work(self) -> list[tuple[str, int]]:
        """Every record that was begun, with the process that did it."""
        path = self.folder / "log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(name, int(pid)) for _, name, pid in map(str.split, lines)]

    def kept(self) -> list[str]:
        """Ids of the records that are in the journal."""
        path = self.folder / ".llmgen" / "o.jsonl.journal"
        found: list[str] = []
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            if line.endswith(b"\n"):
                entries = json.loads(line)["line"].get("records", ())
                found += [entry["record"]["id"] for entry in entries]
        return found

    def made(self) -> tuple[list[str], dict[str, bytes]]:
        """Lines of the artifact, and pictures by name; a half-written one, which a later command sweeps away, is none."""
        lines = (self.folder / "o.jsonl").read_text(encoding="utf-8").splitlines()
        pictures = [path for path in (self.folder / "images").iterdir() if not path.name.startswith(".")]
        return lines, {path.name: path.read_bytes() for path in pictures}

    def words(self) -> str:
        """What was said last."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")[-400:]


def children(pid: int) -> list[int]:
    """Processes that a process has started and that are still there."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def kill(pid: int) -> bool:
    """Kill a process; whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def workers(place: Place, rng: random.Random, life_s: float, found: Found) -> None:
    """One run whose workers are killed now and then."""
    driver = place.start("--engine", "process", "--workers", str(WORKERS))
    over, kills = threading.Event(), 0

    def go() -> None:
        nonlocal kills, life_s
        began = 0
        while not over.wait(rng.uniform(0, 2 * life_s / 3)):
            at_hand = children(driver.pid)
            kills += bool(at_hand) and kill(rng.choice(at_hand))
            life_s *= 1 if len(place.work()) > began else LONGER
            began = len(place.work())

    thread = threading.Thread(target=go)
    thread.start()
    code = driver.wait()
    over.set()
    thread.join()
    found.kills += kills
    if code:
        found.faults.append(f"the run ended with {code}: {place.words()}")
        return
    work = place.work()
    begun_again = len(work) - RECORDS
    found.again += begun_again
    if begun_again > kills * BATCH:
        found.faults.append(f"{begun_again} records were begun again after {kills} kills")
    if len({pid for _, pid in work}) < WORKERS:
        found.faults.append("one worker did all the work")


def driver(place: Place, rng: random.Random, life_s: float, found: Found) -> None:
    """One run that is killed, with its workers at work, and started again until it is done."""
    _until_done(place, rng, life_s, found, lambda: place.start("--engine", "process", "--workers", str(WORKERS)))
    if len({pid for _, pid in place.work()}) < WORKERS:
        found.faults.append("one worker did all the work")


def server(place: Place, rng: random.Random, life_s: float, found: Found) -> None:
    """One command whose server is killed while it works, and both are started again until it is done."""
    servers: set[int] = set()
    kept: list[str] = []
    while True:
        began = len(place.work())
        with served(place) as holder:
            servers.add(holder.pid)
            client = place.start()
            rest_s = life_s
            if rng.random() < 0.5:  # at work for sure
                rest_s = RECORDS * place.seconds
                while client.poll() is None and len(place.work()) == began:
                    time.sleep(0.005)
            with suppress(subprocess.TimeoutExpired):
                client.wait(rng.uniform(0, rest_s))
            is_over = client.poll() is not None
            found.kills += not is_over and kill(holder.pid)
            code = client.wait()
        _check_not_again(place, kept, began, found)
        kept = place.kept()
        life_s *= 1 if len(place.work()) > began else LONGER
        if code == 0:
            break
        if code != 1:
            found.faults.append(f"a command whose server was killed ended with {code}: {place.words()}")
            return
    found.served += sum(pid in servers for _, pid in place.work())


@contextmanager
def served(place: Place) -> Iterator["subprocess.Popen[bytes]"]:
    """A server of the tiny stages, ready."""
    before = (place.folder / "said").stat().st_size if (place.folder / "said").exists() else 0
    holder = place.process("serve", "--preset", "tiny.json", "--device", "cpu")
    try:
        while b": ready" not in (place.folder / "said").read_bytes()[before:]:
            if holder.poll() is not None:
                raise SystemExit(f"the server did not start: {place.words()}")
            time.sleep(0.02)
        yield holder
    finally:
        holder.kill()
        holder.wait()


def _until_done(
    place: Place, rng: random.Random, life_s: float, found: Found, start: "Callable[[], subprocess.Popen[bytes]]"
) -> None:
    """Start, kill, and start again, until it is done before it is killed."""
    kept: list[str] = []
    while True:
        began = len(place.work())
        process = start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, life_s))
        orphans = children(process.pid)
        found.kills += process.poll() is None and kill(process.pid)
        code = process.wait()
        for pid in orphans:  # they end by themselves, and only then is the work log complete
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.01)
        _check_not_again(place, kept, began, found)
        kept = place.kept()
        life_s *= 1 if len(place.work()) > began else LONGER
        if code == 0:
            return
        if code != -signal.SIGKILL:
            found.faults.append(f"the run ended with {code}: {place.words()}")
            return


def _check_not_again(place: Place, kept: list[str], began: int, found: Found) -> None:
    """See that nothing was worked on again that was in the journal."""
    again = set(kept) & {name for name, _ in place.work()[began:]}
    if again:
        found.faults.append(f"{len(again)} records were in the journal and were worked on again: {sorted(again)[:3]}")


def check(place: Place, expected: tuple[list[str], dict[str, bytes]], found: Found) -> None:
    """Compare what was made with what an undisturbed run makes."""
    lines, pictures = place.made()
    alone = {line for line in lines if ALONE in line}
    found.alone += len(alone)
    if len(lines) != RECORDS:
        found.faults.append(f"{len(lines)} of {RECORDS} records are there")
    others = sum(line != was and line not in alone for line, was in zip(lines, expected[0], strict=False))
    if others:
        found.faults.append(f"{others} records differ")
    if pictures != expected[1]:
        found.faults.append(f"pictures differ: {sorted(pictures.keys() ^ expected[1].keys())[:3]}")
    twice = [name for name, count in Counter(place.kept()).items() if count > 1]
    if twice or len(place.kept()) != RECORDS:
        found.faults.append(f"the journal holds {len(place.kept())} records, twice {twice[:3]}")


KINDS: Final = {"workers": workers, "driver": driver, "server": server}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--seconds", type=float, default=0.03, help="that a record takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=30.0, help="after which nothing is killed any more")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    whole, end = True, time.perf_counter() + 60 * args.minutes
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        undisturbed = Place(root / "undisturbed", args.seconds)
        if undisturbed.start("--no-serve").wait():
            raise SystemExit(undisturbed.words())
        expected = undisturbed.made()
        lives = lives_of(root, args.seconds)
        for place, kind in enumerate(args.kinds):
            share = args.kills // len(args.kinds) + (place < args.kills % len(args.kinds))
            found = Found()
            began = time.perf_counter()
            while found.kills < share and not found.faults and time.perf_counter() < end:
                here = Place(root / f"{kind}-{found.runs}", args.seconds)
                KINDS[kind](here, rng, lives[kind], found)
                found.runs += 1
                if not found.faults:
                    check(here, expected, found)
            if kind == "server" and found.runs and not found.served:
                found.faults.append("no server did any of the work")
            found.seconds = time.perf_counter() - began
            whole = whole and not found.faults and found.kills >= share
            print(
                f"{kind:8s} {found.kills:4d} kills in {found.runs:3d} runs of {RECORDS} records, {found.seconds:6.1f} s: "
                + ("; ".join(found.faults) or "nothing lost, nothing done twice, the same bytes")
                + (f"; {share - found.kills} kills are missing" if found.kills < share else "")
                + (f"; {found.again} records begun again" if kind == "workers" else "")
                + (f"; {found.alone} worked on alone" if found.alone else ""),
                flush=True,
            )
    raise SystemExit(0 if whole else 1)


def lives_of(root: Path, seconds: float) -> dict[str, float]:
    """How long one run of each kind takes when nobody disturbs it."""
    crew = Place(root / "life-crew", seconds)
    began = time.perf_counter()
    if crew.start("--engine", "process", "--workers", str(WORKERS)).wait():
        raise SystemExit(crew.words())
    with_workers = time.perf_counter() - began
    place = Place(root / "life-served", seconds)
    with served(place):
        began = time.perf_counter()
        if place.start().wait():
            raise SystemExit(place.words())
        return {"workers": with_workers, "driver": with_workers, "server": time.perf_counter() - began}


if __name__ == "__main__":
    main()
