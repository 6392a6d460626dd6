"""A page in a real browser, and all that it complained about or asked for."""

import os
import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("LLMGEN_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
browsing = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found; install one or set LLMGEN_CHROMIUM to its path"),
]


class Opened:
    """A page and all that it complained about or asked for."""

    def __init__(self, page: "sync_api.Page", report: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(report.as_uri())


def visible(page: "sync_api.Page") -> list[str]:
    """Ids of the cards that are not filtered away."""
    return page.evaluate("[...document.querySelectorAll('.card')].filter(c => !c.hidden).map(c => c.id)")
