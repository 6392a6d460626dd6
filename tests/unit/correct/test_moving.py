import numpy as np
import pytest
from PIL import Image

from llmgen.correct.moving import place, warp_image, warp_mask
from llmgen.vision.masks import mask_bounds


def square(box: tuple[int, int, int, int], size: int = 64) -> tuple[Image.Image, np.ndarray]:
    mask = np.zeros((size, size), dtype=bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return Image.fromarray(np.where(mask[..., None], (220, 20, 20), (200, 230, 200)).astype(np.uint8)), mask


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((8, 8, 24, 24), (40, 8, 56, 24)),  # the same size
        ((8, 8, 24, 24), (30, 30, 62, 62)),  # twice the size
        ((10, 10, 42, 42), (3, 41, 19, 57)),  # half the size
    ],
)
def test_the_object_lands_on_its_new_box(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    image, mask = square(old)  # type: ignore[arg-type]
    placement = place(old, new)  # type: ignore[arg-type]
    assert placement.box(old) == pytest.approx(new)  # type: ignore[arg-type]
    bounds = mask_bounds(warp_mask(mask, placement))
    assert bounds is not None
    assert np.abs(np.subtract(bounds, new)).max() <= 1
    warped = np.asarray(warp_image(image, placement)).astype(int)
    x, y = (new[0] + new[2]) // 2, (new[1] + new[3]) // 2
    assert np.abs(warped[y, x] - (220, 20, 20)).max() <= 2


def test_the_aspect_stays_and_centres_meet() -> None:
    placement = place((0, 0, 10, 20), (20, 20, 60, 40))
    assert placement.scale == 1
    assert placement.box((0, 0, 10, 20)) == (35, 20, 45, 40)


def test_what_leaves_the_picture_is_lost_without_an_error() -> None:
    image, mask = square((8, 8, 24, 24))
    placement = place((8, 8, 24, 24), (-40, 100, -24, 116))
    assert not warp_mask(mask, placement).any()
    assert warp_image(image, placement).size == (64, 64)
