import random

import numpy as np
import pytest
from PIL import Image

from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.squares import placed, squares_of
from llmgen.presets import load_preset
from llmgen.toybox.world.scenes import place, render
from llmgen.vision.boxes import iou
from llmgen.vision.protocols import PhraseHit


@pytest.mark.parametrize("size", [(128, 128), (150, 128), (512, 512), (96, 32), (128, 40)])
def test_what_is_about_square_or_need_not_be_shrunk_is_looked_at_once(size: tuple[int, int]) -> None:
    assert squares_of(size, 128) == []


def test_squares_overlap_by_half_and_reach_both_ends() -> None:
    assert squares_of((256, 128), 128) == [(0, 0, 128, 128), (64, 0, 192, 128), (128, 0, 256, 128)]
    assert squares_of((100, 230), 128) == [(0, 0, 100, 100), (0, 43, 100, 143), (0, 87, 100, 187), (0, 130, 100, 230)]


def test_a_strip_is_no_endless_work() -> None:
    squares = squares_of((20_000, 10), 128)
    assert len(squares) == 16
    assert (squares[0][0], squares[-1][2]) == (0, 20_000)


def test_what_an_edge_inside_the_picture_cuts_is_left_to_the_next_square() -> None:
    hits = [
        PhraseHit("ball", box, 0.5)
        for box in ((1.0, 5.0, 40.0, 50.0), (30.0, 0.0, 60.0, 128.0), (90.0, 5.0, 127.0, 40.0))
    ]
    assert [hit.box_xyxy for hit in placed(hits, (64, 0, 192, 128), (256, 128))] == [(94.0, 0.0, 124.0, 128.0)]
    assert [hit.box_xyxy[0] for hit in placed(hits, (0, 0, 128, 128), (256, 128))] == [1.0, 30.0]
    assert [hit.box_xyxy[0] for hit in placed(hits, (128, 0, 256, 128), (256, 128))] == [158.0, 218.0]


def test_the_toybox_detector_sees_what_is_in_wide_and_tall_pictures() -> None:
    """Padded and shrunk, a picture of two squares shows things half as large as the detector ever saw any: it found none."""
    scenes = [
        place([kind], "meadow", random.Random(seed)) for seed, kind in ((1, ("ball", "red")), (4, ("cup", "blue")))
    ]
    parts = [render(scene).image for scene in scenes]
    pictures = [Image.fromarray(np.concatenate(parts, axis=axis)) for axis in (1, 0)]
    detector = ModelPool(load_preset("toybox"), device="cpu", dtype="float32").phrase_detector("detector")
    queries = ["image of a red ball", "image of a blue cup"]
    wide, tall = detector.detect_phrases(pictures, [queries, queries], threshold=0.6)
    for hits, step in ((wide, (128, 0)), (tall, (0, 128))):
        for number, (query, scene) in enumerate(zip(queries, scenes, strict=True)):
            x0, y0, x1, y1 = scene.objects[0].box_xyxy
            x, y = number * step[0], number * step[1]
            best = next(hit for hit in hits if hit.query == query)
            assert iou(best.box_xyxy, (x0 + x, y0 + y, x1 + x, y1 + y)) > 0.7
