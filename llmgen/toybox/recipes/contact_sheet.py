"""Contact sheets of the perception models: what they find, drawn over held-out scenes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from torch import Tensor

from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.models.judged import JudgedObject
from llmgen.toybox.recipes.scene_batches import degrade, draw_scenes
from llmgen.toybox.world.vocabulary import COLORS

Box = tuple[float, float, float, float]


def to_pil(images: Tensor) -> list[Image.Image]:
    """``[B, 3, H, W]`` float in 0..1 to RGB pictures."""
    arrays = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(array)) for array in arrays]


def draw_boxes(image: Image.Image, boxes: Sequence[tuple[Box, str, str]], scale: int = 2) -> Image.Image:
    """A magnified copy with a framed, labelled box for each ``(box_xyxy, colour, label)``."""
    canvas = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(canvas)
    for box, color, label in boxes:
        pen.rectangle([side * scale for side in box], outline=color, width=2)
        pen.text((box[0] * scale + 3, box[1] * scale + 2), label, fill="black")
    return canvas


def tile(images: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size in rows, 4 px apart, on white."""
    width, height = images[0].size
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (width + 4), rows * (height + 4)), "white")
    for index, image in enumerate(images):
        sheet.paste(image, (index % columns * (width + 4), index // columns * (height + 4)))
    return sheet


def _said(seen: JudgedObject) -> str:
    details = (seen.pattern, seen.mood, seen.verb, *(state for _, state in seen.states))
    usual = (None, "plain", "calm", "standing", "dark", "closed")
    return " ".join([seen.noun, *(word for word in details if word not in usual)])


def save_judged_sheet(judge: ToyboxJudge, path: Path, *, seed: int, count: int = 12) -> None:
    """Draw what the judge finds in ``count`` damaged held-out scenes."""
    rng = np.random.default_rng(seed)
    images = to_pil(degrade(draw_scenes(rng, count).images, rng))
    found = judge.detect(images)
    tile(
        [
            draw_boxes(
                image,
                [(o.box_xyxy, "#{:02x}{:02x}{:02x}".format(*COLORS[o.color]), _said(o)) for o in objects],
            )
            for image, objects in zip(images, found, strict=True)
        ],
        columns=6,
    ).save(path)


_BONES: Final = (
    (1, 2), (1, 3), (3, 5), (2, 4), (4, 6), (7, 8), (1, 7), (2, 8), (7, 9), (9, 11), (8, 10), (10, 12),
)  # fmt: skip
"""Pairs of `KEYPOINTS` that are joined."""


def draw_skeletons(image: Image.Image, figures: Sequence[Sequence[Sequence[float]]], scale: int = 2) -> Image.Image:
    """A magnified copy with the joints of each figure, the left ones red and the right ones blue.

    Args:
        image: RGB.
        figures: joints ``[N, 13, 2]`` in pixels.
        scale: magnification.
    """
    canvas = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(canvas)
    for joints in figures:
        points = [((x + 0.5) * scale, (y + 0.5) * scale) for x, y in joints]
        for a, b in _BONES:
            pen.line([points[a], points[b]], fill="white", width=2)
        for index, (x, y) in enumerate(points):
            color = "black" if index == 0 else "#d33" if index % 2 else "#26d"
            pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=color, outline="white")
    return canvas


def tint(image: Image.Image, masks: Sequence[npt.NDArray[np.bool_]], scale: int = 2) -> Image.Image:
    """A magnified copy in which everything outside the masks is bleached.

    Args:
        image: RGB, ``h x w``.
        masks: bool ``[h, w]`` each.
        scale: magnification.
    """
    inside = (
        np.any(np.stack(masks), axis=0)[..., None] if masks else np.zeros((image.height, image.width, 1), dtype=bool)
    )
    pixels = np.asarray(image, dtype=np.float32)
    bleached = np.where(inside, pixels, 0.25 * pixels + 0.75 * 255).astype(np.uint8)
    return Image.fromarray(bleached).resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
