"""The report of many records in a real browser: a grid at first, stories unpacked when they are looked at, pictures beside the page."""

from pathlib import Path

import pytest
from opened_page import Opened, browsing, sync_api, visible
from report_run import write_many

from llmgen.report import write_report

pytestmark = browsing

COUNT = 70


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("many run"), COUNT)


@pytest.fixture(scope="module")
def report(run: Path) -> Path:
    return write_report(run)


def unpacked(page: "sync_api.Page") -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.card:not(:has(.packed))')].map(c => c.id)")


def until(page: "sync_api.Page", condition: str) -> None:
    """Wait for a condition in JavaScript. Playwright's own waiting evaluates text in the page, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {condition}")


def test_begins_as_a_grid_of_pictures_from_beside_the_page(desk: Opened, report: Path) -> None:
    page = desk.page
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.classList.contains('grid')")
    assert page.locator("#grid").get_attribute("aria-pressed") == "true"
    asked = {url for url in desk.requests if not url.startswith("data:")}
    assert report.as_uri() in asked and len(asked) > 3
    assert all(url.startswith(report.with_name("report_files").as_uri() + "/") for url in asked - {report.as_uri()})
    assert page.evaluate("document.images.length") == COUNT
    assert page.evaluate("[...document.images].filter(i => i.complete && i.src && !i.naturalWidth).length") == 0
    assert unpacked(page) == []


def test_a_click_opens_the_card_with_its_whole_story(desk: Opened) -> None:
    page = desk.page
    page.locator("#record-007").click()
    page.locator("#record-007 .film img").nth(2).wait_for()
    assert page.evaluate("document.activeElement.id") == "record-007"
    card = page.locator("#record-007")
    assert card.locator(".step").count() == 4 and card.locator(".verdicts").count() == 1
    until(page, "[...document.querySelectorAll('#record-007 .film img')].every(i => i.naturalWidth)")
    assert len(set(card.locator(".film img").evaluate_all("images => images.map(i => i.src)"))) == 3
    # The slider, the layers and the button of a figure work in what was unpacked.
    slider = card.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "51 % before, 49 % after"
    assert card.locator("img.after").evaluate("i => i.src") == card.locator(".film img").nth(2).evaluate("i => i.src")
    bare = card.locator(".step").nth(2).get_by_role("button")
    bare.click()
    assert not card.locator(".step").nth(2).locator(".over").is_visible()


def test_a_list_unpacks_what_is_near_and_no_more(desk: Opened) -> None:
    page = desk.page
    page.keyboard.press("g")
    until(page, "document.querySelectorAll('.card:not(:has(.packed))').length > 0")
    page.wait_for_timeout(200)
    assert 0 < len(unpacked(page)) < COUNT / 2
    assert "record-069" not in unpacked(page)
    page.locator("#record-069").evaluate("card => card.scrollIntoView()")
    page.locator("#record-069 .film img").nth(2).wait_for()


def test_keys_filters_and_search_work_on_packed_records(desk: Opened) -> None:
    page = desk.page
    for key, card in (("j", "record-000"), ("j", "record-001"), ("k", "record-000")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == card
    page.keyboard.press("Enter")
    page.locator("#record-000 .film img").nth(2).wait_for()
    assert not page.evaluate("document.documentElement.classList.contains('grid')")
    page.get_by_role("searchbox").fill("scene 42")
    assert visible(page) == ["record-042"]
    page.get_by_role("searchbox").fill("turn blue ball #1")  # said by an edit, in the story alone
    assert len(visible(page)) == COUNT


def test_a_link_to_a_record_opens_it(browser: "sync_api.Browser", report: Path) -> None:
    page = browser.new_page()
    page.goto(f"{report.as_uri()}#record-033")
    page.locator("#record-033 .film img").nth(2).wait_for()
    assert not page.evaluate("document.documentElement.classList.contains('grid')")
    page.close()


def test_fits_a_phone_and_opens_by_a_tap(browser: "sync_api.Browser", report: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 780}, has_touch=True, is_mobile=True)
    opened = Opened(context.new_page(), report)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tops = page.evaluate("[...document.querySelectorAll('.card')].slice(0, 2).map(c => c.getBoundingClientRect().top)")
    assert tops[0] == tops[1]
    page.locator("#record-001").tap()
    page.locator("#record-001 .film img").nth(2).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
    assert opened.complaints == []


def test_one_file_asks_for_nothing(browser: "sync_api.Browser", run: Path, tmp_path: Path) -> None:
    file = write_report(run, tmp_path / "one.html", one_file=True)
    context = browser.new_context()
    opened = Opened(context.new_page(), file)
    opened.page.locator("#record-007").click()
    until(
        opened.page, "[...document.querySelectorAll('#record-007 .film img')].filter(i => i.naturalWidth).length === 3"
    )
    assert [url for url in opened.requests if not url.startswith("data:")] == [file.as_uri()]
    context.close()
    assert opened.complaints == [] and sorted(path.name for path in tmp_path.iterdir()) == ["one.html"]


def test_without_script_each_record_has_its_picture(browser: "sync_api.Browser", report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.get_by_text("Without its script").is_visible()
    assert page.locator("#record-003 img").is_visible()
    context.close()
