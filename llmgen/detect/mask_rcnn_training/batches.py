"""Batches of annotated pictures, augmented, as torchvision's Mask R-CNN takes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from llmgen.formats.coco_instances import AnnotatedPicture
from llmgen.vision.decoding import load_picture
from llmgen.vision.masks import decode_mask, mask_bounds

Target = dict[str, Tensor]


@dataclass
class PictureBatch:
    """Pictures of any size and what is to be found in each."""

    images: list[Tensor]
    """`[3, H, W]` float in 0..1: of 0..255 the library learns without a word and finds nothing."""
    targets: list[Target]


def target_of(picture: AnnotatedPicture, mirrored: bool = False) -> Target:
    """What is to be found in a picture.

    Args:
        picture: With its objects, perhaps none.
        mirrored: Whether left is right.

    Returns:
        `boxes` float [N, 4] xyxy, tight around the mask, so that all lie in the picture and none is empty; `labels` int64 [N];
        `masks` uint8 [N, H, W]. Of a picture without objects the same with N = 0.
    """
    masks = np.zeros((len(picture.masks), picture.height, picture.width), dtype=np.uint8)
    boxes = np.zeros((len(picture.masks), 4), dtype=np.float32)
    for index, mask in enumerate(picture.masks):
        drawn = decode_mask(mask)[:, ::-1] if mirrored else decode_mask(mask)
        bounds = mask_bounds(drawn)
        assert bounds is not None, "the reader leaves out empty masks"
        masks[index], boxes[index] = drawn, bounds
    return {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.tensor(picture.labels, dtype=torch.int64),
        "masks": torch.from_numpy(masks),
    }


def draw_batch(
    pictures: Sequence[AnnotatedPicture], rng: np.random.Generator, *, augmented: bool = True
) -> PictureBatch:
    """Read pictures and augment them: half are mirrored, light and colours change a little. Their scale is the model's matter.

    Args:
        pictures: The batch.
        rng: Source of chance.
        augmented: Whether to change them at all.

    Raises:
        InputError: If a picture cannot be read.
    """
    images, targets = [], []
    for picture in pictures:
        pixels = torch.from_numpy(np.array(load_picture(picture.path))).permute(2, 0, 1).float() / 255
        mirrored = augmented and bool(rng.random() < 0.5)
        if mirrored:
            pixels = pixels.flip(2)
        if augmented:
            pixels = F.adjust_brightness(pixels, float(rng.uniform(0.8, 1.2)))
            pixels = F.adjust_contrast(pixels, float(rng.uniform(0.8, 1.2)))
            pixels = F.adjust_saturation(pixels, float(rng.uniform(0.7, 1.3)))
        images.append(pixels)
        targets.append(target_of(picture, mirrored))
    return PictureBatch(images, targets)
