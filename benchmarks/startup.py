"""How long `llmgen --help` and `llmgen layout` of two prompts take, as whole processes; the targets are 0.3 s and 0.5 s on an idle machine.

Of the processor's time, which a busy machine changes less, and of the clock's.

python benchmarks/startup.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPTS = ("two red balls to the left of a blue car in a meadow", "a cat on a sofa without cushions")


def seconds(command: list[str], cwd: str) -> tuple[float, float]:
    """Time of one process: of the processor, and of the clock."""
    started, before = time.perf_counter(), os.times()
    subprocess.run(command, check=True, capture_output=True, cwd=cwd)
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return spent, time.perf_counter() - started


def main() -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "p.json").write_text(json.dumps([{"prompt": text} for text in PROMPTS]), encoding="utf-8")
        for name, command in (
            ("python -c pass", [sys.executable, "-c", "pass"]),
            ("import typer, rich", [sys.executable, "-c", "import typer, rich"]),
            ("llmgen --help", [sys.executable, "-m", "llmgen", "--help"]),
            ("llmgen layout, 2 prompts", [sys.executable, "-m", "llmgen", "layout", "p.json"]),
        ):
            seconds(command, folder)
            times = [seconds(command, folder) for _ in range(10)]
            print(
                f"{name:26s} "
                + "; ".join(
                    f"{kind} median {statistics.median(taken):.2f} s, least {min(taken):.2f} s"
                    for kind, taken in zip(("processor", "clock"), zip(*times, strict=True), strict=True)
                )
            )


if __name__ == "__main__":
    main()
