"""Drawn pictures with known boxes join the renders that the detector learns from."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from llmgen.errors import InputError
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.models.judged import JudgedObject
from llmgen.toybox.recipes.detector import DetectorRecipe
from llmgen.toybox.recipes.drawing import agreed, draw_pictures
from llmgen.toybox.recipes.drawn_pictures import INDEX, DrawnPictures
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.recipes.sampling import TextToImage
from llmgen.toybox.recipes.scene_batches import draw_scenes
from llmgen.toybox.world.scenes import Wanted, place
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


def test_a_picture_is_labelled_by_its_layout_where_the_judge_agrees() -> None:
    scene = place([Wanted("ball", "red"), Wanted("boy", "blue")], "meadow", random.Random(1))
    ball, boy = (
        JudgedObject(o.noun, o.color, tuple(map(float, o.box_xyxy)), 0.9, "striped", mood)  # type: ignore[arg-type]
        for o, mood in zip(scene.objects, (None, "sad"), strict=True)
    )
    labels = agreed(scene, [boy, ball])
    assert labels is not None
    assert [(o["noun"], o["pattern"], o["mood"]) for o in labels] == [
        ("ball", "striped", None),
        ("boy", "striped", "sad"),
    ]
    assert labels[0]["box_xyxy"] == list(scene.objects[0].box_xyxy)
    assert agreed(scene, [ball]) is None
    assert agreed(scene, [ball, boy, ball]) is None
    assert agreed(scene, [ball, boy._replace(color="red")]) is None
    x0, y0, x1, y1 = boy.box_xyxy
    assert agreed(scene, [ball, boy._replace(box_xyxy=(x0 + 40, y0, x1 + 40, y1))]) is None


def test_drawn_pictures_are_read_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    models, looking = TextToImage.from_pretrained(), ToyboxJudge.from_pretrained(WEIGHTS / "judge")
    kept = draw_pictures(tmp_path, 6, models, looking, seed=3)
    rows = json.loads((tmp_path / INDEX).read_text())
    assert len(rows) == kept == len(list(tmp_path.glob("*.png")))
    if kept:
        assert len(DrawnPictures.read(tmp_path).pictures) == kept


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
