"""The report in a real browser: works from a file, without network, by keyboard, on a phone."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from opened_page import Opened, browsing, sync_api, visible
from PIL import Image
from report_run import HOSTILE, write_inputs_run, write_run

from llmgen.report import write_report

pytestmark = browsing


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(write_run(tmp_path_factory.mktemp("run")))


@pytest.fixture
def phone(browser: "sync_api.Browser", report: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 360, "height": 780}, has_touch=True, is_mobile=True)
    opened = Opened(context.new_page(), report)
    yield opened
    context.close()
    assert opened.complaints == []


@pytest.fixture(scope="module")
def inputs_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(write_inputs_run(tmp_path_factory.mktemp("inputs")))


@pytest.fixture
def inputs(browser: "sync_api.Browser", inputs_report: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    opened = Opened(context.new_page(), inputs_report)
    yield opened
    context.close()
    assert opened.complaints == []


FORMATS = ("Boxes", "Points", "Scribbles", "Masks")


def test_opens_without_complaint_or_request(desk: Opened, report: Path) -> None:
    page = desk.page
    page.wait_for_load_state()
    assert [url for url in desk.requests if not url.startswith("data:")] == [report.as_uri()]
    assert page.title() == "storybook · llmgen report"
    assert page.locator("#prompt-0007").inner_text() == HOSTILE
    broken = page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt)")
    assert broken == []


def test_policy_stops_injected_code_and_requests(desk: Opened) -> None:
    page = desk.page
    page.evaluate(
        """() => { const s = document.createElement('script'); s.textContent = 'document.title = "owned"'; document.body.append(s);
        const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i); }"""
    )
    # The browser tells of both in its own time.
    for _ in range(200):
        if len(desk.complaints) >= 2:
            break
        page.wait_for_timeout(50)
    blocked = [c for c in desk.complaints if "Content Security Policy" in c]
    desk.complaints.clear()
    assert len(blocked) == 2
    assert page.title() == "storybook · llmgen report"


def test_boxes_lie_on_the_pixels_they_name(desk: Opened) -> None:
    step = desk.page.locator("#record-0001 .step").nth(1)
    image = step.locator("img").bounding_box()
    box = step.locator(".mark-found", has_text="red ball #1").locator(".box")
    shape = box.evaluate(
        "e => { const r = e.getBBox(), m = e.getScreenCTM(); return [r.x * m.a + m.e, r.y * m.d + m.f, r.width * m.a, r.height * m.d] }"
    )
    scale = image["width"] / 128
    expected = [image["x"] + 14 * scale, image["y"] + 74 * scale, 38 * scale, 38 * scale]
    assert shape == pytest.approx(expected, abs=0.5)


def test_filters_show_their_records_and_say_how_many(desk: Opened) -> None:
    page = desk.page
    shown = page.locator("#shown")
    assert shown.get_attribute("aria-live") == "polite"
    for name, ids in (
        ("Failures", ["0004", "0005"]),
        ("Fixed by correction", ["0001", "0003"]),
        ("Made worse", ["0005"]),
        ("Errors", ["0006"]),
        ("All", [f"000{i}" for i in range(1, 8)]),
    ):
        button = page.get_by_role("button", name=name)
        button.click()
        visible = page.evaluate("[...document.querySelectorAll('.card')].filter(c => !c.hidden).map(c => c.id)")
        assert visible == [f"record-{i}" for i in ids]
        assert shown.inner_text() == f"{len(ids)} of 7 records shown"
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator(".filter[aria-pressed=true]").count() == 1
        assert f"{len(ids)}" in button.inner_text()


def test_search_finds_prompts_reasons_and_edits(desk: Opened) -> None:
    page = desk.page
    field = page.get_by_role("searchbox")
    for words, ids in (("RED balls", ["0001"]), ("thimble", ["0006"]), ("no yellow", ["0005"]), ("58 px", ["0003"])):
        field.fill(words)
        visible = page.evaluate("[...document.querySelectorAll('.card')].filter(c => !c.hidden).map(c => c.id)")
        assert visible == [f"record-{i}" for i in ids], words
    field.fill("no such thing")
    assert page.locator("#none").is_visible()
    assert page.locator("#shown").inner_text() == "0 of 7 records shown"
    page.get_by_role("button", name="Show all").click()
    assert page.locator("#shown").inner_text() == "7 of 7 records shown"
    assert page.evaluate("document.activeElement.dataset.key") == "all"


def test_slider_works_by_keyboard(desk: Opened) -> None:
    page = desk.page
    assert page.locator(".compare:visible").count() == 3
    slider = page.locator("#record-0001 input[type=range]")
    slider.focus()
    clip = "getComputedStyle(document.querySelector('#record-0001 .before')).clipPath"
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "51 % before, 49 % after"
    page.keyboard.press("Home")
    assert "100%" in page.evaluate(clip)
    assert not page.locator("#record-0001 .cue-before").is_visible()
    page.keyboard.press("End")
    assert "100%" not in page.evaluate(clip)
    assert slider.input_value() == "100"
    assert page.evaluate("getComputedStyle(document.querySelector('#record-0001 .stage')).outlineStyle") == "solid"


def test_slider_shows_the_first_and_the_final_picture(desk: Opened) -> None:
    sources = desk.page.evaluate(
        """() => { const card = document.getElementById('record-0003');
        const film = [...card.querySelectorAll('.film img')].map(i => i.src);
        return [card.querySelector('img.before').src === film[0], card.querySelector('img.after').src === film.at(-1)]; }"""
    )
    assert sources == [True, True]


def test_layers_and_single_pictures_can_be_bared(desk: Opened) -> None:
    page = desk.page
    step = page.locator("#record-0001 .step").nth(2)
    for name, layer, on in (
        ("Found", "found", True),
        ("Edits", "edits", True),
        ("Editable region", "region", False),
    ):
        assert step.locator(f".on-{layer}").is_visible() is on
        button = page.get_by_role("button", name=name, exact=True)
        assert button.get_attribute("aria-pressed") == str(on).lower()
        button.press("Space")
        assert step.locator(f".on-{layer}").is_visible() is not on
        button.press("Enter")
    bare = step.get_by_role("button")
    bare.click()
    assert not step.locator(".over").is_visible()
    assert page.locator("#record-0001 .step").nth(1).locator(".over").is_visible()
    bare.click()
    assert step.locator(".over").is_visible()


def test_inputs_lie_on_the_pixels_they_name(inputs: Opened) -> None:
    step = inputs.page.locator(".step").nth(1)
    image = step.locator("img").bounding_box()
    scale = image["width"] / 128  # of the layout; the picture has twice as many pixels
    for layer, box in (
        ("boxes", [12, 72, 42, 42]),
        ("points", [33, 93, 0, 0]),
        ("scribbles", [14, 84, 38, 20]),
        ("masks", [70, 20, 40, 40]),
    ):
        title = "a green tree" if layer == "masks" else "a red ball"
        shape = step.locator(f".on-{layer} .shape", has_text=title).locator("path").last
        found = shape.evaluate(
            "e => { const r = e.getBBox(), m = e.getScreenCTM(); return [r.x * m.a + m.e, r.y * m.d + m.f, r.width * m.a, r.height * m.d] }"
        )
        expected = [image["x"] + box[0] * scale, image["y"] + box[1] * scale, box[2] * scale, box[3] * scale]
        assert found == pytest.approx(expected, abs=0.5), layer


def test_inputs_are_painted_in_their_colours(inputs: Opened) -> None:
    """What the eye gets: a dot of the instance's colour at the point, the picture through the hole of the mask."""
    image = inputs.page.locator(".step").nth(1).locator(".canvas")
    image.scroll_into_view_if_needed()
    with Image.open(io.BytesIO(image.screenshot())) as shot:
        seen = shot.convert("RGB")
    side = seen.width / 128

    def at(x: float, y: float) -> tuple[int, int, int]:
        value = seen.getpixel((int(x * side), int(y * side)))
        assert isinstance(value, tuple)
        return value

    assert at(33, 93) == (0x4D, 0xB4, 0xFF)
    assert at(22, 100) == (0x4D, 0xB4, 0xFF)
    assert at(90, 40) == (0x2F, 0x9A, 0x4B)  # the tree's green through the hole
    assert at(76, 40) != (0x2F, 0x9A, 0x4B)


