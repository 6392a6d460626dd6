"""Instance segmentation with torchvision's Mask R-CNN: shape, weights with their class list, and the detector.

A model is a folder of `config.json` (a `MaskRcnnConfig`: classes, the ids they had in the data set, sizes, thresholds) and
`model.safetensors`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import torch
from PIL import Image
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import Conv2dNormActivation, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock

from llmgen.artifacts import ArtifactModel
from llmgen.errors import InputError, MissingRequirementError
from llmgen.vision.boxes import BoxTuple, clip
from llmgen.vision.protocols import OWN_THRESHOLDS, FoundInstance, InstanceThresholds, PhraseHit
from llmgen.vision.queries import phrase_query

CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "model.safetensors"
NO_CLASS: Final = "N/A"
"""Name of a label that stands for nothing, as COCO's 91 labels have ten."""


class SmallShape(ArtifactModel):
    """A Mask R-CNN of torchvision's classes with a small backbone, for small pictures."""

    channels: tuple[int, ...] = (32, 48, 64, 96)
    """Of the stem at half size and of each stage after it, which halves the size again."""
    levels: tuple[int, ...] = (1, 2, 3)
    """Stages that the feature pyramid stands on."""
    pyramid_channels: int = 48
    anchor_sizes: tuple[int, ...] = (12, 24, 52)
    """Side of the anchors of each level in pixels."""
    box_width: int = 128
    """Of the two layers of the box head."""
    mask_layers: tuple[int, ...] = (48, 48)
    """Widths of the mask head."""
    mask_roi: int = 14
    """Side of what the mask head sees; its masks are twice as wide."""


class MaskRcnnConfig(ArtifactModel):
    """Shape of a Mask R-CNN and what travels with its weights."""

    classes: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """Name of label 1, 2 ...; label 0 is the background. `N/A` is a label that stands for nothing."""
    category_ids: tuple[int | str, ...] = ()
    """The id that each class had in the data set it was trained on, where that is known."""
    min_size: int = Field(default=800, gt=0)
    """What the shorter side of a picture is scaled to, in pixels."""
    max_size: int = Field(default=1333, gt=0)
    """What the longer side may have at most."""
    score_threshold: float = Field(default=0.7, ge=0, le=1)
    """Least score. The library's own default is 0.05, the context loop of 2023 has 0.9."""
    nms_threshold: float = Field(default=0.5, ge=0, le=1)
    """Overlap (IoU) from which the weaker of two boxes of one class is dropped. The context loop of 2023 has 0.3."""
    most: int = Field(default=30, gt=0)
    """Most instances of a picture."""
    small: SmallShape | None = None
    """None for `maskrcnn_resnet50_fpn_v2`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that stand for something, each once, in their order."""
        return tuple(dict.fromkeys(name for name in self.classes if name != NO_CLASS))


def build_mask_rcnn(config: MaskRcnnConfig, *, trainable_layers: int = 5) -> Any:
    """An untrained Mask R-CNN of a shape; nothing is downloaded.

    Args:
        config: Shape and classes.
        trainable_layers: How many of the five parts of a ResNet learn, counted from its end; a small backbone learns as a whole.

    Returns:
        A `torchvision.models.detection.MaskRCNN` in training mode, on the CPU.
    """
    num_classes = len(config.classes) + 1
    shared: dict[str, Any] = {
        "min_size": config.min_size,
        "max_size": config.max_size,
        "box_score_thresh": config.score_threshold,
        "box_nms_thresh": config.nms_threshold,
        "box_detections_per_img": config.most,
    }
    if config.small is not None:
        return _build_small(config.small, num_classes, shared)
    model = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=num_classes, **shared)
    _freeze_stages(model.backbone.body, trainable_layers)
    return model


def _freeze_stages(body: nn.Module, trainable_layers: int) -> None:
    # As torchvision's `_resnet_fpn_extractor`, which frees all layers of a network without published weights.
    learning = ["layer4", "layer3", "layer2", "layer1", "conv1"][:trainable_layers]
    learning += ["bn1"] if trainable_layers == 5 else []
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(any(name.startswith(layer) for layer in learning))


