"""Joints in given boxes, through the stock processor, and what it does not take."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessor

from llmgen.diffusion.loading import ModelPool
from llmgen.presets import RoleSpec, load_preset
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


COCO = (
    "Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist", "R_Wrist", "L_Hip",
    "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle",
)  # fmt: skip


def test_a_checkpoint_of_photographs_loads_by_the_same_family_and_names_joints_alike(tmp_path: Path) -> None:
    """The classes and labels of the public checkpoints at a tiny size, with random weights."""
    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=16, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=2,
        out_indices=[1], out_features=["stage1"],
    )  # fmt: skip
    config = VitPoseConfig(
        backbone_config=backbone, use_simple_decoder=True, scale_factor=4,
        id2label=dict(enumerate(COCO)), label2id={name: number for number, name in enumerate(COCO)},
    )  # fmt: skip
    VitPoseForPoseEstimation(config).save_pretrained(tmp_path / "pose")
    VitPoseImageProcessor(size={"height": 64, "width": 48}).save_pretrained(tmp_path / "pose")
    spec = RoleSpec(
        source=str(tmp_path / "pose"),
        family="vitpose",
        files=("config.json", "model.safetensors", "preprocessor_config.json"),
        licence="Apache-2.0",
        memory_gb=0,
    )
    preset = load_preset("toybox").model_copy(update={"roles": {"pose": spec}})
    estimator = ModelPool(preset, device="cpu", dtype="float32").pose_estimator()
    assert estimator.joints[0] == "nose" and estimator.joints[9:11] == ("left_wrist", "right_wrist")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (100, 80, 3), dtype=np.uint8))
    (figures,) = estimator.estimate_poses([picture], [[[10.0, 10.0, 50.0, 90.0], [30.0, 20.0, 70.0, 95.0]]])
    assert [figure.points_xy.shape for figure in figures] == [(17, 2), (17, 2)]
    assert np.isfinite(figures[0].points_xy).all() and not np.array_equal(figures[0].points_xy, figures[1].points_xy)