def test_inputs_can_be_switched_one_by_one_and_the_plan_keeps_them(inputs: Opened) -> None:
    page = inputs.page
    plan, drawn = page.locator(".step").nth(0), page.locator(".step").nth(1)
    assert not drawn.locator(".on-found").is_visible()
    # A dot has no size of its own, by which Playwright would know it.
    display = "e => getComputedStyle(e).display"
    for name in FORMATS:
        button = page.get_by_role("button", name=name, exact=True)
        layer = f".on-{name.lower()}"
        assert button.get_attribute("aria-pressed") == "true"
        assert drawn.locator(layer).evaluate(display) == "inline"
        assert drawn.locator(".names").is_visible()
        button.press("Space")
        assert button.get_attribute("aria-pressed") == "false"
        assert drawn.locator(layer).evaluate(display) == "none"
        assert plan.locator(layer).evaluate(display) == "inline"
    assert not drawn.locator(".names").is_visible() and plan.locator(".names").is_visible()
    page.get_by_role("button", name="Found", exact=True).click()
    assert drawn.locator(".on-found").is_visible()
    bare = drawn.get_by_role("button")
    bare.click()
    assert not drawn.locator(".over").is_visible()


def test_the_legend_says_whose_colour_it_is(inputs: Opened) -> None:
    colors = inputs.page.evaluate(
        """() => [...document.querySelectorAll('.legend li')].map(li => [li.innerText.trim(),
        getComputedStyle(li.querySelector('i')).backgroundColor])"""
    )
    assert [words for words, _ in colors][:2] == ["a red ball point, scribble", "a green tree mask"]
    stroke = "getComputedStyle(document.querySelector('.paper .on-masks .line')).stroke"
    assert inputs.page.evaluate(stroke) == colors[1][1]
    assert len({color for _, color in colors}) == 3


