import itertools
import random

import pytest

from llmgen.artifacts import Layout
from llmgen.errors import InputError
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.toybox.world.captions import PROMPT_TYPES, sample_prompt
from llmgen.toybox.world.truth import Sighting, is_right


def plan(prompt: str, size: int = 128, seed: int = 0) -> Layout:
    return Rules().ask(LayoutQuestion(prompt, size, size, seed)).value


def assert_tidy(layout: Layout, gap: float, margin: float) -> None:
    for one, other in itertools.combinations(layout.instances, 2):
        a, b = one.box_xyxy, other.box_xyxy
        apart = max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3])
        assert apart >= gap, (one, other)
    for instance in layout.instances:
        x0, y0, x1, y1 = instance.box_xyxy
        assert min(x0, y0, layout.width - x1, layout.height - y1) >= margin, instance


@pytest.mark.parametrize("kind", PROMPT_TYPES)
def test_layouts_of_toybox_prompts_obey(kind: str) -> None:
    for seed in range(40):
        prompt = sample_prompt(random.Random(seed), kind)  # type: ignore[arg-type]
        layout = plan(prompt.text, seed=seed)
        assert_tidy(layout, gap=4, margin=2)
        seen = [
            Sighting(i.noun or "", i.attributes[0] if i.attributes else "red", i.box_xyxy) for i in layout.instances
        ]
        assert is_right(prompt.truth, seen), prompt.text
        assert layout.absent == prompt.truth.absent


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_up_to_six_objects_keep_their_size(count: int) -> None:
    for seed in range(10):
        layout = plan(f"{count} red balls", seed=seed)
        assert len(layout.instances) == count
        assert_tidy(layout, gap=6, margin=2)
        least = 36 if count <= 4 else 31
        for instance in layout.instances:
            x0, _, x1, _ = instance.box_xyxy
            assert least * 0.8 <= x1 - x0 <= 56


def test_boxes_scale_with_the_canvas() -> None:
    small = plan("two red balls")
    layout = Rules().ask(LayoutQuestion("two red balls", 1024, 512, 0)).value
    assert_tidy(layout, gap=16, margin=8)
    assert layout.instances[0].box_xyxy[3] - layout.instances[0].box_xyxy[1] > 3 * (
        small.instances[0].box_xyxy[3] - small.instances[0].box_xyxy[1]
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "five balls left of a car",
        "six balls above three cars on a beach",
        "a ball above a car above a cup above a star",
    ],
)
def test_many_objects_with_relations(prompt: str) -> None:
    layout = plan(prompt)
    assert_tidy(layout, gap=3, margin=2)
    axis = 0 if "left" in prompt else 1
    nouns = list(dict.fromkeys(i.noun for i in layout.instances))
    centers = [
        [(i.box_xyxy[axis] + i.box_xyxy[axis + 2]) / 2 for i in layout.instances if i.noun == noun] for noun in nouns
    ]
    for before, after in itertools.pairwise(centers):
        assert max(before) < min(after)


def test_equal_questions_get_equal_layouts_and_seeds_differ() -> None:
    assert plan("two red balls and a car", seed=3) == plan("two red balls and a car", seed=3)
    assert plan("two red balls and a car", seed=3) != plan("two red balls and a car", seed=4)


def test_words_of_a_layout() -> None:
    layout = plan("a meadow with two red balls and an orange fish without cars")
    assert [i.id for i in layout.instances] == ["ball-1", "ball-2", "fish-1"]
    assert [i.phrase for i in layout.instances] == ["a red ball", "a red ball", "an orange fish"]
    assert layout.instances[0].attributes == ("red",)
    assert (layout.background_prompt, layout.negative_prompt, layout.absent) == ("a meadow", "cars", ("car",))


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("40 red balls", "a red ball"),
        ("900 cars", "'car'"),
        ("a ball left of a car, the car left of the ball", "a ball"),
        ("a ball on the left and the ball on the right and the ball on the left", "a ball"),
        ("a meadow with a ball without balls", "a ball"),
        ("   ", "empty"),
    ],
)
def test_what_cannot_be_placed_is_named(prompt: str, named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        plan(prompt)
    assert "\n" not in str(caught.value)


def test_parse_joins_groups_of_one_noun() -> None:
    answer = Rules().ask(ParseQuestion("a red ball, a car and two blue balls without cups on a beach"))
    parsed, reply = answer.value, answer.reply
    assert [(o.noun, [i.attributes for i in o.instances]) for o in parsed.objects] == [
        ("ball", [["red"], ["blue"], ["blue"]]),
        ("car", [[]]),
    ]
    assert (parsed.background, parsed.negative) == ("a beach", ["cup"])
    assert (reply.call, reply.provider, reply.model) == ("parse", "rules", None)


def test_what_is_not_read_is_remarked() -> None:
    answer = Rules().ask(LayoutQuestion("zwei rote Bälle", 128, 128, 0))
    assert (answer.value.instances, answer.value.background_prompt) == ((), "zwei rote Bälle")
    assert any(line.startswith("only English is read") for line in answer.remarks)
