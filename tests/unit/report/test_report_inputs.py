"""Points, scribbles and masks of a layout, as they are drawn: where, how many, which at first."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from report_run import inputs_layout, layout, write_inputs_run, write_run

from llmgen.artifacts import Instance, Layout
from llmgen.artifacts.io import write_artifact
from llmgen.report import write_report
from llmgen.report.contours import outline
from llmgen.report.instances import Drawing, draw_layout, in_words
from llmgen.report.layers import layers_of
from llmgen.report.overlay import Labels
from llmgen.report.source import read_source
from llmgen.report.view import make_page
from llmgen.vision.masks import encode_mask


def filled(path: str, height: int, width: int) -> NDArray[np.bool_]:
    """Pixels whose middle lies inside an outline by the even-odd rule: crossings of its upright sides to the left."""
    crossings = np.zeros((height, width), dtype=int)
    x = y = first_y = 0.0
    xs, ys = np.arange(width) + 0.5, np.arange(height) + 0.5
    for command, text in re.findall(r"([MHVz])([^MHVz]*)", path):
        values = [float(v) for v in text.split()]
        if command == "M":
            x, first_y = values
            y = first_y
        elif command == "H":
            x = values[0]
        else:
            end = first_y if command == "z" else values[0]
            between = (ys > min(y, end)) & (ys < max(y, end))
            crossings += between[:, None] & (xs > x)[None, :]
            y = end
    return np.asarray(crossings % 2 == 1)


@pytest.mark.parametrize("seed", range(6))
def test_an_outline_holds_exactly_the_pixels_of_its_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((9, 14)) < (0.2 + 0.1 * seed)
    mask[0, :5] = mask[-1, -1] = True
    assert np.array_equal(filled(outline(encode_mask(mask), (1, 1)), 9, 14), mask)


def test_an_outline_is_scaled_to_the_picture_and_short_where_it_is_straight() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:4, 1:7] = True
    assert outline(encode_mask(mask), (2, 4)) == "M2 8H14V16H2z"


def test_large_and_ragged_masks_are_drawn_coarsely_and_thin_ones_not_lost() -> None:
    disc = np.hypot(*(np.mgrid[:700, :1000] - np.array([[[350]], [[500]]]))) < 300
    path = outline(encode_mask(disc), (1, 1))
    assert len(path) < 8000
    assert np.count_nonzero(filled(path, 700, 1000) ^ disc) < 0.01 * disc.sum()
    noise = np.random.default_rng(0).random((600, 600)) < 0.5
    assert len(outline(encode_mask(noise), (1, 1))) < 120_000
    line = np.zeros((1200, 1200), dtype=bool)
    line[600] = True
    assert outline(encode_mask(line), (1, 1)) != ""


def drawn(plan: Layout) -> Drawing:
    return draw_layout(plan, 256, 256, Labels(256, 256))


def test_every_input_is_drawn_in_its_instances_colour_at_the_pictures_scale() -> None:
    drawing = drawn(inputs_layout())
    shapes = dict(drawing.shapes)
    assert list(shapes) == ["masks", "boxes", "scribbles", "points"]
    assert [s.hue for s in shapes["boxes"]] == ["2", "0", "1"]  # largest first
    (point,), (scribble,), (mask,) = shapes["points"], shapes["scribbles"], shapes["masks"]
    assert (point.hue, point.dots) == ("0", "M66 186h0")
    assert scribble.hue == "0" and scribble.line.startswith("M28 184L44 200L") and scribble.dots.count("h0") == 5
    assert mask.hue == "1" and mask.line.startswith("M140 40H220")
    assert [(e.hue, e.inputs, e.number) for e in drawing.legend] == [
        ("0", "point, scribble", None),
        ("1", "mask", None),
        ("2", "", None),
    ]
    assert {n.hue: n.label.text for n in drawing.names}["2"] == "a blue car that h…"
    assert in_words(inputs_layout()).startswith("a red ball (point, scribble), a green tree (mask), a blue car")


def test_a_long_stroke_has_few_dots() -> None:
    stroke = tuple((float(x), 64.0) for x in np.linspace(1, 127, 1000))
    ball = Instance(id="ball-1", phrase="a ball", box_xyxy=(0, 60, 128, 70), scribble_xy=stroke)
    (scribble,) = dict(drawn(Layout(width=128, height=128, background_prompt="", instances=(ball,))).shapes)[
        "scribbles"
    ]
    assert scribble.line.count("L") == 999
    assert 15 <= scribble.dots.count("h0") <= 25


def test_boxes_alone_need_no_colours_and_many_instances_get_numbers() -> None:
    few = drawn(layout([("red", "ball", (0, 0, 9, 9))]))
    assert [s.hue for s in dict(few.shapes)["boxes"]] == ["plain"] and few.legend == () and not few.rich
    many = drawn(layout([("red", "ball", (8.0 * i, 0, 8.0 * i + 7, 9)) for i in range(9)]))
    assert [n.label.text for n in many.names] == [str(i) for i in range(1, 10)]
    assert [(e.number, e.phrase, e.hue) for e in many.legend][-1] == (9, "a red ball", "0")


def test_the_plan_is_shown_first_where_it_has_more_than_boxes(tmp_path: Path) -> None:
    rich = make_page(read_source(write_inputs_run(tmp_path / "rich"))).layers
    assert [(x.key, x.on) for x in rich.planned] == [
        ("boxes", True),
        ("points", True),
        ("scribbles", True),
        ("masks", True),
    ]
    assert [(x.key, x.on) for x in rich.seen] == [("found", False)]
    assert rich.hidden == "hide-found"
    plain = make_page(read_source(write_run(tmp_path / "plain"))).layers
    assert plain.hidden == "hide-boxes hide-region hide-judge hide-names"
    assert layers_of((), True).hidden == "hide-names"


def test_boxes_are_shown_where_the_picture_was_drawn_from_them(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    page = make_page(read_source(run))
    steps = [step for card in page.cards for step in card.steps]
    assert [(x.key, x.on) for x in layers_of(steps, True).planned] == [("boxes", True)]
    assert [(x.key, x.on) for x in layers_of(steps, False).planned] == [("boxes", False)]
    drawn_so = [
        r.grown(provenance=tuple(m.model_copy(update={"method": "gligen"}) for m in r.provenance))
        for r in read_source(run).artifact.records
    ]
    write_artifact(run / "scores.json", "scores", drawn_so)
    assert make_page(read_source(run)).layers.planned[0].on


def test_a_report_of_inputs_is_escaped_and_says_what_an_instance_has(tmp_path: Path) -> None:
    text = write_report(write_inputs_run(tmp_path)).read_text(encoding="utf-8")
    assert "<b>roads</b>" not in text and "&lt;b&gt;roads&lt;/b&gt;" in text
    assert '<html lang="en" class="hide-found">' in text
    assert 'aria-label="Planned layout: a red ball (point, scribble), a green tree (mask),' in text
    assert text.count('class="legend"') == 1
    assert ">Drawn<" in text  # also when the detections came later than the picture


def test_a_background_that_repeats_the_prompt_is_not_said_twice(tmp_path: Path) -> None:
    run = write_inputs_run(tmp_path)
    (record,) = read_source(run).artifact.records
    assert record.layout is not None
    same = record.layout.model_copy(update={"background_prompt": record.prompt})
    assert ("Background", "a meadow") in make_page(read_source(run)).cards[0].steps[0].extra
    write_artifact(run / "scores.json", "scores", [record.grown(layout=same)])
    assert make_page(read_source(run)).cards[0].steps[0].extra == ()