HUES = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
  const light = (c) => { const [r, g, b] = rgb(c).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const shape = document.querySelector('.paper .shape');
  const paper = light(getComputedStyle(document.querySelector('.paper')).backgroundColor);
  return [...'01234567', 'plain'].map((hue) => {
    shape.setAttribute('class', `shape hue-${hue}`);
    const ink = light(getComputedStyle(shape.querySelector('.line')).stroke);
    return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_a_plan_stands_out_from_the_paper(inputs: Opened, scheme: str) -> None:
    inputs.page.emulate_media(color_scheme=scheme)
    assert min(inputs.page.evaluate(HUES)) >= 3
    assert inputs.page.evaluate(CONTRAST) == []


def test_inputs_are_large_enough_on_a_phone(inputs: Opened) -> None:
    inputs.page.set_viewport_size({"width": 360, "height": 780})
    assert inputs.page.evaluate("document.documentElement.scrollWidth") <= 360
    for canvas in inputs.page.locator(".canvas").all():
        assert canvas.bounding_box()["width"] >= 280
    for name in FORMATS:
        assert inputs.page.get_by_role("button", name=name, exact=True).bounding_box()["height"] >= 40


def test_inputs_are_drawn_without_script(browser: "sync_api.Browser", inputs_report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(inputs_report.as_uri())
    drawn = page.locator(".step").nth(1)
    assert drawn.locator(".on-masks").is_visible() and not drawn.locator(".on-found").is_visible()
    context.close()


def test_links_reveal_what_is_filtered_or_folded(desk: Opened) -> None:
    page = desk.page
    page.get_by_role("button", name="Errors").click()
    page.evaluate("location.hash = '#record-0002'")
    page.locator("#record-0002").wait_for(state="visible")
    page.locator("#record-0002 summary").click()
    page.locator("#record-0002 .made a").first.click()
    page.locator("#recipe-1[open]").wait_for(state="attached")


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_is_wider_than_the_screen(desk: Opened, width: int) -> None:
    desk.page.set_viewport_size({"width": width, "height": 800})
    desk.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= width
    outside = desk.page.evaluate(
        """() => [...document.querySelectorAll('h1, h3, p, table, figure, pre, input, li')]
        .filter(e => !e.closest('.sr, .skip, .toolbar') && e.getBoundingClientRect().right > innerWidth + 1)
        .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert outside == []


def test_fingers_find_the_buttons(phone: Opened) -> None:
    small = phone.page.evaluate(
        """() => [...document.querySelectorAll('button, input, summary')].filter(e => e.offsetParent)
        .map(e => [e.className || e.tagName, e.getBoundingClientRect()]).filter(([, r]) => r.height < 24 || r.width < 24)
        .map(([name]) => name)"""
    )
    assert small == []
    phone.page.get_by_role("button", name="Errors").tap()
    assert phone.page.locator("#shown").inner_text() == "1 of 7 records shown"


def test_keyboard_reaches_everything_and_shows_where_it_is(desk: Opened) -> None:
    page = desk.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "records"
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => { const e = document.activeElement;
            return [e.className || e.id || e.type || e.tagName, getComputedStyle(e.closest('.stage') || e).outlineStyle]; }"""
        )
        reached.add(name)
        assert outline in ("solid", "auto"), name
    assert {"filter", "layer", "find", "bare", "range", "SUMMARY"} <= reached


def test_landmarks_names_and_headings(desk: Opened) -> None:
    page = desk.page
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("header.top, main, footer, [role=search]").count() == 4
    assert page.locator("h1").count() == 1
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, a, article, section, [role=img], img')].filter(e => {
        const name = e.getAttribute('aria-label') || e.textContent.trim() || e.alt
          || document.getElementById(e.getAttribute('aria-labelledby'))?.textContent || e.labels?.[0]?.textContent;
        return !name && !e.closest('[aria-hidden=true]') && !e.matches('.compare img'); }).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))")
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


