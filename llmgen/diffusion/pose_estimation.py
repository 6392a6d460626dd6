"""Joints of figures in given boxes: ViTPose."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from llmgen.vision.protocols import FigurePose

_SIDES = {"l": "left", "r": "right"}


class VitPoseEstimator:
    """Finds the joints of figures whose boxes are known; implements `llmgen.vision.protocols.PoseEstimator`.

    Args:
        model: A `transformers.VitPoseForPoseEstimation`, already on its device.
        processor: Its `transformers.VitPoseImageProcessor`.
        device: Where the model is.
    """

    def __init__(self, model: Any, processor: Any, device: str | torch.device = "cpu") -> None:
        self.model, self.processor, self.device = model.eval(), processor, torch.device(device)
        names = model.config.id2label
        self.joints: tuple[str, ...] = tuple(_joint_name(names[index]) for index in sorted(names))
        """Names of the joints, such as `left_wrist`."""

    @torch.no_grad()
    def estimate_poses(
        self, images: Sequence[Image.Image], boxes_xyxy: Sequence[Sequence[Sequence[float]]]
    ) -> list[list[FigurePose]]:
        """Find joints; see `PoseEstimator.estimate_poses`.

        Raises:
            ValueError: If there are not as many lists of boxes as pictures, or a box has no area.
        """
        if len(images) != len(boxes_xyxy):
            raise ValueError(f"{len(images)} pictures but {len(boxes_xyxy)} lists of boxes")
        found: list[list[FigurePose]] = []
        for image, boxes in zip(images, boxes_xyxy, strict=True):
            if not boxes:
                # The processor knows no picture without a figure.
                found.append([])
                continue
            asked = [[[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes]]
            if any(width <= 0 or height <= 0 for _, _, width, height in asked[0]):
                raise ValueError("a box without area holds no figure")
            inputs = self.processor(image.convert("RGB"), boxes=asked, return_tensors="pt").to(self.device)
            (figures,) = self.processor.post_process_pose_estimation(self.model(**inputs), boxes=asked)
            # The `bbox` of a result is no box: a centre and a size in units of 200 pixels.
            found.append([FigurePose(f["keypoints"].numpy(), f["scores"].numpy()) for f in figures])
        return found


def _joint_name(label: str) -> str:
    """One spelling for the labels of all checkpoints: the public ones say `L_Wrist` and `Nose`."""
    first, _, rest = label.strip().lower().replace(" ", "_").partition("_")
    return f"{_SIDES.get(first, first)}_{rest}" if rest else first
