"""How large the report of many records is and how soon a browser shows it; the targets for 1,000 are 3 MB and 1.5 s.

python benchmarks/report_page.py [--records 1000] [--side 256] [--one-file]

The records are like those of the quickstart after two rounds: a plan of three things, three pictures, what was found in each and what was
edited, two verdicts, a reply, four entries of provenance. Their pictures are noise over colours, which packs worse than drawn ones. The
browser is the Chromium on the path, or LLMGEN_CHROMIUM; without one only the sizes are told. Times are of the page opened from disk in a
new window of 1280 x 900, once cold and four times again.
"""

import argparse
import hashlib
import os
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from llmgen.artifacts import (
    ChangeAttributeEdit,
    Detection,
    EditPlan,
    HistoryEntry,
    ImageRef,
    Instance,
    Layout,
    Provenance,
    Record,
    Reply,
    Score,
)
from llmgen.artifacts.io import write_artifact
from llmgen.report import write_report

COLOURS = {"red": "#d8352f", "blue": "#2f6bd8", "green": "#2f9a4b", "yellow": "#f0b81e"}
NOUNS = ("ball", "house", "tree", "car")
STAGES = (("layout", "lmd"), ("generate", "sd"), ("detect", "owlv2"), ("correct", "self_correction"))
MOST_BYTES, MOST_SECONDS = 3_000_000, 1.5
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def picture(root: Path, name: str, things: list[tuple[str, str]], side: int, luck: random.Random) -> ImageRef:
    """Three coloured fields under noise."""
    pixels = np.random.default_rng(luck.getrandbits(32)).integers(150, 200, (side, side, 3), dtype=np.uint8)
    for place, (colour, _) in enumerate(things):
        left = place * side // 3
        value = tuple(int(COLOURS[colour][i : i + 2], 16) for i in (1, 3, 5))
        pixels[side // 4 : side // 2, left + 4 : left + side // 3 - 4] = value
    path = root / "images" / f"{name}.png"
    Image.fromarray(pixels).save(path, compress_level=1)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return ImageRef(path=f"images/{name}.png", sha256=digest, width=side, height=side)


def record(root: Path, number: int, side: int) -> Record:
    """One record and its files."""
    luck = random.Random(number)
    things = [(luck.choice(list(COLOURS)), luck.choice(NOUNS)) for _ in range(3)]
    boxes = [
        (i * side / 3 + 4.25, side / 4 + luck.random() * 9, (i + 1) * side / 3 - 4.5, side / 2 + luck.random() * 9)
        for i in range(3)
    ]
    name = f"{number:04d}"
    pictures = [picture(root, f"{name}.{i}", things, side, luck) for i in range(3)]
    found = tuple(
        Detection(
            id=f"{c} {n} #{i + 1}",
            phrase=f"{c} {n}",
            noun=n,
            attributes=(c,),
            box_xyxy=box,
            score=0.5 + luck.random() / 2,
        )
        for i, ((c, n), box) in enumerate(zip(things, boxes, strict=True))
    )
    words = " and ".join(f"a {c} {n}" for c, n in things)
    change = ChangeAttributeEdit(
        target=found[0].id, phrase=f"a {things[0][0]} {things[0][1]}", noun=things[0][1], attributes=(things[0][0],), box_xyxy=boxes[0]
    )  # fmt: skip
    right = luck.random() < 0.6
    detail = f"found {words}" if right else f"wanted {words}, found one of them twice"
    return Record(
        kind="scores",
        id=name,
        prompt=f"{words} on a meadow",
        type=luck.choice(("numeracy", "attribution", "spatial", "negation")),
        seed=luck.getrandbits(31),
        layout=Layout(
            width=side,
            height=side,
            background_prompt="a meadow",
            instances=tuple(
                Instance(id=f"{n}-{i}", phrase=f"a {c} {n}", noun=n, attributes=(c,), box_xyxy=box)
                for i, ((c, n), box) in enumerate(zip(things, boxes, strict=True))
            ),
        ),
        image=pictures[-1],
        detections=found,
        history=tuple(
            HistoryEntry(
                stage="correct" if i else "generate",
                round=i,
                image=image,
                detections=found,
                edits=EditPlan(edits=(change,), reasoning=f"The {things[0][1]} has the wrong colour.") if i else None,
                satisfied=right and i == 2,
                agreement=(i + 1) / 3,
            )
            for i, image in enumerate(pictures)
        ),
        scores=(
            Score(metric="lmd", of="initial", value=0.0, by="judge", detail=f"wanted {words}, found less"),
            Score(metric="lmd", of="final", value=float(right), by="judge", detail=detail, seen=found),
        ),
        replies=(Reply(call="layout", provider="rules", text=f'{{"objects": [{{"phrase": "{words}"}}]}}'),),
        provenance=tuple(
            Provenance(
                stage=stage,  # type: ignore[arg-type]
                method=method,
                preset="toybox",
                config={},
                config_passed={},
                seed=luck.getrandbits(31),
                input_sha256=hashlib.sha256(f"{number}{stage}".encode()).hexdigest(),
                llmgen="0.1.0",
                device="cpu",
                dtype="float32",
            )
            for stage, method in STAGES
        ),
    )


def paints(page: Path, times: int) -> list[float] | None:
    """Seconds from the opening of the page to the first content on the screen, each in a window of its own; None without a browser."""
    chromium = os.environ.get("LLMGEN_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        for _ in range(times):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            opened = context.new_page()
            opened.goto(page.as_uri())
            opened.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
            taken.append(opened.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000)
            context.close()
        browser.close()
    return taken


def main() -> None:
    """Make, write, open, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--side", type=int, default=256, help="of the pictures in pixels")
    parser.add_argument("--one-file", action="store_true")
    parser.add_argument("--keep", type=Path, help="leave the run in this folder")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = chosen.keep or Path(temporary)
        (root / "images").mkdir(parents=True, exist_ok=True)
        write_artifact(root / "scores.json", "scores", [record(root, i, chosen.side) for i in range(chosen.records)])
        started, worked = time.perf_counter(), time.process_time()
        page = write_report(root, one_file=chosen.one_file)
        took, worked = time.perf_counter() - started, time.process_time() - worked
        size = page.stat().st_size
        beside = list((root / "report_files").glob("*"))
        within = "" if chosen.one_file else f" (target {MOST_BYTES / 1e6:g} MB at 1,000 records)"
        print(
            f"{chosen.records} records, {3 * chosen.records} pictures of {chosen.side} px; "
            f"written in {took:.1f} s, {worked:.1f} s of a processor"
        )
        print(f"page: {size / 1e6:.2f} MB{within}")
        print(f"beside it: {len(beside)} pictures, {sum(path.stat().st_size for path in beside) / 1e6:.1f} MB")
        taken = paints(page, 5)
        if taken is None:
            print("first paint: no Chromium found")
        else:
            print(
                f"first paint: {taken[0]:.2f} s at first, then median {statistics.median(taken[1:]):.2f} s, "
                f"most {max(taken[1:]):.2f} s (target {MOST_SECONDS} s at 1,000 records)"
            )


if __name__ == "__main__":
    main()
