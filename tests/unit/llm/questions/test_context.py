"""The context question: what it tells, what it reads of any reply, and what the rules answer."""

import json
from typing import Any

import pytest
from context_replies import CORPUS, NAMES, one, refused, reply, skip

from llmgen.artifacts import Detection
from llmgen.errors import InputError, ModelError
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.context import ContextQuestion, EarlierDepth, PaintedBefore
from llmgen.llm.replies.context_reply import Context, read_context_reply


def seen(phrase: str, number: int, box: tuple[float, float, float, float]) -> Detection:
    *attributes, noun = phrase.split()
    return Detection(
        id=f"{phrase} #{number}", phrase=phrase, noun=noun, attributes=tuple(attributes), box_xyxy=box, score=0.9
    )


BALL, CAR = seen("red ball", 1, (10, 10, 30, 30)), seen("blue car", 1, (40, 40, 100, 80))
HOUSE, WINDOW, PANE = (
    seen("red house", 1, (10, 10, 90, 90)),
    seen("window", 1, (20, 20, 30, 30)),
    seen("window", 2, (60, 20, 70, 30)),
)
PATTERNS = (("*", ("striped", "dotted", "checked")),)
STATES = (("window", ("lit",)), ("door", ("open",)), ("house", ("with lit windows",)))


def question(*detections: Detection, **more: Any) -> ContextQuestion:
    return ContextQuestion(
        "a meadow with things",
        detections,
        tuple((d.box_xyxy[2] - d.box_xyxy[0]) * (d.box_xyxy[3] - d.box_xyxy[1]) for d in detections),
        128,
        128,
        3,
        **more,
    )


@pytest.mark.parametrize("name", CORPUS)
def test_any_reply_is_read_or_refused_in_one_line(name: str) -> None:
    text, wanted = CORPUS[name]
    remarks: list[str] = []
    if wanted == refused:
        with pytest.raises(ModelError, match="unusable reply") as caught:
            read_context_reply(text, NAMES, remarks.append)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
        return
    read = read_context_reply(text, NAMES, remarks.append)
    assert [skip if one.skip else one.tags or None for one in read.objects] == list(wanted)
    assert all("\n" not in line and line.isprintable() for line in remarks)
    if name != "no story" and None in wanted:
        assert remarks  # what is missing is never passed over


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 60


def test_what_was_mended_is_said() -> None:
    remarks: list[str] = []
    read_context_reply(reply(one("o0", *map(str, range(12))), one("o0", "x"), one("o9", "y")), NAMES, remarks.append)
    assert remarks == [
        "12 tags for o0 (red ball), the first 10 are used",
        "o0 (red ball) was told twice; the first time counts",
        "ignored what was said of 'o9', which is none of the objects",
        "nothing was said of o1 (blue car); it is painted by its name",
        "nothing was said of o2 (red ball); it is painted by its name",
    ]


def test_a_long_story_is_cut_and_its_line_breaks_go() -> None:
    said: list[str] = []
    read = read_context_reply(reply(one("o0", "a"), story="One.\nTwo\x07. " + "x" * 3000), NAMES, said.append)
    assert read.story.startswith("One. Two . x") and len(read.story) == 2000
    assert any("3010 characters" in line or "characters, the first 2000" in line for line in said)


def test_places_are_told_in_percent_and_ids_by_number() -> None:
    told = json.loads(question(BALL, CAR).text.partition("Objects: ")[2])
    assert told == [
        {"id": "o0", "object": "red ball", "box_percent": [8, 8, 23, 23], "area_percent": 2.4},
        {"id": "o1", "object": "blue car", "box_percent": [31, 31, 78, 62], "area_percent": 14.6},
    ]


def test_the_schema_takes_the_ids_that_were_asked_about_and_nothing_open() -> None:
    schema = question(BALL, CAR).schema()
    entry = schema["$defs"]["ObjectContext"]
    assert entry["properties"]["object_id"] == {"type": "string", "enum": ["o0", "o1"]}
    assert entry["properties"]["tags"]["maxItems"] == entry["properties"]["negative_tags"]["maxItems"] == 10
    for part in (schema, entry):
        assert part["additionalProperties"] is False and part["required"] == list(part["properties"])
    assert schema["properties"]["objects"]["maxItems"] == 2


def test_a_later_depth_is_told_the_story_and_the_tags_of_the_earlier_one() -> None:
    before = EarlierDepth(1, "A quiet day.", (PaintedBefore("a red house", "house", ("old brick",), (0, 0, 9, 9)),))
    asked = question(WINDOW, depth=2, depths=2, goal="parts", earlier=(before,))
    assert "Depth: 2 of 2; parts" in asked.text
    assert "Story of depth 1: A quiet day." in asked.text
    assert '[{"object": "a red house", "tags": ["old brick"]}]' in asked.text
    assert asked.identity != question(WINDOW, depth=2, depths=2, goal="parts").identity


def test_rules_choose_of_what_is_offered_and_say_it_in_the_question_s_form() -> None:
    answer = Rules().ask(question(BALL, CAR, offered=PATTERNS))
    assert answer.value == question(BALL, CAR, offered=PATTERNS).read(answer.reply.text)
    for context, phrase in zip(answer.value.objects, ("red ball", "blue car"), strict=True):
        assert context.tags[0] in [f"a {pattern} {phrase}" for pattern in ("striped", "dotted", "checked")]
    assert answer.value.story.startswith("a meadow with things: a ")
    again = Rules().ask(question(BALL, CAR, offered=PATTERNS))
    assert again.reply.text == answer.reply.text


def test_rules_without_an_offer_use_labels_only() -> None:
    assert [c.tags for c in Rules().ask(question(BALL, CAR)).value.objects] == [("red ball",), ("blue car",)]


def test_rules_leave_what_nothing_is_offered_for() -> None:
    striped = seen("striped ball", 1, (0, 0, 9, 9))
    answer = Rules().ask(question(BALL, striped, offered=(("ball", ("striped",)),))).value
    assert answer.objects == (Context(("a striped red ball",)), Context(skip=True))
    assert Rules().ask(question(CAR, offered=STATES)).value.objects == (Context(skip=True),)


def test_parts_are_told_with_the_thing_they_lie_on_and_alike_on_one_thing() -> None:
    before = EarlierDepth(1, "", (PaintedBefore("a red house", "house", ("a dotted red house",), HOUSE.box_xyxy),))
    answer = Rules().ask(question(WINDOW, PANE, offered=STATES, earlier=(before,))).value
    assert [c.tags for c in answer.objects] == [("a dotted red house with lit windows",)] * 2
    door = seen("door", 1, (40, 60, 50, 90))
    plain = EarlierDepth(1, "", (PaintedBefore("a red house", "house", (), HOUSE.box_xyxy),))
    (said,) = Rules().ask(question(door, offered=STATES, earlier=(plain,))).value.objects
    assert said.tags == ("a red house with an open door",)
    (alone,) = Rules().ask(question(door, offered=STATES)).value.objects
    assert alone.tags == ("an open door",)
    (whole,) = Rules().ask(question(HOUSE, offered=STATES)).value.objects
    assert whole.tags == ("a red house with lit windows",)
    (again,) = Rules().ask(question(HOUSE, offered=STATES, earlier=(before,))).value.objects
    assert again.tags == ("a dotted red house with lit windows",)


def test_an_empty_prompt_cannot_be_asked_about() -> None:
    with pytest.raises(InputError, match="prompt is empty"):
        ContextQuestion(" ", (), (), 9, 9, 0)
