"""How long `llmgen --help` and `llmgen layout` of two prompts take, as whole processes; the targets are 0.3 s and 0.5 s on an idle machine.

python benchmarks/startup.py
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPTS = ("two red balls to the left of a blue car in a meadow", "a cat on a sofa without cushions")


def seconds(command: list[str], cwd: str) -> float:
    """Wall time of one process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=cwd)
    return time.perf_counter() - started


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
            print(f"{name:26s} median {statistics.median(times):.2f} s, least {min(times):.2f} s")


if __name__ == "__main__":
    main()
