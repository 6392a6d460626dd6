from collections.abc import Iterator
from pathlib import Path

import pytest
from opened_page import CHROMIUM, FLAGS, Opened, sync_api


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def desk(browser: "sync_api.Browser", report: Path) -> Iterator[Opened]:
    """The `report` of a module on a desktop; it ends without a complaint."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    opened = Opened(context.new_page(), report)
    yield opened
    context.close()
    assert opened.complaints == []
