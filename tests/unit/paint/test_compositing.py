"""Windows, soft masks, and pixels that stay the very same."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image
from tiny_models import noise_image

from llmgen.paint.compositing import (
    Framing,
    Task,
    choose_window,
    cut_mask,
    cut_picture,
    paint_tasks,
    placed_in,
    soft_mask,
)
from llmgen.paint.inpainter import Cost, Patch, Placed
from llmgen.vision.masks import BoolMask


class White:
    """Paints everything white, whatever the mask."""

    multiple = 16

    def __init__(self) -> None:
        self.cost, self.seen = Cost(), list[Patch]()

    def steps_at(self, strength: float) -> int:
        return int(10 * strength)

    def paint(self, patches: Sequence[Patch]) -> list[Image.Image]:
        self.seen += patches
        return [Image.new("RGB", patch.image.size, "white") for patch in patches]


def disc(height: int, width: int, x: int, y: int, radius: int) -> BoolMask:
    rows, columns = np.mgrid[:height, :width]
    return np.asarray((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)


def task(mask: BoolMask, blur: float = 2.0) -> Task:
    height, width = mask.shape
    return Task(noise_image(1, width, height), mask, soft_mask(mask, blur), "a ball", "a meadow", "", 0.5, 7)


@pytest.mark.parametrize("blur", [0.0, 2.0, 20.0])
@pytest.mark.parametrize("crop", [0.0, 0.4])
@pytest.mark.parametrize("size", [(72, 128), (128, 72), (61, 67)])
def test_nothing_changes_outside_the_soft_mask(blur: float, crop: float, size: tuple[int, int]) -> None:
    one = task(disc(*size, 30, 30, 9), blur)
    (painted,) = paint_tasks(White(), [one], Framing(crop, 4, 64, 96))
    old, new = np.asarray(one.image), np.asarray(painted.image)
    assert new.shape == old.shape
    assert (new[one.weight == 0] == old[one.weight == 0]).all()
    assert (new[one.weight == 1] == 255).all() and ((old != new).any(axis=-1) & one.mask).sum() > 0.9 * one.mask.sum()


def test_the_difference_fades_with_the_mask() -> None:
    weight = soft_mask(disc(64, 64, 32, 32, 12), 3)
    along = weight[32, 32:]
    assert along[0] == 1 and along[-1] == 0 and (np.diff(along) <= 0).all()
    assert (soft_mask(disc(64, 64, 32, 32, 12), 0) == disc(64, 64, 32, 32, 12)).all()


def test_small_objects_have_a_window_and_large_ones_the_whole_picture() -> None:
    framing = Framing(0.4, 35, 512, 768)
    shoe = np.zeros((720, 1280), dtype=bool)
    shoe[300:354, 600:695] = True
    window = choose_window(shoe, framing, 64)
    x0, y0, x1, y1 = window.box
    assert window.size == (512, 384) and x0 <= 565 and x1 >= 730 and y0 <= 265 and y1 >= 389
    assert (x1 - x0) / (y1 - y0) == pytest.approx(512 / 384, rel=0.02)
    sky = np.zeros((720, 1280), dtype=bool)
    sky[:400, :1100] = True
    assert choose_window(sky, framing, 64).size == (1280, 768)
    assert choose_window(sky, framing, 8) == choose_window(np.ones_like(sky), framing, 8)
    assert choose_window(shoe, Framing(0.0, 35, 512, 768), 8).size == (1280, 720)
    with pytest.raises(ValueError, match="empty mask"):
        choose_window(np.zeros_like(shoe), framing, 8)


def test_a_window_at_the_border_stays_inside_and_a_large_one_is_painted_smaller() -> None:
    mask = np.zeros((300, 1000), dtype=bool)
    mask[10:40, :300] = True
    window = choose_window(mask, Framing(0.9, 10, 128, 256), 16)
    x0, y0, x1, y1 = window.box
    assert (x0, y0) == (0, 0) and x1 <= 1000 and y1 <= 300 and max(window.size) == 256


def test_masks_survive_being_painted_smaller_and_pictures_repeat_their_border() -> None:
    mask = np.zeros((100, 100), dtype=bool)
    mask[50, 50] = True
    window = choose_window(np.ones((100, 100), dtype=bool), Framing(0.0), 64)
    assert window.size == (128, 128) and cut_mask(mask, window).sum() == 1
    cut = np.asarray(cut_picture(noise_image(0, 100, 100), window))
    assert (cut[100:, :100] == cut[99:100, :100]).all()
    small = choose_window(np.pad(np.ones((40, 40), dtype=bool), 30), Framing(0.9, 20, 32, 32), 16)
    assert cut_mask(mask, small).any()


def test_a_patch_says_what_and_where_and_costs_its_pixels() -> None:
    painter = White()
    paint_tasks(painter, [task(disc(64, 64, 30, 30, 9))], Framing(0.0))
    assert [(p.prompt, p.seed, p.strength) for p in painter.seen] == [("a meadow with a ball", 7, 0.5)]
    patch = painter.seen[0]
    cost = Cost()
    cost.add(patch, 5)
    cost.add(patch, 5)
    assert (cost.patches, cost.steps, cost.pixel_steps) == (2, 10, 2 * 5 * 64 * 64)


def test_a_window_knows_the_objects_that_it_shows_in_its_own_pixels() -> None:
    shoe, near, far = (
        (600.0, 300.0, 695.0, 354.0),
        Placed("a rug", (500.0, 360.0, 700.0, 420.0)),
        (0.0, 0.0, 40.0, 40.0),
    )
    mask = np.zeros((720, 1280), dtype=bool)
    mask[300:354, 600:695] = True
    window = choose_window(mask, Framing(0.4, 35, 512, 768), 64)
    told = placed_in(window, [Placed("a shoe", shoe), near, Placed("a lamp", far)])
    assert [one.phrase for one in told] == ["a shoe", "a rug"]
    scale = window.size[0] / (window.box[2] - window.box[0])
    assert told[0].box_xyxy[2] - told[0].box_xyxy[0] == pytest.approx(95 * scale)
    assert told[1].box_xyxy[0] == 0 and told[1].box_xyxy[3] == window.size[1]  # cut at the border