CONTRAST = """() => {
  const parse = (c) => { const v = c.match(/[\\d.]+/g).map(Number); return v.length === 3 ? [...v, 1] : v; };
  const mix = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (e) => { const chain = []; for (; e; e = e.parentElement) chain.push(parse(getComputedStyle(e).backgroundColor));
    return chain.reverse().reduce((under, top) => mix(top, under), [255, 255, 255]); };
  const bad = [];
  for (const e of document.querySelectorAll('p, b, dt, dd, th, td, small, span, a, button, h1, h2, h3, summary, bdi, li, figcaption')) {
    if (e.closest('.stage, .sr, .skip, .toolbar, [hidden], :disabled, svg') || !e.offsetParent) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const under = ground(e), over = mix(parse(getComputedStyle(e).color), under);
    const [a, b] = [light(over), light(under)];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 100)}`);
  }
  return bad;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_schemes(desk: Opened, scheme: str) -> None:
    desk.page.emulate_media(color_scheme=scheme)
    assert desk.page.evaluate(CONTRAST) == []
    paper = desk.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == {"light": "rgb(250, 248, 243)", "dark": "rgb(21, 22, 26)"}[scheme]


def test_prints_the_pictures_and_not_the_controls(desk: Opened) -> None:
    desk.page.emulate_media(media="print")
    assert not desk.page.locator(".toolbar").is_visible()
    assert not desk.page.locator(".compare").first.is_visible()
    assert desk.page.locator("#record-0001 .film img").count() == 3
    assert desk.page.locator("#record-0001 .film img").first.is_visible()


def test_reads_without_script(browser: "sync_api.Browser", report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert not page.locator(".toolbar").is_visible()
    assert page.locator("#record-0001 .film img").nth(2).is_visible()
    assert page.locator("#record-0001 .on-edits").first.is_visible()
    assert not page.locator("#record-0001 .on-region").first.is_visible()
    context.close()


def test_grid_shows_one_picture_a_record_and_a_click_opens_the_card(desk: Opened) -> None:
    page = desk.page
    before = page.evaluate("document.querySelector('.records').getBoundingClientRect().height")
    page.locator("#grid").click()
    assert page.locator("#grid").get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.querySelector('.records').getBoundingClientRect().height") < before / 2
    shown = page.evaluate(
        "[...document.querySelectorAll('.card')].map(c => [...c.querySelectorAll('.canvas')].filter(e => e.offsetParent).length)"
    )
    assert set(shown) <= {0, 1} and sum(shown) > 3
    card = page.locator(".card").nth(2)
    card.click()
    assert page.locator("#grid").get_attribute("aria-pressed") == "false"
    assert page.evaluate("document.activeElement.id") == card.get_attribute("id")


def test_keys_go_from_record_to_record(desk: Opened) -> None:
    page = desk.page
    cards = visible(page)
    for key, place in (("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == cards[place]
    page.keyboard.press("g")
    assert page.evaluate("document.documentElement.classList.contains('grid')")
    page.keyboard.press("Enter")
    assert not page.evaluate("document.documentElement.classList.contains('grid')")
    page.locator("#find").fill("")
    page.locator("#find").press("g")
    assert page.locator("#find").input_value() == "g"
    assert not page.evaluate("document.documentElement.classList.contains('grid')")


def test_sorting_and_types(desk: Opened) -> None:
    page = desk.page
    came = visible(page)
    page.locator("#sort").select_option("up")
    scores = page.evaluate("[...document.querySelectorAll('.card')].map(c => c.dataset.score)")
    numbers = [float(score) for score in scores if score]
    assert numbers == sorted(numbers) and len(set(numbers)) > 1 and all(not s for s in scores[len(numbers) :])
    page.locator("#sort").select_option("")
    assert visible(page) == came
    wanted = page.locator("#type option").nth(1).inner_text()
    page.locator("#type").select_option(wanted)
    found = page.evaluate("[...document.querySelectorAll('.card')].filter(c => !c.hidden).map(c => c.dataset.type)")
    assert set(found) == {wanted} and len(found) < len(came)
    assert f"{len(found)} of {len(came)}" in page.locator("#shown").inner_text()


def test_grid_fits_a_phone(phone: Opened) -> None:
    page = phone.page
    page.locator("#grid").tap()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tops = page.evaluate("[...document.querySelectorAll('.card')].slice(0, 2).map(c => c.getBoundingClientRect().top)")
    assert tops[0] == tops[1]


def test_very_long_prompts_are_folded(browser: "sync_api.Browser", tmp_path: Path) -> None:
    from llmgen.artifacts import Record
    from llmgen.artifacts.io import write_artifact

    write_artifact(
        tmp_path / "p.json", "prompts", [Record(id="a", prompt="word " * 900), Record(id="b", prompt="short")]
    )
    page = browser.new_page()
    page.goto(write_report(tmp_path / "p.json").as_uri())
    folded = page.locator("#prompt-a").bounding_box()
    page.get_by_role("button", name="Whole prompt").click()
    whole = page.locator("#prompt-a").bounding_box()
    assert folded is not None and whole is not None and folded["height"] * 3 < whole["height"]
    page.get_by_role("button", name="Fold the prompt").click()
    again = page.locator("#prompt-a").bounding_box()
    assert again is not None and again["height"] == folded["height"]
    page.close()


def test_two_runs_side_by_side(browser: "sync_api.Browser", tmp_path: Path) -> None:
    from llmgen.report.comparison import write_comparison

    run = write_run(tmp_path / "a")
    page_file = write_comparison(run, write_run(tmp_path / "b"), tmp_path / "comparison.html")
    context = browser.new_context(viewport={"width": 360, "height": 780}, reduced_motion="reduce")
    opened = Opened(context.new_page(), page_file)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    total = len(visible(page))
    page.locator(".filter[data-key=right]").click()
    assert 0 < len(visible(page)) < total
    page.locator("#grid").click()
    assert page.evaluate(
        "[...document.querySelectorAll('.card:not([hidden]) .canvas')].filter(e => e.offsetParent).length"
    ) == 2 * len(visible(page))  # A and B
    assert page.evaluate("[...document.querySelectorAll('.summary table')].every(e => e.offsetParent)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
    assert opened.complaints == []