def _build_small(shape: SmallShape, num_classes: int, shared: dict[str, Any]) -> Any:
    body = nn.Sequential()
    for stage, width in enumerate(shape.channels):
        body.add_module(str(stage), _stage(3 if stage == 0 else shape.channels[stage - 1], width, 1 + (stage > 0)))
    returned = {str(level): str(place) for place, level in enumerate(shape.levels)}
    backbone = BackboneWithFPN(
        body, returned, [shape.channels[level] for level in shape.levels], shape.pyramid_channels, _NoExtraLevel()
    )
    anchors = AnchorGenerator(
        tuple((size,) for size in shape.anchor_sizes), ((0.5, 1.0, 2.0),) * len(shape.anchor_sizes)
    )
    names = [str(place) for place in range(len(shape.levels))]
    return MaskRCNN(
        backbone,
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(shape.pyramid_channels, 3),
        rpn_pre_nms_top_n_train=400,
        rpn_post_nms_top_n_train=200,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_test=60,
        rpn_batch_size_per_image=64,
        box_roi_pool=MultiScaleRoIAlign(names, 7, 2),
        box_head=TwoMLPHead(shape.pyramid_channels * 7**2, shape.box_width),
        box_predictor=FastRCNNPredictor(shape.box_width, num_classes),
        box_batch_size_per_image=48,
        mask_roi_pool=MultiScaleRoIAlign(names, shape.mask_roi, 2),
        mask_head=MaskRCNNHeads(shape.pyramid_channels, list(shape.mask_layers), 1),
        mask_predictor=MaskRCNNPredictor(shape.mask_layers[-1], shape.mask_layers[-1], num_classes),
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
        # Sides are rounded up to whole cells of the deepest stage, not to the 32 pixels of a ResNet.
        size_divisible=2 ** len(shape.channels),
        **shared,
    )


def _stage(before: int, width: int, convolutions: int) -> nn.Sequential:
    layers = [Conv2dNormActivation(before, width, 3, stride=2)]
    layers += [Conv2dNormActivation(width, width, 3) for _ in range(convolutions - 1)]
    return nn.Sequential(*layers)


