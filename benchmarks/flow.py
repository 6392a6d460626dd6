"""How much sooner a run is over whose stages work at the same time than one whose stages wait: `llmgen run`, with and without `--barrier`.

python benchmarks/flow.py --prompts 16 --seconds 0.3 --steps 10
python benchmarks/flow.py --prompts 48 --seconds 0.3 --tiny 0.25

A language model behind the loopback, which takes some seconds a reply and answers one question at a time, plans what the toybox then
draws and looks at; with `--tiny`, stages that only wait stand in for those two, so that nothing but the order of the work is measured.
Whole processes, one after the other; all that they leave is compared byte for byte.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from asking import serve

HERE = Path(__file__).parents[1]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=0.3, help="of the language model, a reply")
    parser.add_argument("--at-once", type=int, default=1, help="questions that it is asked at the same time")
    parser.add_argument("--steps", type=int, default=10, help="of a picture")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--tiny", type=float, help="no models: seconds that a picture takes, and half of that to look at it"
    )
    given = parser.parse_args()
    server = serve(given.seconds, given.at_once)
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = {
            "name": "flow",
            "prompts": [f"a red ball and {number} blue cars" for number in range(given.prompts)],
            "stages": [{"stage": "layout", "method": "lmd"}, *drawing(given.steps, given.tiny)],
        }
        (folder / "m.json").write_text(json.dumps(manifest), encoding="utf-8")
        took: dict[str, list[float]] = {"barrier": [], "flow": []}
        # Each way is first as often as second: what comes later finds files in memory that the first had to read.
        ways = [
            way for turn in range(given.rounds) for way in (sorted(took) if turn % 2 else sorted(took, reverse=True))
        ]
        for number, way in enumerate(ways):
            arguments = ["run", "m.json", "--planner", "openai", "--concurrency", str(given.at_once), "-q"]
            arguments += ["-o", str(number), "--batch-size", str(given.batch_size)]
            environment = {
                **os.environ,
                "PYTHONPATH": str(HERE),
                "OPENAI_BASE_URL": url,
                "LLMGEN_CACHE_DIR": str(folder / f"cache{number}"),
                "LLMGEN_NO_SERVE": "1",
                **({"TINY": "1"} if given.tiny else {}),
            }
            command = [sys.executable, str(Path(__file__).resolve()), *arguments]
            started = time.perf_counter()
            subprocess.run(
                command + (["--barrier"] if way == "barrier" else []), check=True, cwd=folder, env=environment
            )
            took[way].append(time.perf_counter() - started)
            print(f"{way:8} {took[way][-1]:6.1f} s", flush=True)
        kept = [contents(folder / str(number)) for number in range(len(ways))]
    server.shutdown()
    ratio = sum(took["flow"]) / sum(took["barrier"])
    print(
        f"{given.prompts} prompts, {given.seconds:g} s a reply: at the same time in {ratio:.2f} of the time of stages that wait"
    )
    print(f"{len(kept[0])} files, all bytes equal: {all(one == kept[0] for one in kept)}")


def drawing(steps: int, tiny: float | None) -> list[dict[str, Any]]:
    """The stages behind the layout."""
    if tiny is None:
        steps_of_a_picture = {"num_inference_steps": steps}
        return [
            {"stage": "generate", "method": "sd", "config": steps_of_a_picture},
            {"stage": "detect", "method": "owlv2"},
        ]
    return [
        {"stage": "generate", "method": "tiny", "config": {"seconds": tiny}},
        {"stage": "detect", "method": "tiny", "config": {"seconds": tiny / 2}},
    ]


def contents(folder: Path) -> dict[str, bytes]:
    """What a run leaves for others."""
    paths = (path for path in folder.rglob("*") if path.is_file() and ".llmgen" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def program() -> int:
    """`llmgen`, where somebody says so with stages that need no model in place of those that draw and look."""
    import llmgen.registry
    from llmgen.cli import main as llmgen_main

    if "TINY" in os.environ:
        sys.path.append(str(HERE / "tests"))
        import tiny_stages

        own = llmgen.registry.methods
        llmgen.registry.methods = lambda stage: own(stage) if stage == "layout" else tiny_stages.methods(stage)
    return llmgen_main()


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        sys.exit(program())
    main()
