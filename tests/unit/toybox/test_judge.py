"""The shipped judge on held-out renders, and how it reads queries."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import llmgen.toybox
from llmgen.toybox.models.judge import JudgeConfig, ToyboxJudge
from llmgen.toybox.models.judged import understand_query
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.quality import held_out_scenes, judge_accuracy, judge_details
from llmgen.toybox.recipes.scene_batches import degrade
from llmgen.toybox.world.scenes import Scene, SceneObject, render
from llmgen.toybox.world.sprites import sprite
from llmgen.toybox.world.truth import Demand, Truth

WEIGHTS = Path(llmgen.toybox.__file__).parent / "weights" / "judge"


@pytest.fixture(scope="module")
def judge() -> ToyboxJudge:
    return ToyboxJudge.from_pretrained(WEIGHTS)


def picture(*objects: SceneObject) -> Image.Image:
    return Image.fromarray(render(Scene("meadow", objects, 3)).image)


def placed(noun: str, color: str, size: int, left: int, top: int) -> SceneObject:
    height, width = sprite(noun, color, size).mask.shape
    return SceneObject(noun, color, size, (left, top, left + width, top + height))


RED_BALL = placed("ball", "red", 40, 10, 20)
BLUE_CAR = placed("car", "blue", 50, 70, 60)


def test_is_right_on_held_out_renders(judge: ToyboxJudge) -> None:
    assert judge_accuracy(judge, count=40) >= 0.95


def test_is_right_on_damaged_renders(judge: ToyboxJudge) -> None:
    assert judge_accuracy(judge, count=40, damage=degrade) >= 0.95


def test_sees_nothing_in_a_bare_background(judge: ToyboxJudge) -> None:
    assert judge.detect([picture()]) == [[]]


@pytest.mark.parametrize("scale", [(1, 1), (4, 4), (3, 2)])
def test_boxes_are_in_pixels_of_the_picture_given(judge: ToyboxJudge, scale: tuple[int, int]) -> None:
    image = picture(RED_BALL)
    (found,) = judge.detect([image.resize((image.width * scale[0], image.height * scale[1]))])[0]
    assert (found.noun, found.color, found.phrase) == ("ball", "red", "a red ball")
    expected = [side * scale[axis % 2] for axis, side in enumerate(RED_BALL.box_xyxy)]
    assert found.box_xyxy == pytest.approx(expected, abs=4 * max(scale))


def test_order_and_batching_do_not_matter(judge: ToyboxJudge) -> None:
    images = to_pil(held_out_scenes(7, seed=5).images)
    together = judge.detect(images)
    apart = [judge.detect([image])[0] for image in images]
    assert [[o.phrase for o in objects] for objects in together] == [[o.phrase for o in objects] for objects in apart]


def test_answers_the_most_particular_query_once(judge: ToyboxJudge) -> None:
    hits = judge.detect_phrases([picture(RED_BALL, BLUE_CAR)], [["image of a ball", "image of a red ball", "a zebra"]])[
        0
    ]
    assert [hit.query for hit in hits] == ["image of a red ball"]
    assert hits[0].box_xyxy == pytest.approx(RED_BALL.box_xyxy, abs=4)


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("image of a red ball", ("ball", "red")),
        ("two balls", ("ball", None)),
        ("An Orange fish", ("fish", "orange")),
        ("a blue object", (None, "blue")),
        ("a boy in red", ("boy", "red")),
        ("a zebra", None),
        ("red", None),
    ],
)
def test_understands_queries(query: str, meaning: tuple[str | None, str | None] | None) -> None:
    assert understand_query(query) == meaning


def test_the_judge_of_the_eight_nouns_reads_as_it_did() -> None:
    judge = ToyboxJudge.from_pretrained(Path(__file__).parents[3] / "benchmarks" / "data" / "judge_v1")
    assert judge.config.nouns == ("ball", "star", "heart", "house", "tree", "car", "fish", "cup")
    seen = judge.look([picture(RED_BALL, placed("star", "blue", 50, 70, 60))])[0]
    assert sorted((o.noun, o.color, o.pattern, o.states) for o in seen.objects) == [
        ("ball", "red", None, ()),
        ("star", "blue", None, ()),
    ]
    assert seen.background is None
    assert seen.is_right(Truth((Demand("ball", "red"), Demand("star", "blue"))))
    assert not seen.is_right(Truth((Demand("ball", "red"),)))


def test_names_details_and_the_background(judge: ToyboxJudge) -> None:
    figures = judge_details(judge, count=120)
    assert set(figures) == {"found", "pattern", "mood", "verb", "window", "door", "background"}
    assert min(figures.values()) >= 0.9
    seen = judge.look([picture(RED_BALL)])[0]
    assert seen.background == "meadow"
    assert (seen.objects[0].pattern, seen.objects[0].mood, seen.objects[0].verb) == ("plain", None, None)
    assert seen.objects[0].sighting.noun == "ball"


def test_round_trip_keeps_shape_and_answers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    details = {"pattern": ("plain", "striped"), "mood": ("calm", "sad")}
    small = ToyboxJudge(
        JudgeConfig(
            widths=(8, 8, 8, 8), deep_blocks=1, details=details, backgrounds=("day", "night"), parts={"car": ()}
        )
    ).eval()
    small.save_pretrained(tmp_path)
    again = ToyboxJudge.from_pretrained(tmp_path)
    images = torch.rand(2, 3, 128, 128)
    assert again.config == small.config
    for before, after in zip(small(images), again(images), strict=True):
        torch.testing.assert_close(after, before, atol=2e-2, rtol=2e-2)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"widths": [8, 8, 8, 16]}))
    with pytest.raises(RuntimeError):
        ToyboxJudge.from_pretrained(tmp_path)
