"""How long `llmgen --help` and `llmgen layout` of two prompts take, as whole processes; the targets are 0.3 s and 0.5 s on an idle machine.

Of the processor's time, which a busy machine changes less, and of the clock's. The modules are compiled beforehand, as they are where
llmgen is installed, whatever `PYTHONDONTWRITEBYTECODE` says.

python benchmarks/startup.py
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPTS = ("two red balls to the left of a blue car in a meadow", "a cat on a sofa without cushions")


def seconds(command: list[str], cwd: str) -> tuple[float, float]:
    """Time of one process: of the processor, and of the clock."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(Path(cwd, "compiled"))
    started, before = time.perf_counter(), _of_children()
    subprocess.run(command, check=True, capture_output=True, cwd=cwd, env=environment)
    return _of_children() - before, time.perf_counter() - started


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
