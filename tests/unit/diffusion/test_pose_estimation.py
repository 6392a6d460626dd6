"""Joints in given boxes, through the stock processor, and what it does not take."""

import random

import numpy as np
import pytest
from PIL import Image

from llmgen.diffusion.loading import ModelPool
from llmgen.presets import load_preset
from llmgen.toybox.world.scenes import Wanted, place, render
from llmgen.toybox.world.vocabulary import KEYPOINTS
from llmgen.vision.protocols import PoseEstimator


@pytest.fixture(scope="module")
def estimator() -> PoseEstimator:
    return ModelPool(load_preset("toybox"), device="cpu", dtype="float32").pose_estimator()


def test_joints_are_in_pixels_of_the_picture_given(estimator: PoseEstimator) -> None:
    scene = place([Wanted("boy", "red"), Wanted("girl", "blue")], "meadow", random.Random(2))
    rendered = render(scene)
    image = Image.fromarray(rendered.image)
    big = image.resize((image.width * 3, image.height * 3))
    boxes = [list(map(float, item.box_xyxy)) for item in scene.objects]
    nobody, small, large = estimator.estimate_poses(
        [image, image, big], [[], boxes, [[3 * edge for edge in box] for box in boxes]]
    )
    assert nobody == [] and estimator.joints == KEYPOINTS
    for figure, threefold, truth in zip(small, large, rendered.keypoints, strict=True):
        assert np.median(np.linalg.norm(figure.points_xy - truth, axis=1)) < 4
        assert np.median(np.linalg.norm(threefold.points_xy - 3 * truth, axis=1)) < 12
        assert figure.scores.shape == (13,) and figure.scores.max() <= 1.2


@pytest.mark.parametrize("boxes", [[[5.0, 5.0, 5.0, 30.0]], [[20.0, 5.0, 10.0, 30.0]]])
def test_a_box_without_area_is_said(estimator: PoseEstimator, boxes: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="without area"):
        estimator.estimate_poses([Image.new("RGB", (64, 64))], [boxes])
    with pytest.raises(ValueError, match="1 pictures but 0 lists"):
        estimator.estimate_poses([Image.new("RGB", (64, 64))], [])
