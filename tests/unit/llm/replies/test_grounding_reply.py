"""Boxes in the words of vision-language models."""

import pytest

from llmgen.errors import ModelError
from llmgen.evaluate.grounding_boxes import read_grounded_reply

TWO = [("dog", (100, 50, 200, 150), True), ("cat", (500, 250, 600, 350), True)]


@pytest.mark.parametrize(
    "text",
    [
        "<ref>a brown dog</ref><box>(100,100),(200,300)</box><ref>the cat</ref><box>(500,500),(600,700)</box>",
        "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(100,100),(200,300)<|box_end|> "
        "<|object_ref_start|>cats<|object_ref_end|><|box_start|>(500,500),(600,700)<|box_end|>",
        "<|ref|>dog<|/ref|><|det|>[[100, 100, 200, 300]]<|/det|> <|ref|>cat<|/ref|><|det|>[[500, 500, 600, 700]]<|/det|>",
        "A dog [[100,100,200,300]] and a cat [[500,500,600,700]].",
        "the dog [0.1, 0.1, 0.2, 0.3], a cat [0.5, 0.5, 0.6, 0.7]",
        '```json\n[{"bbox_2d": [100, 50, 200, 150], "label": "a dog"}, {"bbox_2d": [500, 250, 600, 350], "label": "cat"}]\n```',
        '[{"bbox_2d": [100, 100, 200, 300], "label": "dog"}, {"bbox_2d": [500, 500, 600, 700], "label": "cat"}]',
        '{"objects": [{"name": "dog", "bbox": [100, 50, 200, 150]}, {"name": "cat", "bbox": [500, 250, 600, 350]}]}',
        '[{"box_2d": [100, 100, 300, 200], "label": "dog"}, {"box_2d": [500, 500, 700, 600], "label": "cat"}]',
        '{"dog": [100, 50, 200, 150], "cat": [500, 250, 600, 350]}',
        "<think>a cow [[1,2,3,4]]</think>A dog [[100,100,200,300]], a cat [[500,500,600,700]]",
    ],
)
def test_forms_of_the_common_models(text: str) -> None:
    assert [(b.label, b.box, b.first) for b in read_grounded_reply(text, 1000, 500)] == TWO


@pytest.mark.parametrize(
    "text",
    [
        "dogs [[100,100,200,300;500,500,600,700]]",
        "dogs [[100,100,200,300],[500,500,600,700]]",
        "<ref>dogs</ref><box>(100,100),(200,300)</box><box>(500,500),(600,700)</box>",
        "<ref>two dogs</ref><box>[[100, 100, 200, 300], [500, 500, 600, 700]]</box>",
    ],
)
def test_several_boxes_of_one_group(text: str) -> None:
    boxes = read_grounded_reply(text, 1000, 500)
    assert [(b.box, b.first) for b in boxes] == [((100, 50, 200, 150), True), ((500, 250, 600, 350), False)]
    assert {b.label.rstrip("s") for b in boxes} == {"dog"}


def test_pixels_and_thousandths_are_told_apart_and_said() -> None:
    lines: list[str] = []
    low = read_grounded_reply('[{"bbox_2d": [139, 68, 315, 254], "label": "cat"}]', 512, 512, lines.append)
    high = read_grounded_reply('[{"bbox_2d": [500, 500, 750, 1000], "label": "cat"}]', 512, 512, lines.append)
    assert [one.box for one in (*low, *high)] == [(139, 68, 315, 254), (256, 256, 384, 512)]
    assert ["could be thousandths" in lines[0], "as pixels they leave the picture" in lines[1]] == [True, True]


def test_labels_of_several_words() -> None:
    text = '[{"bbox_2d": [1, 2, 30, 40], "label": "a hot dog"}, {"bbox_2d": [1, 2, 30, 40], "label": "traffic lights"}]'
    assert [b.label for b in read_grounded_reply(text, 100, 100)] == ["hot dog", "traffic light"]


@pytest.mark.parametrize(
    "text",
    ["Nothing.", "", "a dog, left", "a dog [[x,1,2]]", '{"label": "dog"}', "<ref>dog</ref><box>left</box>", "a [1, 2]", "[[1,2,3,4]]"],
)  # fmt: skip
def test_no_box_is_no_answer(text: str) -> None:
    with pytest.raises(ModelError, match="no box can be read in it"):
        read_grounded_reply(text, 100, 100)
    assert read_grounded_reply("```json\n[]\n```", 100, 100) == []


def test_many_boxes_are_refused() -> None:
    with pytest.raises(ModelError, match="1001 boxes, at most 1000"):
        read_grounded_reply("a [[0,0,1,1]]" * 1001, 10, 10)
