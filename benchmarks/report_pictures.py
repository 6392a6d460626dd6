"""Pictures of the reports for the documentation: a page on a desktop, on a phone and in the dark.

llmgen run quickstart && llmgen evaluate lmd outputs/quickstart/images.json --judge -o outputs/drawn/scores.json
python benchmarks/report_pictures.py outputs/quickstart --as report --only fixed
python benchmarks/report_pictures.py outputs/drawn outputs/quickstart --as comparison --only changed

One run gives its report, two give their comparison. Each view is written to the folder of -o, named by --as and by what it shows: the grid
(`-grid`), the cards (nothing), a phone (`-phone`) and dark (`-dark`). The browser is the Chromium on the path, or LLMGEN_CHROMIUM.
"""

import argparse
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from llmgen.report import write_report
from llmgen.report.comparison import write_comparison

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@dataclass(frozen=True)
class View:
    """How a page is looked at."""

    suffix: str
    width: int
    height: int
    dark: bool = False
    grid: bool = False
    phone: bool = False


VIEWS = (
    View("", 1180, 1000),
    View("-grid", 1180, 800, grid=True),
    View("-phone", 390, 844, phone=True),
    View("-dark", 1180, 800, dark=True),
)


def pictures(page: Path, only: str | None) -> Iterator[tuple[str, Image.Image]]:
    """What a browser shows of a page in each view.

    Args:
        page: The file.
        only: Key of a filter; the head of the page and all records without one.

    Raises:
        SystemExit: If there is no Chromium.
    """
    chromium = os.environ.get("LLMGEN_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium found; put one on the path, or name it with LLMGEN_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        for view in VIEWS:
            yield view.suffix, _picture(browser, page, view, only)
        browser.close()


def _picture(browser: Any, page: Path, view: View, only: str | None) -> Image.Image:
    context = browser.new_context(
        viewport={"width": view.width, "height": view.height},
        device_scale_factor=1.5 if view.phone else 1,
        has_touch=view.phone,
        color_scheme="dark" if view.dark else "light",
        reduced_motion="reduce",
    )
    opened = context.new_page()
    opened.goto(page.as_uri())
    pressed = opened.locator("#grid").get_attribute("aria-pressed") == "true"
    if view.grid != pressed:
        opened.click("#grid")
    if only is not None:
        opened.click(f'.filter[data-key="{only}"]')
    if only is not None or view.grid:
        opened.evaluate("scrollTo(0, document.querySelector('#records').offsetTop)")
    shot = opened.screenshot()
    context.close()
    with Image.open(io.BytesIO(shot)) as image:
        return image.convert("RGB")


def main() -> None:
    """Write the page, look at it, keep the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="folder of a run or an artifact; two are compared"
    )
    parser.add_argument("--as", dest="name", required=True, help="how the names of the pictures begin")
    parser.add_argument("-o", "--output", type=Path, default=Path(".github"), help="folder of the pictures")
    parser.add_argument(
        "--only", metavar="KEY", help="only these records, such as fixed or changed, and not the head of the page"
    )
    chosen = parser.parse_args()
    if len(chosen.runs) > 2:
        parser.error("one run or two")
    with tempfile.TemporaryDirectory() as temporary:
        page = Path(temporary) / "report.html"
        if len(chosen.runs) == 2:
            write_comparison(*chosen.runs, page)
        else:
            write_report(chosen.runs[0], page)
        chosen.output.mkdir(parents=True, exist_ok=True)
        for suffix, image in pictures(page, chosen.only):
            path = chosen.output / f"{chosen.name}{suffix}.png"
            image.save(path, optimize=True)
            print(f"{path}: {image.width}x{image.height}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
