"""Parts of pictures."""

from collections.abc import Sequence

from PIL import Image

from llmgen.vision.boxes import clip


def crop_around(image: Image.Image, box_xyxy: Sequence[float], margin: float) -> Image.Image:
    """An object with a little of its surroundings; at least one pixel.

    Args:
        image: The picture.
        box_xyxy: The object in pixels; some of it lies in the picture.
        margin: What is seen around it, as a share of the longer side of its box.
    """
    x0, y0, x1, y1 = box_xyxy
    around = margin * max(x1 - x0, y1 - y0)
    left, top, right, bottom = clip((x0 - around, y0 - around, x1 + around, y1 + around), *image.size)
    left, top = min(int(left), image.width - 1), min(int(top), image.height - 1)
    return image.crop((left, top, max(left + 1, round(right)), max(top + 1, round(bottom))))