class _NoExtraLevel(ExtraFPNBlock):
    """Leaves the pyramid as it is; the library's default adds a pooled level, for which 128 pixels have no use."""

    def forward(self, results: list[Tensor], _x: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        return results, names


def save_mask_rcnn(
    folder: Path | str, config: MaskRcnnConfig, weights: dict[str, Tensor], dtype: torch.dtype = torch.float32
) -> None:
    """Write `config.json` and `model.safetensors` for `load_mask_rcnn`.

    Args:
        folder: Made if need be.
        config: Shape and classes.
        weights: State of the model.
        dtype: What floats are stored in.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config.model_dump(mode="json", exclude_none=True), indent=2)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
    stored = {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in weights.items()
    }
    save_file(stored, folder / WEIGHTS_FILE)


def read_mask_rcnn_config(folder: Path | str) -> MaskRcnnConfig:
    """The `config.json` of a Mask R-CNN.

    Raises:
        MissingRequirementError: If it is not there.
        InputError: If it is not valid.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise MissingRequirementError(f"Mask R-CNN: {path} is missing; a model is a folder of it and {WEIGHTS_FILE}")
    try:
        return MaskRcnnConfig.model_validate_json(path.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputError(
            f"Mask R-CNN: {path} is not valid: /{'/'.join(map(str, fault['loc']))}: {fault['msg']}"
        ) from error


def load_mask_rcnn(folder: Path | str) -> tuple[Any, MaskRcnnConfig]:
    """Load a Mask R-CNN from a folder with `config.json` and `model.safetensors`, in float32.

    Returns:
        The `torchvision.models.detection.MaskRCNN` in evaluation mode, and its configuration.

    Raises:
        MissingRequirementError: If one of the two files is not there.
        InputError: If the configuration is not valid or the weights do not fit it.
    """
    config = read_mask_rcnn_config(folder)
    path = Path(folder) / WEIGHTS_FILE
    if not path.is_file():
        raise MissingRequirementError(f"Mask R-CNN: {path} is missing; a model is a folder of {CONFIG_FILE} and it")
    model = build_mask_rcnn(config)
    try:
        weights = {
            name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()
        }
        model.load_state_dict(weights)
    except (RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"Mask R-CNN: weights in {folder} do not fit {CONFIG_FILE}: {reason}") from error
    return model.eval().requires_grad_(False), config


class MaskRcnnDetector:
    """Finds instances of its classes; implements `InstanceDetector` and `PhraseDetector` of `llmgen.vision.protocols`.

    Pictures are looked at one by one: in a batch torchvision pads them to one size, which changes what it finds.

    Args:
        model: A `torchvision.models.detection.MaskRCNN`.
        config: Its classes and thresholds.
        device: Where it computes; always in float32, as it takes no other pictures.
    """

    def __init__(self, model: Any, config: MaskRcnnConfig, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.model = model.eval().to(self.device)
        self.config = config

    @property
    def classes(self) -> tuple[str, ...]:
        """What it can find."""
        return self.config.labels

    @torch.no_grad()
    def detect_instances(
        self, images: Sequence[Image.Image], thresholds: InstanceThresholds = OWN_THRESHOLDS
    ) -> list[list[FoundInstance]]:
        """Find all instances of its classes; see `InstanceDetector.detect_instances`.

        Raises:
            InputError: If a picture is so narrow that it vanishes at the detector's size.
        """
        config, heads = self.config, self.model.roi_heads
        heads.score_thresh = config.score_threshold if thresholds.score is None else thresholds.score
        heads.nms_thresh = config.nms_threshold if thresholds.nms is None else thresholds.nms
        heads.detections_per_img = config.most if thresholds.most is None else thresholds.most
        return [self._instances(image, thresholds.mask) for image in images]

    def _instances(self, image: Image.Image, mask_threshold: float) -> list[FoundInstance]:
        if min(image.size) * self.config.max_size < max(image.size):
            raise InputError(
                f"the picture is {image.width}x{image.height}: of its shorter side nothing is left when the longer one is scaled to "
                f"the {self.config.max_size} pixels of the detector; cut it"
            )
        # Floats of 0..1: of 0..255 it finds nothing, without a word.
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255
        [seen] = self.model([pixels.to(self.device)])
        found = []
        for box, label, score, mask in zip(
            seen["boxes"].cpu().tolist(), seen["labels"].tolist(), seen["scores"].tolist(), seen["masks"], strict=True
        ):
            name, corners = self.config.classes[label - 1], clip(_four(box), image.width, image.height)
            if name != NO_CLASS and corners[2] > corners[0] and corners[3] > corners[1]:
                found.append(FoundInstance(name, corners, score, (mask[0] >= mask_threshold).cpu().numpy()))
        return found

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        """See `llmgen.vision.protocols.PhraseReader.cut_phrases`; names of classes are compared, not read."""
        return []

    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float
    ) -> list[list[PhraseHit]]:
        """Look for phrases; see `PhraseDetector.detect_phrases`.

        A class answers to its bare name only: nothing here can confirm that a ball is red, so `red ball` has no hits.
        """
        asked = [self._queries_by_class(of_picture) for of_picture in queries]
        seen = iter(
            self.detect_instances(
                [image for image, names in zip(images, asked, strict=True) if names],
                InstanceThresholds(score=threshold),
            )
        )
        return [
            [PhraseHit(names[hit.label], hit.box_xyxy, hit.score) for hit in next(seen) if hit.label in names]
            if names
            else []
            for names in asked
        ]

    def _queries_by_class(self, queries: Sequence[str]) -> dict[str, str]:
        wordings = {wording.casefold(): name for name in self.classes for wording in (name, phrase_query(name))}
        return {wordings[query.casefold()]: query for query in queries if query.casefold() in wordings}


def _four(values: Sequence[float]) -> BoxTuple:
    x0, y0, x1, y1 = values
    return (x0, y0, x1, y1)
