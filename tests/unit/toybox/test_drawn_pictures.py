"""Drawn pictures with known boxes join the renders that the detector learns from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from llmgen.errors import InputError
from llmgen.toybox.recipes.detector import DetectorRecipe
from llmgen.toybox.recipes.drawn_pictures import INDEX, DrawnPictures
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.recipes.scene_batches import draw_scenes
from llmgen.toybox.world.vocabulary import MOODS, NOUNS


def folder_of(tmp_path: Path, **changes: object) -> Path:
    Image.new("RGB", (128, 128), (10, 20, 30)).save(tmp_path / "one.png")
    boy = {"noun": "boy", "color": "red", "mood": "sad", "box_xyxy": [5, 10, 60, 80]}
    row = {"image": "one.png", "objects": [boy, {"noun": "cup", "color": "blue", "box_xyxy": [70, 70, 110, 110]}]}
    (tmp_path / INDEX).write_text(json.dumps([row | changes]), encoding="utf-8")
    return tmp_path


def test_a_share_of_a_batch_is_drawn_pictures(tmp_path: Path) -> None:
    drawn = DrawnPictures.read(folder_of(tmp_path))
    plain = draw_scenes(np.random.default_rng(0), 32)
    mixed = drawn.mixed_into(plain, np.random.default_rng(1), share=0.5)
    taken = (mixed.images == torch.tensor([10, 20, 30])[:, None, None] / 255).flatten(1).all(dim=1)
    assert 6 < int(taken.sum()) < 26
    assert torch.equal(mixed.images[~taken], plain.images[~taken])
    first = int(taken.nonzero()[0])
    assert mixed.present[first].tolist() == [True, True, False, False]
    assert [NOUNS[n] for n in mixed.nouns[first, :2]] == ["boy", "cup"]
    assert MOODS[mixed.moods[first, 0]] == "sad" and mixed.moods[first, 1] == -1
    assert mixed.boxes[first, 0].tolist() == [5, 10, 60, 80]


def test_the_detector_learns_from_them(tmp_path: Path) -> None:
    recipe = DetectorRecipe(
        width=32, vision_layers=1, text_layers=1, batch_size=2, drawn=folder_of(tmp_path), drawn_share=1.0
    )
    TrainingRun(tmp_path / "out", steps=1, weights=tmp_path / "none").train(recipe)
    assert (tmp_path / "out" / "model" / "config.json").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "two.png"}, "two.png"),
        ({"objects": [{"noun": "zebra", "color": "red", "box_xyxy": [0, 0, 1, 1]}]}, "zebra|tuple.index"),
        ({"objects": [{"noun": "cup", "color": "red"}]}, "box_xyxy"),
        ({"objects": [{"noun": "cup", "color": "red", "box_xyxy": [0, 0, 9, 9]}] * 5}, "more than 4 objects"),
    ],
)
def test_a_wrong_index_is_said(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DrawnPictures.read(folder_of(tmp_path, **changes))


def test_a_folder_without_an_index_and_another_size_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=INDEX):
        DrawnPictures.read(tmp_path)
    folder_of(tmp_path)
    Image.new("RGB", (64, 64)).save(tmp_path / "one.png")
    with pytest.raises(InputError, match="128 x 128"):
        DrawnPictures.read(tmp_path)
