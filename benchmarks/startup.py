"""How long `llmgen --help` takes, as a whole process; the target is 0.3 s on an idle machine.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Run and print."""
    for name, command in (
        ("python -c pass", [sys.executable, "-c", "pass"]),
        ("import typer, rich", [sys.executable, "-c", "import typer, rich"]),
        ("llmgen --help", [sys.executable, "-m", "llmgen", "--help"]),
    ):
        seconds(command)
        times = [seconds(command) for _ in range(10)]
        print(f"{name:20s} median {statistics.median(times):.2f} s, least {min(times):.2f} s")


if __name__ == "__main__":
    main()
