"""CPU of `llmgen evaluate coco`: an older build, pycocotools alone and this build on the same files, all 24 figures compared.

python benchmarks/coco.py [--images 2000] [--old 123d60b]

The files are drawn anew from one seed: 36 annotations an image in 80 categories (polygons, one in a hundred a crowd as run lengths) and a
little more results, boxes and compressed masks beside them, some of another category or nowhere. The older build is checked out into a
temporary folder; without that commit, its line is left out.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

WIDTH, HEIGHT = 640, 480
ANNOTATIONS_AN_IMAGE = 36
MISSED, TWICE, WRONG_CLASS = 0.1, 0.16, 0.05
HOUSE = Path(__file__).parents[1]

PYCOCOTOOLS = """
import contextlib, io, json, sys, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
stats = {}
with contextlib.redirect_stdout(io.StringIO()):
    wanted = COCO(sys.argv[1])
    for kind, drop in (("bbox", "segmentation"), ("segm", "bbox")):
        entries = json.load(open(sys.argv[2]))
        found = wanted.loadRes([{k: v for k, v in entry.items() if k != drop} for entry in entries])
        evaluation = COCOeval(wanted, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        stats[kind] = [None if v < 0 else float(v) for v in evaluation.stats]
print(json.dumps(stats))
"""


def drawn_files(folder: Path, images: int) -> tuple[Path, Path, int]:
    """Annotations and results in a folder, and how many results there are."""
    draw = random.Random(0)
    ids = sorted(draw.sample(range(1, 600_000), images))
    categories = sorted(draw.sample(range(1, 92), 80))
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image in ids:
        for _ in range(ANNOTATIONS_AN_IMAGE):
            outline = _outline(draw)
            category = draw.choice(categories)
            runs = _runs(outline)
            crowd = draw.random() < 0.01
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": category,
                    "iscrowd": int(crowd),
                    "area": float(coco_mask.area(runs)),
                    "bbox": coco_mask.toBbox(runs).tolist(),
                    "segmentation": _plain_counts(runs) if crowd else [outline],
                }
            )
            chance = draw.random()
            for _ in range(0 if chance < MISSED else 2 if chance > 1 - TWICE else 1):
                found = _runs([v + draw.gauss(0, 4) for v in outline])
                results.append(
                    {
                        "image_id": image,
                        "category_id": draw.choice(categories) if draw.random() < WRONG_CLASS else category,
                        "score": draw.random(),
                        "bbox": coco_mask.toBbox(found).tolist(),
                        "segmentation": {"size": found["size"], "counts": found["counts"].decode()},
                    }
                )
    dataset = {
        "images": [{"id": n, "width": WIDTH, "height": HEIGHT, "file_name": f"{n:012}.jpg"} for n in ids],
        "categories": [{"id": n, "name": f"class {n}"} for n in categories],
        "annotations": annotations,
    }
    paths = folder / "instances.json", folder / "results.json"
    for path, value in zip(paths, (dataset, results), strict=True):
        path.write_text(json.dumps(value), encoding="utf-8")
    return *paths, len(results)


def _outline(draw: random.Random) -> list[float]:
    """A star of 8 to 24 points around a middle in the picture, small to large as on COCO."""
    radius = min(4 * 2 ** (draw.random() * 5), 120.0)
    x, y = draw.uniform(radius, WIDTH - radius), draw.uniform(radius, HEIGHT - radius)
    angles = np.linspace(0, 2 * np.pi, draw.randrange(8, 25), endpoint=False)
    reach = [radius * draw.uniform(0.6, 1.0) for _ in angles]
    points = [(x + r * float(np.cos(a)), y + r * float(np.sin(a))) for a, r in zip(angles, reach, strict=True)]
    return [round(v, 2) for point in points for v in point]


def _runs(outline: list[float]) -> dict[str, Any]:
    runs: dict[str, Any] = coco_mask.merge(coco_mask.frPyObjects([outline], HEIGHT, WIDTH))
    return runs


def _plain_counts(runs: dict[str, Any]) -> dict[str, Any]:
    """Uncompressed run lengths, as COCO has its crowds."""
    pixels = coco_mask.decode(runs).flatten(order="F")
    edges = np.flatnonzero(np.diff(pixels)) + 1
    bounds = [0, *([0] if pixels[0] else []), *edges.tolist(), len(pixels)]
    return {"size": runs["size"], "counts": np.diff(bounds).tolist()}


def timed(command: list[str], house: Path | None = None) -> tuple[float, float, Any]:
    """Seconds of CPU, peak memory in MB, and the JSON on stdout of one process."""
    environment = {**os.environ, **({} if house is None else {"PYTHONPATH": str(house)})}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=house)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, err):
            stream.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command[:6])} ended with {process.returncode}:\n{err.read().decode()[-2000:]}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, json.loads(out.read())


def main() -> None:
    """Draw the files, run each side once, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--old", default="123d60b", help="commit of the older build")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted, found, number = drawn_files(folder, options.images)
        print(f"{options.images} images, {options.images * ANNOTATIONS_AN_IMAGE} annotations, {number} results")
        files = ["--annotations", str(wanted), "--results", str(found), "--json"]
        llmgen = [sys.executable, "-m", "llmgen", "evaluate", "coco", *files]
        sides: list[tuple[str, list[str], Path | None]] = [
            ("pycocotools", [sys.executable, "-c", PYCOCOTOOLS, str(wanted), str(found)], None),
            ("llmgen", llmgen, HOUSE),
        ]
        old = folder / "old"
        checkout = ["git", "-C", str(HOUSE), "worktree"]
        made = subprocess.run([*checkout, "add", "--detach", str(old), options.old], capture_output=True)
        if made.returncode == 0:
            sides.insert(0, (f"llmgen {options.old}", llmgen, old))
        try:
            measured = {side: timed(command, house) for side, command, house in sides}
        finally:
            if made.returncode == 0:
                subprocess.run([*checkout, "remove", "--force", str(old)], check=True)
    figures = {side: _figures(summary) for side, (*_, summary) in measured.items()}
    ours = measured["llmgen"][0]
    for side, (cpu, peak, _) in measured.items():
        same = "the same" if figures[side] == figures["llmgen"] else "OTHER"
        print(f"{side:16} {cpu:6.1f} s CPU, {cpu / ours:4.2f} times ours, {peak:5.0f} MB, {same} 24 figures")


def _figures(summary: dict[str, Any]) -> list[float | None]:
    both = [summary[kind] for kind in ("bbox", "segm")]
    return [value for part in both for value in (part.values() if isinstance(part, dict) else part)]


if __name__ == "__main__":
    main()
