"""The shipped detector through the stock processor."""

from pathlib import Path

import pytest
import torch
from torchvision.ops import box_iou
from transformers import Owlv2ForObjectDetection, Owlv2Processor

import llmgen.toybox
from llmgen.toybox.recipes.detector_quality import detail_answers, detector_quality, find_phrases
from llmgen.toybox.world.scenes import Scene, SceneObject, render
from llmgen.toybox.world.sprites import sprite

WEIGHTS = Path(llmgen.toybox.__file__).parent / "weights" / "detector"


@pytest.fixture(scope="module")
def detector() -> Owlv2ForObjectDetection:
    return Owlv2ForObjectDetection.from_pretrained(WEIGHTS).eval()


@pytest.fixture(scope="module")
def processor() -> Owlv2Processor:
    return Owlv2Processor.from_pretrained(WEIGHTS)


def placed(noun: str, color: str, size: int, left: int, top: int) -> SceneObject:
    height, width = sprite(noun, color, size).mask.shape
    return SceneObject(noun, color, size, (left, top, left + width, top + height))


OBJECTS = (
    placed("ball", "red", 40, 8, 12),
    placed("ball", "blue", 38, 70, 8),
    placed("car", "yellow", 53, 50, 76),
)


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.from_numpy(render(Scene("beach", OBJECTS, 1)).image).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("image of a red ball", [0]),
        ("a blue ball", [1]),
        ("image of a ball", [0, 1]),
        ("balls", [0, 1]),
        ("yellow cars", [2]),
        ("a red object", [0]),
        ("image of a green ball", []),
        ("image of a cat", []),
        ("a boy in red", []),
        ("a red car", []),
    ],
)
def test_finds_what_a_phrase_names_and_nothing_else(
    detector: Owlv2ForObjectDetection,
    processor: Owlv2Processor,
    image: torch.Tensor,
    phrase: str,
    expected: list[int],
) -> None:
    hits = find_phrases(detector, processor, image, [phrase], threshold=0.45, nms_iou=0.15)[0]
    truth = torch.tensor([OBJECTS[index].box_xyxy for index in expected], dtype=torch.float32).reshape(-1, 4)
    assert len(hits["boxes"]) == len(expected)
    if expected:
        assert bool((box_iou(truth, hits["boxes"]).amax(dim=1) > 0.6).all())


def test_queries_compete_for_a_box(
    detector: Owlv2ForObjectDetection, processor: Owlv2Processor, image: torch.Tensor
) -> None:
    phrases = ["image of a yellow car", "image of a red ball", "image of a blue ball"]
    hits = find_phrases(detector, processor, image, phrases, threshold=0.45, nms_iou=0.15)[0]
    found = {int(label): box for label, box in zip(hits["labels"], hits["boxes"], strict=True)}
    assert sorted(found) == [0, 1, 2]
    for label, index in ((0, 2), (1, 0), (2, 1)):
        assert box_iou(found[label][None], torch.tensor([OBJECTS[index].box_xyxy], dtype=torch.float32)) > 0.6


def test_average_precision_on_held_out_renders(detector: Owlv2ForObjectDetection, processor: Owlv2Processor) -> None:
    # The shipped one knows the things, not yet the characters.
    quality = detector_quality(detector, processor, count=40, plain=True)
    assert quality.ap50 >= 0.85
    assert min(quality.true_scores) > 0.05


def test_every_detail_has_its_share_of_right_answers(
    detector: Owlv2ForObjectDetection, processor: Owlv2Processor
) -> None:
    answers = detail_answers(detector, processor, count=30)
    assert set(answers) == {"pattern", "mood"}
    assert all(0 <= share <= 1 for share in answers.values())


def test_boxes_of_a_wide_picture_are_in_its_own_pixels(
    detector: Owlv2ForObjectDetection, processor: Owlv2Processor, image: torch.Tensor
) -> None:
    # The stock processor pads to a square and scales by the longer side: the picture must come back undistorted.
    wide = image[..., 4:100, :]
    hits = find_phrases(detector, processor, wide, ["a red ball"], threshold=0.3, nms_iou=0.15)[0]
    truth = torch.tensor([OBJECTS[0].box_xyxy], dtype=torch.float32) - torch.tensor([0.0, 4.0, 0.0, 4.0])
    assert box_iou(truth, hits["boxes"][:1]) > 0.5
